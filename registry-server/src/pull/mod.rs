//! A registry of somebody else, fetched file by file as it is asked for, checked as clients check it, and kept.
//!
//! Nothing of it is trusted: what does not fit the log is not kept and not given out. What never changes is fetched once. What may
//! change is asked for again after a few seconds, and where the other registry does not answer, what is there is given out as it is:
//! its checkpoint says how old it is.

mod kind;
mod log;

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use pocket_index::bundled;
use pocket_index::config::{Config, LogRequirement};
use pocket_index::digest::Digest;
use pocket_index::layout;
use pocket_index::log::{Checkpoint, NoteKey};
use pocket_index::name::PluginName;
use pocket_index::record::{History, Policy};
use reqwest::Url;
use tokio::sync::Mutex;

use crate::RegistryError;
use crate::copy::{Remote, Secret};
use crate::error::{chain, io_error};
use crate::storage::{Condition, Entry, Fault, Folder, Pieces, Put, Storage, StorageError, Stored, TREE, in_tree};
use kind::Kind;

/// 5 s: how old a file may be that may change, and how long another registry's trouble is not asked about again.
const FRESH: Duration = Duration::from_secs(5);
/// As many files are fetched at once, of those that are asked for at once.
const TURNS: usize = 32;

/// Another registry, and where it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Where it is.
    pub url: Url,
    /// Where it is kept.
    pub folder: PathBuf,
    /// The key that its log must have; none takes the one that it shows first.
    pub key: Option<NoteKey>,
    /// The token that it is shown, where it is private.
    pub token: Option<Secret>,
}

/// The storage of a registry that is fetched as it is asked for.
#[derive(Debug)]
pub(crate) struct Pull {
    local: Folder,
    remote: Remote,
    key: NoteKey,
    /// Whether nobody may read it without a token, as the other registry said last.
    private: AtomicBool,
    /// When files that may change were last asked for.
    looked: std::sync::Mutex<HashMap<String, Instant>>,
    /// Whoever wants a file that is being fetched waits for it.
    turns: [Mutex<()>; TURNS],
    hasher: std::hash::RandomState,
}

impl Pull {
    /// Fetches what a registry says of itself, if it answers, and opens what is there of it.
    pub async fn open(upstream: &Upstream) -> Result<Self, RegistryError> {
        let root = &upstream.folder;
        std::fs::create_dir_all(root).map_err(io_error("create", root))?;
        let local = Folder::open(root.clone()).map_err(io_error("open", root))?;
        let local = local.ok_or_else(|| RegistryError::InUse { path: root.clone() })?;
        let remote = Remote::new(upstream.url.clone(), upstream.token.as_ref())?;
        let known = local.read(&in_tree(layout::CONFIG)).await?;
        let text = match known {
            Some(stored) => stored.bytes,
            None => {
                let stored = remote.read(&in_tree(layout::CONFIG)).await?;
                stored.ok_or_else(|| wrong(&upstream.url, layout::CONFIG, "it is missing".to_owned()))?.bytes
            }
        };
        let refused = |message: String| wrong(&upstream.url, layout::CONFIG, message);
        let config = parse_config(&text).map_err(refused)?;
        let key = config.log.clone().ok_or_else(|| refused("it has no log key".to_owned()))?;
        if let Some(expected) = upstream.key.as_ref().filter(|expected| **expected != key) {
            return Err(refused(format!("its log is {key}, expected {expected}")));
        }
        let (looked, turns, hasher) = Default::default();
        let private = AtomicBool::new(config.auth_required);
        let pull = Self { local, remote, key, private, looked, turns, hasher };
        pull.bring(layout::CONFIG).await?;
        pull.bring(layout::CHECKPOINT).await?;
        Ok(pull)
    }

    /// Whether nobody may read it without a token: what is private there is not public here.
    pub fn is_private(&self) -> bool {
        self.private.load(Ordering::Relaxed)
    }

