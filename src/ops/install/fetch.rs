//! From a plan to unpacked files: fetched side by side, each verified, unpacked one after the other.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use pocket_index::verify::VerifiedArchive;

use super::locking::{Planned, archive_for};
use super::records::World;
use super::{Observer, Step, Unpacked, label};
use crate::ops::OpsError;
use crate::registry::RegistryError;
use crate::resolve::Origin;
use crate::store::Store;

/// Downloads at the same time. More do not make a connection faster.
const AT_ONCE: usize = 8;

/// The archives that are not unpacked yet, in the plan's order; none for those that are.
pub async fn fetch(
    world: &World<'_>,
    planned: &[Planned],
    store: &Store,
    observer: &dyn Observer,
) -> Result<Vec<Option<VerifiedArchive>>, OpsError> {
    let fetches = planned.iter().map(|one| fetch_one(world, one, store, observer));
    stream::iter(fetches).buffered(AT_ONCE).try_collect().await
}

async fn fetch_one(
    world: &World<'_>,
    planned: &Planned,
    store: &Store,
    observer: &dyn Observer,
) -> Result<Option<VerifiedArchive>, OpsError> {
    let (name, version) = label(planned);
    if let Some(archive) = archive_for(&planned.locked, world.target())
        && let Some(installed) = store.find(name, version, archive.tree)?
        && installed.verify().is_ok()
    {
        return Ok(None);
    }
    let (Some(release), Origin::Registry(registry)) = (&planned.release, &planned.package.origin) else {
        return Ok(world.direct(&planned.package).cloned());
    };
    let limits = world.limits(registry);
    let registry = world.registry(registry).expect("a planned release comes from an opened registry");
    let mut progress = |received, expected| observer.step(Step::Downloading { name, version, received, expected });
    let archive = registry.archive(release, world.target(), &limits, &mut progress).await;
    let archive = archive.map_err(|error: RegistryError| OpsError::from(error))?;
    observer.step(Step::Verified { name, version });
    Ok(Some(archive))
}

/// Unpacks what was fetched. Everything is verified by now; only the disk can still fail.
pub fn unpack(
    planned: &[Planned],
    archives: Vec<Option<VerifiedArchive>>,
    store: &Store,
    observer: &dyn Observer,
) -> Result<Vec<(pocket_index::name::PluginName, semver::Version, Unpacked)>, OpsError> {
    let mut plugins = Vec::new();
    for (one, archive) in planned.iter().zip(archives) {
        let (name, version) = label(one);
        let unpacked = match archive {
            None => Unpacked::Before,
            Some(archive) => {
                store.install(&archive)?;
                observer.step(Step::Installed { name, version });
                Unpacked::Now
            }
        };
        plugins.push((name.clone(), version.clone(), unpacked));
    }
    Ok(plugins)
}
