//! A registry as its client sees it: nothing it sends counts before it was checked.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use pocket_index::digest::Digested;
use pocket_index::layout;
use pocket_index::log::{self, Checkpoint, NoteKey, TilePath, TileSource as _, Tiles, Witnessed};
use pocket_index::name::{PluginName, RegistryName, Target};
use pocket_index::record::{ArchiveRecord, History, HistoryError, Outline, Policy};
use pocket_index::signature::PublicKey;
use pocket_index::verify::{VerifiedRelease, VerifyError};
use semver::{Version, VersionReq};

use super::age::Stale;
use super::error::{RegistryError, TransportError};
use super::http::Progress;
use super::memory::Memory;
use super::transport::{Freshness, Transport};
use super::{ArchiveCache, Location, clock};

/// 64 KiB: a configuration and a checkpoint have a few hundred bytes.
pub(super) const SMALL_FILE: u64 = 64 << 10;
/// 16 MiB: 10,000 releases of one plugin.
pub(super) const INDEX_FILE: u64 = 16 << 20;
/// 64 MiB: 100,000 plugins with a line each.
pub(super) const SEARCH_FILE: u64 = 64 << 20;

/// A registry whose checkpoint was verified.
pub struct Registry {
    pub(super) name: RegistryName,
    pub(super) location: Location,
    pub(super) transport: Transport,
    pub(super) api: Option<String>,
    pub(super) keys: Vec<PublicKey>,
    pub(super) log_key: NoteKey,
    pub(super) checkpoint: Checkpoint,
    pub(super) signed: Option<u64>,
    pub(super) stale: Option<Stale>,
    pub(super) witnessed: Vec<Witnessed>,
    pub(super) policy: Arc<Policy>,
    pub(super) tiles: Mutex<Tiles>,
    pub(super) archives: ArchiveCache,
    pub(super) memory: Memory,
}

/// Whether the log holds a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Logged {
    /// Every line of it.
    Whole,
    /// Something in it is not as the log says.
    Otherwise,
}

impl Registry {
    /// Checks that it may be chosen from.
    ///
    /// # Errors
    /// Its checkpoint is older than it may be.
    pub fn require_fresh(&self) -> Result<(), RegistryError> {
        match self.stale {
            Some(source) => {
                // A mirror may have sent it with the tag of the newest one.
                self.transport.distrust();
                Err(RegistryError::Stale { registry: self.location.to_string(), source })
            }
            None => Ok(()),
        }
    }

    /// How much too old its checkpoint is, if it is.
    pub fn stale(&self) -> Option<&Stale> {
        self.stale.as_ref()
    }

    /// When its log signed the checkpoint: seconds since 1970-01-01 UTC; none if it does not say.
    pub fn signed_at(&self) -> Option<u64> {
        self.signed
    }

    /// The name the user gave it.
    pub fn name(&self) -> &RegistryName {
        &self.name
    }

    /// Where it is.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The key that signs its log, in the form of C2SP signed notes.
    pub fn log_key(&self) -> &NoteKey {
        &self.log_key
    }

    /// The keys that sign the registry's own events.
    pub fn event_keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// The checkpoint that everything else is checked against.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The demanded witnesses that saw the checkpoint.
    pub fn witnessed(&self) -> &[Witnessed] {
        &self.witnessed
    }

    /// Remembers what was read and checked, for every later command. Call it when a command has read all it needs.
    ///
    /// # Errors
    /// It cannot be written, or does not fit what another process saw meanwhile.
    pub fn remember(&self) -> Result<(), RegistryError> {
        self.memory.save()
    }

    /// The events of a plugin, each checked, in a file that the log vouches for; none if the registry does not have the plugin.
    pub async fn history(&self, plugin: &PluginName) -> Result<Option<History>, RegistryError> {
        let Some(text) = self.index_file(plugin).await? else { return Ok(None) };
        let history = History::replay(plugin, &text, &self.policy).map_err(|error| self.refused_events(error))?;
        let is_published = self.check_file(history.outline()).await?;
        Ok(Some(history).filter(|_| is_published))
    }

    /// The events of a plugin, its releases unread, in a file that the log vouches for; none if the registry does not have the
    /// plugin. Several files asked for at once are gone through on several threads, and the releases that `likely` asks for
    /// are read there too.
    pub async fn outline(
        &self,
        plugin: &PluginName,
        likely: Vec<VersionReq>,
    ) -> Result<Option<Outline>, RegistryError> {
        let Some(text) = self.index_file(plugin).await? else { return Ok(None) };
        let (name, policy) = (plugin.clone(), Arc::clone(&self.policy));
        let read = move || {
            let outline = Outline::read(&name, text, policy)?;
            likely.iter().for_each(|requirement| outline.read_ahead(requirement));
            Ok(outline)
        };
        let read = tokio::task::spawn_blocking(read).await;
        let outline = read.expect("reading a file does not panic").map_err(|error| self.refused_events(error))?;
        let is_published = self.check_file(&outline).await?;
        Ok(Some(outline).filter(|_| is_published))
    }

