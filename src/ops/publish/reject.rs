//! `plugin reject`: a release that waits is taken back, by whoever brought it or by an owner who will not have it.

use pocket_index::name::PluginName;
use pocket_index::signature::{Fingerprint, SecretKey};
use pocket_index::staged::{StagedRelease, WITHDRAWAL};
use semver::Version;

use super::approve::waiting;
use crate::ops::{OpsError, Reach, Workspace};
use crate::registry::RegistryError;

/// A release that waits no more.
#[derive(Debug, Clone)]
pub struct Rejected {
    /// The registry.
    pub registry: String,
    /// What waited there.
    pub staged: StagedRelease,
    /// The key that said so; none where the token was enough.
    pub key: Option<Fingerprint>,
}

/// Withdraws a release that waits. A token that may publish it is enough; where there is none, `secret` signs.
///
/// # Errors
/// It does not wait, or the registry does not let go of it.
pub async fn reject(
    workspace: &Workspace,
    (name, version): (&PluginName, &Version),
    secret: impl FnOnce() -> Result<SecretKey, OpsError>,
    reach: &Reach,
) -> Result<Rejected, OpsError> {
    let registry = workspace.open_registry(reach).await?;
    let (staged, _) = waiting(&registry, name, version).await?;
    registry.remember()?;
    let mut rejected = Rejected { registry: registry.location().to_string(), staged, key: None };
    match registry.withdraw(name, version, None).await {
        Err(RegistryError::PublishRefused { code, .. }) if code == "not_allowed" => {}
        withdrawn => {
            rejected.staged = withdrawn?;
            return Ok(rejected);
        }
    }
    let secret = secret()?;
    let signature = secret.sign_event(WITHDRAWAL, &rejected.staged.withdrawal());
    rejected.staged = registry.withdraw(name, version, Some(&signature)).await?;
    rejected.key = Some(secret.public().fingerprint());
    Ok(rejected)
}
