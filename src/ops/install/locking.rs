//! From a resolution to the lock: what was chosen, why it is trusted, what it asks for.

use pocket_index::name::{RegistryName, Target};
use pocket_index::record::{Listed, Outline, Release};
use pocket_index::verify::VerifiedRelease;

use super::records::{World, root_digest, yanked_reason};
use super::{Step, edited};
use crate::ops::OpsError;
use crate::ops::policy::Policy;
use crate::project::{
    Basis, LockedArchive, LockedDependency, LockedEvent, LockedLog, LockedPlugin, LockedRegistry, Lockfile,
    RegistryTrust, Source,
};
use crate::registry::Registry;
use crate::resolve::{Chosen, Origin, PackageName, PackageVersion, Resolution};

/// A plugin that was chosen, with what its archive is verified by.
pub struct Planned {
    /// Its part of the lock.
    pub locked: LockedPlugin,
    /// Its release; none for an archive that the project names itself.
    pub release: Option<VerifiedRelease>,
    /// Its identity for the resolver.
    pub package: PackageName,
}

/// Verifies every chosen release and compares it with what the lock had.
pub async fn plan(
    world: &mut World<'_>,
    resolution: &Resolution,
    old: Option<&Lockfile>,
) -> Result<Vec<Planned>, OpsError> {
    let policy = Policy::of(world.workspace())?;
    let mut planned = Vec::new();
    for chosen in &resolution.plugins {
        let one = match &chosen.release.package.origin {
            Origin::Registry(_) => plan_release(world, chosen, old).await?,
            Origin::Direct(_) => plan_direct(world, chosen),
        };
        edited::refuse(&one.locked, old)?;
        policy.check(&one.locked)?;
        planned.push(one);
    }
    Ok(planned)
}

async fn plan_release(world: &World<'_>, chosen: &Chosen, old: Option<&Lockfile>) -> Result<Planned, OpsError> {
    let PackageVersion { package, version } = &chosen.release;
    let Origin::Registry(name) = &package.origin else { unreachable!("called for releases of registries only") };
    let registry = world.registry(name).expect("a chosen release comes from an opened registry");
    let outline = world.outline(package).expect("a chosen release comes from a fetched file");
    refuse_other_history(outline, name, old)?;
    if let Some(reason) = yanked_reason(outline, version) {
        let text = format!("`{}` {version} was yanked: {reason}; it stays because it is locked", package.name);
        world.observer().step(Step::Warning { text });
    }
    let release = registry.chosen(outline, version).await?;
    let mut locked = of_release(name, &release);
    locked.dependencies = dependencies(chosen);
    Ok(Planned { locked, release: Some(release), package: package.clone() })
}

/// What a lock says of a release, but for what it is linked with.
pub fn of_release(registry: &RegistryName, release: &VerifiedRelease) -> LockedPlugin {
    let entry = release.entry();
    let event = LockedEvent { digest: entry.line(), log: entry.log() };
    let (name, version) = (release.name().clone(), release.version().clone());
    let source = Source::Registry(registry.clone());
    let mut locked = LockedPlugin::new(name, version, source, entry.release().runtime, Basis::Log(event));
    locked.signers = entry.signers().to_vec();
    describe(&mut locked, entry.release());
    locked
}

fn plan_direct(world: &World<'_>, chosen: &Chosen) -> Planned {
    let PackageVersion { package, version } = &chosen.release;
    let direct = world.direct(package).expect("a direct archive was verified before it was resolved");
    let manifest = direct.archive.manifest();
    let (source, basis) = (source_of(&package.origin), direct.basis);
    let mut locked = LockedPlugin::new(package.name.clone(), version.clone(), source, manifest.runtime, basis);
    describe(&mut locked, &Release::describe(manifest, Vec::new()));
    locked.dependencies = dependencies(chosen);
    locked.archives.clone_from(&direct.archives);
    locked.signers.clone_from(&direct.signers);
    Planned { locked, release: None, package: package.clone() }
}

