//! One plugin of a copy: its lines up to the checkpoint, and its archives. One that does not fit together is left out.

use std::path::Path;

use futures_util::stream::TryStreamExt as _;
use pocket_index::digest::{Digest, Hasher};
use pocket_index::layout;
use pocket_index::name::PluginName;
use pocket_index::record::{Event, History, Line, Policy};
use pocket_index::search::SearchEntry;

use super::Copy;
use super::check::Lines;
use super::left_out::{Before, LeftOut, Unsound};
use crate::RegistryError;
use crate::error::chain;
use crate::storage::{Condition, Entry, Storage, StorageError, in_tree};

/// A plugin that was copied, or left out.
pub(super) struct Plugin {
    pub entry: Option<SearchEntry>,
    pub archives: usize,
    pub bytes: u64,
    pub left_out: Option<LeftOut>,
}

/// All lines that the log has of a plugin.
struct Checked {
    text: String,
    events: Vec<Event>,
    entry: Option<SearchEntry>,
}

impl Checked {
    /// The lines of a file, if they are all that the log has. What comes behind them is not yet in the log, and left away.
    fn new(name: &PluginName, file: &str, leaves: &Lines, policy: &Policy) -> Result<Self, String> {
        let (mut text, mut events) = (String::new(), Vec::new());
        for (line, (seq, leaf)) in file.lines().zip(leaves) {
            let line = Line::parse(line).map_err(|error| chain(&error))?;
            let number = seq + 1;
            if line.digest != leaf.line {
                return Err(format!("line {number} has the digest {}, the log says {}", line.digest, leaf.line));
            }
            if line.log != leaf.log {
                return Err(format!("line {number} says that it is leaf {}, the log has it as {}", line.log, leaf.log));
            }
            text.push_str(&line.to_text());
            text.push('\n');
            events.extend(line.event);
        }
        let found = text.lines().count();
        if found != leaves.len() {
            return Err(format!("it has {found} lines, the log {} of them", leaves.len()));
        }
        let history = History::replay(name, &text, policy).map_err(|error| chain(&error))?;
        let entry = SearchEntry::of(&history);
        Ok(Self { text, events, entry })
    }
}

impl Copy<'_> {
    /// Copies a plugin, all of it checked; or leaves it out, where that does not end the copy.
    pub(super) async fn plugin(
        &self,
        name: &PluginName,
        leaves: &Lines,
        policy: &Policy,
    ) -> Result<Plugin, RegistryError> {
        match self.sound_plugin(name, leaves, policy).await {
            // What cannot be read is not judged: that ends the copy in any case.
            Err(reason @ RegistryError::NoCopy { .. }) if self.unsound != Unsound::Ends => {
                self.leave_out(name, leaves, policy, reason).await
            }
            done => done,
        }
    }

    async fn leave_out(
        &self,
        name: &PluginName,
        leaves: &Lines,
        policy: &Policy,
        reason: RegistryError,
    ) -> Result<Plugin, RegistryError> {
        let earlier = self.to.read(&self.there(&layout::index_file(name))).await?;
        let earlier = earlier.map(|stored| {
            let text = String::from_utf8_lossy(&stored.bytes);
            Checked::new(name, &text, leaves, policy)
        });
        let (before, entry) = match earlier {
            None => (Before::Absent, None),
            Some(Ok(whole)) => (Before::Whole, whole.entry),
            Some(Err(_)) => (Before::Partial, None),
        };
        let left_out = LeftOut { name: name.clone(), reason: chain(&reason), before };
        Ok(Plugin { entry, archives: 0, bytes: 0, left_out: Some(left_out) })
    }

    async fn sound_plugin(&self, name: &PluginName, leaves: &Lines, policy: &Policy) -> Result<Plugin, RegistryError> {
        let path = layout::index_file(name);
        let file = self.index_file(&path).await?;
        let checked = Checked::new(name, &file, leaves, policy).map_err(|message| self.wrong(&path, message))?;
        let Checked { text, events, entry } = checked;
        let mut done = Plugin { entry, archives: 0, bytes: 0, left_out: None };
        for event in &events {
            let Event::Release(release) = event else { continue };
            for record in &release.archives {
                if self.archive(&record.sha256, record.size).await? {
                    done.archives += 1;
                    done.bytes += record.size;
                }
            }
        }
        self.put(&path, text.into_bytes(), Condition::Always).await?;
        Ok(done)
    }

    async fn index_file(&self, path: &str) -> Result<String, RegistryError> {
        let is_missing = self.from.entry(&in_tree(path)).await?.is_none();
        // An export of other plugins than the copy has, for instance.
        if is_missing && self.to.entry(&self.there(path)).await?.is_some() {
            let message =
                format!("it is missing, and the copy in `{}` has it, which would be left behind", self.to.place());
            return Err(self.wrong(path, message));
        }
        self.text(path).await
    }

    /// Copies an archive, unless it is there. Tells whether it did.
    async fn archive(&self, digest: &Digest, size: u64) -> Result<bool, RegistryError> {
        let path = layout::archive(digest);
        let there = self.to.entry(&self.there(&path)).await?;
        if let Some(there) = there.filter(|there| there.length == size)
            && digest_of(self.to, &there).await? == *digest
        {
            return Ok(false);
        }
        let bytes = self.read(&path).await?;
        let found = Digest::of(&bytes);
        if found != *digest {
            return Err(self.wrong(&path, format!("its digest is {found}, the index says {digest}")));
        }
        self.put(&path, bytes, Condition::Always).await?;
        Ok(true)
    }

    /// Writes a file of the log, which never changes. What is there is read: it may be damaged, or of another log.
    pub(super) async fn put_once(&self, path: &str, bytes: &[u8]) -> Result<(), RegistryError> {
        let there = self.there(path);
        let Some(stored) = self.to.read(&there).await? else {
            return self.put(path, bytes.to_vec(), Condition::Always).await;
        };
        if stored.bytes == bytes {
            return Ok(());
        }
        let (found, expected) = (Digest::of(&stored.bytes), Digest::of(bytes));
        Err(RegistryError::Damaged {
            path: Path::new(&self.to.place()).join(there),
            message: format!("its digest is {found}, the log that is copied gives {expected}"),
        })
    }
}

/// The digest of a file that may be large.
async fn digest_of(storage: &dyn Storage, entry: &Entry) -> Result<Digest, StorageError> {
    let mut pieces = storage.pieces(entry, 0..entry.length).await?;
    let mut hasher = Hasher::new();
    while let Some(piece) = pieces.try_next().await? {
        hasher.update(&piece);
    }
    Ok(hasher.finish())
}
