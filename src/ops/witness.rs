//! `witness check`: a witness that has no server reads a registry's log itself.

use std::time::{SystemTime, UNIX_EPOCH};

use pocket_index::log::{Checkpoint, Cosignature, TreeHead};
use pocket_index::witness::AddCheckpoint;
use pocket_registry::witness::{Refusal, Way, Witness};

use super::{OpsError, Workspace, accounts};
use crate::registry::{Location, LogFiles, RegistryError};

/// The witness's own server may be asked about the same log at the same time.
const ATTEMPTS: usize = 3;

/// A checkpoint that was cosigned.
#[derive(Debug, Clone)]
pub struct Cosigned {
    /// The tree.
    pub head: TreeHead,
    /// The cosignature.
    pub cosignature: Cosignature,
}

/// Reads a registry's checkpoint, holds it against the one that this witness saw last, and cosigns it. A private registry is shown the token
/// that there is for it.
///
/// # Errors
/// The log is not known, cannot be read, or did not grow out of what was seen.
pub async fn check(witness: &Witness, registry: &str, workspace: &Workspace) -> Result<Cosigned, OpsError> {
    let named = workspace.registry(Some(registry))?;
    let token = accounts::token_for(workspace, &named)?;
    let location = named.location;
    let files = LogFiles::at(location.clone(), workspace.home(), token.as_ref())?;
    let refused = |refusal: Refusal| match refusal {
        Refusal::Failed(error) => error.into(),
        refusal => OpsError::NotCosigned { registry: location.to_string(), source: Box::new(refusal) },
    };
    let mut attempt = 1;
    loop {
        let note = files.checkpoint().await?;
        let checkpoint = witness.open_checkpoint(&note).map_err(refused)?;
        let request = request(witness, &checkpoint, &files, &location).await?.map_err(refused)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        match witness.cosign(&request, Way::Read, now) {
            Ok(cosignature) => return Ok(Cosigned { head: checkpoint.head().clone(), cosignature }),
            Err(Refusal::OtherSize { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(refusal) => return Err(refused(refusal)),
        }
    }
}

/// What a registry would send.
async fn request(
    witness: &Witness,
    checkpoint: &Checkpoint,
    files: &LogFiles,
    location: &Location,
) -> Result<Result<AddCheckpoint, Refusal>, OpsError> {
    let size = checkpoint.size();
    let old = match witness.seen(&checkpoint.head().origin) {
        // A log that shrank is the witness's to judge.
        Ok(seen) => seen.min(size),
        Err(refusal) => return Ok(Err(refusal)),
    };
    let tiles = files.tiles(old, size).await?;
    let request = AddCheckpoint::prove(checkpoint, old, &tiles).map_err(|error| {
        let source = Box::new(error);
        RegistryError::Refused { registry: location.to_string(), source }
    })?;
    Ok(Ok(request.expect("`old` is at most the checkpoint's size")))
}
