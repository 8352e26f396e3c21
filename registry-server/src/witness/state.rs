//! What a witness saw of one log: the checkpoint that it cosigned last.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use pocket_index::digest::Digest;
use pocket_index::log::{Checkpoint, NoteKey};

use super::error::{WitnessFolderError, io_error};
use super::folder;
use crate::error::chain;

/// The right to read and change what was seen of one log. One request has it at a time, in all processes.
pub(super) struct State {
    path: PathBuf,
    seen: Option<Checkpoint>,
    _lock: File,
}

impl State {
    /// Waits for the right.
    pub(super) fn take(root: &Path, log: &NoteKey) -> Result<Self, WitnessFolderError> {
        let lock = folder::lock(root, &format!("{}.lock", name(log.name())))?;
        Ok(Self { path: path(root, log), seen: read(root, log)?, _lock: lock })
    }

    /// The checkpoint that was cosigned last; none if none ever was.
    pub(super) fn seen(&self) -> Option<&Checkpoint> {
        self.seen.as_ref()
    }

    /// Writes down a checkpoint that was checked, before its cosignature leaves. Of the same tree the note with the log's later
    /// statement of time is kept.
    pub(super) fn replace(&mut self, new: &Checkpoint, log: &NoteKey) -> Result<(), WitnessFolderError> {
        let is_news = |seen: &Checkpoint| seen.head() != new.head() || super::is_later(new, seen, log);
        if !self.seen.as_ref().is_none_or(is_news) {
            return Ok(());
        }
        // Lines of others are nobody's business here, and would let anybody fill the disk.
        let damaged = |message: String| WitnessFolderError::Damaged { path: self.path.clone(), message };
        let bare = new.bare(log).map_err(|error| damaged(chain(&error)))?;
        folder::write(&self.path, bare.note())?;
        self.seen = Some(bare);
        Ok(())
    }
}

/// What was seen of a log. A missing file is an error: it would let a second history be cosigned.
pub(super) fn read(root: &Path, log: &NoteKey) -> Result<Option<Checkpoint>, WitnessFolderError> {
    let path = path(root, log);
    let note = match fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(WitnessFolderError::StateGone { origin: log.name().to_owned(), path });
        }
        note => note.map_err(io_error("read", &path))?,
    };
    if note.is_empty() {
        return Ok(None);
    }
    let opened = Checkpoint::open(&note, log);
    opened.map(Some).map_err(|error| WitnessFolderError::Damaged { path, message: chain(&error) })
}

/// Begins to remember a log. What was seen of it before stays, and must be of this key.
pub(super) fn begin(root: &Path, log: &NoteKey) -> Result<(), WitnessFolderError> {
    match read(root, log) {
        Err(WitnessFolderError::StateGone { path, .. }) => folder::write(&path, ""),
        read => read.map(drop),
    }
}

fn path(root: &Path, log: &NoteKey) -> PathBuf {
    root.join("state").join(name(log.name()))
}

/// The name that a log's files have: its origin may hold anything.
pub(super) fn name(origin: &str) -> String {
    Digest::of(origin.as_bytes()).hex()[..16].to_owned()
}
