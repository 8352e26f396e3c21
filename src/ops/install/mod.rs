//! `plugin install`: resolve, ask, fetch, verify, unpack, lock.
//!
//! Nothing is written before everything is known and approved; `pocket.lock` is written last.

mod approval;
mod changes;
mod direct;
pub(super) mod edited;
mod fetch;
mod imports;
mod known;
pub(super) mod locking;
mod origins;
mod outdated;
mod precise;
mod records;
mod recoveries;
mod revoked;
mod rules;
mod vendor;
mod wanted;

use std::path::{Path, PathBuf};

use pocket_index::limits::Limits;
use pocket_index::name::{PluginName, Target};
use semver::Version;

pub use approval::{Approver, Ask, Consent, Entry, entries, sentences};
pub use changes::Change;
pub(super) use direct::standalone;
pub use direct::{DirectError, Unvouched};
pub(super) use imports::refuse_unasked_in;
pub use origins::OriginError;
pub use outdated::{Outdated, outdated};
pub(super) use revoked::refuse_seen;
pub use rules::Freedom;
pub use vendor::{Vendored, vendor};

use super::policy::Policy;
use super::recovery::Notice;
use super::sources::Source;
use super::{OpsError, Reach, Workspace, leftovers, plugins};
use crate::home::atomic;
use crate::project::{Basis, LockedPlugin, Lockfile};
use crate::registry::{Network, Staleness};
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
    /// Which versions of the lock may be left for others.
    pub freedom: Freedom,
    /// How far to go.
    pub extent: Extent,
    /// Another folder than the user's for the unpacked files.
    pub folder: Option<PathBuf>,
    /// What the plugins are unpacked for; none is this machine.
    pub target: Option<Target>,
    /// Bytes that a plugin's files may have together, whatever the configuration says.
    pub max_unpacked: Option<u64>,
    /// Plugins whose owners the registry replaced, and whose new owners are accepted.
    pub accepted_owners: Vec<PluginName>,
}

impl Request {
    /// Installs what `pocket.yaml` names, for this machine, with the lock's versions where they fit.
    pub fn new(reach: Reach) -> Self {
        Self {
            sources: Vec::new(),
            reach,
            locking: Locking::Update,
            freedom: Freedom::Keep,
            extent: Extent::Install,
            folder: None,
            target: None,
            max_unpacked: None,
            accepted_owners: Vec::new(),
        }
    }

    /// Whether nothing but the lock's versions is wanted. No other ones are looked for then, and copies in the project will do.
    fn is_plain(&self) -> bool {
        self.sources.is_empty() && self.freedom == Freedom::Keep && self.extent == Extent::Install
    }

    /// What becomes of registries that are too old to choose from. Who frees the lock's versions looks for others; who installs may
    /// get no more than the lock holds, which is seen when the versions are known.
    fn staleness(&self) -> Staleness {
        let looks_for_versions = self.freedom != Freedom::Keep || self.extent == Extent::Lock;
        let is_bound = self.locking == Locking::Locked || self.reach.network == Network::Offline;
        if looks_for_versions && !is_bound { Staleness::Refused } else { Staleness::Told }
    }

    /// How large the archives may be that the project names itself.
    fn own_limits(&self) -> Limits {
        Limits::with_unpacked(self.max_unpacked)
    }

    /// What the plugins are unpacked for.
    fn target(&self) -> Target {
        self.target.clone().unwrap_or_else(Target::host)
    }
}

/// How far an install goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// It finds out what would change, and writes nothing.
    Plan,
    /// It writes `pocket.yaml` and `pocket.lock`.
    Lock,
    /// It also unpacks the plugins.
    Install,
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
    /// The lock will change.
    Planned {
        /// How.
        changes: &'a [Change],
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
    /// What differs from the lock before.
    pub changes: Vec<Change>,
    /// Every plugin of the lock, and whether this install unpacked it.
    pub plugins: Vec<(PluginName, Version, Unpacked)>,
    /// Owners that a registry replaced or will replace.
    pub recoveries: Vec<Notice>,
    /// Where the lock is.
    pub lock: PathBuf,
}

