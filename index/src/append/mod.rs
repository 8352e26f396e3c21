//! The one writer of an index: takes a signed event, gives the files that change, in the order in which to write them.
//!
//! It reads through [`Files`] and writes nothing itself, so that a registry server, a tool that makes a static index and a test
//! share it. The order makes a crash harmless: nothing a client trusts points at something unwritten.
//!
//! 1. the archives (the caller's part),
//! 2. the bundle of leaves, which names the line that is coming,
//! 3. the plugin's index file with the line,
//! 4. the tiles, 5. the checkpoint, which publishes it.
//!
//! After a crash between 3 and 5, [`Appender::recover`] finds the line by its leaf and finishes the work. There must be one
//! writer at a time.

mod error;
mod tiles;

use std::io;
use std::ops::Range;

use crate::layout;
use crate::log::{
    Checkpoint, EntriesPath, Leaf, NodeHash, NoteSigner, TilePath, decode_entries, encode_entry, next_time, tree_root,
};
use crate::name::PluginName;
use crate::record::{Event, History, Line, MAX_FILE_BYTES, Outline, Place, Policy};
use crate::signature::Signature;

pub use error::AppendError;
use tiles::Overlay;

/// 1 MiB of a plugin's file, four of the longest lines: for what withdraws a version or names other owners, when the file is full.
const KEPT_FREE: usize = 1 << 20;

/// The files of an index, by their paths relative to its root.
pub trait Files {
    /// The bytes of a file; none if there is no such file.
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>>;
}

/// Adds events to an index.
pub struct Appender<'a, F> {
    files: &'a F,
    signer: &'a NoteSigner,
    policy: &'a Policy,
}

/// An event on its way into an index.
#[derive(Debug, Clone)]
pub struct Submission<'a> {
    /// The plugin whose file it goes to; the event must name the same.
    pub name: &'a PluginName,
    /// The event's bytes as they were signed.
    pub event: &'a str,
    /// Who signed them.
    pub signatures: Vec<Signature>,
    /// What time it is: seconds since 1970-01-01 UTC. Line and checkpoint state it, or the time of the checkpoint or of the line
    /// before, should the clock be a little behind those.
    pub at: u64,
}

/// An event that is in the index once all writes are done.
#[derive(Debug, Clone)]
pub struct Appended {
    /// The new line.
    pub line: Line,
    /// The plugin's history with it.
    pub history: History,
    /// The checkpoint that publishes it.
    pub checkpoint: Checkpoint,
    /// What to write, in this order, each file whole; the checkpoint is the last of them.
    pub writes: Vec<Write>,
}

/// A file to write whole: to a temporary name, synced, then renamed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Its path relative to the index's root.
    pub path: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The files a log starts with: a checkpoint of no leaves, signed at `now` (seconds since 1970-01-01 UTC). An index without it is
/// refused, for a lost checkpoint must not start the log anew.
pub fn start(signer: &NoteSigner, policy: &Policy, now: u64) -> Vec<Write> {
    let checkpoint = Checkpoint::of_nothing(policy.keys_digest(), signer).stated_at(now, signer);
    let checkpoint = checkpoint.expect("it has one signature line besides");
    vec![Write::of_checkpoint(&checkpoint)]
}

impl Write {
    /// The file of a checkpoint.
    pub fn of_checkpoint(checkpoint: &Checkpoint) -> Self {
        Self { path: layout::CHECKPOINT.to_owned(), bytes: checkpoint.note().as_bytes().to_vec() }
    }
}

/// The files that [`Appender::append`] may read, for a storage that must fetch them first. `size` is the checkpoint's. Should the
/// last path of the list exist, the index file of the plugin that its last leaf names is read as well.
pub fn files_to_append(name: &PluginName, size: u64) -> Vec<String> {
    let mut paths = vec![layout::CHECKPOINT.to_owned(), layout::index_file(name)];
    paths.extend(tiles::right_edge(size).map(|tile| tile.to_string()));
    paths.extend(last_bundle(size).map(|path| path.to_string()));
    paths.push(EntriesPath::holding(size, size + 1).to_string());
    paths
}

