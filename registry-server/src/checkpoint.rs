//! The one place where a signed checkpoint becomes a file that everybody reads.
//!
//! Three ways lead here: a publish, a start (which signs the checkpoint anew, so that clients see that the registry is alive), and
//! the hour's look whether the newest one is older than a day. All hold the right to write.
//!
//! [`Writer::publish`] gets the checkpoint with the log's signature and the log's own statement of its time. Whoever else is to
//! vouch for it, a witness for instance, is asked there, before the file is written: their lines go in with
//! `Checkpoint::with_cosignatures`. Nothing else needs to know of them, for each new file is asked for anew.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pocket_index::append::Write;
use pocket_index::layout;
use pocket_index::log::{Checkpoint, next_time};
use tokio::task::JoinHandle;

use crate::error::chain;
use crate::storage::Writer;
use crate::{Registry, RegistryError, Witnesses};

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

/// Signs the checkpoint of the registry in a folder anew, once: for a registry whose files another web server serves.
///
/// # Errors
/// There is no registry, a server runs on it and does this itself, or too few witnesses cosign.
pub fn refresh(folder: &Path, witnesses: &Witnesses) -> Result<Refreshed, RegistryError> {
    let registry = Registry::open_existing(folder, witnesses)?;
    let writer = registry.write();
    writer.refresh(Age::Any)?;
    let (checkpoint, signed) = writer.checkpoint()?;
    Ok(Refreshed { events: checkpoint.size(), signed: signed.unwrap_or_default() })
}

/// Seconds since 1970-01-01 UTC by this machine's clock.
pub(crate) fn now() -> Result<u64, RegistryError> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map(|since| since.as_secs()).map_err(|source| RegistryError::Clock { source })
}

/// The files of an append without the checkpoint, which [`Writer::publish`] writes after them.
pub(crate) fn before(writes: &[Write]) -> impl Iterator<Item = Write> {
    writes.iter().filter(|write| write.path != layout::CHECKPOINT).cloned()
}

