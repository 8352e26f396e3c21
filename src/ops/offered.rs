//! The plugins that a workspace's workflows may use: those of its lock, those that were loaded, and those that lie in
//! `plugins.directories`.

use std::path::{Path, PathBuf};

use pocket_index::name::PluginName;
use semver::Version;

use super::local::{self, LocalError, LocalPlugin};
use super::plugins::{self, WorkspacePlugin};
use super::{OpsError, Workspace};
use crate::home::loaded::{self, Loaded, LoadedBy, LoadedPlugin};
use crate::project::Autoload;

/// Everything that is there.
#[derive(Debug, Default)]
pub struct Offered {
    /// The plugins that can be read.
    pub offers: Vec<Offer>,
    /// What was loaded, or lies in a folder, and cannot be read.
    pub broken: Vec<Broken>,
    /// Plugins that are others than when they were last used.
    pub changed: Vec<LocalPlugin>,
    /// What to remember of plugins that stand in files and folders.
    seen: Vec<LoadedPlugin>,
}

/// One plugin.
#[derive(Debug, Clone)]
pub struct Offer {
    /// What it is called here.
    pub name: PluginName,
    /// What it is.
    pub kind: Kind,
    /// Whether workflows may use it.
    pub standing: Standing,
}

/// What an offered plugin is.
#[derive(Debug, Clone)]
pub enum Kind {
    /// One of a lock.
    Locked {
        /// The plugin.
        plugin: Box<WorkspacePlugin>,
        /// The lock: the project's, or the user's own.
        lock: PathBuf,
    },
    /// One that is used where it stands.
    Local(Box<LocalPlugin>),
}

/// Whether workflows may use a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// They may.
    Loaded,
    /// It is there, and only used once it is loaded.
    Installed,
    /// It was unloaded.
    Unloaded,
}

/// Something that was loaded, or lies in a folder, and is no plugin that can be used.
#[derive(Debug)]
pub struct Broken {
    /// Its name if that is known, else its file's.
    pub label: String,
    /// Where it is.
    pub path: PathBuf,
    /// What is wrong.
    pub error: OpsError,
}

impl Offer {
    /// The plugin's version.
    pub fn version(&self) -> &Version {
        match &self.kind {
            Kind::Locked { plugin, .. } => &plugin.locked.version,
            Kind::Local(plugin) => &plugin.manifest.version,
        }
    }

    /// The file or folder of a plugin that is used where it stands.
    pub fn path(&self) -> Option<&Path> {
        match &self.kind {
            Kind::Locked { .. } => None,
            Kind::Local(plugin) => Some(&plugin.path),
        }
    }

    /// Where it is, for people.
    pub fn place(&self) -> String {
        match &self.kind {
            Kind::Locked { plugin, lock } => format!("{} of {}", plugin.locked.source, shown(lock)),
            Kind::Local(plugin) => shown(&plugin.path),
        }
    }
}

impl Offered {
    /// The plugin of a name: one that is used before one that is not, and of a lock's several versions the newest.
    pub fn named(&self, name: &PluginName) -> Option<&Offer> {
        let same = self.offers.iter().filter(|offer| offer.name == *name);
        same.max_by_key(|offer| (offer.standing == Standing::Loaded, offer.version()))
    }

    /// The names of the plugins that workflows may use.
    pub fn used(&self) -> Vec<PluginName> {
        let used = self.offers.iter().filter(|offer| offer.standing == Standing::Loaded);
        let mut names: Vec<PluginName> = used.map(|offer| offer.name.clone()).collect();
        names.dedup();
        names
    }

    /// The other plugin of the same name, if it may be used as well: then neither can. A lock may have several versions.
    pub fn rival(&self, offer: &Offer) -> Option<&Offer> {
        let rivals = |other: &&Offer| {
            let both_locked = matches!((&offer.kind, &other.kind), (Kind::Locked { .. }, Kind::Locked { .. }));
            other.name == offer.name
                && [offer.standing, other.standing] == [Standing::Loaded; 2]
                && !both_locked
                && other.path() != offer.path()
        };
        self.offers.iter().find(rivals)
    }

    /// Refuses two plugins of one name.
    ///
    /// # Errors
    /// Names both places.
    pub fn refuse_clashes(&self) -> Result<(), OpsError> {
        let clash = self.offers.iter().find_map(|offer| Some((offer, self.rival(offer)?)));
        let Some((offer, rival)) = clash else { return Ok(()) };
        Err(LocalError::Clash { name: offer.name.clone(), one: offer.place(), other: rival.place() }.into())
    }

    /// Remembers what was seen, so that the next command knows what changed since. Only a convenience: a home that cannot be
    /// written keeps nothing from running.
    pub fn remember(&self, workspace: &Workspace) {
        let known = loaded::read(workspace.home(), workspace.root()).unwrap_or_default();
        let is_seen = |plugin: &LoadedPlugin| self.seen.iter().any(|seen| seen.path == plugin.path);
        let is_stale = known.plugins.iter().any(|one| one.by == LoadedBy::Folder && !is_seen(one));
        if is_stale || self.seen.iter().any(|seen| known.at(&seen.path) != Some(seen)) {
            let change = |loaded: &mut Loaded| {
                // Another process may have changed something else in between: its word counts.
                let unchanged = |seen: &&LoadedPlugin| loaded.at(&seen.path) == known.at(&seen.path);
                let fresh: Vec<LoadedPlugin> = self.seen.iter().filter(unchanged).cloned().collect();
                loaded.plugins.retain(|plugin| plugin.by == LoadedBy::Command || is_seen(plugin));
                fresh.into_iter().for_each(|plugin| loaded.put(plugin));
            };
            drop(loaded::change(workspace.home(), workspace.root(), change));
        }
    }
}

