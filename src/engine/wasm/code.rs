//! A plugin's file: digested once, read only if it must be compiled.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use pocket_index::digest::{Digest, Digested};

/// A plugin's file.
pub(super) enum CodeFile<'a> {
    /// Its bytes, digested just now.
    Here(Digested<'a>),
    /// Digested when its folder was verified.
    Verified {
        /// Where it is.
        path: PathBuf,
        /// What its digest was.
        digest: Digest,
    },
}

impl<'a> CodeFile<'a> {
    /// These bytes.
    pub(super) fn of(bytes: impl Into<Cow<'a, [u8]>>) -> Self {
        Self::Here(Digested::of(bytes))
    }

    /// The file at `path`, whose digest is known if its folder was verified.
    ///
    /// # Errors
    /// A sentence without subject.
    pub(super) fn open(path: PathBuf, verified: Option<Digest>) -> Result<Self, String> {
        match verified {
            Some(digest) => Ok(Self::Verified { path, digest }),
            None => read(&path).map(Self::of),
        }
    }

    pub(super) fn digest(&self) -> Digest {
        match self {
            Self::Here(digested) => digested.digest(),
            Self::Verified { digest, .. } => *digest,
        }
    }

    /// The bytes that have the digest.
    ///
    /// # Errors
    /// A sentence without subject: the file cannot be read, or it is another one by now.
    pub(super) fn bytes(&self) -> Result<Cow<'_, [u8]>, String> {
        match self {
            Self::Here(digested) => Ok(Cow::Borrowed(digested.bytes())),
            Self::Verified { path, digest } => {
                let bytes = read(path)?;
                let found = Digest::of(&bytes);
                if found == *digest {
                    return Ok(Cow::Owned(bytes));
                }
                Err(format!("`{}` was {digest} when it was verified, and is {found} now", path.display()))
            }
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))
}
