//! Checkpoints that are signed anew.
//!
//! Three ways lead to a new checkpoint: a publish, a start (which signs the checkpoint anew, so that clients see that the registry is alive), and
//! the hour's look whether the newest one is older than a day. All hold the right to write.
//!
//! What is decided has the log's signature and the log's own statement of its time. Whoever else is to vouch for it, a witness for
//! instance, is asked before the file is written (`writer/settle.rs`): their lines go in with `Checkpoint::with_cosignatures`.
//! Nothing else needs to know of them, for each new file is asked for anew.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pocket_index::layout;
use pocket_index::log::Checkpoint;
use tokio::task::JoinHandle;

use crate::error::chain;
use crate::writer::Writer;
use crate::{Registry, RegistryError, Source, Witnesses};

/// A day: clients take checkpoints for 7.
const DAY: u64 = 86_400;
/// How often a server looks at its checkpoint's age.
const LOOK: Duration = Duration::from_secs(3_600);

/// Which checkpoints are signed anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    /// All.
    Any,
    /// Those that were signed longer ago than this, in seconds, or do not say when.
    Above(u64),
}

/// A checkpoint that was signed anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refreshed {
    /// How many events the log has.
    pub events: u64,
    /// When it was signed: seconds since 1970-01-01 UTC.
    pub signed: u64,
}

/// Signs the checkpoint of the registry at a place anew, once: for a registry whose files another web server serves.
///
/// # Errors
/// There is no registry, a server runs on its folder and does this itself, or too few witnesses cosign.
pub async fn refresh(source: &Source, witnesses: &Witnesses) -> Result<Refreshed, RegistryError> {
    let registry = Registry::open_existing_at(source, witnesses).await?;
    let writer = registry.write().await;
    writer.refresh(Age::Any).await?;
    let (checkpoint, signed) = writer.checkpoint().await?;
    Ok(Refreshed { events: checkpoint.size(), signed: signed.unwrap_or_default() })
}

/// Seconds since 1970-01-01 UTC by this machine's clock.
pub(crate) fn now() -> Result<u64, RegistryError> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map(|since| since.as_secs()).map_err(|source| RegistryError::Clock { source })
}

impl Age {
    /// Whether a checkpoint of `signed` is to be signed anew at `now`.
    fn is_due(self, signed: Option<u64>, now: u64) -> bool {
        match (self, signed) {
            (Self::Above(limit), Some(signed)) => now.saturating_sub(signed) > limit,
            _ => true,
        }
    }
}

impl Writer<'_> {
    /// Signs the newest checkpoint anew if it is of that age or a witness is missing: same tree, the keys of today's configuration,
    /// the time of now. A line that waits to be published is, first: a witness that saw it takes no smaller tree any more.
    pub async fn refresh(&self, age: Age) -> Result<(), RegistryError> {
        loop {
            let settled = self.settle().await?;
            let now = self.next(settled.signed)?;
            if !age.is_due(settled.signed, now) && !self.registry.collector().misses(&settled.checkpoint) {
                return Ok(());
            }
            let signer = self.registry.signer();
            let keys = self.registry.keys_digest();
            let old = settled.checkpoint.clone();
            // The same text keeps the cosignatures that it has, should a witness not answer now.
            let anew =
                if old.keys() == keys { old } else { Checkpoint::sign(old.size(), old.head().root, keys, signer) };
            let anew = anew.stated_at(now, signer).map_err(|error| self.damaged(layout::CHECKPOINT, &error))?;
            if self.sign(&settled, &anew).await? {
                return Ok(());
            }
        }
    }
}

/// A task that ends when this is dropped.
pub(crate) struct Refreshing(JoinHandle<()>);

impl Drop for Refreshing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Signs the checkpoint anew whenever it is older than a day.
pub(crate) fn keep_fresh(registry: &Arc<Registry>) -> Refreshing {
    let registry = Arc::downgrade(registry);
    Refreshing(tokio::spawn(async move {
        loop {
            tokio::time::sleep(LOOK).await;
            let Some(registry) = registry.upgrade() else { return };
            // The server goes on: the next look may succeed, and clients warn before they refuse.
            if let Err(error) = registry.write().await.refresh(Age::Above(DAY)).await {
                tracing::error!("the checkpoint was not signed anew: {}", chain(&error));
            }
        }
    }))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::Seed;

    fn clock() -> u64 {
        now().expect("a clock")
    }

    fn source(folder: &Path) -> Source {
        Source::Folder { path: folder.to_owned(), seed: Seed::Bundled }
    }

    async fn registry(folder: &Path) -> Registry {
        Registry::open(&source(folder), crate::DEFAULT_RECOVERY_DELAY).await.expect("it is made")
    }

    async fn signed_at(registry: &Registry, time: u64) {
        let writer = registry.write().await;
        let settled = writer.settle().await.expect("it fits together");
        let there = &settled.checkpoint;
        let old = Checkpoint::sign(there.size(), there.head().root, there.keys(), registry.signer());
        let old = old.stated_at(time, registry.signer()).expect("it fits");
        writer.pretend(&settled, &old).await;
    }

    async fn note(registry: &Registry) -> bytes::Bytes {
        registry.file(layout::CHECKPOINT).await.expect("it is read").expect("it is there")
    }

    #[tokio::test]
    async fn a_checkpoint_is_signed_anew_when_it_is_older_than_a_day_and_not_before() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let registry = registry(folder.path()).await;
        let (tree, _) = registry.write().await.checkpoint().await.expect("it is there");
        for (age, is_due) in [(DAY - 600, false), (DAY + 600, true)] {
            let time = clock() - age;
            signed_at(&registry, time).await;
            registry.write().await.refresh(Age::Above(DAY)).await.expect("it is looked at");
            let (checkpoint, signed) = registry.write().await.checkpoint().await.expect("it is there");
            assert_eq!(signed > Some(time), is_due, "{age}");
            assert_eq!((checkpoint.head(), checkpoint.keys()), (tree.head(), tree.keys()));
        }
    }

    #[tokio::test]
    async fn a_start_signs_anew_and_a_refresh_does_where_no_server_runs() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let running = registry(folder.path()).await;
        signed_at(&running, clock() - 30 * DAY).await;
        let again = refresh(&source(folder.path()), &Witnesses::default()).await;
        assert!(matches!(again, Err(RegistryError::InUse { .. })));
        let before = note(&running).await;
        drop(running);
        let refreshed = refresh(&source(folder.path()), &Witnesses::default()).await.expect("nobody else has it");
        assert!(refreshed.signed + 600 > clock(), "{refreshed:?}");
        assert_ne!(note(&registry(folder.path()).await).await, before);
    }

    #[tokio::test]
    async fn a_refresh_makes_no_registry() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let refreshed = refresh(&source(folder.path()), &Witnesses::default()).await;
        assert!(matches!(refreshed, Err(RegistryError::NoRegistry { .. })));
        assert_eq!(std::fs::read_dir(folder.path()).expect("it is read").count(), 0);
    }

    #[tokio::test]
    async fn nothing_is_signed_while_the_clock_is_behind_the_newest_checkpoint() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let registry = registry(folder.path()).await;
        let ahead = clock() + DAY;
        signed_at(&registry, ahead).await;
        let before = note(&registry).await;
        let error = registry.write().await.refresh(Age::Any).await.expect_err("the clock is wrong");
        assert!(matches!(error, RegistryError::ClockBehind { source, .. } if source.signed == ahead), "{error}");
        assert_eq!(note(&registry).await, before);
    }
}
