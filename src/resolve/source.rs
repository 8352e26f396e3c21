//! What the solver knows of the world: one trait, answered from memory by whoever fetched the records.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use pocket_index::manifest::Runtime;
use pocket_index::name::{NameError, PluginName, RegistryName, Target};
use pocket_index::permissions::Permissions;
use pocket_index::record::Release;
use semver::{Version, VersionReq};

/// Where a plugin comes from. Part of its identity: a name never crosses silently from one origin to another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A registry, by the name the user gave it.
    Registry(RegistryName),
    /// A URL or a folder that the project names itself; it has one version.
    Direct(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Registry(name) => name.fmt(f),
            Origin::Direct(place) => f.write_str(place),
        }
    }
}

/// A plugin's identity: its origin and its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageName {
    /// The plugin's name.
    pub name: PluginName,
    /// Where it comes from.
    pub origin: Origin,
}

impl PackageName {
    /// A plugin of a registry.
    pub fn new(registry: RegistryName, name: PluginName) -> Self {
        Self { name, origin: Origin::Registry(registry) }
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)
    }
}

/// One version of one plugin.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageVersion {
    /// The plugin.
    pub package: PackageName,
    /// Its version.
    pub version: Version,
}

impl fmt::Display for PackageVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.package, self.version)
    }
}

/// Whether a version may be picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Nothing speaks against it.
    Available,
    /// Not picked anew; kept where it is locked.
    Yanked,
    /// Refused even where it is locked.
    Revoked,
}

/// A version as the solver first sees it: what must be known of every version, and no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The version.
    pub version: Version,
    /// Whether it may be picked.
    pub status: Status,
    /// When the registry took it: seconds since 1970-01-01 UTC.
    pub published_at: u64,
}

/// The rest of a version; asked for only when the version is considered.
#[derive(Debug, Clone, PartialEq)]
pub struct Details {
    /// What runs it.
    pub runtime: Runtime,
    /// The plugins it needs.
    pub dependencies: Vec<Need>,
    /// The engine's versions it works with; none means any.
    pub engine: Option<VersionReq>,
    /// What its archives run on.
    pub targets: Vec<Target>,
    /// What it asks to be allowed.
    pub permissions: Permissions,
}

/// Whether a plugin works without another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Necessity {
    /// It must be there.
    Required,
    /// It is linked when it is there anyway, and never brought in.
    Optional,
}

/// A plugin that something needs, and the versions that will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The plugin.
    pub package: PackageName,
    /// The versions that will do.
    pub requirement: VersionReq,
    /// Whether it must be there.
    pub necessity: Necessity,
}

impl Need {
    /// A plugin that must be there.
    pub fn required(package: PackageName, requirement: VersionReq) -> Self {
        Self { package, requirement, necessity: Necessity::Required }
    }
}

impl Details {
    /// What a release event says. `registry` is the one the event stands in: dependencies that name no other come from it.
    ///
    /// # Errors
    /// A dependency's registry is not a name.
    pub fn from_release(release: &Release, registry: &RegistryName) -> Result<Self, NameError> {
        let need = |(name, dependency): (&PluginName, &pocket_index::manifest::Dependency)| {
            let origin = match &dependency.registry {
                Some(other) => other.parse()?,
                None => registry.clone(),
            };
            let necessity = if dependency.optional { Necessity::Optional } else { Necessity::Required };
            let package = PackageName::new(origin, name.clone());
            Ok(Need { package, requirement: dependency.version.clone(), necessity })
        };
        Ok(Self {
            runtime: release.runtime,
            dependencies: release.dependencies.iter().map(need).collect::<Result<_, NameError>>()?,
            engine: release.engine.clone(),
            targets: release.archives.iter().map(|archive| archive.target.clone()).collect(),
            permissions: release.permissions.clone(),
        })
    }
}

/// What a source knows of a plugin.
#[derive(Debug, Clone, Copy)]
pub enum Lookup<'a> {
    /// Its versions, in any order.
    Known(&'a [Candidate]),
    /// There is no such plugin.
    Missing,
    /// Its records were not fetched yet.
    Pending,
}

/// Why a version's record cannot be used: one line, for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// The world, as far as the solver is concerned. Answers must not change during one call of [`super::resolve`].
pub trait RecordSource {
    /// The versions of a plugin.
    fn candidates(&self, package: &PackageName) -> Lookup<'_>;

    /// The details of the version at `position` in the slice that [`RecordSource::candidates`] gave. Asked only for
    /// versions that are considered, so that a source can leave the other records unparsed.
    ///
    /// # Errors
    /// The record cannot be read; the version is then passed over with this reason.
    fn details(&self, package: &PackageName, position: usize) -> Result<&Details, Unreadable>;
}

/// Records in memory. Serves plugins that the project names by URL or folder, and tests.
#[derive(Debug, Clone, Default)]
pub struct Records {
    plugins: BTreeMap<PackageName, (Vec<Candidate>, Vec<Details>)>,
    pending: BTreeSet<PackageName>,
}

impl Records {
    /// Adds a version.
    pub fn add(&mut self, package: PackageName, candidate: Candidate, details: Details) {
        let (candidates, all_details) = self.plugins.entry(package).or_default();
        candidates.push(candidate);
        all_details.push(details);
    }

    /// Says that a plugin may exist, but was not fetched yet.
    pub fn set_pending(&mut self, package: PackageName) {
        self.pending.insert(package);
    }
}

impl RecordSource for Records {
    fn candidates(&self, package: &PackageName) -> Lookup<'_> {
        match self.plugins.get(package) {
            _ if self.pending.contains(package) => Lookup::Pending,
            Some((candidates, _)) => Lookup::Known(candidates),
            None => Lookup::Missing,
        }
    }

    fn details(&self, package: &PackageName, position: usize) -> Result<&Details, Unreadable> {
        let details = self.plugins.get(package).and_then(|(_, details)| details.get(position));
        details.ok_or_else(|| Unreadable(format!("`{package}` has no record at position {position}")))
    }
}
