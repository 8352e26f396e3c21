//! What stands in `pocket.lock`: which plugins were chosen, where they come from, and what was trusted and approved.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use pocket_index::digest::{Digest, TreeDigest};
use pocket_index::manifest::Runtime;
use pocket_index::name::{PluginName, RegistryName, Target};
use pocket_index::permissions::Permissions;
use pocket_index::repository::Repository;
use pocket_index::signature::PublicKey;
use semver::{Version, VersionReq};
use toml_edit::Table;

use super::manifest::{Dependency, DependencySource};

/// A `pocket.lock`. Keys that this version does not know are kept.
#[derive(Debug, Clone, Default)]
pub struct Lockfile {
    /// The registries that plugins come from.
    pub registries: Vec<LockedRegistry>,
    /// The plugins.
    pub plugins: Vec<LockedPlugin>,
    pub(super) revision: u64,
    pub(super) unknown: Unknown,
}

/// Keys that this version does not know.
#[derive(Debug, Clone, Default)]
pub(super) struct Unknown(pub Table);

/// A registry as the team last saw it.
#[derive(Debug, Clone)]
pub struct LockedRegistry {
    /// The name in `pocket.yaml`.
    pub name: RegistryName,
    /// Where it is.
    pub url: String,
    /// What its words are checked with.
    pub trust: RegistryTrust,
    pub(super) unknown: Unknown,
}

/// What a registry's words are checked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistryTrust {
    /// Its keys, and the log's newest state that was seen.
    Signed {
        /// The keys that sign events for the registry.
        keys: Vec<PublicKey>,
        /// The log.
        log: LockedLog,
    },
    /// Nothing: the user's configuration says `unsigned: true`.
    Unsigned,
}

/// A log's state. A registry that shows an older one, or another one of the same size, is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedLog {
    /// The first line of its checkpoints.
    pub origin: String,
    /// The key that signs them, as in the registry's `config.json`.
    pub key: String,
    /// How many events it holds.
    pub size: u64,
    /// The hash of its tree.
    pub root: Digest,
}

/// A plugin that was chosen.
#[derive(Debug, Clone)]
pub struct LockedPlugin {
    /// Its name.
    pub name: PluginName,
    /// Its version.
    pub version: Version,
    /// Where it comes from.
    pub source: Source,
    /// What runs it.
    pub runtime: Runtime,
    /// The engines it works with; none means any.
    pub engine: Option<VersionReq>,
    /// Why its files are trusted.
    pub basis: Basis,
    /// Whose signatures were checked.
    pub signers: Vec<PublicKey>,
    /// What the user approved.
    pub permissions: Permissions,
    /// What it is linked with.
    pub dependencies: Vec<LockedDependency>,
    /// Its archives: one for each target, of all targets.
    pub archives: Vec<LockedArchive>,
    pub(super) unknown: Unknown,
}

/// Where a plugin comes from. Written as the registry's name, the address, a path that starts with `./` or `../`, or the
/// repository (`github.com/owner/repository`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A registry.
    Registry(RegistryName),
    /// An archive on the web.
    Url(String),
    /// A file or folder beside the project. Never absolute: a lock is the same on every machine.
    Path(String),
    /// The releases of a repository; each archive says where it was.
    Release(Repository),
}

/// Why a plugin's files are trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// Its release is signed and stands in the registry's log: here.
    Log(LockedEvent),
    /// Its archive is signed.
    Signature,
    /// Its address came with the archive's digest.
    Digest,
    /// The user accepted this one archive.
    Once,
    /// It is the project's own.
    Local,
    /// Its registry is `unsigned: true`.
    Unsigned,
}

/// A line of a registry's index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockedEvent {
    /// The line's digest.
    pub digest: Digest,
    /// Its leaf in the log.
    pub log: u64,
}

/// A plugin that another one is linked with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LockedDependency {
    /// Its name.
    pub name: PluginName,
    /// Its version.
    pub version: Version,
    /// Where it comes from.
    pub source: Source,
}

/// One target's archive.
#[derive(Debug, Clone)]
pub struct LockedArchive {
    /// What it runs on.
    pub target: Target,
    /// Its file name.
    pub file: String,
    /// Its bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Digest,
    /// The digest of its files.
    pub tree: TreeDigest,
    /// Where it was, for one of a forge's release.
    pub url: Option<String>,
    pub(super) unknown: Unknown,
}

