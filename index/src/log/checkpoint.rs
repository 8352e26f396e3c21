//! Checkpoints: the signed size and root of a log. Format: C2SP `tlog-checkpoint`.

use serde::{Deserialize, Serialize};

use super::keys;
use super::merkle::{NodeHash, root_of_nothing};
use super::note::{self, NoteError, NoteKey, NoteSigner, SignatureLine};
use crate::digest::Digest;
use crate::record::MAX_INTEGER;

/// Which tree: as a lock or a client's memory keeps it. Nothing in it proves where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeHead {
    /// The log's name.
    pub origin: String,
    /// How many leaves it has.
    pub size: u64,
    /// The hash over all of them.
    pub root: NodeHash,
}

/// A tree head whose signature was checked, or that was just signed.
///
/// It comes only from [`Checkpoint::open`], [`Checkpoint::open_pinned`] and [`Checkpoint::sign`]:
///
/// ```compile_fail,E0451
/// use pocket_index::log::{Checkpoint, TreeHead};
/// fn forge(head: TreeHead, other: Checkpoint) -> Checkpoint {
///     Checkpoint { head, ..other }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    head: TreeHead,
    keys: Digest,
    note: String,
}

/// Why a text is no checkpoint of this log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note is malformed or not signed by the log.
    #[error("the checkpoint is not a note that the log signed")]
    Note(#[from] NoteError),
    /// The bytes are not UTF-8.
    #[error("the checkpoint is not UTF-8 text")]
    NotText,
    /// The text is not origin, size and root.
    #[error("the checkpoint's text is malformed: {what} `{}`", value.escape_debug())]
    Malformed {
        /// What was expected.
        what: &'static str,
        /// What stands there.
        value: String,
    },
    /// The log signed for another log.
    #[error("the checkpoint is of the log `{}`, expected `{expected}`", found.escape_debug())]
    Origin {
        /// The log we asked for.
        expected: String,
        /// The log it is of.
        found: String,
    },
    /// Not the checkpoint that was pinned.
    #[error("the checkpoint's digest is {found}, expected {expected}")]
    Pinned {
        /// The digest that was pinned.
        expected: Digest,
        /// The digest of what is there.
        found: Digest,
    },
}

impl Checkpoint {
    /// Reads a checkpoint and checks the log's signature.
    pub fn open(note: &[u8], key: &NoteKey) -> Result<Self, CheckpointError> {
        let note = str::from_utf8(note).map_err(|_| CheckpointError::NotText)?;
        let (head, keys) = parse(note::open(note, key)?)?;
        if head.origin != key.name() {
            return Err(CheckpointError::Origin { expected: key.name().to_owned(), found: head.origin });
        }
        Ok(Self { head, keys, note: note.to_owned() })
    }

    /// Reads a checkpoint that is trusted by its digest, not by a key: the bundled index's, compiled into the program.
    pub fn open_pinned(note: &[u8], expected: Digest) -> Result<Self, CheckpointError> {
        let found = Digest::of(note);
        if found != expected {
            return Err(CheckpointError::Pinned { expected, found });
        }
        let note = str::from_utf8(note).map_err(|_| CheckpointError::NotText)?;
        let (text, _) = note::split(note)?;
        let (head, keys) = parse(text)?;
        Ok(Self { head, keys, note: note.to_owned() })
    }

    /// The log that a checkpoint says it is of. Its form is checked, no signature is: this tells which key to try.
    pub fn origin_of(note: &[u8]) -> Result<String, CheckpointError> {
        let note = str::from_utf8(note).map_err(|_| CheckpointError::NotText)?;
        Ok(parse(note::split(note)?.0)?.0.origin)
    }

    /// Signs a tree head and the digest of the registry's event keys ([`super::keys_digest`]); the origin is the signer's name.
    /// When that was, [`Checkpoint::stated_at`] adds.
    pub fn sign(size: u64, root: NodeHash, keys: Digest, signer: &NoteSigner) -> Self {
        let origin = signer.key().name().to_owned();
        let note = signer.sign(&format!("{origin}\n{size}\n{root}\n{}", keys::write(keys)));
        Self { head: TreeHead { origin, size, root }, keys, note }
    }

    /// The checkpoint that a log starts with.
    pub fn of_nothing(keys: Digest, signer: &NoteSigner) -> Self {
        Self::sign(0, root_of_nothing(), keys, signer)
    }

    /// The tree.
    pub fn head(&self) -> &TreeHead {
        &self.head
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.head.size
    }

    /// The digest of the registry's event keys, as the log states it: that of no keys if it states none.
    pub fn keys(&self) -> Digest {
        self.keys
    }

    /// The text that is signed, with its newline.
    pub(super) fn text(&self) -> &str {
        note::split(&self.note).expect("it was split before").0
    }

    /// The same checkpoint with the lines of the log's own key and name alone.
    pub fn bare(&self, log: &NoteKey) -> Result<Self, CheckpointError> {
        let (text, lines) = note::split(&self.note)?;
        let own = lines.iter().filter(|line| line.name == log.name()).map(SignatureLine::to_text);
        let note = format!("{text}\n{}", own.collect::<String>());
        Self::open(note.as_bytes(), log)
    }

    /// The same tree under other signatures.
    pub(super) fn with_note(&self, note: String) -> Self {
        Self { head: self.head.clone(), keys: self.keys, note }
    }

    /// The whole signed note, as it stands in `log/checkpoint`.
    pub fn note(&self) -> &str {
        &self.note
    }
}

/// Origin, size, root; further lines are extensions, of which one states the registry's keys.
fn parse(text: &str) -> Result<(TreeHead, Digest), CheckpointError> {
    let mut lines = text.lines();
    let mut line = |what| lines.next().ok_or(CheckpointError::Malformed { what, value: String::new() });
    let origin = line("expected the origin, found")?;
    let size_text = line("expected the number of leaves, found")?;
    let root = line("expected the root in base64, found")?;
    if origin.is_empty() {
        return Err(CheckpointError::Malformed { what: "expected the origin, found", value: String::new() });
    }
    let malformed = |what, value: &str| CheckpointError::Malformed { what, value: value.to_owned() };
    let size = size_text.parse::<u64>().ok().filter(|size| *size <= MAX_INTEGER && size.to_string() == size_text);
    let head = TreeHead {
        origin: origin.to_owned(),
        size: size.ok_or_else(|| malformed("expected the number of leaves, found", size_text))?,
        root: root.parse().map_err(|_| malformed("expected the root in base64, found", root))?,
    };
    Ok((head, keys::parse(lines)?))
}
