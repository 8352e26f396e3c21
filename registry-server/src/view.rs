//! Everything there is to show of one plugin.

use std::sync::Arc;

use pocket_index::layout;
use pocket_index::log::{Checkpoint, TilePath, Tiles, tiles_for_inclusion};
use pocket_index::name::PluginName;
use pocket_index::record::{History, ReleaseEntry, Status};
use pocket_index::search::{Link, SearchEntry};
use pocket_index::stats::Counts;
use pocket_index::verify::VerifiedRelease;

use crate::details::Detail;
use crate::error::{ApiError, chain};
use crate::web::Web;
use crate::{Registry, checkpoint};

/// A plugin with all that belongs to it.
#[derive(Debug)]
pub(crate) struct View {
    pub history: Arc<History>,
    /// The release that is shown: what the search list describes, or the newest one if all were withdrawn.
    pub shown: ReleaseEntry,
    pub detail: Option<Arc<Detail>>,
    pub dependents: Vec<PluginName>,
    pub downloads: Counts,
    pub proof: Proof,
    /// The clock's time, in seconds since 1970-01-01 UTC.
    pub now: u64,
}

/// What shows that everybody is told of the same release.
#[derive(Debug)]
pub(crate) struct Proof {
    pub size: u64,
    pub root: String,
    /// The files that, with the checkpoint, prove it.
    pub tiles: Vec<TilePath>,
    /// Why the log does not hold the release, if it does not.
    pub trouble: Option<String>,
}

impl View {
    /// Reads a plugin; none if the registry does not have it.
    pub async fn of(web: &Web, name: &PluginName) -> Result<Option<Self>, ApiError> {
        let registry = &web.registry;
        let checkpoint = checkpoint(registry).await?;
        let Some(history) = web.histories.of(registry, name, checkpoint.size()).await? else { return Ok(None) };
        let listed = SearchEntry::of(&history).and_then(|entry| history.release(&entry.version));
        let Some(shown) = listed.or_else(|| history.releases().next_back()).cloned() else { return Ok(None) };
        let detail = web.details.of(registry, shown.release()).await?;
        let dependents = web.catalog.linked(registry, Link::Needs(name)).await?.into_iter().collect();
        let downloads = web.counter.known().of(name.as_str()).cloned().unwrap_or_default();
        let proof = proof(registry, &shown, &checkpoint).await?;
        let now = checkpoint::now().map_err(|error| ApiError::storage(&error))?;
        Ok(Some(Self { history, shown, detail, dependents, downloads, proof, now }))
    }

    /// Why the plugin or the shown version is not recommended, the newest statement.
    pub fn deprecation(&self) -> Option<&str> {
        let version = &self.shown.release().version;
        let applies =
            self.history.deprecations().iter().rev().find(|one| one.version.as_ref().is_none_or(|v| v == version));
        applies.map(|one| one.reason.as_str())
    }
}

/// A status and why, in words.
pub(crate) fn status(status: &Status) -> (&'static str, Option<&str>) {
    match status {
        Status::Available => ("available", None),
        Status::Yanked { reason } => ("yanked", Some(reason)),
        Status::Revoked { reason } => ("revoked", Some(reason)),
    }
}

/// The newest checkpoint.
pub(crate) async fn checkpoint(registry: &Registry) -> Result<Checkpoint, ApiError> {
    let note = registry.file(layout::CHECKPOINT).await.map_err(|error| ApiError::storage(&error))?.unwrap_or_default();
    Checkpoint::open(&note, registry.key()).map_err(|error| ApiError::storage(&error))
}

async fn proof(registry: &Registry, entry: &ReleaseEntry, checkpoint: &Checkpoint) -> Result<Proof, ApiError> {
    let paths = tiles_for_inclusion(entry.log(), checkpoint.size());
    let mut tiles = Tiles::new();
    for path in &paths {
        // A tile that is full by now may be there instead of the begun one.
        for there in [*path, path.full()] {
            let file = registry.file(&there.to_string()).await.map_err(|error| ApiError::storage(&error))?;
            if let Some(file) = file {
                tiles.insert(*path, file.to_vec());
                break;
            }
        }
    }
    let checked = match entry.status() {
        // What is revoked is refused whatever the log says.
        Status::Revoked { .. } => None,
        _ => VerifiedRelease::check_entry(entry.clone(), checkpoint, &tiles).err(),
    };
    let trouble = checked.map(|error| chain(&error));
    if let Some(trouble) = &trouble {
        tracing::error!("the log does not hold `{}`: {trouble}", entry.release().name);
    }
    Ok(Proof { size: checkpoint.size(), root: checkpoint.head().root.to_string(), tiles: paths, trouble })
}
