//! When a log signed its checkpoints: what the writer may say, and what a reader who saw earlier ones believes.

use super::checkpoint::{Checkpoint, CheckpointError};
use super::cosignature::{CosignatureError, Cosigner};
use super::note::{NoteKey, NoteSigner};
use crate::time::{CLOCK_DIFFERENCE, UtcTime};

/// What is known of when the log grew, from the checkpoints that a reader saw.
///
/// The time in a line is the registry's word alone. This bounds it: a line is not younger than the checkpoint that publishes it, and
/// not older than a checkpoint that was there before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogTimes {
    signed: Option<u64>,
    seen: Vec<SeenCheckpoint>,
}

/// How large a log was at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenCheckpoint {
    /// How many leaves it had.
    pub size: u64,
    /// When it signed: seconds since 1970-01-01 UTC.
    pub time: u64,
}

/// A line whose time goes against the log's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineTimeError {
    /// It would have come after the checkpoint that publishes it.
    #[error("`at` is {}, but the checkpoint that publishes it was signed at {}", UtcTime(*at), UtcTime(*signed))]
    AfterCheckpoint {
        /// What the line says.
        at: u64,
        /// When the checkpoint was signed.
        signed: u64,
    },
    /// It would have come before a checkpoint that does not hold it.
    #[error(
        "`at` is {}, but at {} the log had {} leaves, and this one is leaf {log}: the line is backdated",
        UtcTime(*at), UtcTime(seen.time), seen.size
    )]
    Backdated {
        /// What the line says.
        at: u64,
        /// The index of its leaf.
        log: u64,
        /// The checkpoint that was seen before.
        seen: SeenCheckpoint,
    },
}

/// The writer's clock shows an earlier time than the log's newest checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the log's newest checkpoint was signed at {}, the clock says {}", UtcTime(*signed), UtcTime(*now))]
pub struct ClockBehind {
    /// When the newest checkpoint was signed.
    pub signed: u64,
    /// What the clock says.
    pub now: u64,
}

impl LogTimes {
    /// Bounds for the lines that a checkpoint of this log publishes.
    pub fn of(checkpoint: &Checkpoint, log: &NoteKey) -> Result<Self, CosignatureError> {
        Ok(Self { signed: checkpoint.signed_at(log)?, seen: Vec::new() })
    }

    /// The same with checkpoints that were seen before.
    pub fn after(mut self, seen: impl IntoIterator<Item = SeenCheckpoint>) -> Self {
        self.seen.extend(seen);
        self
    }

    /// Checks what a line says of its time, at its place in the log.
    pub fn check(&self, log: u64, at: u64) -> Result<(), LineTimeError> {
        if let Some(signed) = self.signed.filter(|signed| at > signed.saturating_add(CLOCK_DIFFERENCE)) {
            return Err(LineTimeError::AfterCheckpoint { at, signed });
        }
        let newest = self.seen.iter().filter(|seen| log >= seen.size).max_by_key(|seen| seen.time);
        match newest.filter(|seen| at.saturating_add(CLOCK_DIFFERENCE) < seen.time) {
            Some(seen) => Err(LineTimeError::Backdated { at, log, seen: *seen }),
            None => Ok(()),
        }
    }
}

/// The time that the next line and checkpoint of a log state: never one before the newest checkpoint's, for readers who saw that
/// would take it for a contradiction.
///
/// # Errors
/// The clock is behind by more than clocks differ.
pub fn next_time(newest: Option<u64>, now: u64) -> Result<u64, ClockBehind> {
    match newest {
        Some(signed) if signed > now.saturating_add(CLOCK_DIFFERENCE) => Err(ClockBehind { signed, now }),
        Some(signed) => Ok(signed.max(now)),
        None => Ok(now),
    }
}

impl Checkpoint {
    /// The checkpoint with the log's statement that it signed at `time` (seconds since 1970-01-01 UTC), which takes the place of an
    /// earlier one.
    ///
    /// # Errors
    /// It has no room for another signature line.
    pub fn stated_at(&self, time: u64, signer: &NoteSigner) -> Result<Self, CheckpointError> {
        let log = Cosigner::of_log(signer);
        let cosignature = log.cosign(self, time);
        self.with_cosignatures([(log.key(), &cosignature)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestIndex;

    const T: u64 = 1_790_000_000;

    fn times(seen: &[(u64, u64)]) -> LogTimes {
        let index = TestIndex::new();
        let checkpoint = index.checkpoint().stated_at(T, &index.signer).expect("it fits");
        let times = LogTimes::of(&checkpoint, index.signer.key()).expect("it states its time");
        times.after(seen.iter().map(|(size, time)| SeenCheckpoint { size: *size, time: *time }))
    }

    #[test]
    fn a_line_is_not_younger_than_the_checkpoint_that_publishes_it() {
        assert_eq!(times(&[]).check(0, T + CLOCK_DIFFERENCE), Ok(()));
        let late = T + CLOCK_DIFFERENCE + 1;
        assert_eq!(times(&[]).check(0, late), Err(LineTimeError::AfterCheckpoint { at: late, signed: T }));
        assert_eq!(LogTimes::default().check(0, late), Ok(()), "a checkpoint without a time bounds nothing");
    }

    #[test]
    fn a_line_is_not_older_than_a_checkpoint_that_does_not_hold_it() {
        let seen = SeenCheckpoint { size: 5, time: T - 1_000 };
        let times = times(&[(3, T - 9_000), (5, T - 1_000), (8, T - 100)]);
        let earliest = seen.time - CLOCK_DIFFERENCE;
        assert_eq!(times.check(5, earliest), Ok(()));
        let backdated = LineTimeError::Backdated { at: earliest - 1, log: 5, seen };
        assert_eq!(times.check(5, earliest - 1), Err(backdated));
        assert_eq!(times.check(4, earliest - 1), Ok(()), "the second checkpoint held it");
        assert_eq!(times.check(2, 0), Ok(()), "every checkpoint held it");
        assert!(times.check(3, 0).is_err());
    }

    #[test]
    fn a_log_never_states_an_earlier_time_than_before() {
        assert_eq!(next_time(None, 5), Ok(5));
        assert_eq!(next_time(Some(T), T + 9), Ok(T + 9));
        assert_eq!(next_time(Some(T), T - CLOCK_DIFFERENCE), Ok(T));
        let now = T - CLOCK_DIFFERENCE - 1;
        assert_eq!(next_time(Some(T), now), Err(ClockBehind { signed: T, now }));
    }

    #[test]
    fn a_new_statement_of_time_takes_the_place_of_the_old_one_and_changes_nothing_else() {
        let index = TestIndex::new();
        let (old, key) = (index.checkpoint().stated_at(T, &index.signer).expect("it fits"), index.signer.key());
        let new = old.stated_at(T + 1, &index.signer).expect("it fits");
        assert_eq!(new.signed_at(key), Ok(Some(T + 1)));
        assert_eq!((new.head(), new.keys()), (old.head(), old.keys()));
        assert_eq!(new.note().lines().count(), old.note().lines().count());
    }
}
