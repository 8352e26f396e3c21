//! A witness: it cosigns the checkpoints of logs that it knows, each only if the log grew out of the one that it cosigned
//! before. Protocol: C2SP `tlog-witness`.
//!
//! A log that shows two histories to two users needs cosignatures on both, and gets them on one. What a witness knows is one
//! checkpoint a log; it is written before the cosignature leaves, under a lock of its own, so that neither a crash nor two requests
//! at once can make it sign two histories.

mod error;
mod evidence;
mod folder;
mod serve;
mod state;

pub use error::{Refusal, WitnessFolderError};
pub use folder::KnownLog;
pub use serve::{WitnessServer, router, serve_until_stopped};

use std::path::{Path, PathBuf};

use pocket_index::log::{
    Checkpoint, CheckpointError, Cosignature, Cosigner, CosignerKey, LogError, NoteError, NoteKey,
    check_consistency_proof,
};
use pocket_index::signature::SecretKey;
use pocket_index::witness::AddCheckpoint;

use evidence::Evidence;
use state::State;

/// A witness's folder, opened.
#[derive(Debug)]
pub struct Witness {
    root: PathBuf,
    key: CosignerKey,
    secret: SecretKey,
}

/// How a checkpoint came here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Somebody sent it: it may be one that the log signed long ago.
    Sent,
    /// It was read from the log's own place a moment ago.
    Read,
}

impl Witness {
    /// Makes a new witness in a folder, with a new key.
    ///
    /// # Errors
    /// There is one already, or the folder cannot be written.
    pub fn init(root: &Path, name: &str) -> Result<Self, WitnessFolderError> {
        folder::init(root, name)?;
        Self::open(root)
    }

    /// Opens a witness.
    ///
    /// # Errors
    /// There is none in the folder, or its files do not fit together.
    pub fn open(root: &Path) -> Result<Self, WitnessFolderError> {
        let (key, secret) = folder::read_key(root)?;
        Ok(Self { root: root.to_owned(), key, secret })
    }

    /// The key that its cosignatures are checked with.
    pub fn key(&self) -> &CosignerKey {
        &self.key
    }

    /// The logs that it cosigns.
    pub fn logs(&self) -> Result<Vec<KnownLog>, WitnessFolderError> {
        folder::read_logs(&self.root)?.into_iter().map(|key| KnownLog::read(&self.root, key)).collect()
    }

    /// Cosigns this log's checkpoints from now on. A server that runs takes it up with the next request.
    pub fn add_log(&self, key: &NoteKey) -> Result<(), WitnessFolderError> {
        folder::add_log(&self.root, key)
    }

    /// Cosigns this log's checkpoints no more. What was seen of it stays known.
    pub fn remove_log(&self, key: &NoteKey) -> Result<(), WitnessFolderError> {
        folder::remove_log(&self.root, key)
    }

    /// How many leaves the log of this origin had when its checkpoint was cosigned last; 0 if none ever was.
    pub fn seen(&self, origin: &str) -> Result<u64, Refusal> {
        let log = self.log(origin)?;
        let state = State::take(&self.root, &log)?;
        Ok(state.seen().map_or(0, Checkpoint::size))
    }

    /// Reads a checkpoint that a log known here signed. Nothing is compared, and nothing written.
    ///
    /// # Errors
    /// The log is not known, or did not sign it.
    pub fn open_checkpoint(&self, note: &[u8]) -> Result<Checkpoint, Refusal> {
        let log = self.log(&Checkpoint::origin_of(note).map_err(Refusal::Malformed)?)?;
        Checkpoint::open(note, &log).map_err(unsigned)
    }

    /// Cosigns a checkpoint if its log is known, signed it, and grew into it. `now` is in seconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// Why not. Where the log contradicted itself, both of its notes are kept first.
    pub fn cosign(&self, request: &AddCheckpoint, way: Way, now: u64) -> Result<Cosignature, Refusal> {
        let new = self.open_checkpoint(request.note.as_bytes())?;
        let log = self.log(&new.head().origin)?;
        if request.old > new.size() {
            return Err(Refusal::Backwards { old: request.old, size: new.size() });
        }
        let mut state = State::take(&self.root, &log)?;
        if let Some(seen) = state.seen() {
            self.compare(seen, &new, request, way, &log)?;
        } else if request.old != 0 {
            return Err(Refusal::OtherSize { size: 0, old: request.old });
        } else if !request.proof.is_empty() {
            return Err(Refusal::SuperfluousProof { hashes: request.proof.len() });
        }
        state.replace(&new, &log)?;
        let cosigner = Cosigner::new(self.key.name(), &self.secret).expect("the name is that of a key");
        Ok(cosigner.cosign(&new, now))
    }

    /// Holds a checkpoint against the one that was cosigned last.
    fn compare(
        &self,
        seen: &Checkpoint,
        new: &Checkpoint,
        request: &AddCheckpoint,
        way: Way,
        log: &NoteKey,
    ) -> Result<(), Refusal> {
        let keep = |error: &LogError| Evidence { seen, new, proof: &request.proof, error }.keep(&self.root);
        let size = seen.size();
        if new.size() < size {
            let error = LogError::Smaller { old: size, new: new.size() };
            // Everybody may send an old checkpoint once more. It is the log's doing only if the log signed it later.
            let evidence = (way == Way::Read || is_later(new, seen, log)).then(|| keep(&error)).transpose()?;
            return Err(Refusal::Smaller { size, new: new.size(), evidence });
        }
        if new.size() == size && new.head() != seen.head() {
            let (old, root) = (seen.head().root, new.head().root);
            let evidence = keep(&LogError::Forked { size, old, new: root })?;
            return Err(Refusal::Forked { size, old, new: root, evidence });
        }
        if request.old != size {
            return Err(Refusal::OtherSize { size, old: request.old });
        }
        match check_consistency_proof(seen.head(), new, &request.proof) {
            Ok(()) => Ok(()),
            Err(error) => {
                let evidence = keep(&error)?;
                Err(Refusal::Unproved { source: Box::new(error), evidence })
            }
        }
    }

    fn log(&self, origin: &str) -> Result<NoteKey, Refusal> {
        let known = folder::read_logs(&self.root)?.into_iter().find(|key| key.name() == origin);
        known.ok_or_else(|| Refusal::UnknownLog { origin: origin.to_owned() })
    }
}

/// Whether the log's own statement of time on one checkpoint is later than that on another.
fn is_later(one: &Checkpoint, other: &Checkpoint, log: &NoteKey) -> bool {
    let time = |checkpoint: &Checkpoint| checkpoint.signed_at(log).ok().flatten();
    matches!((time(one), time(other)), (Some(one), Some(other)) if one > other)
}

fn unsigned(error: CheckpointError) -> Refusal {
    match error {
        CheckpointError::Note(NoteError::NotSigned { .. } | NoteError::Mismatch { .. }) => Refusal::NotSigned(error),
        error => Refusal::Malformed(error),
    }
}

#[cfg(test)]
mod tests;
