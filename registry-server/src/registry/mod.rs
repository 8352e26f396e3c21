//! A registry that is open: its storage and the key that signs its log.
//!
//! In the storage are `tree/` with the static files that everybody may read, `head.json` with what was decided last, and, in a
//! folder, `registry.key` with what nobody may read.

mod found;
mod key;
mod place;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use pocket_index::config::{Config, LogRequirement};
use pocket_index::digest::Digest;
use pocket_index::log::{NoteKey, NoteSigner};
use pocket_index::record::Policy;
use pocket_index::signature::{PublicKey, SecretKey};
use pocket_index::{bundled, layout};
use tokio::sync::{Mutex, MutexGuard, Notify};

use crate::collect::Collector;
use crate::config::{DEFAULT_RECOVERY_DELAY, Seed, Source, Witnesses};
use crate::error::chain;
use crate::files::Served;
use crate::storage::{Condition, Fault, Put, Storage, StorageError, in_tree};
use crate::{RegistryError, checkpoint};

use place::Place;
pub(crate) use place::{copy_key, storage_to_read};

/// How long a storage has to answer before a server calls itself not ready.
const READY: Duration = Duration::from_secs(2);

/// A registry's files, and the key that signs its log.
#[derive(Debug)]
pub struct Registry {
    files: Arc<Served>,
    /// Where they are, if that is a folder.
    folder: Option<PathBuf>,
    key: PathBuf,
    signer: Arc<NoteSigner>,
    policy: Policy,
    collector: Collector,
    /// The keys that clients take the registry's own events from.
    event_keys: Vec<PublicKey>,
    /// Whether every request needs a token.
    auth_required: bool,
    /// How long a recovery waits at least, in seconds.
    recovery_delay: u64,
    turn: Mutex<()>,
    /// 1 more than the number of the newest head whose plugin this process put into the search list.
    listed: AtomicU64,
    /// Woken when the search list became long.
    list_is_long: Arc<Notify>,
    _temporary: Option<tempfile::TempDir>,
}

/// What is done where there is no registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Absent {
    /// One is made.
    Found(Seed),
    /// That is an error.
    Refuse,
}

impl Registry {
    /// Opens the registry, makes it first where there is none, finishes what a crash left undone, and signs its checkpoint anew.
    ///
    /// A recovery that clients send must wait `recovery_delay` seconds.
    pub async fn open(source: &Source, recovery_delay: u64) -> Result<Self, RegistryError> {
        Self::open_witnessed(source, recovery_delay, &Witnesses::default()).await
    }

    /// The same for a registry whose checkpoints witnesses cosign. Where too few of them answer, it is served as it is.
    pub async fn open_witnessed(
        source: &Source,
        recovery_delay: u64,
        witnesses: &Witnesses,
    ) -> Result<Self, RegistryError> {
        let place = Place::of(source)?;
        let opened = Self::open_place(place, Absent::Found(source.seed()), witnesses).await?;
        let registry = Self { recovery_delay, ..opened };
        match registry.write().await.refresh(checkpoint::Age::Any).await {
            Err(error @ RegistryError::TooFewWitnesses(_)) => tracing::error!("{}", chain(&error)),
            refreshed => refreshed?,
        }
        Ok(registry)
    }

    /// Opens the registry in a folder as it is, and makes none.
    ///
    /// # Errors
    /// There is none, it is damaged, or a server uses it.
    pub async fn open_existing(root: &Path, witnesses: &Witnesses) -> Result<Self, RegistryError> {
        if !root.join("tree").join(layout::CONFIG).exists() {
            return Err(RegistryError::NoRegistry { path: root.to_owned() });
        }
        Self::open_place(Place::folder(root, None)?, Absent::Refuse, witnesses).await
    }

    /// Opens the registry at a place as it is, and makes none.
    ///
    /// # Errors
    /// There is none, it is damaged, or it is a folder that a server uses.
    pub async fn open_existing_at(source: &Source, witnesses: &Witnesses) -> Result<Self, RegistryError> {
        match source {
            Source::Folder { path, .. } => Self::open_existing(path, witnesses).await,
            source => Self::open_place(Place::of(source)?, Absent::Refuse, witnesses).await,
        }
    }

