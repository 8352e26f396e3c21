//! Where a verb works: the user's home, and a project or the user's own plugins.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use pocket_index::log::{NodeHash, TreeHead};
use pocket_index::name::{PluginName, RegistryName};
use serde_json::{Map, Value};

use super::organisation::{Organisation, OrganisationError};
use super::settings::{Layer, Origin};
use super::{OpsError, policy};
use crate::home::Home;
use crate::home::turn::{self, Turn};
use crate::project::{
    Autoload, LOCK_FILE, LockedRegistry, Lockfile, LogLevel, MANIFEST_FILE, ProjectManifest, RegistryTrust, Signing,
    find_project,
};
use crate::registry::{Access, Expected, Location, Network, Notice, Opened, Registry, Staleness};
use crate::store::Store;

/// The name of the registry that is used when none is configured.
pub const BUNDLED: &str = "bundled";
/// The name of the configured registry that is used when none is named.
const DEFAULT: &str = "default";

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
}

/// A registry by the name it has here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedRegistry {
    /// Its name in configuration and lock.
    pub name: RegistryName,
    /// Where it is.
    pub location: Location,
    /// The key it must have, if the configuration says.
    pub key: Option<String>,
    /// How old a release must be to be picked, in seconds.
    pub min_release_age: u64,
    /// How old its checkpoint may be, in seconds, if the configuration says.
    pub max_age: Option<u64>,
    /// Bytes that a plugin's files may have together, if the configuration moves that limit.
    pub max_unpacked: Option<u64>,
}

impl NamedRegistry {
    /// A registry of which the configuration says nothing more.
    fn plain(name: RegistryName, location: Location) -> Self {
        Self { name, location, key: None, min_release_age: 0, max_age: None, max_unpacked: None }
    }

    /// A registry as a lock knows it.
    ///
    /// # Errors
    /// Its address is none.
    pub fn of_lock(locked: &LockedRegistry) -> Result<Self, OpsError> {
        let key = match &locked.trust {
            RegistryTrust::Signed { log, .. } => Some(log.key.clone()),
            RegistryTrust::Unsigned => None,
        };
        Ok(Self { key, ..Self::plain(locked.name.clone(), locked.url.parse()?) })
    }
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
        let Some(root) = found else {
            let (root, project) = (home.root().to_owned(), user.clone());
            return Ok(Self { home, root, project, user, organisation, _turn: turn, notices: Mutex::default() });
        };
        let project = read_manifest(&root.join(MANIFEST_FILE))?;
        if project.trust_key.is_some() {
            let (project, user) = (root.join(MANIFEST_FILE), home.root().join(MANIFEST_FILE));
            return Err(OrganisationError::KeyOfProject { project, user }.into());
        }
        Ok(Self { home, root, project, user, organisation, _turn: turn, notices: Mutex::default() })
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

    /// The registry that was asked for on the command line, else the configured default, else the bundled one.
    pub fn registry(&self, asked: Option<&str>) -> Result<NamedRegistry, OpsError> {
        match asked {
            Some(asked) => self.named_or_located(asked),
            None => match self.configured(DEFAULT)? {
                Some(registry) => Ok(registry),
                None => Ok(Self::bundled()),
            },
        }
    }

    /// The registry with this name, from the configuration or, for what a lock speaks of, from the lock.
    pub fn registry_named(&self, name: &RegistryName, lock: Option<&Lockfile>) -> Result<NamedRegistry, OpsError> {
        if let Some(registry) = self.configured(name.as_str())? {
            return Ok(registry);
        }
        if name.as_str() == BUNDLED {
            return Ok(Self::bundled());
        }
        let locked = lock.and_then(|lock| lock.registry(name));
        let locked = locked.ok_or_else(|| OpsError::NoRegistry { name: name.clone(), file: self.manifest_path() })?;
        NamedRegistry::of_lock(locked)
    }

    /// Opens the registry that `reach` asks for, to look at or to publish to. Nothing is chosen from it: what is there is told,
    /// however old it is, and [`Workspace::notices`] says how old.
    pub async fn open_registry(&self, reach: &Reach) -> Result<Registry, OpsError> {
        let named = self.registry(reach.registry.as_deref())?;
        self.open_named(&named, None, Access::new(reach.network, Staleness::Told)).await
    }

    /// Opens a registry. It must be the one that the lock saw, grown.
    pub async fn open_named(
        &self,
        named: &NamedRegistry,
        lock: Option<&Lockfile>,
        access: Access,
    ) -> Result<Registry, OpsError> {
        let opened = self.open_copied(named, None, lock, access).await?;
        let mut notices = self.notices.lock().expect("no holder of this lock panics");
        for notice in opened.notices {
            if !notices.contains(&notice) {
                notices.push(notice);
            }
        }
        Ok(opened.registry)
    }