/// Why a lock does not fit `pocket.yaml` any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stale {
    /// A dependency is not in it.
    #[error("`pocket.yaml` needs `{name}` `{requirement}`, which is not in `pocket.lock`")]
    NotLocked {
        /// What is needed.
        name: PluginName,
        /// The versions that will do.
        requirement: VersionReq,
    },
    /// A dependency is in it, in a version that will not do.
    #[error("`pocket.yaml` needs `{name}` `{requirement}`, `pocket.lock` has {locked}")]
    OtherVersion {
        /// What is needed.
        name: PluginName,
        /// The versions that will do.
        requirement: VersionReq,
        /// The highest one that is locked.
        locked: Version,
    },
    /// A dependency is in it from elsewhere.
    #[error("`pocket.yaml` takes `{name}` from `{wanted}`, `pocket.lock` from `{locked}`")]
    OtherSource {
        /// What is needed.
        name: PluginName,
        /// Where it should come from.
        wanted: Source,
        /// Where the locked one comes from.
        locked: Source,
    },
    /// Nothing needs a plugin that is in it.
    #[error("`pocket.lock` has `{name}` {version}, which nothing needs any more")]
    Unneeded {
        /// The plugin.
        name: PluginName,
        /// Its version.
        version: Version,
    },
}

impl Lockfile {
    /// A lock of these registries and plugins.
    pub fn new(registries: Vec<LockedRegistry>, plugins: Vec<LockedPlugin>) -> Self {
        Self { registries, plugins, ..Self::default() }
    }

    /// The plugin of that name, version and source.
    pub fn plugin(&self, name: &PluginName, version: &Version, source: &Source) -> Option<&LockedPlugin> {
        self.plugins
            .iter()
            .find(|locked| locked.name == *name && locked.version == *version && locked.source == *source)
    }

    /// The registry of that name.
    pub fn registry(&self, name: &RegistryName) -> Option<&LockedRegistry> {
        self.registries.iter().find(|locked| locked.name == *name)
    }

    /// Takes over the keys that this version does not know, for everything that both locks hold.
    pub fn keep_unknown_of(&mut self, old: &Lockfile) {
        self.unknown = old.unknown.clone();
        self.revision = self.revision.max(old.revision);
        for registry in &mut self.registries {
            if let Some(known) = old.registry(&registry.name) {
                registry.unknown = known.unknown.clone();
            }
        }
        for plugin in &mut self.plugins {
            let Some(known) = old.plugin(&plugin.name, &plugin.version, &plugin.source) else { continue };
            plugin.unknown = known.unknown.clone();
            for archive in &mut plugin.archives {
                if let Some(same) = known.archives.iter().find(|same| same.sha256 == archive.sha256) {
                    archive.unknown = same.unknown.clone();
                }
            }
        }
    }

    /// Whether the lock fits what `pocket.yaml` needs. A dependency that names no registry comes from `default_registry`.
    ///
    /// # Errors
    /// Everything that does not fit, in the order of names.
    pub fn satisfies(
        &self,
        dependencies: &BTreeMap<PluginName, Dependency>,
        default_registry: &RegistryName,
    ) -> Result<(), Vec<Stale>> {
        let mut stale = Vec::new();
        let mut open = Vec::new();
        for (name, dependency) in dependencies {
            match self.meet(name, dependency, default_registry) {
                Ok(plugin) => open.push(plugin),
                Err(reason) => stale.push(reason),
            }
        }
        if stale.is_empty() {
            stale = self.unneeded(open);
        }
        if stale.is_empty() { Ok(()) } else { Err(stale) }
    }

