//! Checkpoints in the order of time.

use pocket_index::log::{Checkpoint, CosignatureError, LogError, NoteKey, SeenCheckpoint};
use pocket_index::time::UtcTime;

use crate::home::trust::SeenTime;

/// 6 hours between checkpoints whose times are kept, and 64 of them: 16 days at least, and most ages that releases must have are
/// shorter.
const BETWEEN: u64 = 6 * 3_600;
const KEPT: usize = 64;

/// A checkpoint, and when it says that it was signed.
#[derive(Debug, Clone)]
pub(super) struct Dated {
    pub checkpoint: Checkpoint,
    pub signed: Option<u64>,
}

impl Dated {
    /// Reads when the log signed it.
    pub fn of(checkpoint: Checkpoint, log_key: &NoteKey) -> Result<Self, CosignatureError> {
        Ok(Self { signed: checkpoint.signed_at(log_key)?, checkpoint })
    }

    /// Its size and time, if it has one.
    pub fn seen(&self) -> Option<SeenCheckpoint> {
        self.signed.map(|time| SeenCheckpoint { size: self.checkpoint.size(), time })
    }

    /// Whether it is of a larger tree, or of the same one and signed later.
    pub fn is_newer_than(&self, other: &Self) -> bool {
        (self.checkpoint.size(), self.signed) > (other.checkpoint.size(), other.signed)
    }

    /// Why the two cannot be of one log.
    pub fn contradicts(&self, other: &Self) -> Option<Box<dyn std::error::Error + Send + Sync>> {
        let (one, two) = (self.checkpoint.head(), other.checkpoint.head());
        if one.size == two.size && one != two {
            return Some(LogError::Forked { size: one.size, old: one.root, new: two.root }.into());
        }
        let (mut smaller, mut larger) = (self.seen()?, other.seen()?);
        if larger.size < smaller.size {
            std::mem::swap(&mut smaller, &mut larger);
        }
        let is_backwards = smaller.size < larger.size && smaller.time > larger.time;
        is_backwards.then(|| Backwards { smaller, larger }.into())
    }
}

/// A log that was smaller at a later time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the log had {} leaves at {}, and its checkpoint of {} leaves was signed before, at {}",
    smaller.size, UtcTime(smaller.time), larger.size, UtcTime(larger.time)
)]
pub struct Backwards {
    /// The smaller tree and its time.
    pub smaller: SeenCheckpoint,
    /// The larger tree and its time.
    pub larger: SeenCheckpoint,
}

/// The times that are kept beside the newest checkpoint's.
pub(super) fn earlier(mut times: Vec<SeenCheckpoint>, newest: Option<SeenCheckpoint>) -> Vec<SeenTime> {
    times.retain(|one| Some(*one) != newest);
    times.sort_by_key(|one| (one.time, one.size));
    let mut kept: Vec<SeenTime> = Vec::new();
    for one in times {
        if kept.last().is_none_or(|SeenTime(last)| one.time - last.time >= BETWEEN) {
            kept.push(SeenTime(one));
        }
    }
    kept.split_off(kept.len().saturating_sub(KEPT))
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: u64 = 1_790_000_000;

    fn seen(size: u64, time: u64) -> SeenCheckpoint {
        SeenCheckpoint { size, time }
    }

    #[test]
    fn of_the_times_that_were_seen_one_in_six_hours_is_kept_and_the_newest_sixty_four() {
        let all: Vec<_> = (0..1_000).map(|hour| seen(hour, T + hour * 3_600)).collect();
        let kept = earlier(all.clone(), None);
        assert_eq!(kept.len(), KEPT);
        assert!(kept.windows(2).all(|pair| pair[1].0.time - pair[0].0.time == BETWEEN));
        assert!(kept.last().is_some_and(|SeenTime(last)| last.time > T + 990 * 3_600));
        let again: Vec<_> = kept.iter().map(|SeenTime(one)| *one).collect();
        assert_eq!(earlier(again, None), kept, "what is kept stays");
        assert_eq!(earlier(vec![seen(1, T)], Some(seen(1, T))), [], "the newest stands for itself");
    }

    #[test]
    fn two_checkpoints_of_one_log_grow_with_time() {
        let signer = pocket_index::log::NoteSigner::new(
            "example.org/log",
            pocket_index::signature::SecretKey::from_seed(&[2; 32]),
        )
        .expect("a name");
        let dated = |size: u64, time: Option<u64>| {
            let root = pocket_index::log::leaf_hash(&size.to_be_bytes());
            let checkpoint = Checkpoint::sign(size, root, pocket_index::log::keys_digest([]), &signer);
            let checkpoint =
                time.map_or(checkpoint.clone(), |time| checkpoint.stated_at(time, &signer).expect("it fits"));
            Dated::of(checkpoint, signer.key()).expect("its own statement holds")
        };
        let (small, large) = (dated(3, Some(T)), dated(4, Some(T - 1)));
        let error = large.contradicts(&small).expect("the larger log is older").to_string();
        assert!(
            error.contains("3 leaves at 2026-09-21T14:13:20Z") && error.contains("at 2026-09-21T14:13:19Z"),
            "{error}"
        );
        assert_eq!(small.contradicts(&large).map(|error| error.to_string()), Some(error));
        assert!(dated(4, Some(T)).contradicts(&small).is_none());
        assert!(dated(4, None).contradicts(&small).is_none(), "no time contradicts nothing");
        assert!(dated(3, Some(T + 1)).is_newer_than(&small) && !dated(3, None).is_newer_than(&small));
    }
}
