//! What this machine saw of a registry before, held against what the registry shows now.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use pocket_index::digest::Digest;
use pocket_index::log::{Checkpoint, LogError, NoteKey};
use pocket_index::name::PluginName;
use pocket_index::record::{Listed, Outline, Status};
use pocket_index::signature::PublicKey;
use semver::Version;

use super::{Location, RegistryError};
use crate::home::trust::{self, SeenLine, SeenRegistry};
use crate::home::{Home, HomeError, evidence};

/// Whether a registry is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeping {
    /// It is.
    Remembered,
    /// The bundled one comes with the program, which a new one replaces; a copy is as old as it is.
    Exempt,
}

/// What is remembered of one registry.
///
/// It is read once and written once: by [`Memory::save`], or when a command that failed drops it.
#[derive(Debug)]
pub(super) struct Memory {
    home: Home,
    url: String,
    keeping: Keeping,
    before: Option<SeenRegistry>,
    now: Mutex<Now>,
}

#[derive(Debug, Default)]
struct Now {
    seen: Option<SeenRegistry>,
    has_news: bool,
    /// A registry that contradicted itself changes nothing here any more.
    is_refused: bool,
}

/// A plugin's file that does not hold an event which it held before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "event {} of `{plugin}` was {expected} when it was seen before, now {}", seq + 1,
    found.map_or_else(|| format!("it is gone: the file ends after {lines}"), |found| format!("it is {found}"))
)]
pub struct OtherLine {
    /// The plugin.
    pub plugin: PluginName,
    /// The event's place in the file, from 0.
    pub seq: u64,
    /// The digest of its line when it was seen.
    pub expected: Digest,
    /// The digest of the line there now, if there is one.
    pub found: Option<Digest>,
    /// How many events the file has now.
    pub lines: u64,
}

/// Where both sides of a contradiction were written to.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Kept {
    /// A file.
    #[error("both sides are kept in `{}`", .0.display())]
    In(PathBuf),
    /// Nowhere.
    #[error("both sides could not be kept: {0}")]
    Nowhere(String),
}

impl Memory {
    /// What was seen of a registry up to now.
    pub fn recall(home: &Home, location: &Location, keeping: Keeping) -> Result<Self, RegistryError> {
        let url = location.to_string();
        let before = match keeping {
            Keeping::Remembered => trust::recall(home, &url).map_err(|source| memory_error(&url, source))?,
            Keeping::Exempt => None,
        };
        Ok(Self { home: home.clone(), url, keeping, before, now: Mutex::default() })
    }

    /// The registry as it was when the command began; none if it was never seen.
    pub fn before(&self) -> Option<&SeenRegistry> {
        self.before.as_ref()
    }

    /// The file that remembers the registry.
    pub fn file(&self) -> PathBuf {
        trust::path(&self.home, &self.url)
    }

    /// The log has grown to this checkpoint from the one before.
    pub fn saw(&self, log_key: &NoteKey, keys: &[PublicKey], checkpoint: &Checkpoint) {
        let seen = SeenRegistry {
            url: self.url.clone(),
            log_key: log_key.to_string(),
            keys: Some(keys.to_vec()),
            checkpoint: checkpoint.note().to_owned(),
            plugins: self.before.as_ref().map(|before| before.plugins.clone()).unwrap_or_default(),
            revoked: self.before.as_ref().map(|before| before.revoked.clone()).unwrap_or_default(),
        };
        let has_news = self.before.as_ref() != Some(&seen);
        *self.now.lock().expect("no holder of this lock panics") =
            Now { seen: Some(seen), has_news, is_refused: false };
    }

    /// Checks that a plugin's file holds the last event that was seen of it. No outline stands for no file.
    ///
    /// # Errors
    /// It does not: it is an older view, or another one. Both sides are kept.
    pub fn check(
        &self,
        plugin: &PluginName,
        outline: Option<&Outline>,
        checkpoint: &Checkpoint,
    ) -> Result<(), RegistryError> {
        let Some((seen, under)) = self.last_seen(plugin) else { return Ok(()) };
        let found = outline.and_then(|outline| outline.line(seen.seq));
        if found == Some(seen.line) {
            return Ok(());
        }
        let lines = outline.map_or(0, Outline::len);
        let error = OtherLine { plugin: plugin.clone(), seq: seen.seq, expected: seen.line, found, lines };
        let text = outline.and_then(|outline| outline.line_text(seen.seq)).unwrap_or("no such event");
        let before =
            format!("event {} of `{plugin}`: {}\n\nunder this checkpoint:\n\n{under}", seen.seq + 1, seen.line);
        let now = format!(
            "event {} of `{plugin}`, of {lines}:\n\n{text}\n\nunder this checkpoint:\n\n{}",
            seen.seq + 1,
            checkpoint.note()
        );
        self.now.lock().expect("no holder of this lock panics").is_refused = true;
        Err(self.other_view(&before, &now, error))
    }

