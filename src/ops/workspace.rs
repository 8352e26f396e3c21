//! Where a verb works: the user's home, and a project or the user's own plugins.

mod registries;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use pocket_index::name::PluginName;
use serde_json::{Map, Value};

use super::OpsError;
use super::organisation::{Organisation, OrganisationError};
use super::settings::{Layer, Origin};
use crate::engine::native::Confinement;
use crate::home::Home;
use crate::home::turn::{self, Turn};
use crate::project::{Autoload, LOCK_FILE, Lockfile, LogLevel, MANIFEST_FILE, ProjectManifest, find_project};
use crate::registry::{Location, Network, Notice};
use crate::store::Store;

pub use registries::{NamedRegistry, Said, locked_head};

/// Whose plugins a verb works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Those of the nearest project upwards; the user's own where there is none.
    Nearest,
    /// The user's own.
    User,
}

/// Which registry to use, and whether the network may be.
#[derive(Debug, Clone)]
pub struct Reach {
    /// A name or location that was given on the command line.
    pub registry: Option<String>,
    /// Whether the network may be used.
    pub network: Network,
}

/// A project's files, or the user's own, and what is configured for both.
#[derive(Debug)]
pub struct Workspace {
    home: Home,
    root: PathBuf,
    project: ProjectManifest,
    /// The user's own configuration, which the project's wins over.
    user: ProjectManifest,
    /// The organisation's rules, which nothing wins over.
    organisation: Option<Organisation>,
    /// The right to change the project's files, where it was asked for.
    _turn: Option<Turn>,
    /// What a person should know of the registries that were opened.
    notices: Mutex<Vec<Notice>>,
    /// The registry that this command names: where it is, if it was named by that.
    typed: OnceLock<Option<Location>>,
}

/// The settings that one configuration file gives to a plugin.
#[derive(Debug, Clone)]
pub struct SettingsFile {
    /// The file, as it is shown.
    pub file: String,
    /// The settings.
    pub settings: Map<String, Value>,
}

impl SettingsFile {
    /// As a layer under others.
    pub fn layer(&self) -> Layer<'_> {
        Layer { origin: Origin::File(self.file.clone()), settings: Some(&self.settings) }
    }
}

impl Workspace {
    /// Finds the project upwards from the current folder, and reads its configuration and the user's.
    pub fn open(scope: Scope) -> Result<Self, OpsError> {
        let home = Home::discover()?;
        let here = std::env::current_dir().map_err(OpsError::io("find the current folder from", Path::new(".")))?;
        Self::open_from(home, &here, scope)
    }

    /// The same from another folder than the current one.
    pub fn open_from(home: Home, folder: &Path, scope: Scope) -> Result<Self, OpsError> {
        let found = find_root(&home, folder, scope);
        Self::read(home, found, None)
    }

    /// The same to change it: waits until no other process changes it, and keeps others waiting until it is dropped. `waiting`
    /// is called once if there is another one.
    pub fn open_to_change(scope: Scope, waiting: &dyn Fn()) -> Result<Self, OpsError> {
        let home = Home::discover()?;
        let here = std::env::current_dir().map_err(OpsError::io("find the current folder from", Path::new(".")))?;
        let found = find_root(&home, &here, scope);
        let turn = turn::take(&home, found.as_deref().unwrap_or(home.root()), waiting)?;
        // Read only now: another process may have just written.
        Self::read(home, found, Some(turn))
    }

    fn read(home: Home, found: Option<PathBuf>, turn: Option<Turn>) -> Result<Self, OpsError> {
        let user = read_manifest(&home.root().join(MANIFEST_FILE))?;
        let organisation = Organisation::read(&home, user.trust_key)?;
        let (root, project) = match found {
            None => (home.root().to_owned(), user.clone()),
            Some(root) => {
                let project = read_manifest(&root.join(MANIFEST_FILE))?;
                if project.trust_key.is_some() {
                    let (project, user) = (root.join(MANIFEST_FILE), home.root().join(MANIFEST_FILE));
                    return Err(OrganisationError::KeyOfProject { project, user }.into());
                }
                (root, project)
            }
        };
        let (notices, typed) = (Mutex::default(), OnceLock::new());
        Ok(Self { home, root, project, user, organisation, _turn: turn, notices, typed })
    }

    /// The same workspace with another text of `pocket.yaml`.
    pub fn with_manifest(self, text: &str) -> Result<Self, OpsError> {
        let path = self.manifest_path();
        let project = ProjectManifest::parse(text).map_err(|source| OpsError::Project { path, source })?;
        let user = if self.is_project() { self.user.clone() } else { project.clone() };
        Ok(Self { project, user, ..self })
    }

    /// The user's home.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// The project's folder, or the home.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The path of `pocket.yaml`.
    pub fn manifest_path(&self) -> PathBuf {
        self.root.join(MANIFEST_FILE)
    }

    /// The path of `pocket.lock`.
    pub fn lock_path(&self) -> PathBuf {
        self.root.join(LOCK_FILE)
    }

    /// What the project says.
    pub fn project(&self) -> &ProjectManifest {
        &self.project
    }

    /// What the user says for all projects.
    pub fn user(&self) -> &ProjectManifest {
        &self.user
    }

    /// The configuration files that count here, with their paths: the user's, then the project's.
    pub fn files(&self) -> Vec<(&ProjectManifest, PathBuf)> {
        let mut files = vec![(&self.user, self.home.root().join(MANIFEST_FILE))];
        if self.is_project() {
            files.push((&self.project, self.manifest_path()));
        }
        files
    }

    /// What the organisation says, if it says anything.
    pub fn organisation(&self) -> Option<&Organisation> {
        self.organisation.as_ref()
    }

