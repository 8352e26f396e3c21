//! From a plan to unpacked files: fetched, verified and staged side by side, then committed together.
//!
//! Nothing is visible before everything is staged. What is held in memory at once is bounded by [`IN_FLIGHT`].

use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use pocket_index::digest::TreeDigest;
use pocket_index::name::{PluginName, Target};
use pocket_index::verify::{VerifiedArchive, VerifiedRelease, VerifyError};
use semver::Version;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::spawn_blocking;

use super::imports::refuse_unasked;
use super::locking::{Planned, archive_for};
use super::records::World;
use super::{Observer, Step, Unpacked, label};
use crate::ops::OpsError;
use crate::registry::RegistryError;
use crate::resolve::Origin;
use crate::store::{Before, StagedPlugin, Staging, Store};

/// Plugins that are worked on at the same time: some on their way while others are unpacked.
const AT_ONCE: usize = 32;
/// 512 MiB of archives and their files in memory at once. One that needs more goes alone.
const IN_FLIGHT: u32 = 512;

/// What an install has ready, and nobody sees yet.
pub struct Staged {
    staging: Option<Staging>,
    plugins: Vec<One>,
}

/// A plugin of the plan.
struct One {
    name: PluginName,
    version: Version,
    /// None if its files are in the store already.
    staged: Option<(StagedPlugin, Before)>,
}

/// Fetches, verifies and unpacks what is not in `store` yet. What one of the `others` has is copied from there.
pub async fn fetch_and_stage(
    world: &World<'_>,
    planned: &[Planned],
    store: &Store,
    others: &[Store],
    observer: &dyn Observer,
) -> Result<Staged, OpsError> {
    let standing = stream::iter(planned.iter().map(|one| standing(one, store, world.target())));
    let standing: Vec<Standing> = standing.buffered(AT_ONCE).try_collect().await?;
    if standing.iter().all(|one| *one == Standing::Installed) {
        return Ok(Staged { staging: None, plugins: planned.iter().map(|one| One::new(one, None)).collect() });
    }
    let stage = Stage {
        world,
        staging: Arc::new(store.stage()?),
        others,
        observer,
        memory: Semaphore::new(IN_FLIGHT as usize),
        workers: Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from)),
    };
    let staged = planned.iter().zip(standing).map(|(one, standing)| stage.one(one, standing));
    let plugins = stream::iter(staged).buffered(AT_ONCE).try_collect().await?;
    for trouble in world.registries().filter_map(|registry| registry.cache_trouble()).take(1) {
        observer.step(Step::Warning { text: format!("{trouble}; what was fetched will be fetched again") });
    }
    let staging = Arc::into_inner(stage.staging).expect("every worker has ended, and gave its share back");
    Ok(Staged { staging: Some(staging), plugins })
}

/// Makes everything visible that was staged.
pub fn commit(staged: Staged, observer: &dyn Observer) -> Result<Vec<(PluginName, Version, Unpacked)>, OpsError> {
    let mut plugins = Vec::new();
    let mut ready = Vec::new();
    for one in staged.plugins {
        let unpacked = if one.staged.is_some() { Unpacked::Now } else { Unpacked::Before };
        ready.extend(one.staged);
        plugins.push((one.name, one.version, unpacked));
    }
    if let Some(staging) = staged.staging {
        staging.commit(ready)?;
    }
    for (name, version, _) in plugins.iter().filter(|(.., unpacked)| *unpacked == Unpacked::Now) {
        observer.step(Step::Installed { name, version });
    }
    Ok(plugins)
}

impl One {
    fn new(planned: &Planned, staged: Option<(StagedPlugin, Before)>) -> Self {
        let (name, version) = label(planned);
        Self { name: name.clone(), version: version.clone(), staged }
    }
}

/// How a plugin stands in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Its files are there as they should be.
    Installed,
    /// They are to be staged.
    Needed(Before),
}

async fn standing(planned: &Planned, store: &Store, target: &Target) -> Result<Standing, OpsError> {
    let (name, version) = label(planned);
    let Some(archive) = archive_for(&planned.locked, target) else { return Ok(Standing::Needed(Before::Missing)) };
    let Some(installed) = store.find(name, version, archive.tree)? else {
        let is_broken = store.has_broken(name, version, archive.tree)?;
        return Ok(Standing::Needed(if is_broken { Before::Broken } else { Before::Missing }));
    };
    let verified = on_worker(move || installed.verify()).await?;
    Ok(if verified.is_ok() { Standing::Installed } else { Standing::Needed(Before::Broken) })
}

