//! Why a witness does not cosign, and what is wrong with its folder.

use std::path::PathBuf;

use pocket_index::log::{CheckpointError, LogError, NodeHash, NoteKey, NoteKeyError};

/// A witness's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WitnessFolderError {
    /// A file could not be read or written.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// There is a witness already.
    #[error("there is a witness in `{}` already", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// There is none.
    #[error("there is no witness in `{}`", path.display())]
    None {
        /// The folder.
        path: PathBuf,
    },
    /// A name that no key can have.
    #[error("the witness cannot have this name")]
    Name(#[from] NoteKeyError),
    /// A file holds something else than it should.
    #[error("`{}` is damaged: {message}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The file that remembers a log is gone: without it, a second history would be cosigned.
    #[error("what was seen of the log `{origin}` is gone: `{}` is missing", path.display())]
    StateGone {
        /// The log.
        origin: String,
        /// The file.
        path: PathBuf,
    },
    /// Another log of this name is known.
    #[error("the log `{origin}` is known with the key {known}, expected {given}", origin = given.name())]
    OtherKey {
        /// The key that is known.
        known: Box<NoteKey>,
        /// The key that was given.
        given: Box<NoteKey>,
    },
    /// The log is not known.
    #[error("the log {key} is not among those of this witness")]
    NoLog {
        /// The key that was given.
        key: NoteKey,
    },
    /// A key that anyone has signs for the log.
    #[error("the key of the log `{origin}` is a development key, which anyone has")]
    DevelopmentKey {
        /// The log.
        origin: String,
    },
}

/// Why a checkpoint is not cosigned.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It is no checkpoint.
    #[error("the checkpoint is malformed")]
    Malformed(#[source] CheckpointError),
    /// It is said to have grown from a larger one.
    #[error("the request is about a log that had {old} leaves, and its checkpoint has {size}")]
    Backwards {
        /// The size before, as the request says.
        old: u64,
        /// The checkpoint's size.
        size: u64,
    },
    /// Its log is not known here.
    #[error("the log `{}` is not known to this witness", origin.escape_debug())]
    UnknownLog {
        /// The log.
        origin: String,
    },
    /// Its log did not sign it.
    #[error("the log did not sign the checkpoint")]
    NotSigned(#[source] CheckpointError),
    /// The proof begins at another size than the one seen last.
    #[error("the request is about a log that had {old} leaves, and this witness saw {size}")]
    OtherSize {
        /// The size that was cosigned last.
        size: u64,
        /// The size before, as the request says.
        old: u64,
    },
    /// There are hashes where nothing is to be proved.
    #[error("the proof has {hashes} hashes, and nothing was seen of this log that it could begin with")]
    SuperfluousProof {
        /// How many.
        hashes: usize,
    },
    /// The log shrank, or somebody sent an old checkpoint once more.
    #[error("the checkpoint has {new} leaves, and one of {size} was cosigned before{}", kept(evidence.as_ref()))]
    Smaller {
        /// The size that was cosigned last.
        size: u64,
        /// The checkpoint's size.
        new: u64,
        /// Where both are kept, if the log itself did this.
        evidence: Option<PathBuf>,
    },
    /// The log has two histories.
    #[error("the log has two roots for {size} leaves: {old} was cosigned, this one is {new}; both notes are kept in `{}`", evidence.display())]
    Forked {
        /// The size of both.
        size: u64,
        /// The root that was cosigned.
        old: NodeHash,
        /// The checkpoint's root.
        new: NodeHash,
        /// Where both are kept.
        evidence: PathBuf,
    },
    /// The proof does not lead from the one to the other.
    #[error("the checkpoint is not proved to have grown out of the one that was cosigned before; both notes are kept in `{}`", evidence.display())]
    Unproved {
        /// What does not fit.
        source: Box<LogError>,
        /// Where both are kept.
        evidence: PathBuf,
    },
    /// The witness cannot do its work.
    #[error(transparent)]
    Failed(#[from] WitnessFolderError),
}

fn kept(evidence: Option<&PathBuf>) -> String {
    evidence.map_or_else(String::new, |path| format!("; both notes are kept in `{}`", path.display()))
}

pub(super) fn io_error(
    doing: &'static str,
    path: &std::path::Path,
) -> impl FnOnce(std::io::Error) -> WitnessFolderError {
    let path = path.to_owned();
    move |source| WitnessFolderError::Io { doing, path, source }
}
