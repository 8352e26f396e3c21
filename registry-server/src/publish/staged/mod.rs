//! Releases that wait for their owners' signatures: brought by a machine, signed by people, and published by the last signature that
//! is needed, in the way of every other release.
//!
//! They stand beside the static tree: neither the index nor `a/` has anything of them.

mod routes;
mod shared;
mod withdrawal;

use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;

use axum::http::StatusCode;
use pocket_index::name::PluginName;
use pocket_index::publish::PublishHeader;
use pocket_index::record::{Event, Release};
use pocket_index::signature::{Signature, verify};
use pocket_index::staged::StagedRelease;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::receive::Received;
use super::{malformed, refused};
use crate::error::{ApiError, RegistryError, chain};
use crate::storage::{Condition, Storage, StorageError, Stored, Tag};
use crate::writer::View;

pub(crate) use routes::described;

/// What the paths of releases that wait start with.
pub(crate) const STAGED: &str = "staged/";
/// 14 days: whoever looks once a week has time to sign.
const STAYS: u64 = 14 * 86_400;
/// Releases of one plugin that wait at once.
const MOST: usize = 20;

/// What is kept of a release that waits, beside its archives.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    event: String,
    signatures: Vec<Signature>,
    by: Option<String>,
    staged: u64,
}

/// A release that waits, as it was read.
struct Waiting {
    kept: Kept,
    release: Release,
    stored: Stored,
}

/// A release that waits as it is published: with these signatures, and nothing else in its place.
pub(super) struct Ticket {
    path: String,
    tag: Tag,
}

impl Ticket {
    /// Fails if it was withdrawn, signed again or replaced meanwhile.
    pub(super) async fn check(&self, storage: &dyn Storage) -> Result<(), ApiError> {
        let entry = storage.entry(&self.path).await?;
        if entry.is_some_and(|entry| entry.tag == self.tag) { Ok(()) } else { Err(ApiError::changed()) }
    }
}

fn record_path(name: &PluginName, version: &Version) -> String {
    format!("{STAGED}{name}/{version}.json")
}

fn archive_path(release: &Release, hex: &str) -> String {
    format!("{STAGED}{}/{}/{hex}.tar.gz", release.name, release.version)
}

impl Kept {
    /// What stands in the place of a release that was withdrawn: nothing of it, and too old from the start. It is written over the release
    /// only where that is the one that was looked at; a removal has no such condition.
    fn withdrawn() -> Self {
        Self { event: String::new(), signatures: Vec::new(), by: None, staged: 0 }
    }

    fn is_expired(&self, now: u64) -> bool {
        now >= self.staged.saturating_add(STAYS)
    }

    fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a record has text keys only")
    }

    /// What is told of it, given the plugin as it is.
    fn told(&self, release: &Release, view: &View) -> StagedRelease {
        let owners = view.history.owners_at(view.at);
        StagedRelease {
            name: release.name.clone(),
            version: release.version.clone(),
            event: self.event.clone(),
            signatures: self.signatures.clone(),
            owners: owners.into_iter().flat_map(|owners| owners.keys().copied()).collect(),
            needed: owners.map_or(1, |owners| owners.threshold()),
            by: self.by.clone(),
            staged: self.staged,
            expires: self.staged.saturating_add(STAYS),
        }
    }
}

/// Every signature must hold, and the event must be the release that it stands under.
fn check(kept: &Kept, name: &PluginName, version: &Version) -> Result<Release, ApiError> {
    let header = PublishHeader { event: kept.event.clone(), signatures: kept.signatures.clone() };
    let event = header.event().map_err(|error| malformed(&error))?;
    let Event::Release(release) = event else {
        let message = format!("only releases wait for signatures, not a `{}` event", event.kind());
        return Err(refused("not_a_release", &message));
    };
    if release.name != *name || release.version != *version {
        let message = format!("it is `{}` {}, expected `{name}` {version}", release.name, release.version);
        return Err(refused("not_a_release", &message));
    }
    for signature in &kept.signatures {
        verify("release", &kept.event, signature)
            .map_err(|error| ApiError::new(StatusCode::FORBIDDEN, "not_allowed", chain(&error)))?;
    }
    Ok(*release)
}