/// Everything that the plugins of one install share while they are staged.
struct Stage<'a> {
    world: &'a World<'a>,
    staging: Arc<Staging>,
    others: &'a [Store],
    observer: &'a dyn Observer,
    /// A permit for each MiB.
    memory: Semaphore,
    /// A permit for each processor.
    workers: Semaphore,
}

impl Stage<'_> {
    async fn one(&self, planned: &Planned, standing: Standing) -> Result<One, OpsError> {
        let Standing::Needed(before) = standing else { return Ok(One::new(planned, None)) };
        let tree = archive_for(&planned.locked, self.world.target()).map(|archive| archive.tree);
        let staged = match self.copied(planned, tree).await? {
            Some(staged) => staged,
            None => self.fetched(planned).await?,
        };
        Ok(One::new(planned, Some((staged, before))))
    }

    /// A copy of what another store has.
    async fn copied(&self, planned: &Planned, tree: Option<TreeDigest>) -> Result<Option<StagedPlugin>, OpsError> {
        let (Some(tree), (name, version)) = (tree, label(planned)) else { return Ok(None) };
        for store in self.others {
            let Some(installed) = store.find(name, version, tree).ok().flatten() else { continue };
            let staging = Arc::clone(&self.staging);
            let _worker = permit(&self.workers, 1).await;
            if let Some(staged) = on_worker(move || staging.copy(&installed, tree)).await?? {
                return Ok(Some(staged));
            }
        }
        Ok(None)
    }

    async fn fetched(&self, planned: &Planned) -> Result<StagedPlugin, OpsError> {
        let (Some(release), Origin::Registry(registry)) = (&planned.release, &planned.package.origin) else {
            let direct = self.world.direct(&planned.package);
            let archive = direct.expect("a direct archive was verified before it was planned").archive.clone();
            return self.unpacked(move || Ok(archive)).await;
        };
        let (name, version) = label(planned);
        let _memory = permit(&self.memory, self.needed_memory(release)).await;
        let limits = self.world.limits(registry);
        let registry = self.world.registry(registry).expect("a planned release comes from an opened registry");
        let mut progress =
            |received, expected| self.observer.step(Step::Downloading { name, version, received, expected });
        let bytes = registry.archive(release, self.world.target(), &mut progress).await?;
        let (release, target) = (release.clone(), self.world.target().clone());
        let refused = {
            let (plugin, version) = (name.clone(), version.clone());
            |source: VerifyError| RegistryError::Archive { plugin, version, source: Box::new(source) }
        };
        let verify = move || release.verify_digested(&target, &bytes, &limits).map_err(refused);
        let staged = self.unpacked(move || verify().map_err(OpsError::from)).await?;
        self.observer.step(Step::Verified { name, version });
        Ok(staged)
    }

    /// Verifies and unpacks on another thread, as many at once as there are processors.
    async fn unpacked(
        &self,
        verify: impl FnOnce() -> Result<VerifiedArchive, OpsError> + Send + 'static,
    ) -> Result<StagedPlugin, OpsError> {
        let staging = Arc::clone(&self.staging);
        let _worker = permit(&self.workers, 1).await;
        on_worker(move || {
            let archive = verify()?;
            refuse_unasked(&archive)?;
            Ok(staging.unpack(&archive)?)
        })
        .await?
    }

    /// MiB of an archive and its files, as the release promises them.
    fn needed_memory(&self, release: &VerifiedRelease) -> u32 {
        let bytes =
            release.archive_for(self.world.target()).map_or(0, |record| record.size.saturating_add(record.unpacked));
        u32::try_from(bytes >> 20).unwrap_or(IN_FLIGHT).clamp(1, IN_FLIGHT)
    }
}

async fn permit(semaphore: &Semaphore, count: u32) -> SemaphorePermit<'_> {
    semaphore.acquire_many(count).await.expect("nobody closes these semaphores")
}

/// Runs what would hold up the network on another thread.
async fn on_worker<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, OpsError> {
    spawn_blocking(work).await.map_err(|error| OpsError::Runtime { source: std::io::Error::other(error) })
}
