//! The rules of a resolution: what the configuration forbids, what the lock holds, what the plugins must run on.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use pocket_index::name::{PluginName, RegistryName, Target};
use semver::Version;

use super::Request;
use super::records::origin;
use crate::ops::Workspace;
use crate::project::{LockedPlugin, Lockfile};
use crate::resolve::{self, Denials, Details, Origin, PackageName, PackageVersion};

/// Which versions of the lock may be left for others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Freedom {
    /// None that still fits.
    #[default]
    Keep,
    /// All of them.
    All,
    /// Those of these plugins.
    Only(BTreeSet<PluginName>),
    /// That of one plugin, for exactly this version.
    Precise(PluginName, Version),
}

impl Freedom {
    /// Whether a locked version of this plugin may be left.
    pub fn frees(&self, name: &PluginName) -> bool {
        match self {
            Self::Keep => false,
            Self::All => true,
            Self::Only(names) => names.contains(name),
            Self::Precise(one, _) => one == name,
        }
    }
}

/// The rules, with nothing needed yet.
pub fn rules(workspace: &Workspace, request: &Request, lock: Option<&Lockfile>) -> resolve::Request {
    let files = [workspace.project(), workspace.user()];
    let securities = files.iter().map(|file| &file.plugins.security);
    let mut denied = Denials {
        runtimes: securities.clone().flat_map(|security| security.denied_runtimes.iter().copied()).collect(),
        permissions: securities
            .flat_map(|security| security.denied_permissions.iter().map(|word| word.as_str().to_owned()))
            .collect(),
    };
    if let Some(organisation) = workspace.organisation() {
        denied.runtimes.extend(&organisation.rules.denied_runtimes);
        denied.permissions.extend(organisation.rules.denied_permissions.iter().map(|word| word.as_str().to_owned()));
    }
    let engine = env!("CARGO_PKG_VERSION").parse().expect("cargo checks the version");
    resolve::Request {
        locked: lock.map(|lock| preferred(&request.freedom, lock)).unwrap_or_default(),
        targets: targets(workspace, request),
        // Before 1970 nothing is too new.
        now: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        denied,
        ..resolve::Request::new(Vec::new(), engine)
    }
}

/// Whether today's rules still permit everything in the lock, as far as the lock alone can tell. How old a release is, or
/// whether it was withdrawn, only its registry knows.
pub fn permit(rules: &resolve::Request, lock: &Lockfile) -> bool {
    lock.plugins.iter().all(|plugin| resolve::rule_against(rules, &details(plugin)).is_none())
}

/// The versions that are kept if they still fit.
fn preferred(freedom: &Freedom, lock: &Lockfile) -> BTreeSet<PackageVersion> {
    let kept = lock.plugins.iter().filter(|plugin| !freedom.frees(&plugin.name)).map(version_of);
    let mut preferred: BTreeSet<_> = kept.collect();
    if let Freedom::Precise(name, version) = freedom {
        let wanted = |plugin: &LockedPlugin| PackageVersion { version: version.clone(), ..version_of(plugin) };
        preferred.extend(lock.plugins.iter().filter(|plugin| plugin.name == *name).map(wanted));
    }
    preferred
}

fn version_of(plugin: &LockedPlugin) -> PackageVersion {
    let package = PackageName { name: plugin.name.clone(), origin: origin(&plugin.source) };
    PackageVersion { package, version: plugin.version.clone() }
}

/// The project's targets, else the machine's. One that was asked for is always among them.
fn targets(workspace: &Workspace, request: &Request) -> Vec<Target> {
    let mut targets = workspace.project().plugins.targets.clone();
    if let Some(asked) = &request.target {
        targets.push(asked.clone());
    }
    if targets.is_empty() {
        targets.push(Target::host());
    }
    targets.sort();
    targets.dedup();
    targets
}

/// What the lock says of a plugin, in the resolver's words.
fn details(plugin: &LockedPlugin) -> Details {
    Details {
        runtime: plugin.runtime,
        dependencies: Vec::new(),
        engine: plugin.engine.clone(),
        targets: plugin.archives.iter().map(|archive| archive.target.clone()).collect(),
        permissions: plugin.permissions.clone(),
    }
}

/// How old a release of each registry must be, in seconds, where the configuration says so.
pub fn cooldowns<'a>(registries: impl Iterator<Item = (&'a RegistryName, u64)>) -> impl Iterator<Item = (Origin, u64)> {
    registries.filter(|(_, age)| *age > 0).map(|(name, age)| (Origin::Registry(name.clone()), age))
}
