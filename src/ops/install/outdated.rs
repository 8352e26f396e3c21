//! `plugin outdated`: what an update would choose, what there is beyond, and what stands in the way.

use std::collections::BTreeSet;

use pocket_index::name::PluginName;
use pocket_index::repository::Repository;
use semver::{Version, VersionReq};

use super::direct::Direct;
use super::records::{World, origin};
use super::rules::Freedom;
use super::wanted::Wanted;
use super::{Observer, Request};
use crate::ops::{OpsError, Reach, Workspace, plugins};
use crate::project::{LockedPlugin, Source};
use crate::resolve::{Necessity, PackageName, Resolution};

/// A plugin that has newer versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outdated {
    /// The plugin.
    pub name: PluginName,
    /// The version in the lock.
    pub current: Version,
    /// The version that an update would choose; none if nothing would need the plugin any more.
    pub fitting: Option<Version>,
    /// The highest version that there is, pre-releases and withdrawn ones aside.
    pub latest: Version,
    /// Why an update would not choose the latest; none if it would.
    pub held_by: Option<String>,
}

impl Outdated {
    /// Whether an update would move it.
    pub fn can_move(&self) -> bool {
        self.fitting.as_ref() != Some(&self.current)
    }
}

/// Every plugin of a registry in the lock that is not at its latest version, by name.
///
/// # Errors
/// A registry cannot be read, or nothing fits together any more.
pub async fn outdated(workspace: &Workspace, reach: Reach, observer: &dyn Observer) -> Result<Vec<Outdated>, OpsError> {
    let Some((lock, _)) = workspace.read_lock()? else { return Ok(Vec::new()) };
    let request = Request { freedom: Freedom::All, extent: super::Extent::Plan, ..Request::new(reach) };
    let mut world = World::new(workspace, &request, Some(&lock), observer);
    let wanted = Wanted::collect(workspace, &request, &mut world).await?;
    let resolution = world.resolve(&wanted.needs()).await?;
    let package = |plugin: &LockedPlugin| PackageName { name: plugin.name.clone(), origin: origin(&plugin.source) };
    let locked: BTreeSet<PackageName> = lock.plugins.iter().map(package).collect();
    world.fetch_missing(&locked).await?;
    world.remember()?;
    super::recoveries::tell(&world, locked.iter(), Some(&lock));
    let direct = Direct::new(workspace, &request, &world, workspace.registry(None)?.name);
    let mut outdated = Vec::new();
    for plugin in &lock.plugins {
        let package = package(plugin);
        outdated.extend(match &plugin.source {
            Source::Release(repository) => {
                of_release(plugin, repository, &direct, wanted.requirement_of(&package)).await?
            }
            _ => of_plugin(plugin, &package, &world, &wanted, &resolution),
        });
    }
    Ok(outdated)
}

/// What the forge has of a plugin that comes from its releases.
async fn of_release(
    plugin: &LockedPlugin,
    repository: &Repository,
    direct: &Direct<'_>,
    requirement: Option<&VersionReq>,
) -> Result<Option<Outdated>, OpsError> {
    let any = VersionReq::STAR;
    let requirement = requirement.unwrap_or(&any);
    let Some(latest) = direct.newest(repository, &plugin.name, &any).await? else { return Ok(None) };
    let fitting = direct.newest(repository, &plugin.name, requirement).await?;
    let held_by = (fitting.as_ref() != Some(&latest)).then(|| format!("pocket.yaml needs `{requirement}`"));
    let found = Outdated { name: plugin.name.clone(), current: plugin.version.clone(), fitting, latest, held_by };
    Ok((found.current != found.latest || found.can_move()).then_some(found))
}

fn of_plugin(
    plugin: &LockedPlugin,
    package: &PackageName,
    world: &World<'_>,
    wanted: &Wanted,
    resolution: &Resolution,
) -> Option<Outdated> {
    let listed = world.outline(package)?.listed().map(|(version, listed)| (version, listed.status()));
    let latest = plugins::latest(listed, &plugin.version)?.clone();
    let chosen = resolution.plugins.iter().map(|chosen| &chosen.release).filter(|one| one.package == *package);
    // Of several versions beside each other, the one that takes the place of this one is the closest that is not below.
    let mut chosen: Vec<&Version> = chosen.map(|release| &release.version).collect();
    chosen.sort();
    let fitting = chosen.iter().find(|version| ***version >= plugin.version).or(chosen.last()).map(|&v| v.clone());
    let found = Outdated {
        name: plugin.name.clone(),
        current: plugin.version.clone(),
        held_by: (fitting.as_ref() != Some(&latest)).then(|| held_by(package, &latest, world, wanted, resolution)),
        fitting,
        latest,
    };
    (found.current != found.latest || found.can_move()).then_some(found)
}

/// The rule that passed the version over, or who needs another one.
fn held_by(
    package: &PackageName,
    latest: &Version,
    world: &World<'_>,
    wanted: &Wanted,
    resolution: &Resolution,
) -> String {
    let is_latest =
        |passed: &&crate::resolve::PassedOver| passed.release.package == *package && passed.release.version == *latest;
    if let Some(passed) = resolution.passed_over.iter().find(is_latest) {
        return format!("{latest} {}", passed.reason);
    }
    if let Some(requirement) = wanted.requirement_of(package).filter(|requirement| !requirement.matches(latest)) {
        return format!("pocket.yaml needs `{requirement}`");
    }
    let holds = |chosen: &crate::resolve::Chosen| {
        let needs = world.needs_of(&chosen.release)?;
        let need = needs.into_iter().find(|need| need.package == *package && need.necessity == Necessity::Required)?;
        (!need.requirement.matches(latest)).then(|| format!("{} needs `{}`", chosen.release, need.requirement))
    };
    let holders: Vec<String> = resolution.plugins.iter().filter_map(holds).collect();
    if holders.is_empty() { "what it needs does not fit the rest".to_owned() } else { holders.join(", ") }
}