fn dependencies(chosen: &Chosen) -> Vec<LockedDependency> {
    chosen.dependencies.iter().map(dependency).collect()
}

fn describe(locked: &mut LockedPlugin, release: &Release) {
    locked.engine = release.engine.clone();
    locked.permissions = release.permissions.clone();
    let archive = |record: &pocket_index::record::ArchiveRecord| {
        LockedArchive::new(record.target.clone(), record.file.clone(), record.size, record.sha256, record.tree)
    };
    locked.archives = release.archives.iter().map(archive).collect();
}

fn dependency(release: &PackageVersion) -> LockedDependency {
    LockedDependency {
        name: release.package.name.clone(),
        version: release.version.clone(),
        source: source_of(&release.package.origin),
    }
}

fn source_of(origin: &Origin) -> Source {
    match origin {
        Origin::Registry(name) => Source::Registry(name.clone()),
        Origin::Direct(place) if place.contains("://") => Source::Url(place.clone()),
        Origin::Direct(place) => match place.parse() {
            Ok(repository) => Source::Release(repository),
            // A path starts with a dot, which no host does.
            Err(_) => Source::path(place),
        },
    }
}

/// What the lock holds of a plugin must stand in its history, whatever version is chosen now. Otherwise it is another history,
/// with other owners perhaps, that the registry began under the same name.
fn refuse_other_history(outline: &Outline, registry: &RegistryName, old: Option<&Lockfile>) -> Result<(), OpsError> {
    let source = Source::Registry(registry.clone());
    let locked = old.into_iter().flat_map(|old| &old.plugins);
    for plugin in locked.filter(|plugin| plugin.name == *outline.name() && plugin.source == source) {
        let Basis::Log(event) = plugin.basis else { continue };
        let found = outline.find(&plugin.version).map(Listed::line);
        if found != Some(event.digest) {
            return Err(OpsError::LockDiffers {
                name: plugin.name.clone(),
                version: plugin.version.clone(),
                locked: event.digest.to_string(),
                found: found.map_or_else(|| "nothing".to_owned(), |digest| digest.to_string()),
            });
        }
    }
    Ok(())
}

/// The lock of what was planned. The registries' checkpoints move on only when the plugins change, so that the same
/// plugins give the same bytes.
pub fn lock(world: &World<'_>, planned: &[Planned], old: Option<&Lockfile>) -> Lockfile {
    let plugins: Vec<LockedPlugin> = planned.iter().map(|one| one.locked.clone()).collect();
    let used =
        |registry: &&Registry| planned.iter().any(|one| one.locked.source == Source::Registry(registry.name().clone()));
    let registries = world.registries().filter(used).map(locked_registry).collect();
    let mut new = Lockfile::new(registries, plugins);
    let Some(old) = old else { return new };
    new.keep_unknown_of(old);
    let mut with_old_registries = new.clone();
    with_old_registries.registries.clone_from(&old.registries);
    if with_old_registries.to_text() == old.to_text() { with_old_registries } else { new }
}

fn locked_registry(registry: &Registry) -> LockedRegistry {
    let head = registry.checkpoint().head();
    let log = LockedLog {
        origin: head.origin.clone(),
        key: registry.log_key().to_string(),
        size: head.size,
        root: root_digest(head.root),
    };
    let trust = RegistryTrust::Signed { keys: registry.event_keys().to_vec(), log };
    LockedRegistry::new(registry.name().clone(), registry.location().to_string(), trust)
}

/// The archive of a locked plugin that runs on this machine.
pub fn archive_for_host(plugin: &LockedPlugin) -> Option<&LockedArchive> {
    archive_for(plugin, &Target::host())
}

/// The archive of a locked plugin that runs on `target`.
pub fn archive_for<'a>(plugin: &'a LockedPlugin, target: &Target) -> Option<&'a LockedArchive> {
    let exact = plugin.archives.iter().find(|archive| archive.target == *target);
    exact.or_else(|| plugin.archives.iter().find(|archive| archive.target.is_any()))
}
