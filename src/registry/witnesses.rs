//! Whether others saw the checkpoint that this client is shown.

use std::time::{SystemTime, UNIX_EPOCH};

use pocket_index::log::{Checkpoint, NoteKey, Recent, WitnessDemand, WitnessError, Witnessed};

/// 7 days, in seconds: a cosignature that is older says too little about today.
const MAX_AGE: u64 = 7 * 86_400;

/// Witnesses that somebody demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemandedWitnesses {
    /// Who demands them, for messages.
    pub place: String,
    /// Whom, and how many of them.
    pub demand: WitnessDemand,
}

/// From when a cosignature must be, by this machine's clock.
pub(super) fn recent() -> Recent {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Recent { now, max_age: MAX_AGE }
}

/// Everybody who demands witnesses must be content. Returns the witnesses that count, each once.
pub(super) fn check(
    demanded: &[DemandedWitnesses],
    checkpoint: &Checkpoint,
    log: &NoteKey,
    recent: Option<Recent>,
) -> Result<Vec<Witnessed>, WitnessError> {
    let mut found: Vec<Witnessed> = Vec::new();
    for DemandedWitnesses { place, demand } in demanded {
        for seen in demand.check(checkpoint, log, recent, place)? {
            if found.iter().all(|known| known.key.public() != seen.key.public()) {
                found.push(seen);
            }
        }
    }
    Ok(found)
}