/// Whether a plugin's files were there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unpacked {
    /// They are not: the request did not ask for it.
    No,
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
    refuse_foreign_files(request)?;
    let store = request.folder.clone().map_or_else(|| workspace.store(), Store::at);
    leftovers::sweep(workspace, &store)?;
    let old = workspace.read_lock()?;
    let old_lock = old.as_ref().map(|(lock, _)| lock);
    if let Some(report) = nothing_to_do(workspace, request, &store, old_lock)? {
        return Ok(report);
    }
    let mut world = World::new(workspace, request, old_lock, observer).asking(approver);
    let wanted = Wanted::collect(workspace, request, &mut world).await?;
    let needs = wanted.needs();
    let resolution = world.resolve(&needs).await?;
    precise::refuse_another(&request.freedom, &mut world, &needs, &resolution, old_lock).await?;
    observer.step(Step::Resolved { plugins: resolution.plugins.len() });
    revoked::refuse_locked(&world, request.locking)?;
    let planned = locking::plan(&mut world, &resolution, old_lock).await?;
    world.remember()?;
    world.refuse_stale_choices(&planned)?;
    origins::refuse_clashes(&planned)?;
    origins::tell_switches(&world, &planned, old_lock);
    let lock = locking::lock(&world, &planned, old_lock);
    let text = lock.to_text();
    let old_text = old.as_ref().map(|(_, text)| text.as_str());
    if request.locking == Locking::Locked {
        refuse_change(workspace, old_text, &text)?;
    }
    let changes = changes::between(old_lock, &lock);
    let recoveries = recoveries::tell(&world, planned.iter().map(|one| &one.package), old_lock);
    let mut report = Report { changes, plugins: not_unpacked(&planned), recoveries, lock: workspace.lock_path() };
    if request.extent == Extent::Plan {
        return Ok(report);
    }
    observer.step(Step::Planned { changes: &report.changes });
    recoveries::approve(&world, &planned, old_lock, &request.accepted_owners, approver)?;
    approval::approve(&planned, old_lock, approver)?;

    if request.extent == Extent::Install {
        let others = plugins::stores(workspace)?;
        let staged = fetch::fetch_and_stage(&world, &planned, &store, &others, observer).await?;
        report.plugins = fetch::commit(staged, observer)?;
        remember_folder(workspace, request)?;
    }
    if request.locking == Locking::Update {
        wanted.write(workspace, &resolution)?;
        write_lock(workspace, old_text, &text, observer)?;
    }
    if request.extent == Extent::Install {
        remove_replaced(&store, old_lock, &lock, &request.target())?;
    }
    Ok(report)
}

/// Files of the project's own that were changed and installed anew: nobody asks for the old ones again. What comes from
/// elsewhere stays, for other projects share it.
fn remove_replaced(store: &Store, old: Option<&Lockfile>, new: &Lockfile, target: &Target) -> Result<(), OpsError> {
    let tree = |plugin: &LockedPlugin| locking::archive_for(plugin, target).map(|archive| archive.tree);
    for plugin in old.into_iter().flat_map(|old| &old.plugins).filter(|plugin| plugin.basis == Basis::Local) {
        let successor = new.plugin(&plugin.name, &plugin.version, &plugin.source);
        if let (Some(before), Some(after)) = (tree(plugin), successor.and_then(tree))
            && before != after
        {
            store.remove(&plugin.name, &plugin.version, before)?;
        }
    }
    Ok(())
}

/// Files for another machine under the user's own plugins would be taken for this machine's.
fn refuse_foreign_files(request: &Request) -> Result<(), OpsError> {
    match &request.target {
        Some(target) if *target != Target::host() && request.folder.is_none() && request.extent == Extent::Install => {
            Err(OpsError::ForeignTarget { target: target.clone() })
        }
        _ => Ok(()),
    }
}

fn not_unpacked(planned: &[Planned]) -> Vec<(PluginName, Version, Unpacked)> {
    let label = |one: &Planned| (one.locked.name.clone(), one.locked.version.clone(), Unpacked::No);
    planned.iter().map(label).collect()
}

/// The quick way: nothing was typed, the lock fits `pocket.yaml` and today's rules, and everything in it is unpacked.
fn nothing_to_do(
    workspace: &Workspace,
    request: &Request,
    store: &Store,
    lock: Option<&Lockfile>,
) -> Result<Option<Report>, OpsError> {
    let Some(lock) = lock.filter(|_| request.is_plain()) else { return Ok(None) };
    if workspace.has_cooldown() || !rules::permit(&rules::rules(workspace, request, Some(lock)), lock) {
        return Ok(None);
    }
    let default = workspace.registry(request.reach.registry.as_deref())?.name;
    if lock.satisfies(&workspace.project().plugins.dependencies, &default).is_err() {
        return Ok(None);
    }
    if !direct::is_unchanged(workspace, lock, &request.target(), &request.own_limits()) {
        return Ok(None);
    }
    let mut plugins = Vec::new();
    for plugin in &lock.plugins {
        let Some(archive) = locking::archive_for(plugin, &request.target()) else { return Ok(None) };
        if store.find(&plugin.name, &plugin.version, archive.tree)?.is_none() {
            return Ok(None);
        }
        refuse_seen(workspace, plugin, lock)?;
        plugins.push((plugin.name.clone(), plugin.version.clone(), Unpacked::Before));
    }
    Policy::of(workspace)?.check_lock(lock)?;
    Ok(Some(Report { changes: Vec::new(), plugins, recoveries: Vec::new(), lock: workspace.lock_path() }))
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
