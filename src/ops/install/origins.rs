//! A name never crosses silently from one registry to another: whoever takes a private name in a public registry must not get
//! his plugin installed for it.
//!
//! A dependency belongs to the registry that it names, or to that of its dependant, or to the default one. What is locked from
//! one registry comes from another only if the user says so for that name, and then it is told.

use std::collections::BTreeMap;

use pocket_index::name::{PluginName, RegistryName};
use semver::Version;

use super::Step;
use super::locking::Planned;
use super::records::World;
use crate::project::{Dependency, DependencySource, Lockfile, Source};

/// A name that would mean another plugin than before, or two plugins at once.
#[derive(Debug, thiserror::Error)]
pub enum OriginError {
    /// A dependency names no registry, and the default is another one than when it was locked.
    #[error(
        "`{name}` is locked from the registry `{locked}`, and without a word about it it would come from `{now}` now"
    )]
    Switched {
        /// The plugin.
        name: PluginName,
        /// Where it is locked from.
        locked: RegistryName,
        /// Where it would come from.
        now: RegistryName,
    },
    /// A registry's name stands for another registry than when it was locked.
    #[error("the registry `{name}` is at {url}, the lock knows it at {locked}, and they are not the same log")]
    Moved {
        /// The name.
        name: RegistryName,
        /// Where it was.
        locked: String,
        /// Where it is now.
        url: String,
    },
    /// Two plugins of one name and version.
    #[error("`{name}` {version} is needed from `{one}` and from `{other}`, and these are different files")]
    Clash {
        /// The name.
        name: PluginName,
        /// The version.
        version: Version,
        /// One source.
        one: String,
        /// The other.
        other: String,
    },
}

/// Refuses dependencies that would change their registry because the default one did. `is_said` tells whether the user named a
/// registry for this plugin just now.
pub fn refuse_silent_switches(
    dependencies: &BTreeMap<PluginName, Dependency>,
    is_said: &dyn Fn(&PluginName) -> bool,
    default: &RegistryName,
    lock: Option<&Lockfile>,
) -> Result<(), OriginError> {
    let unnamed = dependencies.iter().filter(|(_, one)| one.source == DependencySource::Registry(None));
    for (name, _) in unnamed.filter(|(name, _)| !is_said(name)) {
        let registries: Vec<&RegistryName> = registries_of(name, lock).collect();
        if let Some(locked) = registries.first().filter(|_| !registries.contains(&default)) {
            return Err(OriginError::Switched { name: name.clone(), locked: (*locked).clone(), now: default.clone() });
        }
    }
    Ok(())
}

/// Tells which plugins come from another source than they are locked from.
pub fn tell_switches(world: &World<'_>, planned: &[Planned], old: Option<&Lockfile>) {
    for one in planned {
        let (name, source) = (&one.locked.name, &one.locked.source);
        let before: Vec<&Source> = old
            .into_iter()
            .flat_map(|lock| &lock.plugins)
            .filter(|plugin| plugin.name == *name)
            .map(|plugin| &plugin.source)
            .collect();
        if let Some(other) = before.first().filter(|_| !before.contains(&source)) {
            let text = format!("`{name}` comes from `{source}` from now on, before it came from `{other}`");
            world.observer().step(Step::Warning { text });
        }
    }
}

/// Refuses two plugins that would take each other's place on disk.
pub fn refuse_clashes(planned: &[Planned]) -> Result<(), OriginError> {
    let mut seen: BTreeMap<(&PluginName, &Version), &Planned> = BTreeMap::new();
    for one in planned {
        let Some(first) = seen.insert((&one.locked.name, &one.locked.version), one) else { continue };
        let digests =
            |planned: &Planned| planned.locked.archives.iter().map(|archive| archive.tree).collect::<Vec<_>>();
        if digests(first) != digests(one) {
            return Err(OriginError::Clash {
                name: one.locked.name.clone(),
                version: one.locked.version.clone(),
                one: first.locked.source.to_string(),
                other: one.locked.source.to_string(),
            });
        }
    }
    Ok(())
}

fn registries_of<'l>(name: &PluginName, lock: Option<&'l Lockfile>) -> impl Iterator<Item = &'l RegistryName> {
    let plugins = lock.into_iter().flat_map(|lock| &lock.plugins).filter(move |plugin| plugin.name == *name);
    plugins.filter_map(|plugin| match &plugin.source {
        Source::Registry(registry) => Some(registry),
        _ => None,
    })
}