    /// What a person should know of the registries that were opened, each thing once.
    pub fn notices(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.notices.lock().expect("no holder of this lock panics"))
    }

    /// Opens a registry, from a copy in the project if there is one, and says whether it was met for the first time.
    pub async fn open_copied(
        &self,
        named: &NamedRegistry,
        copy: Option<PathBuf>,
        lock: Option<&Lockfile>,
        access: Access,
    ) -> Result<Opened, OpsError> {
        let mut expected = self.locked_state(named, lock)?;
        (expected.copy, expected.max_age) = (copy, named.max_age);
        if named.key.is_some() {
            expected.key.clone_from(&named.key);
        }
        let demanded = policy::demanded_key(self, named)?;
        let is_demanded = demanded.is_some();
        expected.key = demanded.or(expected.key);
        expected.witnesses = policy::demanded_witnesses(self, named);
        let (name, location) = (named.name.clone(), named.location.clone());
        let opened = Registry::open(name, location, &expected, &self.home, access).await;
        opened.map_err(|error| if is_demanded { policy::other_key(self, error) } else { error.into() })
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
                .map_err(|source| OpsError::Expand { path, source })
        };
        files.into_iter().map(read).collect()
    }

    /// The folder with copies that `plugins.vendor` names.
    pub fn vendor(&self) -> Option<PathBuf> {
        self.project.plugins.vendor.as_ref().map(|folder| self.root.join(folder))
    }

    /// The copy of a registry in the folder that `plugins.vendor` names. The bundled registry is at hand anyway.
    ///
    /// # Errors
    /// The folder has no copy of it.
    pub fn copy_of(&self, named: &NamedRegistry) -> Result<Option<PathBuf>, OpsError> {
        let Some(folder) = self.vendor().filter(|_| named.location != Location::Bundled) else { return Ok(None) };
        let copy = folder.join(named.name.as_str());
        if copy.is_dir() { Ok(Some(copy)) } else { Err(OpsError::NotVendored { registry: named.name.clone(), folder }) }
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

    /// What a lock says of the registry of that name: wherever it is today, it is the same log. The bundled one comes with the
    /// program and is made anew with it; there, each locked event is compared instead.
    fn locked_state(&self, named: &NamedRegistry, lock: Option<&Lockfile>) -> Result<Expected, OpsError> {
        let Some(locked) = lock.and_then(|lock| lock.registry(&named.name)) else { return Ok(Expected::default()) };
        match &locked.trust {
            // Whoever edits a lock must not be able to make it forget whom it trusted.
            RegistryTrust::Unsigned => Err(OpsError::UnsignedLock { name: named.name.clone(), lock: self.lock_path() }),
            RegistryTrust::Signed { keys, log } if named.location != Location::Bundled => Ok(Expected {
                key: Some(log.key.clone()),
                event_keys: Some(keys.clone()),
                head: locked_head(locked),
                ..Expected::default()
            }),
            RegistryTrust::Signed { .. } => Ok(Expected::default()),
        }
    }

    fn bundled() -> NamedRegistry {
        let name = BUNDLED.parse().expect("a constant name is valid");
        NamedRegistry::plain(name, Location::Bundled)
    }

    fn configured(&self, name: &str) -> Result<Option<NamedRegistry>, OpsError> {
        let found = [&self.project, &self.user]
            .into_iter()
            .find_map(|project| project.registries.iter().find(|(known, _)| known.as_str() == name));
        let Some((name, settings)) = found else { return Ok(None) };
        let key = match &settings.signing {
            Signing::OnFirstUse => None,
            Signing::Key(key) => Some(key.clone()),
            Signing::Unsigned => return Err(OpsError::UnsignedRegistry { name: name.clone() }),
        };
        Ok(Some(NamedRegistry {
            name: name.clone(),
            location: settings.url.parse()?,
            key,
            min_release_age: settings.min_release_age.unwrap_or(0),
            max_age: settings.max_age,
            max_unpacked: settings.max_unpacked,
        }))
    }

    /// A name from the configuration, or a location. A location that is configured has the name it has there; another
    /// one is named after its host or folder.
    fn named_or_located(&self, asked: &str) -> Result<NamedRegistry, OpsError> {
        if let Some(registry) = self.configured(asked)? {
            return Ok(registry);
        }
        let location: Location = asked.parse()?;
        if location == Location::Bundled {
            return Ok(Self::bundled());
        }
        for name in self.project.registries.keys().chain(self.user.registries.keys()) {
            if let Some(registry) = self.configured(name.as_str())?
                && registry.location == location
            {
                return Ok(registry);
            }
        }
        Ok(NamedRegistry::plain(name_for(&location), location))
    }
}

/// The project's folder; none for the user's own plugins.
fn find_root(home: &Home, folder: &Path, scope: Scope) -> Option<PathBuf> {
    match scope {
        Scope::Nearest => find_project(folder).filter(|root| root != home.root()),
        Scope::User => None,
    }
}

/// The state of a registry's log that a lock saw.
pub fn locked_head(locked: &LockedRegistry) -> Option<TreeHead> {
    let RegistryTrust::Signed { log, .. } = &locked.trust else { return None };
    let root = NodeHash::from_bytes(*log.root.as_bytes());
    Some(TreeHead { origin: log.origin.clone(), size: log.size, root })
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

/// A name made of a location's host or last folder.
fn name_for(location: &Location) -> RegistryName {
    let base = match location {
        Location::Bundled => BUNDLED.to_owned(),
        Location::Folder(path) => path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        Location::Http(url) => {
            let port = url.port().map(|port| format!("-{port}")).unwrap_or_default();
            format!("{}{port}", url.host_str().unwrap_or_default())
        }
    };
    let words: Vec<String> = base
        .to_ascii_lowercase()
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    let name = words.join("-");
    let prefixed =
        if name.starts_with(|letter: char| letter.is_ascii_lowercase()) { name } else { format!("at-{name}") };
    prefixed.parse().unwrap_or_else(|_| "registry".parse().expect("a constant name is valid"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_names_itself() {
        for (location, name) in [
            ("https://plugins.example.com/", "plugins-example-com"),
            ("http://127.0.0.1:8080/", "at-127-0-0-1-8080"),
            ("file:///srv/Our_Registry", "our-registry"),
            ("file:///", "registry"),
        ] {
            let location = location.parse().expect("a location");
            assert_eq!(name_for(&location).as_str(), name);
        }
    }
}
