//! Adding to a registry, whoever else does so at the same time.
//!
//! Three steps: what was decided before is put into the tree ([`Writer::settle`]); what is to come is made from the tree; and it
//! is decided by putting it into `head.json` in the place of the head that was read. Who is too late there begins anew. See
//! `docs/decisions/0013-several-writers.md`.

mod append;
mod head;
mod relist;
mod settle;
mod snapshot;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use pocket_index::append::Files as _;
use pocket_index::layout;
use pocket_index::log::{Checkpoint, next_time};
use pocket_index::name::PluginName;
use pocket_index::record::History;
use tokio::sync::MutexGuard;

pub(crate) use append::{Outcome, Proposal, Step};
pub(crate) use head::HEAD;
use head::Head;
pub(crate) use relist::Relisted;
use snapshot::Snapshot;

use crate::error::chain;
use crate::storage::{Condition, Put, Storage, Stored, in_tree};
use crate::{Registry, RegistryError, checkpoint};

/// How often a writer begins anew because others were faster.
const ATTEMPTS: u32 = 40;

/// The right of this process to write.
pub(crate) struct Writer<'a> {
    pub registry: &'a Registry,
    /// Others of this process wait here instead of beginning anew.
    _turn: MutexGuard<'a, ()>,
}

/// All that was decided, and it is in the tree.
#[derive(Debug, Clone)]
pub(crate) struct Settled {
    pub checkpoint: Checkpoint,
    /// When it says that it was signed.
    pub signed: Option<u64>,
    /// Under which condition the next head is written, and its number.
    condition: Condition,
    generation: u64,
    /// Whose line the head before added.
    plugin: Option<PluginName>,
}

/// A plugin as it is when all is settled.
#[derive(Debug, Clone)]
pub(crate) struct View {
    settled: Settled,
    files: Snapshot,
    pub history: History,
    /// The time that the next line states.
    pub at: u64,
}

impl Registry {
    /// Takes the right to write.
    pub(crate) async fn write(&self) -> Writer<'_> {
        Writer { registry: self, _turn: self.turn().await }
    }
}

/// The line that was decided last; it may not be in its file yet.
pub(crate) async fn decided_line(storage: &dyn Storage) -> Result<Option<String>, RegistryError> {
    let Some(stored) = storage.read(HEAD).await? else { return Ok(None) };
    let damaged = |message| RegistryError::Damaged { path: Path::new(&storage.place()).join(HEAD), message };
    let head = Head::parse(&stored.bytes).map_err(damaged)?;
    Ok(head.change.map(|change| change.line))
}

impl Writer<'_> {
    fn storage(&self) -> &dyn Storage {
        self.registry.storage()
    }

    /// A file of the static tree.
    pub async fn read(&self, path: &str) -> Result<Option<Stored>, RegistryError> {
        Ok(self.storage().read(&in_tree(path)).await?)
    }

    /// Everything that a line about this plugin is made from.
    ///
    /// # Errors
    /// What is there does not fit together. It may be that somebody wrote meanwhile: [`Writer::is_current`].
    pub async fn view(&self, settled: Settled, name: &PluginName) -> Result<View, RegistryError> {
        let files = Snapshot::to_append(self.storage(), name, settled.checkpoint.size()).await?;
        let path = layout::index_file(name);
        let text = files.get(&path).map(|bytes| bytes.to_vec()).unwrap_or_default();
        let history = self.history(name, text).await?;
        let at = self.next(settled.signed)?;
        Ok(View { settled, files, history, at })
    }

    /// What a file's lines add up to. Each signature is checked: not on the threads that answer readers.
    async fn history(&self, name: &PluginName, content: Vec<u8>) -> Result<History, RegistryError> {
        let (plugin, policy) = (name.clone(), self.registry.policy().clone());
        if content.is_empty() {
            return Ok(History::empty(plugin, &policy));
        }
        let path = layout::index_file(name);
        let text = String::from_utf8(content).map_err(|error| self.damaged(&path, &error))?;
        let replayed = blocking(move || History::replay(&plugin, &text, &policy)).await?;
        replayed.map_err(|error| self.damaged(&path, &error))
    }

    /// Whether nobody decided anything since.
    pub async fn is_current(&self, settled: &Settled) -> Result<bool, RegistryError> {
        let entry = self.storage().entry(HEAD).await?;
        Ok(match &settled.condition {
            Condition::Unchanged(tag) => entry.is_some_and(|entry| entry.tag == *tag),
            _ => entry.is_none(),
        })
    }

    /// Decides. No means that somebody else did before.
    async fn decide(&self, settled: &Settled, head: &Head) -> Result<bool, RegistryError> {
        let bytes = head.to_bytes();
        match self.storage().put(HEAD, bytes.clone(), settled.condition.clone()).await? {
            Put::Done(_) => Ok(true),
            // It may be our own, written by a request whose answer got lost.
            Put::Refused => Ok(self.storage().read(HEAD).await?.is_some_and(|stored| stored.bytes == bytes)),
        }
    }

    /// Decides about a checkpoint without a line, and shows it. No means that somebody else decided something before.
    pub async fn sign(&self, settled: &Settled, checkpoint: &Checkpoint) -> Result<bool, RegistryError> {
        let head = Head::of_checkpoint(settled.generation, checkpoint);
        if !self.decide(settled, &head).await? {
            return Ok(false);
        }
        self.list_before(settled).await;
        self.put_into_tree(&head, None).await?;
        Ok(true)
    }

    /// The time that the next line and checkpoint state.
    pub fn next(&self, signed: Option<u64>) -> Result<u64, RegistryError> {
        let now = checkpoint::now()?;
        next_time(signed, now)
            .map_err(|source| RegistryError::ClockBehind { path: self.registry.place().into(), source })
    }

    pub fn damaged(&self, path: &str, error: &dyn std::error::Error) -> RegistryError {
        self.registry.damaged_file(path, chain(error))
    }
}

#[cfg(test)]
impl Writer<'_> {
    /// Makes it so that this checkpoint was decided and shown, however old it is.
    pub async fn pretend(&self, settled: &Settled, checkpoint: &Checkpoint) {
        let head = Head::of_checkpoint(settled.generation, checkpoint);
        assert!(self.decide(settled, &head).await.expect("it is written"), "nobody else writes");
        let note = bytes::Bytes::from(checkpoint.note().to_owned());
        self.storage().put(&in_tree(layout::CHECKPOINT), note, Condition::Always).await.expect("it is written");
    }
}

impl View {
    /// The line of this number, as it stands in the plugin's file.
    pub fn line(&self, seq: u64) -> Option<String> {
        let path = layout::index_file(self.history.name());
        let text = self.files.read(&path).ok().flatten()?;
        let line = text.split(|byte| *byte == b'\n').nth(usize::try_from(seq).ok()?)?;
        Some(String::from_utf8_lossy(line).into_owned())
    }
}

/// Does what takes long on a thread for that.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, RegistryError> {
    let failed = |error: tokio::task::JoinError| RegistryError::Runtime { source: std::io::Error::other(error) };
    tokio::task::spawn_blocking(work).await.map_err(failed)
}

/// Waits a little longer each time, each writer another while.
async fn back_off(attempt: u32) {
    use std::hash::{BuildHasher as _, Hasher as _};
    let most = 10_u64 << attempt.min(5);
    let chance = std::hash::RandomState::new().build_hasher().finish();
    tokio::time::sleep(Duration::from_millis(1 + chance % most)).await;
}