    async fn open_place(place: Place, absent: Absent, witnesses: &Witnesses) -> Result<Self, RegistryError> {
        let collector = Collector::new(witnesses)?;
        let Place { storage, folder, key, temporary } = place;
        if folder.is_none() {
            crate::storage::probe::probe(&*storage).await?;
        }
        if storage.entry(&in_tree(layout::CONFIG)).await?.is_none() {
            match absent {
                Absent::Found(seed) => found::found(&*storage, &key, seed).await?,
                Absent::Refuse => return Err(RegistryError::NoRegistry { path: storage.place().into() }),
            }
        }
        let damaged = |message: String| RegistryError::Damaged { path: storage.place().into(), message };
        let secret = key::read(&key)?;
        let config = read_config(&*storage).await?;
        let log = config.log.ok_or_else(|| damaged("its `config.json` has no log key".to_owned()))?;
        if log.public() != secret.public() {
            let (own, named) = (secret.public(), log.public());
            return Err(damaged(format!("`{}` is {own}, `config.json` names {named}", key.display())));
        }
        let signer = NoteSigner::new(log.name(), secret).map_err(|error| damaged(error.to_string()))?;
        let policy = Policy::new(config.keys.iter().copied()).with_development_lines(bundled::line_digests());
        let registry = Self {
            files: Arc::new(Served::new(storage)),
            folder,
            key,
            signer: Arc::new(signer),
            policy,
            collector,
            event_keys: config.keys,
            auth_required: config.auth_required,
            recovery_delay: DEFAULT_RECOVERY_DELAY,
            turn: Mutex::default(),
            listed: AtomicU64::new(0),
            list_is_long: Arc::default(),
            _temporary: temporary,
        };
        registry.repair().await?;
        Ok(registry)
    }

    /// Finishes what a crash left undone.
    async fn repair(&self) -> Result<(), RegistryError> {
        let writer = self.write().await;
        match writer.settle().await {
            // It is tried again with the next line.
            Err(RegistryError::TooFewWitnesses(_)) => return Ok(()),
            settled => writer.finish_unfinished(settled?).await?,
        }
        // The list is no part of what was decided: a registry without it is served all the same.
        if let Err(error) = writer.list_newest().await {
            tracing::error!("the search list may lack what was published last: {}", chain(&error));
        }
        Ok(())
    }

    /// Where the static files are, for messages. Any web server can serve them.
    pub fn tree(&self) -> String {
        Path::new(&self.storage().place()).join("tree").display().to_string()
    }

    /// The registry's folder, if it is in one.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Where it is, for messages.
    pub fn place(&self) -> String {
        self.storage().place()
    }

    /// The key that signs the log.
    pub fn key(&self) -> &NoteKey {
        self.signer.key()
    }

    /// The log's signer.
    pub(crate) fn signer(&self) -> &Arc<NoteSigner> {
        &self.signer
    }

    /// Who may sign what.
    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Who asks the witnesses.
    pub(crate) fn collector(&self) -> &Collector {
        &self.collector
    }

    /// Where its bytes lie.
    pub(crate) fn storage(&self) -> &dyn Storage {
        self.files.storage()
    }

    /// Its static files, to be served.
    pub(crate) fn files(&self) -> Arc<Served> {
        Arc::clone(&self.files)
    }

    /// Who is woken when the search list became long.
    pub(crate) fn list_is_long(&self) -> Arc<Notify> {
        Arc::clone(&self.list_is_long)
    }

    /// A file of the static tree.
    ///
    /// # Errors
    /// The storage does not answer.
    pub async fn file(&self, path: &str) -> Result<Option<Bytes>, RegistryError> {
        Ok(self.storage().read(&in_tree(path)).await?.map(|stored| stored.bytes))
    }

    /// Whether the storage answers, and holds a log.
    pub(crate) async fn answers(&self) -> Result<(), RegistryError> {
        let there = tokio::time::timeout(READY, self.storage().entry(&in_tree(layout::CHECKPOINT))).await;
        let unreachable = || StorageError {
            doing: "look at",
            path: layout::CHECKPOINT.to_owned(),
            fault: Fault::Unreachable,
            source: "no answer came in time".into(),
        };
        let there = there.map_err(|_| unreachable())??;
        there.map(drop).ok_or_else(|| self.damaged_file(layout::CHECKPOINT, "it is gone".to_owned()))
    }

