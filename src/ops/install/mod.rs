//! `plugin install`: resolve, ask, fetch, verify, unpack, lock.
//!
//! Nothing is written before everything is known and approved; `pocket.lock` is written last.

mod approval;
mod direct;
mod fetch;
pub(super) mod locking;
mod origins;
mod records;
mod wanted;

use std::path::{Path, PathBuf};

use pocket_index::name::PluginName;
use semver::Version;

pub use approval::{Approver, Ask, Consent, sentences};
pub use direct::{DirectError, Unvouched};
pub use origins::OriginError;

use super::sources::Source;
use super::{OpsError, Reach, Workspace};
use crate::home::atomic;
use crate::project::Lockfile;
use crate::store::Store;
use locking::Planned;
use records::World;
use wanted::Wanted;

/// What is to be installed, and how.
#[derive(Debug, Clone)]
pub struct Request {
    /// What was typed; nothing means what `pocket.yaml` names.
    pub sources: Vec<Source>,
    /// Which registry, and whether the network may be used.
    pub reach: Reach,
    /// Whether the lock may change.
    pub locking: Locking,
    /// Another folder than the user's for the unpacked files.
    pub folder: Option<PathBuf>,
}

/// Whether the lock may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locking {
    /// It may.
    Update,
    /// It must fit as it is, and nothing is written but the plugins' files.
    Locked,
}

/// A step of an install, as it happens.
#[derive(Debug)]
pub enum Step<'a> {
    /// A registry was seen for the first time: its key is trusted from here on.
    MetRegistry {
        /// Where it is.
        registry: String,
        /// Its key's fingerprint.
        fingerprint: &'a str,
    },
    /// Versions were chosen.
    Resolved {
        /// How many.
        plugins: usize,
    },
    /// Bytes came.
    Downloading {
        /// The plugin.
        name: &'a PluginName,
        /// Its version.
        version: &'a Version,
        /// Bytes so far.
        received: u64,
        /// Bytes in all, if known.
        expected: Option<u64>,
    },
    /// An archive is what its release says.
    Verified {
        /// The plugin.
        name: &'a PluginName,
        /// Its version.
        version: &'a Version,
    },
    /// A plugin was unpacked.
    Installed {
        /// The plugin.
        name: &'a PluginName,
        /// Its version.
        version: &'a Version,
    },
    /// The lock was written.
    Locked {
        /// Its file.
        path: &'a Path,
    },
    /// Something a person should know.
    Warning {
        /// In one sentence.
        text: String,
    },
}

/// Hears the steps of an install.
pub trait Observer {
    /// A step happened.
    fn step(&self, step: Step<'_>);
}

/// What an install left.
#[derive(Debug, Clone)]
pub struct Report {
    /// Every plugin of the lock, and whether this install unpacked it.
    pub plugins: Vec<(PluginName, Version, Unpacked)>,
    /// Where the lock is.
    pub lock: PathBuf,
}

/// Whether a plugin's files were there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unpacked {
    /// They were.
    Before,
    /// They were unpacked now.
    Now,
}

/// Installs what `request` and `pocket.yaml` ask for.
///
/// # Errors
/// Whatever cannot be resolved, had, verified or approved. Plugins, lock and `pocket.yaml` are then as they were.
pub async fn install(
    workspace: &Workspace,
    request: &Request,
    observer: &dyn Observer,
    approver: &dyn Approver,
) -> Result<Report, OpsError> {
    let store = request.folder.clone().map_or_else(|| workspace.store(), Store::at);
    let old = workspace.read_lock()?;
    let old_lock = old.as_ref().map(|(lock, _)| lock);
    if let Some(report) = nothing_to_do(workspace, request, &store, old_lock)? {
        return Ok(report);
    }
    let mut world = World::new(workspace, request.reach.network, old_lock, observer);
    let wanted = Wanted::collect(workspace, request, &mut world, approver).await?;
    let resolution = world.resolve(&wanted.needs()).await?;
    observer.step(Step::Resolved { plugins: resolution.plugins.len() });
    let planned = locking::plan(&mut world, &resolution, old_lock).await?;
    origins::refuse_clashes(&planned)?;
    origins::tell_switches(&world, &planned, old_lock);
    let lock = locking::lock(&world, &planned, old_lock);
    let text = lock.to_text();
    let old_text = old.as_ref().map(|(_, text)| text.as_str());
    if request.locking == Locking::Locked {
        refuse_change(workspace, old_text, &text)?;
    }
    approval::approve(&planned, old_lock, approver)?;

    let archives = fetch::fetch(&world, &planned, &store, observer).await?;
    let plugins = fetch::unpack(&planned, archives, &store, observer)?;
    remember_folder(workspace, request)?;
    if request.locking == Locking::Update {
        wanted.write(workspace, &resolution)?;
        write_lock(workspace, old_text, &text, observer)?;
    }
    Ok(Report { plugins, lock: workspace.lock_path() })
}

/// The quick way: nothing was typed, the lock fits `pocket.yaml`, and everything in it is unpacked.
fn nothing_to_do(
    workspace: &Workspace,
    request: &Request,
    store: &Store,
    lock: Option<&Lockfile>,
) -> Result<Option<Report>, OpsError> {
    let Some(lock) = lock.filter(|_| request.sources.is_empty()) else { return Ok(None) };
    let default = workspace.registry(request.reach.registry.as_deref())?.name;
    if lock.satisfies(&workspace.project().plugins.dependencies, &default).is_err() {
        return Ok(None);
    }
    if !direct::is_unchanged(workspace, lock) {
        return Ok(None);
    }
    let mut plugins = Vec::new();
    for plugin in &lock.plugins {
        let Some(archive) = locking::archive_for_host(plugin) else { return Ok(None) };
        if store.find(&plugin.name, &plugin.version, archive.tree)?.is_none() {
            return Ok(None);
        }
        plugins.push((plugin.name.clone(), plugin.version.clone(), Unpacked::Before));
    }
    Ok(Some(Report { plugins, lock: workspace.lock_path() }))
}

fn refuse_change(workspace: &Workspace, old: Option<&str>, new: &str) -> Result<(), OpsError> {
    let reason = match old {
        Some(old) if old == new => return Ok(()),
        Some(old) => first_difference(old, new),
        None => "there is no lock".to_owned(),
    };
    Err(OpsError::LockStale { lock: workspace.lock_path(), manifest: workspace.manifest_path(), reason })
}

fn first_difference(old: &str, new: &str) -> String {
    let lines = old.lines().zip(new.lines()).enumerate().find(|(_, (old, new))| old != new);
    match lines {
        Some((number, (old, new))) => format!("line {} is `{}`, it would be `{}`", number + 1, old.trim(), new.trim()),
        None => "lines would be added or taken away at its end".to_owned(),
    }
}

/// Plugins that `--dir` put elsewhere are found again by every later run.
fn remember_folder(workspace: &Workspace, request: &Request) -> Result<(), OpsError> {
    match &request.folder {
        Some(folder) => Ok(workspace.home().remember_store(folder)?),
        None => Ok(()),
    }
}

fn write_lock(workspace: &Workspace, old: Option<&str>, new: &str, observer: &dyn Observer) -> Result<(), OpsError> {
    let path = workspace.lock_path();
    if old == Some(new) {
        return Ok(());
    }
    atomic::replace_file(&path, new.as_bytes()).map_err(OpsError::io("write", &path))?;
    observer.step(Step::Locked { path: &path });
    Ok(())
}

/// A planned plugin's name and version.
fn label(planned: &Planned) -> (&PluginName, &Version) {
    (&planned.locked.name, &planned.locked.version)
}