    /// Notes the last event of a file that was checked and that the log vouches for.
    pub fn note(&self, outline: &Outline) {
        let Some(line) = outline.head() else { return };
        let mut now = self.now.lock().expect("no holder of this lock panics");
        let Some(seen) = now.seen.as_mut() else { return };
        let last = SeenLine { seq: outline.len() - 1, line };
        let mut has_news = seen.plugins.insert(outline.name().clone(), last) != Some(last);
        // A run asks no registry, so what is known to do harm is known from here.
        let revoked: BTreeMap<Version, String> = outline.listed().filter_map(revocation).collect();
        if !revoked.is_empty() {
            let known = seen.revoked.insert(outline.name().clone(), revoked.clone());
            has_news |= known != Some(revoked);
        }
        now.has_news |= has_news;
    }

    /// Writes down what is new; nothing if nothing is.
    ///
    /// # Errors
    /// The file cannot be written, or another process saw something meanwhile that does not fit.
    pub fn save(&self) -> Result<(), RegistryError> {
        let mut now = self.now.lock().expect("no holder of this lock panics");
        let is_kept = now.has_news && !now.is_refused && self.keeping == Keeping::Remembered;
        let Some(seen) = now.seen.clone().filter(|_| is_kept) else { return Ok(()) };
        // Whatever comes of it: what cannot be written now is not tried again when this is dropped.
        now.has_news = false;
        let failed = |source| memory_error(&self.url, source);
        let lock = trust::lock(&self.home, &self.url).map_err(failed)?;
        let joined = match trust::recall(&self.home, &self.url).map_err(failed)? {
            Some(other) if Some(&other) != self.before.as_ref() => self.join(other, seen)?,
            _ => seen,
        };
        trust::remember(&self.home, &joined, &lock).map_err(failed)
    }

    /// What another process saw since this one began, and what this one saw: the newer of each.
    fn join(&self, other: SeenRegistry, mut seen: SeenRegistry) -> Result<SeenRegistry, RegistryError> {
        if other.log_key != seen.log_key {
            let (registry, file) = (self.url.clone(), Some(self.file()));
            return Err(RegistryError::KeyChanged { registry, pinned: other.log_key, found: seen.log_key, file });
        }
        let (theirs, ours) = (self.reopen(&other)?, self.reopen(&seen)?);
        if theirs.size() == ours.size() && theirs.head() != ours.head() {
            let (old, new) = (theirs.head().root, ours.head().root);
            let error = LogError::Forked { size: ours.size(), old, new };
            return Err(self.other_view(theirs.note(), ours.note(), error));
        }
        if theirs.size() > ours.size() {
            seen.checkpoint = other.checkpoint;
        }
        for (plugin, line) in other.plugins {
            let newest = seen.plugins.entry(plugin).or_insert(line);
            if line.seq > newest.seq {
                *newest = line;
            }
        }
        for (plugin, versions) in other.revoked {
            seen.revoked.entry(plugin).or_default().extend(versions);
        }
        Ok(seen)
    }

    fn reopen(&self, seen: &SeenRegistry) -> Result<Checkpoint, RegistryError> {
        let damaged = |message: String| memory_error(&self.url, HomeError::Damaged { path: self.file(), message });
        let key: NoteKey = seen.log_key.parse().map_err(|error| damaged(format!("{error}")))?;
        Checkpoint::open(seen.checkpoint.as_bytes(), &key).map_err(|error| damaged(error.to_string()))
    }

    /// The error for two things that a registry should never have shown both. They are kept.
    pub fn other_view(
        &self,
        before: &str,
        now: &str,
        error: impl std::error::Error + Send + Sync + 'static,
    ) -> RegistryError {
        let registry = &self.url;
        let text = format!(
            "The registry {registry} showed two things that do not fit together:\n{error}.\n\n\
             ==== before ====\n\n{before}\n==== now ====\n\n{now}\n"
        );
        let kept = match evidence::keep(&self.home, &trust::id(registry), &text) {
            Ok(path) => Kept::In(path),
            Err(error) => Kept::Nowhere(error.to_string()),
        };
        RegistryError::OtherView { registry: registry.clone(), kept, source: Box::new(error) }
    }

    fn last_seen(&self, plugin: &PluginName) -> Option<(SeenLine, String)> {
        let now = self.now.lock().expect("no holder of this lock panics");
        let seen = now.seen.as_ref()?;
        let line = *seen.plugins.get(plugin)?;
        let before = self.before.as_ref().filter(|before| before.plugins.get(plugin) == Some(&line));
        Some((line, before.unwrap_or(seen).checkpoint.clone()))
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // Something is left only where the command failed, and its error is the one to tell.
        let _ = self.save();
    }
}

fn revocation((version, listed): (&Version, &Listed)) -> Option<(Version, String)> {
    match listed.status() {
        Status::Revoked { reason } => Some((version.clone(), reason.clone())),
        _ => None,
    }
}

fn memory_error(registry: &str, source: HomeError) -> RegistryError {
    RegistryError::Memory { registry: registry.to_owned(), source }
}
