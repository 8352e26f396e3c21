//! Whose archive a digest is.

use pocket_index::archive;
use pocket_index::digest::Digest;
use pocket_index::layout;
use pocket_index::limits::Limits;
use pocket_index::name::PluginName;

use crate::Registry;

/// Reads the name in an archive's manifest; none if it cannot be read.
pub(super) async fn owner(registry: &Registry, digest: &Digest) -> Option<PluginName> {
    let bytes = registry.file(&layout::archive(digest)).await.ok().flatten()?;
    let read = move || Some(archive::read(&*bytes, &Limits::default()).ok()?.manifest().ok()?.name);
    tokio::task::spawn_blocking(read).await.ok().flatten()
}
