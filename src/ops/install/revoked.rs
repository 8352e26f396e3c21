//! Versions that were taken back for good: refused even where they are locked.

use pocket_index::record::{Outline, Status};
use semver::Version;

use super::Step;
use super::records::{World, origin};
use crate::home::trust;
use crate::ops::{OpsError, Workspace};
use crate::project::{LockedPlugin, Lockfile, Source};
use crate::resolve::{Need, PackageName, ResolveError};

/// The error of a resolution that failed, or, where a version that is locked or needed was revoked, that.
pub fn or_unresolved(world: &World<'_>, needs: &[Need], error: ResolveError) -> OpsError {
    let locked = world.lock().into_iter().flat_map(|lock| &lock.plugins);
    let locked = locked.filter_map(|plugin| Some((outline_of(world, plugin)?, plugin.version.clone())));
    let needed = needs.iter().filter_map(|need| {
        let outline = world.outline(&need.package)?;
        let mut fitting = outline.listed().rev().filter(|(version, _)| need.requirement.matches(version)).peekable();
        let highest = fitting.peek()?.0.clone();
        fitting.all(|(_, listed)| matches!(listed.status(), Status::Revoked { .. })).then_some((outline, highest))
    });
    let revoked =
        locked.chain(needed).find_map(|(outline, version)| Some((outline, reason(outline, &version)?, version)));
    match revoked {
        None => OpsError::Resolve(error),
        Some((outline, reason, version)) => {
            OpsError::Revoked { name: outline.name().clone(), version, reason, source: Some(Box::new(error)) }
        }
    }
}

/// Refuses a lock that may not change and holds such a version; tells of one that is replaced.
pub fn refuse_locked(world: &World<'_>, may_change: super::Locking) -> Result<(), OpsError> {
    for plugin in world.lock().into_iter().flat_map(|lock| &lock.plugins) {
        let Some(reason) = outline_of(world, plugin).and_then(|outline| reason(outline, &plugin.version)) else {
            continue;
        };
        let (name, version) = (plugin.name.clone(), plugin.version.clone());
        if may_change == super::Locking::Locked {
            return Err(OpsError::Revoked { name, version, reason, source: None });
        }
        let text = format!("`{name}` {version} was revoked: {reason}; it does not stay in the lock");
        world.observer().step(Step::Warning { text });
    }
    Ok(())
}

/// Refuses what this machine saw revoked, without asking a registry.
///
/// # Errors
/// It was. What was seen of the registry cannot be read.
pub fn refuse_seen(workspace: &Workspace, plugin: &LockedPlugin, lock: &Lockfile) -> Result<(), OpsError> {
    let Source::Registry(registry) = &plugin.source else { return Ok(()) };
    let Some(registry) = lock.registry(registry) else { return Ok(()) };
    let seen = trust::recall(workspace.home(), &registry.url)?;
    let revoked = seen.and_then(|seen| seen.revoked.get(&plugin.name)?.get(&plugin.version).cloned());
    match revoked {
        None => Ok(()),
        Some(reason) => {
            let (name, version) = (plugin.name.clone(), plugin.version.clone());
            Err(OpsError::Revoked { name, version, reason, source: None })
        }
    }
}

fn outline_of<'w>(world: &'w World<'_>, plugin: &LockedPlugin) -> Option<&'w Outline> {
    world.outline(&PackageName { name: plugin.name.clone(), origin: origin(&plugin.source) })
}

fn reason(outline: &Outline, version: &Version) -> Option<String> {
    match outline.find(version)?.status() {
        Status::Revoked { reason } => Some(reason.clone()),
        _ => None,
    }
}