    /// The digest of the event keys that its configuration has.
    pub(crate) fn keys_digest(&self) -> Digest {
        self.policy.keys_digest()
    }

    /// Whether every request needs a token, as its configuration said when it was opened.
    pub(crate) fn is_private(&self) -> bool {
        self.auth_required
    }

    /// Writes into its configuration that every request needs a token. Servers see it when they start.
    pub(crate) async fn make_private(&self) -> Result<(), RegistryError> {
        let path = in_tree(layout::CONFIG);
        let gone = || self.damaged_file(layout::CONFIG, "it is gone".to_owned());
        let stored = self.storage().read(&path).await?.ok_or_else(gone)?;
        let config = Config { auth_required: true, ..read_config(self.storage()).await? };
        match self.storage().put(&path, config.to_text().into(), Condition::Unchanged(stored.tag)).await? {
            Put::Done(_) => Ok(()),
            Put::Refused if read_config(self.storage()).await?.auth_required => Ok(()),
            Put::Refused => Err(RegistryError::Busy { attempts: 1 }),
        }
    }

    /// How long a recovery that is sent must wait at least, in seconds.
    pub(crate) fn recovery_delay(&self) -> u64 {
        self.recovery_delay
    }

    /// The key that signs the registry's own events: the log's, whose public half a new registry puts into `config.json`.
    pub(crate) fn event_key(&self) -> Result<SecretKey, RegistryError> {
        let secret = key::read(&self.key)?;
        let key = secret.public();
        let known = self.event_keys.contains(&key);
        if known { Ok(secret) } else { Err(RegistryError::NoEventKey { path: self.key.clone(), key }) }
    }

    /// Waits until nobody else of this process writes.
    pub(crate) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    pub(crate) fn is_listed(&self, generation: u64) -> bool {
        self.listed.load(Ordering::Relaxed) == generation + 1
    }

    pub(crate) fn listed(&self, generation: u64) {
        self.listed.store(generation + 1, Ordering::Relaxed);
    }

    pub(crate) fn damaged(&self, path: &str, message: String) -> RegistryError {
        RegistryError::Damaged { path: Path::new(&self.storage().place()).join(path), message }
    }

    /// The same about a file of the static tree.
    pub(crate) fn damaged_file(&self, path: &str, message: String) -> RegistryError {
        self.damaged(&in_tree(path), message)
    }
}

/// The key of the log of a registry that is only looked at.
pub(crate) async fn log_key(storage: &dyn Storage) -> Result<NoteKey, RegistryError> {
    if storage.entry(&in_tree(layout::CONFIG)).await?.is_none() {
        return Err(RegistryError::NoRegistry { path: storage.place().into() });
    }
    let missing = || RegistryError::Damaged {
        path: Path::new(&storage.place()).join(in_tree(layout::CONFIG)),
        message: "it has no log key".to_owned(),
    };
    read_config(storage).await?.log.ok_or_else(missing)
}

async fn read_config(storage: &dyn Storage) -> Result<Config, RegistryError> {
    let path = in_tree(layout::CONFIG);
    let stored = storage.read(&path).await?;
    let damaged = |message| RegistryError::Damaged { path: Path::new(&storage.place()).join(&path), message };
    let bytes = stored.map(|stored| stored.bytes).unwrap_or_default();
    let text = str::from_utf8(&bytes).map_err(|error| damaged(error.to_string()))?;
    Config::parse(text, LogRequirement::Required).map_err(|error| damaged(chain(&error)))
}

#[cfg(test)]
impl Registry {
    /// A registry at a place of a test.
    pub(crate) async fn at(storage: Arc<dyn Storage>, key: &Path, seed: Seed) -> Result<Self, RegistryError> {
        let place = Place { storage, folder: None, key: key.to_owned(), temporary: None };
        Self::open_place(place, Absent::Found(seed), &Witnesses::default()).await
    }
}
