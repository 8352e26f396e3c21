//! Which registries a verb may use, where they are, and what is expected of them.

use std::path::PathBuf;

use pocket_index::log::{NodeHash, TreeHead};
use pocket_index::name::RegistryName;

use super::{Reach, Workspace};
use crate::ops::{OpsError, accounts, policy};
use crate::project::{LockedRegistry, Lockfile, RegistryTrust, Signing};
use crate::registry::{Access, Expected, Location, Notice, Opened, Registry, Staleness, Token};

/// The name of the registry that is used when none is configured.
const BUNDLED: &str = "bundled";
/// The name of the configured registry that is used when none is named.
const DEFAULT: &str = "default";

/// Who says where a registry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Whoever typed this command, as a URL.
    Typed,
    /// The user's own configuration.
    ByUser,
    /// The project, or its lock.
    ByProject,
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
    /// Who says where it is.
    pub said: Said,
}

impl NamedRegistry {
    /// A registry of which the configuration says nothing more.
    pub fn plain(name: RegistryName, location: Location) -> Self {
        let (key, max_age, max_unpacked) = (None, None, None);
        Self { name, location, key, min_release_age: 0, max_age, max_unpacked, said: Said::ByProject }
    }

    /// The same registry, said by somebody else.
    pub fn said(self, said: Said) -> Self {
        Self { said, ..self }
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

impl Workspace {
    /// The registry that was asked for on the command line, else the configured default, else the bundled one.
    pub fn registry(&self, asked: Option<&str>) -> Result<NamedRegistry, OpsError> {
        match asked {
            Some(asked) => {
                // The first counts: it is one command.
                let _ = self.typed.set(asked.parse().ok());
                self.named_or_located(asked)
            }
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
        let token = if copy.is_some() { None } else { accounts::token_for(self, named)? };
        let expected = Expected { copy, token, ..self.locked_state(named, lock)? };
        self.open_expected(named, expected, access).await
    }

    /// Opens a registry and shows it this token, whatever other one there is for it.
    pub async fn open_with(&self, named: &NamedRegistry, access: Access, token: Token) -> Result<Registry, OpsError> {
        let expected = Expected { token: Some(token), ..Expected::default() };
        Ok(self.open_expected(named, expected, access).await?.registry)
    }

    async fn open_expected(
        &self,
        named: &NamedRegistry,
        mut expected: Expected,
        access: Access,
    ) -> Result<Opened, OpsError> {
        expected.max_age = named.max_age;
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

    /// The copy of a registry in the folder that `plugins.vendor` names. The bundled registry is at hand anyway.
    ///
    /// # Errors
    /// The folder has no copy of it.
    pub fn copy_of(&self, named: &NamedRegistry) -> Result<Option<PathBuf>, OpsError> {
        let Some(folder) = self.vendor().filter(|_| named.location != Location::Bundled) else { return Ok(None) };
        let copy = folder.join(named.name.as_str());
        if copy.is_dir() { Ok(Some(copy)) } else { Err(OpsError::NotVendored { registry: named.name.clone(), folder }) }
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
        let location: Location = settings.url.parse()?;
        let is_users =
            self.user.registries.values().any(|own| own.url.parse().is_ok_and(|own: Location| own == location));
        Ok(Some(NamedRegistry {
            name: name.clone(),
            location,
            said: if is_users { Said::ByUser } else { Said::ByProject },
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
                return Ok(registry.said(Said::Typed));
            }
        }
        Ok(NamedRegistry::plain(name_for(&location), location).said(Said::Typed))
    }
}

/// The state of a registry's log that a lock saw.
pub fn locked_head(locked: &LockedRegistry) -> Option<TreeHead> {
    let RegistryTrust::Signed { log, .. } = &locked.trust else { return None };
    let root = NodeHash::from_bytes(*log.root.as_bytes());
    Some(TreeHead { origin: log.origin.clone(), size: log.size, root })
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
