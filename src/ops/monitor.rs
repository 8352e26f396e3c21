//! `registry verify`: does everything in a registry fit together, and with what was seen of it before.

use std::path::Path;

use pocket_index::layout;
use pocket_index::log::{ClaimedCosignature, TreeHead, Witnessed};

use super::{OpsError, Reach, Workspace};
use crate::registry::{Archives, Audit, Difference, Location, Network, now};

/// A registry that was read from end to end.
#[derive(Debug, Clone)]
pub struct Audited {
    /// Where it is.
    pub registry: String,
    /// The fingerprint of the key that signs its log.
    pub key: String,
    /// The tree that its checkpoint signs.
    pub head: TreeHead,
    /// When the checkpoint was signed: seconds since 1970-01-01 UTC; none if it does not say.
    pub signed: Option<u64>,
    /// How long ago that was, in seconds.
    pub age: Option<u64>,
    /// The witnesses that are demanded here and saw it.
    pub witnessed: Vec<Witnessed>,
    /// Others that say so. Their keys are not known here.
    pub claimed: Vec<ClaimedCosignature>,
    /// What is in it.
    pub audit: Audit,
}

/// Reads a whole registry: a URL, a name from the configuration, or the folder of a static tree.
///
/// # Errors
/// Its configuration or checkpoint is refused, or something cannot be read. Differences are no errors here.
pub async fn verify(workspace: &Workspace, registry: &str, archives: Archives) -> Result<Audited, OpsError> {
    let folder = Path::new(registry);
    let asked = if folder.is_dir() {
        let folder = std::path::absolute(folder).map_err(OpsError::io("find", folder))?;
        Location::Folder(folder).to_string()
    } else {
        registry.to_owned()
    };
    let reach = Reach { registry: Some(asked), network: Network::Online };
    let registry = workspace.open_registry(&reach).await?;
    let mut audit = registry.audit(archives).await?;
    if let Some(stale) = registry.stale() {
        audit.differences.push(Difference { file: layout::CHECKPOINT.to_owned(), problem: stale.to_string() });
    }
    if audit.differences.is_empty() {
        registry.remember()?;
    }
    let signed = registry.signed_at();
    let witnessed = registry.witnessed().to_vec();
    let mut claimed = registry.checkpoint().claimed_cosignatures(registry.log_key());
    claimed.retain(|claim| witnessed.iter().all(|seen| seen.key.name() != claim.name));
    Ok(Audited {
        signed,
        age: signed.map(|signed| now().saturating_sub(signed)),
        witnessed,
        claimed,
        registry: registry.location().to_string(),
        key: registry.log_key().public().fingerprint().to_string(),
        head: registry.checkpoint().head().clone(),
        audit,
    })
}
