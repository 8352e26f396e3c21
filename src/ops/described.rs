//! What a release's manifest says beyond its record. It is in the archive, which is fetched for it if it is small.

use pocket_index::limits::Limits;
use pocket_index::manifest::Manifest;
use pocket_index::name::Target;
use pocket_index::record::{History, Release};

use super::OpsError;
use crate::registry::{Registry, RegistryError};

/// 8 MiB: what is fetched in a second or two, and is in the cache then for an install.
const MOST_BYTES: u64 = 8 << 20;

/// The manifest of a release; none if its archive is large, or cannot be had now.
///
/// # Errors
/// The release is not in the registry's log, or the registry sends more than the release says.
pub async fn manifest(registry: &Registry, history: &History, release: &Release) -> Result<Option<Manifest>, OpsError> {
    let own = release.archives.iter().find(|archive| archive.target == Target::host());
    let Some(record) = own.or(release.archives.first()).filter(|record| record.size <= MOST_BYTES) else {
        return Ok(None);
    };
    let verified = registry.release(history, &release.version).await?;
    let bytes = match registry.archive(&verified, &record.target, &mut |_, _| {}).await {
        Err(RegistryError::Download { plugin, source, .. }) => {
            tracing::debug!(%plugin, %source, "its archive cannot be had, so its manifest is not shown");
            return Ok(None);
        }
        fetched => fetched?,
    };
    match verified.verify_digested(&record.target, &bytes, &Limits::default()) {
        Ok(archive) => Ok(Some(archive.manifest().clone())),
        Err(error) => {
            // Nothing of it is shown, and an install refuses it.
            tracing::warn!(plugin = %release.name, version = %release.version, %error, "its archive is refused");
            Ok(None)
        }
    }
}