impl Writer<'_> {
    /// Writes a checkpoint, with the cosignatures of the witnesses that answer; what it covers is there already.
    ///
    /// # Errors
    /// Too few of them do. The newest checkpoint stays as it is.
    pub fn publish(&self, checkpoint: &Checkpoint) -> Result<(), RegistryError> {
        let Self { registry, .. } = self;
        let cosigned = registry.collector().cosigned(checkpoint, registry.key(), registry.tree())?;
        self.write_all(&[Write::of_checkpoint(&cosigned)])
    }

    /// Signs the newest checkpoint anew if it is of that age or a witness is missing: same tree, the keys of today's configuration,
    /// the time of now. A line that waits to be published is, first: a witness that saw it takes no smaller tree any more.
    pub fn refresh(&self, age: Age) -> Result<(), RegistryError> {
        self.finish()?;
        let (old, signed) = self.checkpoint()?;
        let now = self.next(signed)?;
        let is_due = match (age, signed) {
            (Age::Above(limit), Some(signed)) => now - signed > limit || self.registry.collector().misses(&old),
            _ => true,
        };
        if !is_due {
            return Ok(());
        }
        let signer = self.registry.signer();
        let keys = self.registry.keys_digest();
        // The same text keeps the cosignatures that it has, should a witness not answer now.
        let anew = if old.keys() == keys { old } else { Checkpoint::sign(old.size(), old.head().root, keys, signer) };
        self.publish(&anew.stated_at(now, signer).map_err(|error| self.damaged(&error))?)
    }

    /// The time that the next line and checkpoint state.
    pub fn now(&self) -> Result<u64, RegistryError> {
        let (_, signed) = self.checkpoint()?;
        self.next(signed)
    }

    fn next(&self, signed: Option<u64>) -> Result<u64, RegistryError> {
        let path = self.registry.root();
        next_time(signed, now()?).map_err(|source| RegistryError::ClockBehind { path: path.to_owned(), source })
    }

    /// The newest checkpoint, and when it says that it was signed.
    fn checkpoint(&self) -> Result<(Checkpoint, Option<u64>), RegistryError> {
        let note = self.read(layout::CHECKPOINT)?.unwrap_or_default();
        let checkpoint = Checkpoint::open(&note, self.registry.key()).map_err(|error| self.damaged(&error))?;
        let signed = checkpoint.signed_at(self.registry.key()).map_err(|error| self.damaged(&error))?;
        Ok((checkpoint, signed))
    }

    fn damaged(&self, error: &dyn std::error::Error) -> RegistryError {
        RegistryError::Damaged { path: self.registry.tree().join(layout::CHECKPOINT), message: chain(error) }
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
            let refreshed = tokio::task::spawn_blocking(move || registry.write().refresh(Age::Above(DAY))).await;
            // The server goes on: the next look may succeed, and clients warn before they refuse.
            if let Ok(Err(error)) = refreshed {
                eprintln!("the checkpoint was not signed anew: {}", chain(&error));
            }
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Seed, Source};

    fn clock() -> u64 {
        now().expect("a clock")
    }

    fn registry(folder: &Path) -> Registry {
        let source = Source::Folder { path: folder.to_owned(), seed: Seed::Bundled };
        Registry::open(&source, crate::DEFAULT_RECOVERY_DELAY).expect("it is made")
    }

    fn signed_at(registry: &Registry, time: u64) {
        let writer = registry.write();
        let (checkpoint, _) = writer.checkpoint().expect("it is there");
        let old = Checkpoint::sign(checkpoint.size(), checkpoint.head().root, checkpoint.keys(), registry.signer());
        writer.publish(&old.stated_at(time, registry.signer()).expect("it fits")).expect("it is written");
    }

    fn note(registry: &Registry) -> Vec<u8> {
        registry.write().read(layout::CHECKPOINT).expect("it is read").expect("it is there")
    }

    #[test]
    fn a_checkpoint_is_signed_anew_when_it_is_older_than_a_day_and_not_before() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let registry = registry(folder.path());
        let (tree, _) = registry.write().checkpoint().expect("it is there");
        for (age, is_due) in [(DAY - 600, false), (DAY + 600, true)] {
            let time = clock() - age;
            signed_at(&registry, time);
            registry.write().refresh(Age::Above(DAY)).expect("it is looked at");
            let (checkpoint, signed) = registry.write().checkpoint().expect("it is there");
            assert_eq!(signed > Some(time), is_due, "{age}");
            assert_eq!((checkpoint.head(), checkpoint.keys()), (tree.head(), tree.keys()));
        }
    }

    #[test]
    fn a_start_signs_anew_and_a_refresh_does_where_no_server_runs() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let running = registry(folder.path());
        signed_at(&running, clock() - 30 * DAY);
        assert!(matches!(refresh(folder.path(), &Witnesses::default()), Err(RegistryError::InUse { .. })));
        let before = note(&running);
        drop(running);
        let refreshed = refresh(folder.path(), &Witnesses::default()).expect("nobody else has it");
        assert!(refreshed.signed + 600 > clock(), "{refreshed:?}");
        assert_ne!(note(&registry(folder.path())), before);
    }

    #[test]
    fn a_refresh_makes_no_registry() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert!(matches!(refresh(folder.path(), &Witnesses::default()), Err(RegistryError::NoRegistry { .. })));
        assert_eq!(std::fs::read_dir(folder.path()).expect("it is read").count(), 0);
    }

    #[test]
    fn nothing_is_signed_while_the_clock_is_behind_the_newest_checkpoint() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let registry = registry(folder.path());
        let ahead = clock() + DAY;
        signed_at(&registry, ahead);
        let before = note(&registry);
        let error = registry.write().refresh(Age::Any).expect_err("the clock is wrong");
        assert!(matches!(error, RegistryError::ClockBehind { source, .. } if source.signed == ahead), "{error}");
        assert_eq!(note(&registry), before);
    }
}