/// The release that waits there.
async fn find(
    storage: &dyn Storage,
    name: &PluginName,
    version: &Version,
    now: u64,
) -> Result<Option<Waiting>, ApiError> {
    let Some(stored) = storage.read(&record_path(name, version)).await? else { return Ok(None) };
    let kept: Kept = serde_json::from_slice(&stored.bytes).map_err(|error| ApiError::storage(&error))?;
    if kept.is_expired(now) {
        return Ok(None);
    }
    let release = check(&kept, name, version)?;
    Ok(Some(Waiting { kept, release, stored }))
}

/// Every name and version of which something waits or waited.
async fn listed(storage: &dyn Storage, below: &str) -> Result<Vec<(PluginName, Version)>, RegistryError> {
    let entries = storage.list(&format!("{STAGED}{below}")).await?;
    let named = entries.iter().filter_map(|entry| {
        let (name, file) = entry.path.strip_prefix(STAGED)?.split_once('/')?;
        Some((name.parse().ok()?, file.strip_suffix(".json")?.parse().ok()?))
    });
    Ok(named.collect())
}

/// Whether a release waits there that was neither withdrawn nor waited too long.
async fn is_alive(storage: &dyn Storage, path: &str, now: u64) -> Result<bool, StorageError> {
    let kept = storage.read(path).await?.and_then(|stored| serde_json::from_slice::<Kept>(&stored.bytes).ok());
    Ok(kept.is_some_and(|kept| !kept.is_expired(now)))
}

/// How many other versions of the same plugin wait.
async fn others(storage: &dyn Storage, release: &Release, now: u64) -> Result<usize, RegistryError> {
    let mut count = 0;
    for (name, version) in listed(storage, &format!("{}/", release.name)).await? {
        if version != release.version && is_alive(storage, &record_path(&name, &version), now).await? {
            count += 1;
        }
    }
    Ok(count)
}

/// Keeps the archives, then the record. What waited there before is replaced, and what was signed of that counts no more.
async fn keep(storage: &dyn Storage, release: &Release, kept: &Kept, archives: &File) -> Result<(), ApiError> {
    let mut at = 0;
    for record in &release.archives {
        let bytes = super::receive::read_part(archives, at, record.size).map_err(ApiError::spool)?;
        storage.put(&archive_path(release, &record.sha256.hex()), bytes.into(), Condition::Always).await?;
        at += record.size;
    }
    let path = record_path(&release.name, &release.version);
    storage.put(&path, kept.to_bytes().into(), Condition::Always).await?;
    Ok(())
}

/// What waits, as if it had just been received with all its signatures; none if an archive is gone: somebody else may have just published it.
async fn receive_again(storage: &dyn Storage, waiting: &Waiting) -> Result<Option<Received>, ApiError> {
    let Waiting { kept, release, .. } = waiting;
    let mut file = tempfile::tempfile().map_err(ApiError::spool)?;
    for record in &release.archives {
        let Some(stored) = storage.read(&archive_path(release, &record.sha256.hex())).await? else { return Ok(None) };
        file.write_all(&stored.bytes).map_err(ApiError::spool)?;
    }
    let header = PublishHeader { event: kept.event.clone(), signatures: kept.signatures.clone() };
    Ok(Some(Received { header, event: Event::Release(Box::new(release.clone())), archives: Arc::new(file) }))
}

/// Forgets a release that waited: first the record, so that nobody finds half of it.
async fn forget(storage: &dyn Storage, release: &Release) -> Result<(), RegistryError> {
    storage.remove(&record_path(&release.name, &release.version)).await?;
    for record in &release.archives {
        storage.remove(&archive_path(release, &record.sha256.hex())).await?;
    }
    Ok(())
}

/// The paths of what waited too long or was withdrawn, and of archives whose record is gone.
pub(crate) async fn abandoned(storage: &dyn Storage, now: u64) -> Result<Vec<String>, RegistryError> {
    let mut alive = Vec::new();
    for (name, version) in listed(storage, "").await? {
        let path = record_path(&name, &version);
        if is_alive(storage, &path, now).await? {
            alive.push(path.trim_end_matches(".json").to_owned());
        }
    }
    let entries = storage.list(STAGED).await?;
    let is_alive = |path: &str| {
        alive.iter().any(|one| path.starts_with(&format!("{one}.json")) || path.starts_with(&format!("{one}/")))
    };
    Ok(entries.into_iter().map(|entry| entry.path).filter(|path| !is_alive(path)).collect())
}