/// Everything that a workspace has. Files are read and none is run.
///
/// # Errors
/// A lock, or what is remembered, cannot be read.
pub fn collect(workspace: &Workspace) -> Result<Offered, OpsError> {
    let known = loaded::read(workspace.home(), workspace.root())?;
    let mut offered = Offered::default();
    for plugin in plugins::of(workspace)? {
        offered.add_locked(plugin, workspace.lock_path(), &known, Standing::Loaded);
    }
    for plugin in known.plugins.iter().filter(|plugin| plugin.by == LoadedBy::Command) {
        offered.add_path(&plugin.path, &known, Standing::Loaded);
    }
    let standing = match workspace.autoload() {
        Autoload::On => Standing::Loaded,
        Autoload::Off => Standing::Installed,
    };
    for folder in workspace.plugin_folders()? {
        offered.add_folder(workspace, &folder, &known, standing)?;
    }
    Ok(offered)
}

impl Offered {
    fn add_locked(&mut self, plugin: WorkspacePlugin, lock: PathBuf, known: &Loaded, standing: Standing) {
        let name = plugin.locked.name.clone();
        let standing = if known.unloaded.contains(&name) { Standing::Unloaded } else { standing };
        self.offers.push(Offer { name, kind: Kind::Locked { plugin: Box::new(plugin), lock }, standing });
    }

    fn add_folder(
        &mut self,
        workspace: &Workspace,
        folder: &Path,
        known: &Loaded,
        standing: Standing,
    ) -> Result<(), OpsError> {
        // The user's store holds what all projects installed; what the user's own lock names of it is the user's own.
        if is_same(folder, &workspace.home().plugins()) {
            return self.add_users_own(workspace, known, standing);
        }
        if !folder.exists() {
            tracing::debug!(folder = %folder.display(), "a folder of `plugins.directories` does not exist");
            return Ok(());
        }
        match local::plugins_in(folder) {
            Ok(paths) => paths.iter().for_each(|path| self.add_path(path, known, standing)),
            Err(error) => self.broken.push(Broken { label: stem(folder), path: folder.to_owned(), error }),
        }
        Ok(())
    }

    /// The project's own plugins come before those.
    fn add_users_own(&mut self, workspace: &Workspace, known: &Loaded, standing: Standing) -> Result<(), OpsError> {
        if !workspace.is_project() {
            return Ok(());
        }
        let taken: Vec<PluginName> = self.offers.iter().map(|offer| offer.name.clone()).collect();
        for plugin in plugins::users_own(workspace)? {
            if !taken.contains(&plugin.locked.name) {
                self.add_locked(plugin, workspace.users_lock_path(), known, standing);
            }
        }
        Ok(())
    }

    /// A plugin in a file or folder. What was loaded by its path is not taken a second time from a folder.
    fn add_path(&mut self, path: &Path, known: &Loaded, standing: Standing) {
        let absolute = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if self.offers.iter().any(|offer| offer.path() == Some(&absolute)) {
            return;
        }
        let before = known.at(&absolute);
        let found = match local::read(path, before) {
            Ok(found) => found,
            Err(error) => {
                let label = before.map_or_else(|| stem(path), |known| known.name.to_string());
                self.broken.push(Broken { label, path: absolute, error });
                return;
            }
        };
        let seen = seen(&found, before);
        let has_changed = before.is_some_and(|before| before.digest != found.digest);
        let plugin = LocalPlugin::new(found, &seen);
        if has_changed {
            self.changed.push(plugin.clone());
        }
        let is_unloaded = seen.by == LoadedBy::Folder && known.unloaded.contains(&plugin.name);
        let standing = if is_unloaded { Standing::Unloaded } else { standing };
        self.seen.push(seen);
        self.offers.push(Offer { name: plugin.name.clone(), kind: Kind::Local(Box::new(plugin)), standing });
    }
}

fn seen(found: &local::Found, before: Option<&LoadedPlugin>) -> LoadedPlugin {
    let fresh = LoadedPlugin {
        name: found.manifest.name.clone(),
        path: found.path.clone(),
        by: LoadedBy::Folder,
        renamed: false,
        config: None,
        digest: found.digest,
        described: found.described.clone(),
        permissions: pocket_index::permissions::Permissions::default(),
    };
    let Some(before) = before else { return fresh };
    let name = if before.renamed { before.name.clone() } else { fresh.name };
    LoadedPlugin { name, digest: fresh.digest, described: fresh.described, ..before.clone() }
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (std::fs::canonicalize(one), std::fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(|| path.display().to_string(), |stem| stem.to_string_lossy().into_owned())
}

/// A path between backticks.
pub fn shown(path: &Path) -> String {
    format!("`{}`", path.display())
}
