//! Where a registry's bytes lie: a folder, a bucket, or memory in tests.
//!
//! Nothing is known here of what the files say. Two conditions are all that writers have against each other: a file is written
//! only if there is none, or only if it is still the one that was read. Each file is there whole or not at all.

#[cfg(test)]
mod around;
mod bucket;
mod error;
#[cfg(test)]
mod faulty;
mod folder;
pub(crate) mod probe;

use std::fmt::Debug;
use std::ops::Range;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

#[cfg(test)]
pub(crate) use around::Around;
pub(crate) use bucket::Bucket;
pub use bucket::BucketOptions;
pub use error::{Fault, StorageError};
#[cfg(test)]
pub(crate) use faulty::{Faulty, When};
pub(crate) use folder::{Folder, make_durable};

/// The static files that everybody may read stand below this.
pub(crate) const TREE: &str = "tree/";

/// The path of a file of the static tree in the storage.
pub(crate) fn in_tree(path: &str) -> String {
    format!("{TREE}{path}")
}

/// Which bytes a path had: another tag, other bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tag(pub(crate) String);

/// A file with what its place says of it.
#[derive(Debug, Clone)]
pub struct Stored {
    /// All of it.
    pub bytes: Bytes,
    /// Which one it is.
    pub tag: Tag,
}

/// What a place says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path.
    pub path: String,
    /// Its length in bytes.
    pub length: u64,
    /// Which one it is.
    pub tag: Tag,
    /// When it was written.
    pub modified: SystemTime,
}

/// When a file is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Whatever is there.
    Always,
    /// Only if there is none.
    Absent,
    /// Only if it is still the one that was read.
    Unchanged(Tag),
}

impl Condition {
    /// What was read, or that there was nothing, is still so.
    pub fn as_read(stored: Option<&Stored>) -> Self {
        stored.map_or(Self::Absent, |stored| Self::Unchanged(stored.tag.clone()))
    }
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// It is there, for good.
    Done(Tag),
    /// The condition did not hold. A place that is reached over a network may say this of one's own write, if its first answer got
    /// lost: read back and compare.
    Refused,
}

/// A part of a file, piece by piece.
pub type Pieces = BoxStream<'static, Result<Bytes, StorageError>>;

/// Files by path. Paths are plain ASCII, their parts joined by `/`.
#[async_trait]
pub trait Storage: Debug + Send + Sync {
    /// All of a file; none if there is none.
    async fn read(&self, path: &str) -> Result<Option<Stored>, StorageError>;

    /// What there is to know of a file without reading it.
    async fn entry(&self, path: &str) -> Result<Option<Entry>, StorageError>;

    /// A part of the file that `entry` told of.
    ///
    /// # Errors
    /// It is another one by now.
    async fn pieces(&self, entry: &Entry, part: Range<u64>) -> Result<Pieces, StorageError>;

    /// Writes a file whole.
    async fn put(&self, path: &str, bytes: Bytes, condition: Condition) -> Result<Put, StorageError>;

    /// Every file whose path starts with `prefix`, which is empty or ends with `/`.
    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, StorageError>;

    /// What a crash left half-written, if anything is seen of that.
    async fn temporary(&self) -> Result<Vec<Entry>, StorageError> {
        Ok(Vec::new())
    }

    /// Removes a file; none there is as good.
    async fn remove(&self, path: &str) -> Result<(), StorageError>;

    /// Where it is, for messages.
    fn place(&self) -> String;
}
