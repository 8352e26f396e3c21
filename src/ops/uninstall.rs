//! `plugin uninstall`: the opposite of installing, without asking any registry.

use pocket_index::name::PluginName;
use semver::Version;

use super::install::locking::archive_for_host;
use super::{OpsError, Workspace, leftovers, plugins};
use crate::home::atomic;
use crate::project::{LockedPlugin, remove_dependency};
use crate::store::Store;

/// What was taken out of the lock.
#[derive(Debug, Clone)]
pub struct Removed {
    /// The plugin.
    pub name: PluginName,
    /// Its version.
    pub version: Version,
}

/// Takes plugins, and what only they needed, out of `pocket.yaml` and `pocket.lock`. The user's own plugins are also taken
/// from the disk; a project's stay there, for other projects share them.
///
/// # Errors
/// A plugin that `pocket.yaml` does not name. Nothing is changed then.
pub fn uninstall(workspace: Workspace, names: &[PluginName]) -> Result<Vec<Removed>, OpsError> {
    let path = workspace.manifest_path();
    let known = &workspace.project().plugins.dependencies;
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    let mut text = before.clone();
    for name in names {
        if !known.contains_key(name) {
            let near = plugins::near(name.as_str(), known.keys().map(PluginName::as_str));
            return Err(OpsError::NoPlugin { name: name.to_string(), place: format!("`{}`", path.display()), near });
        }
        text = remove_dependency(&text, name).map_err(|source| OpsError::Edit { path: path.clone(), source })?;
    }
    let old = workspace.read_lock()?;
    let workspace = workspace.with_manifest(&text)?;
    let store = workspace.store();
    leftovers::sweep(&workspace, &store)?;
    let removed = match &old {
        Some((lock, old_text)) => {
            let pruned = plugins::without_unneeded(lock, &workspace)?;
            let gone = lock.plugins.iter().filter(|one| pruned.plugin(&one.name, &one.version, &one.source).is_none());
            let gone: Vec<&LockedPlugin> = gone.collect();
            remove_files(&workspace, &store, &gone)?;
            write_lock(&workspace, old_text, &pruned.to_text())?;
            gone.into_iter().map(|one| Removed { name: one.name.clone(), version: one.version.clone() }).collect()
        }
        None => Vec::new(),
    };
    // Last, so that a killed uninstall can be typed again.
    atomic::replace_file(&path, text.as_bytes()).map_err(OpsError::io("write", &path))?;
    Ok(removed)
}

/// A project's plugins stay on the disk.
fn remove_files(workspace: &Workspace, store: &Store, gone: &[&LockedPlugin]) -> Result<(), OpsError> {
    if workspace.is_project() {
        return Ok(());
    }
    for plugin in gone {
        if let Some(archive) = archive_for_host(plugin) {
            store.remove(&plugin.name, &plugin.version, archive.tree)?;
        }
    }
    Ok(())
}

fn write_lock(workspace: &Workspace, old: &str, new: &str) -> Result<(), OpsError> {
    let path = workspace.lock_path();
    if old != new {
        atomic::replace_file(&path, new.as_bytes()).map_err(OpsError::io("write", &path))?;
    }
    Ok(())
}