    /// Checks that a file holds what was seen of it, and that the log holds its last line. Returns whether it has any.
    async fn check_file(&self, outline: &Outline) -> Result<bool, RegistryError> {
        self.check_seen(outline.name(), Some(outline))?;
        clock::check(outline, clock::now()).map_err(|error| self.events_error(outline.name(), error))?;
        let Some(last) = outline.last_log() else { return Ok(false) };
        self.fetch_tiles(log::tiles_for_inclusion(last, self.checkpoint.size())).await?;
        let tiles = self.tiles.lock().expect("no holder of this lock panics");
        let held = outline.check_last(&self.checkpoint, &*tiles);
        held.map_err(|error| self.events_error(outline.name(), error))?;
        self.memory.note(outline);
        Ok(true)
    }

    fn check_seen(&self, plugin: &PluginName, outline: Option<&Outline>) -> Result<(), RegistryError> {
        self.memory.check(plugin, outline, &self.checkpoint).inspect_err(|_| self.transport.distrust())
    }

    async fn index_file(&self, plugin: &PluginName) -> Result<Option<String>, RegistryError> {
        let path = layout::index_file(plugin);
        let content = match self.transport.read(&path, INDEX_FILE, Freshness::Revalidate).await {
            Ok(content) => content,
            Err(TransportError::NotFound { .. }) => {
                self.check_seen(plugin, None)?;
                return Ok(None);
            }
            Err(source) => return Err(self.transport_error(source)),
        };
        let text = String::from_utf8(content.into()).map_err(|error| self.events_error(plugin, error))?;
        Ok(Some(text))
    }

    /// Checks what a file that was read from end to end adds to what was seen of it; that it is logged says the caller.
    pub(super) fn check_memory(&self, outline: &Outline, logged: Logged) -> Result<(), RegistryError> {
        self.check_seen(outline.name(), Some(outline))?;
        clock::check(outline, clock::now()).map_err(|error| self.events_error(outline.name(), error))?;
        if logged == Logged::Whole {
            self.memory.note(outline);
        }
        Ok(())
    }

    /// What a replay of this registry's events takes.
    pub(super) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// A version that the log holds and that is not revoked.
    pub async fn release(&self, history: &History, version: &Version) -> Result<VerifiedRelease, RegistryError> {
        if let Some(entry) = history.release(version) {
            self.fetch_tiles(log::tiles_for_inclusion(entry.log(), self.checkpoint.size())).await?;
        }
        let tiles = self.tiles.lock().expect("no holder of this lock panics");
        VerifiedRelease::check(history, version, &self.checkpoint, &*tiles)
            .map_err(|error| self.events_error(history.name(), error))
    }

    /// A version of an outline that is signed, not revoked, and in the log.
    pub async fn chosen(&self, outline: &Outline, version: &Version) -> Result<VerifiedRelease, RegistryError> {
        let entry = outline.release(version).map_err(|error| self.refused_events(error))?;
        let entry = entry.ok_or_else(|| {
            let (name, version) = (outline.name().clone(), version.clone());
            self.events_error(outline.name(), VerifyError::UnknownVersion { name, version })
        })?;
        self.fetch_tiles(log::tiles_for_inclusion(entry.log(), self.checkpoint.size())).await?;
        let tiles = self.tiles.lock().expect("no holder of this lock panics");
        VerifiedRelease::check_entry(entry, &self.checkpoint, &*tiles)
            .map_err(|error| self.events_error(outline.name(), error))
    }

    /// The error for events that fail a check.
    pub fn refused_events(&self, error: HistoryError) -> RegistryError {
        let plugin = error.name.clone();
        self.events_error(&plugin, error)
    }

    fn events_error(
        &self,
        plugin: &PluginName,
        error: impl std::error::Error + Send + Sync + 'static,
    ) -> RegistryError {
        self.transport.distrust();
        RegistryError::History { registry: self.location.to_string(), plugin: plugin.clone(), source: Box::new(error) }
    }

