//! A recovery waits by the registry's clock, which the registry could set. So it also waits by this machine's.

use std::time::{SystemTime, UNIX_EPOCH};

use pocket_index::name::PluginName;
use pocket_index::record::{Outline, Recovery, RecoveryOutcome};

/// 1 h: clocks that nobody sets are rarely further apart, and it is little of the three days that a recovery waits at least.
const SLACK: u64 = 3_600;

/// Seconds since 1970-01-01 UTC by this machine's clock; 0 for a clock that stands before, at which nothing was released yet.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Owners that count before they may.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {} of the index file of `{plugin}` counts owners whom the registry named from {effective} on; by the clock of this \
     machine it is {now} (seconds since 1970)",
    seq + 1
)]
pub struct EarlyOwners {
    /// The plugin.
    pub plugin: PluginName,
    /// The place of the first line that counts them, from 0.
    pub seq: u64,
    /// From when on they may count: seconds since 1970-01-01 UTC.
    pub effective: u64,
    /// This machine's clock, in the same.
    pub now: u64,
}

/// Checks that no line was taken from new owners before their time by this machine's clock.
///
/// # Errors
/// One was: the registry's clock was set forward, and the old owners did not have the time to object.
pub fn check(outline: &Outline, now: u64) -> Result<(), EarlyOwners> {
    let early = |recovery: &Recovery| match recovery.outcome {
        RecoveryOutcome::Done { seq } if recovery.effective > now.saturating_add(SLACK) => {
            Some((seq, recovery.effective))
        }
        _ => None,
    };
    match outline.recoveries().iter().find_map(early) {
        Some((seq, effective)) => Err(EarlyOwners { plugin: outline.name().clone(), seq, effective, now }),
        None => Ok(()),
    }
}