/// The bundle that the next leaf joins, if it is begun.
fn last_bundle(size: u64) -> Option<EntriesPath> {
    let begun = EntriesPath::holding(size, size);
    (begun.width > 0).then_some(begun)
}

/// Checks who signed an event that is to come next in a file, without its line's place in the log and without the archives.
/// [`Appender::append`] checks all of it again; this tells early whom it would refuse.
///
/// # Errors
/// The event is malformed, or those who signed it may not say it.
pub fn check_signers(outline: &Outline, submission: Submission<'_>) -> Result<(), AppendError> {
    let log = outline.last_log().map_or(0, |log| log + 1);
    let place = Place { seq: outline.len(), prev: outline.head(), log, at: submission.at.max(outline.last_at()) };
    let line = Line::frame(place, submission.event, submission.signatures)?;
    if line.event.is_none() {
        return Err(AppendError::UnknownKind { kind: line.kind });
    }
    Ok(outline.check_signers(&line)?)
}

impl<'a, F: Files> Appender<'a, F> {
    /// A writer that reads `files`, signs checkpoints with `signer`, and lets `policy` say who may sign events.
    pub fn new(files: &'a F, signer: &'a NoteSigner, policy: &'a Policy) -> Self {
        Self { files, signer, policy }
    }

    /// Checks an event as every client will, and gives the files that it changes.
    pub fn append(&self, submission: Submission<'_>) -> Result<Appended, AppendError> {
        let checkpoint = self.checkpoint()?;
        let size = checkpoint.size();
        let at = next_time(checkpoint.signed_at(self.signer.key())?, submission.at)?;
        if let Some((name, line)) = self.unfinished(size)? {
            return Err(AppendError::Unfinished { name, seq: line.seq });
        }
        let mut text = self.index_file(submission.name)?;
        let mut history = self.replay(submission.name, &text)?;
        // A clock that was set back does not make a line older than the one before it.
        let at = at.max(history.outline().last_at());
        let place = Place { seq: history.len(), prev: history.head(), log: size, at };
        let line = Line::frame(place, submission.event, submission.signatures)?;
        // A client passes over kinds it does not know. A writer cannot say who may sign them.
        if line.event.is_none() {
            return Err(AppendError::UnknownKind { kind: line.kind });
        }
        history.push(&line)?;
        let bytes = text.len();
        text.push_str(&line.to_text());
        text.push('\n');
        check_room(submission.name, &line, bytes..text.len())?;

        let leaf = leaf_of(submission.name, &line);
        let mut writes = vec![self.bundle(size, &leaf)?];
        writes.push(Write { path: layout::index_file(submission.name), bytes: text.into_bytes() });
        self.finish(size, at, leaf, line, history, writes)
    }

    /// Finishes what a crash left between the index file and the checkpoint, which is signed at `now`. None if there is nothing
    /// to finish. To be called before the first append and after every failed write.
    pub fn recover(&self, now: u64) -> Result<Option<Appended>, AppendError> {
        let checkpoint = self.checkpoint()?;
        let size = checkpoint.size();
        let Some((name, line)) = self.unfinished(size)? else { return Ok(None) };
        let at = next_time(checkpoint.signed_at(self.signer.key())?.max(Some(line.at)), now)?;
        let history = self.replay(&name, &self.index_file(&name)?)?;
        self.finish(size, at, leaf_of(&name, &line), line, history, Vec::new()).map(Some)
    }

    fn finish(
        &self,
        size: u64,
        at: u64,
        leaf: Leaf,
        line: Line,
        history: History,
        mut writes: Vec<Write>,
    ) -> Result<Appended, AppendError> {
        let (tiles, root) = self.grow(size, leaf.hash())?;
        writes.extend(tiles);
        let checkpoint = Checkpoint::sign(size + 1, root, self.policy.keys_digest(), self.signer);
        let checkpoint = checkpoint.stated_at(at, self.signer)?;
        writes.push(Write::of_checkpoint(&checkpoint));
        Ok(Appended { line, history, checkpoint, writes })
    }

