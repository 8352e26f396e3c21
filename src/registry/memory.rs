//! What this machine saw of a registry before, held against what the registry shows now.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use pocket_index::digest::Digest;
use pocket_index::log::{Checkpoint, NoteKey, SeenCheckpoint};
use pocket_index::name::PluginName;
use pocket_index::record::{Listed, Outline, Status};
use pocket_index::signature::PublicKey;
use semver::Version;

use super::dated::{Backwards, Dated, earlier};
use super::{Location, RegistryError};
use crate::home::trust::{self, SeenLine, SeenRegistry, SeenTime};
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

    /// When the checkpoints were signed that were seen up to now.
    ///
    /// # Errors
    /// What is remembered is damaged.
    pub fn times(&self) -> Result<Vec<SeenCheckpoint>, RegistryError> {
        self.before.as_ref().map_or(Ok(Vec::new()), |before| self.times_of(before))
    }

    fn times_of(&self, seen: &SeenRegistry) -> Result<Vec<SeenCheckpoint>, RegistryError> {
        let newest = self.reopen(seen)?.seen();
        Ok(seen.earlier.iter().map(|SeenTime(earlier)| *earlier).chain(newest).collect())
    }

    /// Checks that a checkpoint was not signed before one of a smaller log, which is kept as evidence if it was.
    ///
    /// # Errors
    /// It was.
    pub fn check_time(&self, checkpoint: &Dated) -> Result<(), RegistryError> {
        let (Some(before), Some(larger)) = (&self.before, checkpoint.seen()) else { return Ok(()) };
        let is_backwards = |smaller: &SeenCheckpoint| smaller.size < larger.size && smaller.time > larger.time;
        match self.times()?.into_iter().find(is_backwards) {
            Some(smaller) => {
                Err(self.other_view(&before.checkpoint, checkpoint.checkpoint.note(), Backwards { smaller, larger }))
            }
            None => Ok(()),
        }
    }

    /// The log has grown to this checkpoint from the one before.
    ///
    /// # Errors
    /// What is remembered is damaged.
    pub fn saw(&self, log_key: &NoteKey, checkpoint: &Dated, keys: &[PublicKey]) -> Result<(), RegistryError> {
        let mut seen = SeenRegistry {
            url: self.url.clone(),
            log_key: log_key.to_string(),
            checkpoint: checkpoint.checkpoint.note().to_owned(),
            keys: Some(keys.to_vec()),
            earlier: Vec::new(),
            plugins: BTreeMap::new(),
            revoked: BTreeMap::new(),
        };
        if let Some(before) = &self.before {
            seen.plugins.clone_from(&before.plugins);
            seen.revoked.clone_from(&before.revoked);
            // A host may still show the same tree as it was signed earlier.
            if self.reopen(before)?.is_newer_than(checkpoint) {
                seen.checkpoint.clone_from(&before.checkpoint);
            }
            seen.earlier = earlier(self.times()?, self.reopen(&seen)?.seen());
        }
        let has_news = self.before.as_ref() != Some(&seen);
        *self.now.lock().expect("no holder of this lock panics") =
            Now { seen: Some(seen), has_news, is_refused: false };
        Ok(())
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
        if let Some(error) = theirs.contradicts(&ours) {
            return Err(self.other_view(theirs.checkpoint.note(), ours.checkpoint.note(), error));
        }
        let times = [self.times_of(&other)?, self.times_of(&seen)?].concat();
        if theirs.is_newer_than(&ours) {
            (seen.checkpoint, seen.keys) = (other.checkpoint, other.keys);
        }
        seen.earlier = earlier(times, self.reopen(&seen)?.seen());
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

    fn reopen(&self, seen: &SeenRegistry) -> Result<Dated, RegistryError> {
        let damaged = |message: String| memory_error(&self.url, HomeError::Damaged { path: self.file(), message });
        let key: NoteKey = seen.log_key.parse().map_err(|error| damaged(format!("{error}")))?;
        let checkpoint = Checkpoint::open(seen.checkpoint.as_bytes(), &key);
        let checkpoint = checkpoint.map_err(|error| damaged(error.to_string()))?;
        Dated::of(checkpoint, &key).map_err(|error| damaged(error.to_string()))
    }

    /// The error for two things that a registry should never have shown both. They are kept.
    pub fn other_view(
        &self,
        before: &str,
        now: &str,
        error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> RegistryError {
        let (registry, error) = (&self.url, error.into());
        let text = format!(
            "The registry {registry} showed two things that do not fit together:\n{error}.\n\n\
             ==== before ====\n\n{before}\n==== now ====\n\n{now}\n"
        );
        let kept = match evidence::keep(&self.home, &trust::id(registry), &text) {
            Ok(path) => Kept::In(path),
            Err(error) => Kept::Nowhere(error.to_string()),
        };
        RegistryError::OtherView { registry: registry.clone(), kept, source: error }
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
