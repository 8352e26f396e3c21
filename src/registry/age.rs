//! How old a registry's checkpoint is, by this machine's clock.

use std::fmt;

use pocket_index::signature::PublicKey;
use pocket_index::time::{Age, CLOCK_DIFFERENCE, UtcTime};

use super::{Network, clock};

/// 7 days: longer than a registry's holidays, shorter than most take to miss a withdrawal.
pub const DEFAULT_MAX_AGE: u64 = 7 * 86_400;

/// What becomes of a registry whose checkpoint is older than it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staleness {
    /// It is refused: somebody looks for versions, and would not see the newest.
    Refused,
    /// It is used, and a person is told.
    Told,
}

/// How a registry may be read.
#[derive(Debug, Clone, Copy)]
pub struct Access {
    /// Whether the network may be used.
    pub network: Network,
    /// What becomes of one that is too old.
    pub staleness: Staleness,
    /// What time it is: seconds since 1970-01-01 UTC.
    pub now: u64,
}

impl Access {
    /// With this machine's clock.
    pub fn new(network: Network, staleness: Staleness) -> Self {
        // At a clock that stands before 1970 every checkpoint is ahead of it, and is refused for that.
        Self { network, staleness, now: clock::now() }
    }
}

/// A checkpoint that is older than it may be, or does not say how old it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub struct Stale {
    /// When it was signed; none if it does not say.
    pub signed: Option<u64>,
    /// This machine's clock.
    pub now: u64,
    /// The most that is allowed, in seconds.
    pub max_age: u64,
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = Age(self.max_age);
        match self.signed {
            Some(signed) => {
                let age = Age(self.now.saturating_sub(signed));
                write!(f, "its checkpoint was signed {age} ago, at {}; {most} are allowed", UtcTime(signed))
            }
            None => write!(f, "its checkpoint does not say when it was signed; {most} ago is allowed"),
        }
    }
}

/// A checkpoint from the future.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its checkpoint was signed at {}, the clock of this machine says {}", UtcTime(*signed), UtcTime(*now))]
pub struct Ahead {
    /// When it was signed.
    pub signed: u64,
    /// This machine's clock.
    pub now: u64,
}

/// Something about a registry that a person should know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Notice {
    /// Its checkpoint is older than it may be where versions are looked for.
    #[error("the registry `{registry}` may not show what is new: {stale}")]
    Stale {
        /// The registry.
        registry: String,
        /// How old it is.
        stale: Stale,
    },
    /// It signs its own events, such as revocations, with other keys than before. Its log's key vouches for them.
    #[error(
        "the registry `{registry}` signs its own events with other keys: {} now, {} before; its log says so, \
         ask whoever runs it if you did not expect that",
        fingerprints(now),
        fingerprints(before)
    )]
    KeysChanged {
        /// The registry.
        registry: String,
        /// The keys that were seen before.
        before: Vec<PublicKey>,
        /// The keys that it has now.
        now: Vec<PublicKey>,
    },
}

fn fingerprints(keys: &[PublicKey]) -> String {
    let all: Vec<String> = keys.iter().map(|key| key.fingerprint().to_string()).collect();
    if all.is_empty() { "none".to_owned() } else { all.join(" and ") }
}

/// Whether a checkpoint is too old; none if it is not.
///
/// # Errors
/// It was signed later than now, by more than clocks differ: one of the two is wrong, and then no age is known.
pub(super) fn judge(signed: Option<u64>, now: u64, max_age: u64) -> Result<Option<Stale>, Ahead> {
    let stale = Stale { signed, now, max_age };
    match signed {
        None => Ok(Some(stale)),
        Some(signed) if signed > now.saturating_add(CLOCK_DIFFERENCE) => Err(Ahead { signed, now }),
        Some(signed) => Ok((now.saturating_sub(signed) > max_age).then_some(stale)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_790_000_000;
    const DAY: u64 = 86_400;

    fn judged(signed: u64) -> Result<Option<Stale>, Ahead> {
        judge(Some(signed), NOW, DEFAULT_MAX_AGE)
    }

    #[test]
    fn a_checkpoint_may_be_as_old_as_it_may_be_and_no_second_older() {
        let oldest = NOW - DEFAULT_MAX_AGE;
        assert_eq!(judged(NOW), Ok(None));
        assert_eq!(judged(oldest), Ok(None));
        let stale = judged(oldest - 1).expect("it is not ahead").expect("it is too old");
        let said = "its checkpoint was signed 7d ago, at 2026-09-14T14:13:19Z; 7d are allowed";
        assert_eq!(stale.to_string(), said);
    }

    #[test]
    fn a_checkpoint_that_does_not_say_when_it_was_signed_is_older_than_any_age() {
        for max_age in [0, DEFAULT_MAX_AGE, u64::MAX] {
            let stale = judge(None, NOW, max_age).expect("it is not ahead");
            assert_eq!(stale, Some(Stale { signed: None, now: NOW, max_age }));
        }
    }

    #[test]
    fn a_clock_may_be_five_minutes_behind_and_no_second_more() {
        let ahead = NOW + CLOCK_DIFFERENCE;
        assert_eq!(judged(ahead), Ok(None));
        let error = judged(ahead + 1).expect_err("it is ahead").to_string();
        for time in ["2026-09-21T14:18:21Z", "2026-09-21T14:13:20Z"] {
            assert!(error.contains(time), "{error}");
        }
        assert_eq!(judged(NOW + DAY), Err(Ahead { signed: NOW + DAY, now: NOW }));
        assert_eq!(judge(Some(NOW), 0, u64::MAX), Err(Ahead { signed: NOW, now: 0 }), "a clock that was never set");
    }
}