    /// The highest locked version that meets a dependency.
    fn meet(&self, name: &PluginName, dependency: &Dependency, default: &RegistryName) -> Result<&LockedPlugin, Stale> {
        let requirement = &dependency.requirement;
        let wanted = Source::wanted(&dependency.source, default);
        let mut named: Vec<_> = self.plugins.iter().filter(|plugin| plugin.name == *name).collect();
        named.sort_by(|a, b| b.version.cmp(&a.version));
        let from_there: Vec<_> = named.iter().filter(|plugin| plugin.source == wanted).collect();
        match (from_there.iter().find(|plugin| requirement.matches(&plugin.version)), from_there.first(), named.first())
        {
            (Some(met), ..) => Ok(met),
            (None, Some(other), _) => Err(Stale::OtherVersion {
                name: name.clone(),
                requirement: requirement.clone(),
                locked: other.version.clone(),
            }),
            (None, None, Some(other)) => {
                Err(Stale::OtherSource { name: name.clone(), wanted, locked: other.source.clone() })
            }
            (None, None, None) => Err(Stale::NotLocked { name: name.clone(), requirement: requirement.clone() }),
        }
    }

    /// What is not reached from `open` over dependencies.
    fn unneeded<'a>(&'a self, mut open: Vec<&'a LockedPlugin>) -> Vec<Stale> {
        let mut reached = BTreeSet::new();
        while let Some(plugin) = open.pop() {
            if reached.insert((&plugin.name, &plugin.version, &plugin.source)) {
                open.extend(plugin.dependencies.iter().filter_map(|d| self.plugin(&d.name, &d.version, &d.source)));
            }
        }
        let is_reached = |plugin: &LockedPlugin| reached.contains(&(&plugin.name, &plugin.version, &plugin.source));
        let unneeded = self.plugins.iter().filter(|plugin| !is_reached(plugin));
        unneeded.map(|plugin| Stale::Unneeded { name: plugin.name.clone(), version: plugin.version.clone() }).collect()
    }
}

impl LockedRegistry {
    /// A registry.
    pub fn new(name: RegistryName, url: String, trust: RegistryTrust) -> Self {
        Self { name, url, trust, unknown: Unknown::default() }
    }
}

impl LockedPlugin {
    /// A plugin of which nothing else is known yet.
    pub fn new(name: PluginName, version: Version, source: Source, runtime: Runtime, basis: Basis) -> Self {
        Self {
            name,
            version,
            source,
            runtime,
            engine: None,
            basis,
            signers: Vec::new(),
            permissions: Permissions::default(),
            dependencies: Vec::new(),
            archives: Vec::new(),
            unknown: Unknown::default(),
        }
    }
}

impl LockedArchive {
    /// An archive.
    pub fn new(target: Target, file: String, size: u64, sha256: Digest, tree: TreeDigest) -> Self {
        Self { target, file, size, sha256, tree, url: None, unknown: Unknown::default() }
    }

    /// The same archive, at this place.
    #[must_use]
    pub fn at(self, url: String) -> Self {
        Self { url: Some(url), ..self }
    }
}

impl Source {
    /// The source that a dependency names.
    pub fn wanted(source: &DependencySource, default_registry: &RegistryName) -> Self {
        match source {
            DependencySource::Registry(name) => Source::Registry(name.as_ref().unwrap_or(default_registry).clone()),
            DependencySource::Url { url, .. } => Source::Url(url.clone()),
            DependencySource::Path(path) => Source::path(path),
            DependencySource::Release(repository) => Source::Release(repository.clone()),
        }
    }

    /// A path as a lock writes it: `/` between the parts, `./` before a name.
    pub fn path(path: &str) -> Self {
        let path = path.replace('\\', "/");
        let is_marked = path.starts_with("./") || path.starts_with("../") || path == "." || path == "..";
        Source::Path(if is_marked { path } else { format!("./{path}") })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Registry(name) => name.fmt(f),
            Source::Release(repository) => repository.fmt(f),
            Source::Url(text) | Source::Path(text) => f.write_str(text),
        }
    }
}

impl FromStr for Source {
    type Err = pocket_index::name::NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains("://") {
            Ok(Source::Url(text.to_owned()))
        } else if text.starts_with('.') {
            Ok(Source::Path(text.to_owned()))
        } else if let Ok(repository) = text.parse() {
            Ok(Source::Release(repository))
        } else {
            text.parse().map(Source::Registry)
        }
    }
}

impl Basis {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Log(_) => "log",
            Self::Signature => "signature",
            Self::Digest => "digest",
            Self::Once => "once",
            Self::Local => "local",
            Self::Unsigned => "unsigned",
        }
    }
}
