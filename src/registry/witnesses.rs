//! Whether others saw the checkpoint that this client is shown.

use pocket_index::log::{Checkpoint, NoteKey, Recent, WitnessDemand, WitnessError, Witnessed};

/// Witnesses that somebody demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemandedWitnesses {
    /// Who demands them, for messages.
    pub place: String,
    /// Whom, and how many of them.
    pub demand: WitnessDemand,
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