    /// Has a file be here, as new as it should be; it may be that there is none.
    async fn bring(&self, name: &str) -> Result<(), StorageError> {
        let Some(kind) = Kind::of(name) else { return Ok(()) };
        let _turn = self.turn(name).await;
        let there = self.local.entry(&in_tree(name)).await?.is_some();
        if there && (kind.is_immutable() || !self.is_due(name)) {
            return Ok(());
        }
        match self.fetch(name, &kind).await {
            Ok(()) => Ok(()),
            Err(error) if there => {
                tracing::warn!("`{name}` is given out as it was: {}", chain(&error));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn fetch(&self, name: &str, kind: &Kind) -> Result<(), StorageError> {
        match kind {
            Kind::Log(place) => return self.bring_log(name, *place).await,
            Kind::Checkpoint => return self.fetch_checkpoint().await,
            _ => {}
        }
        let Some(stored) = self.remote.read(&in_tree(name)).await? else { return Ok(()) };
        let bytes = match kind {
            Kind::Config => self.checked_config(&stored.bytes)?,
            Kind::Content(digest) if Digest::of(&stored.bytes) != *digest => {
                return Err(self.refused(name, format!("its digest is {}", Digest::of(&stored.bytes))));
            }
            Kind::Plugin(plugin) => {
                self.check_plugin(name, plugin, &stored.bytes).await?;
                stored.bytes
            }
            Kind::Content(_) | Kind::Unsigned | Kind::Log(_) | Kind::Checkpoint => stored.bytes,
        };
        self.local.put(&in_tree(name), bytes, Condition::Always).await.map(drop)
    }

    /// Fetches the checkpoint, if it is a newer one of the same log.
    async fn fetch_checkpoint(&self) -> Result<(), StorageError> {
        let stored = self.remote.read(&in_tree(layout::CHECKPOINT)).await?;
        let stored = stored.ok_or_else(|| self.refused(layout::CHECKPOINT, "it is missing".to_owned()))?;
        match self.checked_checkpoint(&stored.bytes).await? {
            Some(note) => self.local.put(&in_tree(layout::CHECKPOINT), note, Condition::Always).await.map(drop),
            None => Ok(()),
        }
    }

    /// Nobody publishes here.
    fn checked_config(&self, bytes: &[u8]) -> Result<Bytes, StorageError> {
        let refused = |message| self.refused(layout::CONFIG, message);
        let config = parse_config(bytes).map_err(refused)?;
        if config.log.as_ref() != Some(&self.key) {
            let found = config.log.map_or("none".to_owned(), |key| key.to_string());
            return Err(refused(format!("its log key is {found}, it was {}", self.key)));
        }
        self.private.store(config.auth_required, Ordering::Relaxed);
        Ok(Config { api: None, ..config }.to_text().into())
    }

    /// Every event is signed as it must be, each line leads to the next, and the log holds the last one.
    async fn check_plugin(&self, name: &str, plugin: &PluginName, bytes: &[u8]) -> Result<(), StorageError> {
        let refused = |message: String| self.refused(name, message);
        let text = str::from_utf8(bytes).map_err(|error| refused(error.to_string()))?;
        // The file may have grown together with the log.
        self.fetch_checkpoint().await?;
        let checkpoint = self.checkpoint().await?;
        let config = self.kept(layout::CONFIG).await?;
        let config = parse_config(&config).map_err(refused)?;
        config.check_keys(&checkpoint).map_err(|error| refused(chain(&error)))?;
        let policy = Policy::new(config.keys.iter().copied()).with_development_lines(bundled::line_digests());
        let policy = policy.published_up_to(checkpoint.size());
        let history = History::replay(plugin, text, &policy).map_err(|error| refused(chain(&error)))?;
        let Some(last) = history.outline().last_log() else { return Ok(()) };
        let tiles = self.tiles_for(last, &checkpoint).await?;
        history.outline().check_last(&checkpoint, &tiles).map_err(|error| refused(chain(&error)))
    }

    async fn checkpoint(&self) -> Result<Checkpoint, StorageError> {
        let note = self.kept(layout::CHECKPOINT).await?;
        Checkpoint::open(&note, &self.key).map_err(|error| self.refused(layout::CHECKPOINT, chain(&error)))
    }

    /// A file that is here.
    async fn kept(&self, name: &str) -> Result<Bytes, StorageError> {
        let stored = self.local.read(&in_tree(name)).await?;
        stored.map(|stored| stored.bytes).ok_or_else(|| self.refused(name, "it was never fetched".to_owned()))
    }

    async fn turn(&self, name: &str) -> tokio::sync::MutexGuard<'_, ()> {
        let turn = usize::try_from(self.hasher.hash_one(name) % TURNS as u64).unwrap_or_default();
        self.turns[turn].lock().await
    }

    /// Whether a file that may change is to be asked for, and from now on it was.
    fn is_due(&self, name: &str) -> bool {
        let mut looked = self.looked.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = Instant::now();
        looked.retain(|_, at| now.duration_since(*at) < FRESH);
        looked.insert(name.to_owned(), now).is_none_or(|at| now.duration_since(at) >= FRESH)
    }

    fn refused(&self, name: &str, message: String) -> StorageError {
        StorageError {
            doing: "take over",
            path: format!("{}{name}", self.remote.place()),
            fault: Fault::Unreachable,
            source: message.into(),
        }
    }
}

fn parse_config(bytes: &[u8]) -> Result<Config, String> {
    let text = str::from_utf8(bytes).map_err(|error| error.to_string())?;
    Config::parse(text, LogRequirement::Required).map_err(|error| chain(&error))
}

fn wrong(url: &Url, name: &str, message: String) -> RegistryError {
    RegistryError::NoCopy { path: format!("{}/{name}", url.as_str().trim_end_matches('/')), message }
}

fn not_here(path: &str) -> StorageError {
    StorageError { doing: "change", path: path.to_owned(), fault: Fault::Broken, source: "it is another's".into() }
}

#[async_trait]
impl Storage for Pull {
    async fn read(&self, path: &str) -> Result<Option<Stored>, StorageError> {
        self.bring(path.strip_prefix(TREE).unwrap_or(path)).await?;
        self.local.read(path).await
    }

    async fn entry(&self, path: &str) -> Result<Option<Entry>, StorageError> {
        self.bring(path.strip_prefix(TREE).unwrap_or(path)).await?;
        self.local.entry(path).await
    }

    async fn pieces(&self, entry: &Entry, part: Range<u64>) -> Result<Pieces, StorageError> {
        self.local.pieces(entry, part).await
    }

    async fn put(&self, path: &str, _: Bytes, _: Condition) -> Result<Put, StorageError> {
        Err(not_here(path))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, StorageError> {
        self.local.list(prefix).await
    }

    async fn remove(&self, path: &str) -> Result<(), StorageError> {
        Err(not_here(path))
    }

    fn place(&self) -> String {
        self.local.place()
    }
}
