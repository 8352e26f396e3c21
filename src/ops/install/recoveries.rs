//! Plugins whose owners the registry replaced: everybody is told, and who locked what the old owners signed is asked.

use std::collections::BTreeSet;

use pocket_index::name::PluginName;
use pocket_index::record::{Listed, Outline};

use super::locking::Planned;
use super::records::{World, origin};
use super::{Approver, Consent, Step};
use crate::ops::OpsError;
use crate::ops::recovery::{Notice, between, fingerprints, notices};
use crate::project::{Basis, LockedPlugin, Lockfile};
use crate::registry::now;
use crate::resolve::{Origin, PackageName};

/// Warns of the recoveries of these plugins. One that the lock went along with, by holding a release of the new owners, is
/// none any more.
pub fn tell<'a>(
    world: &World<'_>,
    packages: impl Iterator<Item = &'a PackageName>,
    lock: Option<&Lockfile>,
) -> Vec<Notice> {
    let packages: BTreeSet<&PackageName> = packages.collect();
    let mut told = Vec::new();
    for package in packages {
        let Some((outline, place)) = world.outline(package).zip(place(world, package)) else { continue };
        let locked = locked_seq(outline, package, lock);
        let is_new = |notice: &Notice| !locked.is_some_and(|seq| notice.covers(seq));
        told.extend(notices(outline.name(), &place, outline.recoveries(), now()).into_iter().filter(is_new));
    }
    told.iter().for_each(|notice| world.observer().step(Step::Warning { text: notice.to_string() }));
    told
}

/// Asks about every plugin that would move from what the old owners signed to what the new ones did.
///
/// # Errors
/// Nobody said yes.
pub fn approve(
    world: &World<'_>,
    planned: &[Planned],
    lock: Option<&Lockfile>,
    accepted: &[PluginName],
    approver: &dyn Approver,
) -> Result<(), OpsError> {
    let mut asked = BTreeSet::new();
    for one in planned {
        let Some(notice) = takeover(world, one, lock) else { continue };
        if accepted.contains(&notice.name) || !asked.insert(&one.package) {
            continue;
        }
        if approver.accept_owners(&notice)? != Consent::Given {
            let (name, version) = (notice.name, one.locked.version.clone());
            let (old, new) = (fingerprints(&notice.recovery.before), fingerprints(&notice.recovery.after));
            return Err(OpsError::OtherOwners { name, version, old, new });
        }
    }
    Ok(())
}

/// The recovery between what is locked and what would be.
fn takeover(world: &World<'_>, planned: &Planned, lock: Option<&Lockfile>) -> Option<Notice> {
    let outline = world.outline(&planned.package)?;
    let locked = locked_seq(outline, &planned.package, lock)?;
    let next = outline.find(&planned.locked.version)?.seq();
    between(outline.name(), &place(world, &planned.package)?, outline.recoveries(), locked, next)
}

/// Where the plugin's registry is.
fn place(world: &World<'_>, package: &PackageName) -> Option<String> {
    let Origin::Registry(name) = &package.origin else { return None };
    Some(world.registry(name)?.location().to_string())
}

/// The line of the newest release of this plugin that the lock holds.
fn locked_seq(outline: &Outline, package: &PackageName, lock: Option<&Lockfile>) -> Option<u64> {
    let is_same = |plugin: &&LockedPlugin| {
        plugin.name == package.name && origin(&plugin.source) == package.origin && matches!(plugin.basis, Basis::Log(_))
    };
    let locked = lock?.plugins.iter().filter(is_same);
    locked.filter_map(|plugin| outline.find(&plugin.version)).map(Listed::seq).max()
}
