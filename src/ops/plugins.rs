//! The plugins of a workspace: what its lock names, found on disk.

use std::path::PathBuf;

use pocket_index::manifest::Manifest;
use pocket_index::name::PluginName;
use pocket_index::record::{History, Status};
use semver::Version;

use super::install::locking::archive_for_host;
use super::{OpsError, Workspace};
use crate::project::{LockedPlugin, Lockfile};
use crate::registry::Registry;
use crate::store::{InstalledPlugin, Store};

/// A locked plugin, and its files if they are there.
#[derive(Debug, Clone)]
pub struct WorkspacePlugin {
    /// What the lock says.
    pub locked: LockedPlugin,
    /// Its unpacked files.
    pub installed: Option<InstalledPlugin>,
}

impl WorkspacePlugin {
    /// The unpacked files.
    ///
    /// # Errors
    /// They are not there.
    pub fn installed(&self) -> Result<&InstalledPlugin, OpsError> {
        let not_there =
            || OpsError::NotInstalled { name: self.locked.name.clone(), version: self.locked.version.clone() };
        self.installed.as_ref().ok_or_else(not_there)
    }

    /// The manifest as it stands on disk; the caller verifies the files before it relies on it.
    pub fn manifest(&self) -> Result<Manifest, OpsError> {
        Ok(self.installed()?.manifest()?)
    }
}

/// Every plugin of the lock, in its order.
pub fn of(workspace: &Workspace) -> Result<Vec<WorkspacePlugin>, OpsError> {
    let Some((lock, _)) = workspace.read_lock()? else { return Ok(Vec::new()) };
    let stores = stores(workspace)?;
    lock.plugins.iter().map(|locked| find(locked, &stores)).collect()
}

/// Every plugin of the user's own lock.
pub fn users_own(workspace: &Workspace) -> Result<Vec<WorkspacePlugin>, OpsError> {
    let Some((lock, _)) = Workspace::read_lock_at(&workspace.users_lock_path())? else { return Ok(Vec::new()) };
    let stores = stores(workspace)?;
    lock.plugins.iter().map(|locked| find(locked, &stores)).collect()
}

/// The plugin of that name.
///
/// # Errors
/// The lock does not have it; the error names close ones.
pub fn named(workspace: &Workspace, name: &PluginName) -> Result<WorkspacePlugin, OpsError> {
    let plugins = of(workspace)?;
    let near = near(name.as_str(), plugins.iter().map(|plugin| plugin.locked.name.as_str()));
    let newest = plugins
        .into_iter()
        .filter(|plugin| plugin.locked.name == *name)
        .max_by_key(|plugin| plugin.locked.version.clone());
    newest.ok_or_else(|| OpsError::NoPlugin {
        name: name.to_string(),
        place: format!("`{}`", workspace.lock_path().display()),
        near,
    })
}

/// The events of a plugin of a registry.
///
/// # Errors
/// The registry cannot be read, or does not have the plugin; the error names close ones.
pub async fn history(registry: &Registry, name: &PluginName) -> Result<History, OpsError> {
    if let Some(history) = registry.history(name).await? {
        return Ok(history);
    }
    // Only a suggestion: a list that cannot be read has none.
    let listed = registry.listed().await;
    let near = listed.map(|listed| near(name.as_str(), listed.names())).unwrap_or_default();
    let place = format!("the registry `{}`", registry.location());
    Err(OpsError::NoPlugin { name: name.to_string(), place, near })
}

/// The highest of these versions that may be picked anew. Who uses a pre-release is shown pre-releases.
pub fn latest<'a>(versions: impl Iterator<Item = (&'a Version, &'a Status)>, current: &Version) -> Option<&'a Version> {
    let available = versions.filter(|(_, status)| **status == Status::Available).map(|(version, _)| version);
    available.filter(|version| version.pre.is_empty() || !current.pre.is_empty()).max()
}

/// Names that differ from `wanted` by a slip of the finger, closest first: in a third of its letters, in three at most.
pub fn near<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let slips = (wanted.chars().count() / 3).clamp(1, 3);
    let mut close: Vec<(usize, &str)> = names
        .map(|name| (strsim::damerau_levenshtein(wanted, name), name))
        .filter(|(distance, _)| *distance <= slips)
        .collect();
    close.sort_unstable();
    close.dedup();
    close.into_iter().take(3).map(|(_, name)| name.to_owned()).collect()
}

/// The user's store, then the folders that `--dir` installed to.
pub(super) fn stores(workspace: &Workspace) -> Result<Vec<Store>, OpsError> {
    let others = workspace.home().remembered_stores()?;
    Ok([workspace.home().plugins()].into_iter().chain(others).map(|path: PathBuf| Store::at(path)).collect())
}

fn find(locked: &LockedPlugin, stores: &[Store]) -> Result<WorkspacePlugin, OpsError> {
    let mut installed = None;
    if let Some(archive) = archive_for_host(locked) {
        for store in stores {
            installed = store.find(&locked.name, &locked.version, archive.tree)?;
            if installed.is_some() {
                break;
            }
        }
    }
    Ok(WorkspacePlugin { locked: locked.clone(), installed })
}

/// The names of what a lock holds that nothing in `pocket.yaml` needs any more are taken out.
pub fn without_unneeded(lock: &Lockfile, workspace: &Workspace) -> Result<Lockfile, OpsError> {
    use crate::project::Stale;
    let default = workspace.registry(None)?.name;
    let mut pruned = lock.clone();
    if let Err(stale) = lock.satisfies(&workspace.project().plugins.dependencies, &default) {
        let is_unneeded = |plugin: &LockedPlugin| {
            stale.iter().any(|one| {
                matches!(one, Stale::Unneeded { name, version } if *name == plugin.name && *version == plugin.version)
            })
        };
        pruned.plugins.retain(|plugin| !is_unneeded(plugin));
    }
    let used = |name: &pocket_index::name::RegistryName| {
        pruned.plugins.iter().any(|plugin| plugin.source == crate::project::Source::Registry(name.clone()))
    };
    let kept = pruned.registries.iter().filter(|registry| used(&registry.name)).cloned().collect();
    pruned.registries = kept;
    Ok(pruned)
}