    /// The registry that this command names, by an option or in the environment; inside, where it is, if it was named by that and not by a
    /// name, which a project may have given.
    pub fn typed_registry(&self) -> Option<Option<Location>> {
        let in_environment = || std::env::var("POCKET_REGISTRY").ok().filter(|text| !text.is_empty());
        self.typed.get().cloned().or_else(|| in_environment().map(|text| text.parse().ok()))
    }

    /// The folder of unpacked plugins.
    pub fn store(&self) -> Store {
        Store::at(self.home.plugins())
    }

    /// Reads the lock; none if there is no file.
    pub fn read_lock(&self) -> Result<Option<(Lockfile, String)>, OpsError> {
        Self::read_lock_at(&self.lock_path())
    }

    /// Reads a lock; none if there is no file.
    pub fn read_lock_at(path: &Path) -> Result<Option<(Lockfile, String)>, OpsError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(OpsError::io("read", path)(error)),
        };
        let lock = Lockfile::parse(&text).map_err(|source| OpsError::Lock { path: path.to_owned(), source })?;
        Ok(Some((lock, text)))
    }

    /// The path of the user's own `pocket.lock`.
    pub fn users_lock_path(&self) -> PathBuf {
        self.home.root().join(LOCK_FILE)
    }

    /// Whether plugins in `plugins.directories` are used without being loaded; they are unless a file says otherwise.
    pub fn autoload(&self) -> Autoload {
        self.project.plugins.autoload.or(self.user.plugins.autoload).unwrap_or(Autoload::On)
    }

    /// The folders that `plugins.directories` names: the project's, else the user's. They start at the file that names them, or at
    /// the user's home folder after `~/`; `~/.pocket` is this home, wherever it is.
    ///
    /// # Errors
    /// The user has no home folder.
    pub fn plugin_folders(&self) -> Result<Vec<PathBuf>, OpsError> {
        let (folders, root) = match (&self.project.plugins.directories, &self.user.plugins.directories) {
            (Some(folders), _) => (folders, self.root.as_path()),
            (None, Some(folders)) => (folders, self.home.root()),
            (None, None) => return Ok(Vec::new()),
        };
        let place = |folder: &String| match folder.strip_prefix("~/") {
            Some(rest) => self.home.in_users_home(rest),
            None => Ok(root.join(folder)),
        };
        Ok(folders.iter().map(place).collect::<Result<_, _>>()?)
    }

    /// The settings that the configuration files give to a plugin, with the file's name; the user's first.
    ///
    /// # Errors
    /// A `${NAME}` in them is not set.
    pub fn plugin_settings(&self, plugin: &PluginName) -> Result<Vec<SettingsFile>, OpsError> {
        let environment = |name: &str| std::env::var(name).ok();
        let mut files = vec![(&self.user, self.home.root().join(MANIFEST_FILE))];
        if self.is_project() {
            files.push((&self.project, self.manifest_path()));
        }
        let read = |(manifest, path): (&ProjectManifest, PathBuf)| {
            let settings = manifest.plugin_config(plugin, &environment);
            settings
                .map(|settings| SettingsFile { file: shown(&path), settings })
                .map_err(|source| OpsError::expand(&path, source))
        };
        files.into_iter().map(read).collect()
    }

    /// The folder with copies that `plugins.vendor` names.
    pub fn vendor(&self) -> Option<PathBuf> {
        self.project.plugins.vendor.as_ref().map(|folder| self.root.join(folder))
    }

    /// Whether a native plugin runs where the kernel cannot confine it. A project, which comes from elsewhere, cannot say so.
    pub fn confinement(&self, plugin: &PluginName) -> Confinement {
        match self.user.plugins.security.unconfined.contains(plugin) {
            true => Confinement::AllowUnconfined,
            false => Confinement::Required,
        }
    }

    /// Whether a registry's releases must have an age before they are picked.
    pub fn has_cooldown(&self) -> bool {
        let registries = [&self.project, &self.user].into_iter().flat_map(|file| file.registries.values());
        registries.filter_map(|registry| registry.min_release_age).any(|age| age > 0) || self.least_age() > 0
    }

    /// How old a release of any registry must be, in seconds, as the organisation says.
    pub fn least_age(&self) -> u64 {
        self.organisation.as_ref().map_or(0, |organisation| organisation.rules.min_release_age)
    }

    /// Whether this is a project, and not the user's own plugins.
    pub fn is_project(&self) -> bool {
        self.root != self.home.root()
    }
}

/// The project's folder; none for the user's own plugins.
fn find_root(home: &Home, folder: &Path, scope: Scope) -> Option<PathBuf> {
    match scope {
        Scope::Nearest => find_project(folder).filter(|root| root != home.root()),
        Scope::User => None,
    }
}

/// `log_level` as the nearest project says, else the user. A file that cannot be read is told by the verb that needs it.
pub fn log_level() -> Option<LogLevel> {
    let home = Home::discover().ok()?;
    let project = std::env::current_dir().ok().and_then(|here| find_root(&home, &here, Scope::Nearest));
    let files = project.iter().map(PathBuf::as_path).chain([home.root()]);
    let mut levels = files.filter_map(|root| read_manifest(&root.join(MANIFEST_FILE)).ok()?.log_level);
    levels.next()
}

fn read_manifest(path: &Path) -> Result<ProjectManifest, OpsError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(ProjectManifest::default()),
        Err(error) => return Err(OpsError::io("read", path)(error)),
    };
    ProjectManifest::parse(&text).map_err(|source| OpsError::Project { path: path.to_owned(), source })
}

/// A file's last two parts: enough to tell the user's from the project's.
fn shown(path: &Path) -> String {
    let parts: Vec<_> = path.iter().rev().take(2).map(|part| part.to_string_lossy()).collect();
    parts.into_iter().rev().collect::<Vec<_>>().join("/")
}