    /// The archive for `target`, from the cache or the registry. Its bytes are not verified yet:
    /// [`VerifiedRelease::verify_digested`] does that.
    pub async fn archive(
        &self,
        release: &VerifiedRelease,
        target: &Target,
        progress: Progress<'_>,
    ) -> Result<Digested<'static>, RegistryError> {
        let plugin = || (release.name().clone(), release.version().clone());
        let record = release.archive_for(target).map_err(|source| {
            let (plugin, version) = plugin();
            RegistryError::Archive { plugin, version, source: Box::new(source) }
        })?;
        self.download(record, progress).await.map_err(|source| {
            let (plugin, version) = plugin();
            match source {
                TransportError::TooLarge { .. } => {
                    let source = Box::new(VerifyError::Longer { expected: record.size });
                    RegistryError::Archive { plugin, version, source }
                }
                source => RegistryError::Download { plugin, version, source: Box::new(source) },
            }
        })
    }

    /// What could not be written to the cache, if anything.
    pub fn cache_trouble(&self) -> Option<&str> {
        self.archives.trouble().first()
    }

    /// Sends a publish and returns the server's answer.
    pub async fn publish(&self, body: Vec<u8>) -> Result<serde_json::Value, RegistryError> {
        let read_only = || RegistryError::ReadOnly { registry: self.location.to_string() };
        let api = self.api.as_ref().ok_or_else(read_only)?;
        let sent = self.transport.put(&format!("{api}publish"), body).await;
        let (status, answer) = sent.map_err(|source| self.transport_error(source))?.ok_or_else(read_only)?;
        let document: serde_json::Value = serde_json::from_slice(&answer).unwrap_or_default();
        if (200..300).contains(&status) {
            return Ok(document);
        }
        let field = |name: &str| document[name].as_str().map(str::to_owned);
        Err(RegistryError::PublishRefused {
            registry: self.location.to_string(),
            code: field("code").unwrap_or_else(|| format!("status {status}")),
            message: field("message").unwrap_or_else(|| "the server gave no reason".to_owned()),
        })
    }

    /// The bytes of a file of the registry, at most `limit` of them.
    pub(super) async fn read(&self, path: &str, limit: u64, freshness: Freshness) -> Result<Bytes, RegistryError> {
        self.transport.read(path, limit, freshness).await.map_err(|source| self.transport_error(source))
    }

    /// The bytes of a tile that was fetched.
    pub(super) fn tile(&self, path: &TilePath) -> Result<Vec<u8>, RegistryError> {
        self.tiles.lock().expect("no holder of this lock panics").tile(path).map_err(|error| self.refused(error))
    }

    async fn download(
        &self,
        record: &ArchiveRecord,
        progress: Progress<'_>,
    ) -> Result<Digested<'static>, TransportError> {
        let (archives, digest) = (self.archives.clone(), record.sha256);
        let cached = tokio::task::spawn_blocking(move || archives.find(digest)).await;
        if let Ok(Some(cached)) = cached {
            return Ok(cached);
        }
        // One byte more than announced is enough to know that it is another file.
        let limit = record.size + 1;
        let partial = || self.archives.partial(digest, limit);
        self.transport.download(&layout::archive(&digest), limit, partial, progress).await
    }

    /// Fetches the tiles that are not here yet.
    pub(super) async fn fetch_tiles(&self, needed: Vec<TilePath>) -> Result<(), RegistryError> {
        for path in needed {
            if self.tiles.lock().expect("no holder of this lock panics").tile(&path).is_ok() {
                continue;
            }
            let read = self.transport.read_tile(&path, Freshness::Immutable).await;
            let content = read.map_err(|source| unproven(&self.location.to_string(), source))?;
            let mut tiles = self.tiles.lock().expect("no holder of this lock panics");
            tiles.insert(path, content.to_vec());
        }
        Ok(())
    }

    pub(super) fn transport_error(&self, source: TransportError) -> RegistryError {
        RegistryError::Transport { registry: self.location.to_string(), source }
    }

    pub(super) fn refused(&self, error: impl std::error::Error + Send + Sync + 'static) -> RegistryError {
        self.transport.distrust();
        refused(&self.location.to_string(), error)
    }
}

/// The log's files are evidence: where they are missing there is none, while a server that fails or stalls may have them.
pub(super) fn unproven(registry: &str, source: TransportError) -> RegistryError {
    let registry = registry.to_owned();
    match source {
        TransportError::NotFound { .. } => RegistryError::NoProof { registry, source },
        source => RegistryError::Transport { registry, source },
    }
}

pub(super) fn refused(registry: &str, error: impl std::error::Error + Send + Sync + 'static) -> RegistryError {
    RegistryError::Refused { registry: registry.to_owned(), source: Box::new(error) }
}