    /// The tiles that a new leaf changes, and the new root.
    fn grow(&self, size: u64, leaf: NodeHash) -> Result<(Vec<Write>, NodeHash), AppendError> {
        let mut overlay = Overlay::new(self.files);
        overlay.push(size, leaf)?;
        let root = tree_root(size + 1, &overlay)?;
        let write = |(path, bytes): (TilePath, Vec<u8>)| Write { path: path.to_string(), bytes };
        Ok((overlay.into_changed().map(write).collect(), root))
    }

    /// The bundle that the leaf joins.
    fn bundle(&self, size: u64, leaf: &Leaf) -> Result<Write, AppendError> {
        let mut bytes = match last_bundle(size) {
            Some(begun) => {
                let path = begun.to_string();
                let bytes = self.read(&path)?.ok_or(AppendError::Missing { path: path.clone() })?;
                decode_entries(&bytes, begun.width).map_err(|source| AppendError::Entries { path, source })?;
                bytes
            }
            None => Vec::new(),
        };
        bytes.extend(encode_entry(leaf));
        Ok(Write { path: EntriesPath::holding(size, size + 1).to_string(), bytes })
    }

    /// A line that is in its file and has a leaf waiting, but no checkpoint.
    fn unfinished(&self, size: u64) -> Result<Option<(PluginName, Line)>, AppendError> {
        let next = EntriesPath::holding(size, size + 1);
        let Some(bytes) = self.read(&next.to_string())? else { return Ok(None) };
        let leaves = decode_entries(&bytes, next.width)
            .map_err(|source| AppendError::Entries { path: next.to_string(), source })?;
        let Some(leaf) = leaves.last() else { return Ok(None) };
        let text = self.index_file(&leaf.name)?;
        let Some(last) = text.lines().next_back() else { return Ok(None) };
        let line = Line::parse(last)?;
        // If the crash came before the line was written, the leaf is nobody's and the next append overwrites it.
        Ok((line.digest == leaf.line && line.log == size).then(|| (leaf.name.clone(), line)))
    }

    fn checkpoint(&self) -> Result<Checkpoint, AppendError> {
        let path = layout::CHECKPOINT;
        let bytes = self.read(path)?.ok_or_else(|| AppendError::Missing { path: path.to_owned() })?;
        Ok(Checkpoint::open(&bytes, self.signer.key())?)
    }

    fn replay(&self, name: &PluginName, text: &str) -> Result<History, AppendError> {
        if text.is_empty() {
            return Ok(History::empty(name.clone(), self.policy));
        }
        Ok(History::replay(name, text, self.policy)?)
    }

    fn index_file(&self, name: &PluginName) -> Result<String, AppendError> {
        let path = layout::index_file(name);
        let bytes = self.read(&path)?.unwrap_or_default();
        String::from_utf8(bytes).map_err(|_| AppendError::NotText { path })
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, AppendError> {
        self.files.read(path).map_err(|source| AppendError::Read { path: path.to_owned(), source })
    }
}

/// Refuses what would make a file longer than readers take, and a while before that what the file can do without.
fn check_room(name: &PluginName, line: &Line, grows: Range<usize>) -> Result<(), AppendError> {
    let most = match &line.event {
        Some(Event::Yank(_) | Event::Revoke(_) | Event::OwnerKeys(_) | Event::OwnerRecovery(_)) => MAX_FILE_BYTES,
        _ => MAX_FILE_BYTES - KEPT_FREE,
    };
    let Range { start: bytes, end: more } = grows;
    let full = || AppendError::FileFull { name: name.clone(), kind: line.kind.clone(), bytes, more, most };
    if more > most { Err(full()) } else { Ok(()) }
}

fn leaf_of(name: &PluginName, line: &Line) -> Leaf {
    Leaf { name: name.clone(), seq: line.seq, line: line.digest }
}

#[cfg(test)]
mod tests;
