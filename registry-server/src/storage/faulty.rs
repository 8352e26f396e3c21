//! A place that stops working at a chosen write, as a process that is killed there does.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;

use super::{Condition, Entry, Fault, Pieces, Put, Storage, StorageError, Stored};

/// On which side of the last write the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// The write is not done.
    Before,
    /// It is done, and its writer does not hear of it.
    After,
}

/// Another place, until so many writes were tried. From then on everything fails.
#[derive(Debug)]
pub(crate) struct Faulty {
    inner: Arc<dyn Storage>,
    writes: AtomicUsize,
    last: usize,
    when: When,
}

impl Faulty {
    /// Dies at write number `last`, counted from 0.
    pub(crate) fn new(inner: Arc<dyn Storage>, last: usize, when: When) -> Self {
        Self { inner, writes: AtomicUsize::new(0), last, when }
    }

    /// Whether the chosen write came.
    pub(crate) fn is_dead(&self) -> bool {
        self.writes.load(Ordering::SeqCst) > self.last
    }

    fn check(&self, path: &str) -> Result<(), StorageError> {
        if self.is_dead() { Err(dead(path)) } else { Ok(()) }
    }
}

fn dead(path: &str) -> StorageError {
    StorageError { doing: "reach", path: path.to_owned(), fault: Fault::Unreachable, source: "dead".into() }
}

#[async_trait]
impl Storage for Faulty {
    async fn read(&self, path: &str) -> Result<Option<Stored>, StorageError> {
        self.check(path)?;
        self.inner.read(path).await
    }

    async fn entry(&self, path: &str) -> Result<Option<Entry>, StorageError> {
        self.check(path)?;
        self.inner.entry(path).await
    }

    async fn pieces(&self, entry: &Entry, part: Range<u64>) -> Result<Pieces, StorageError> {
        self.check(&entry.path)?;
        self.inner.pieces(entry, part).await
    }

    async fn put(&self, path: &str, bytes: Bytes, condition: Condition) -> Result<Put, StorageError> {
        let number = self.writes.fetch_add(1, Ordering::SeqCst);
        if number > self.last || (number == self.last && self.when == When::Before) {
            return Err(dead(path));
        }
        let put = self.inner.put(path, bytes, condition).await;
        if number == self.last { Err(dead(path)) } else { put }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, StorageError> {
        self.check(prefix)?;
        self.inner.list(prefix).await
    }

    async fn remove(&self, path: &str) -> Result<(), StorageError> {
        self.check(path)?;
        self.inner.remove(path).await
    }

    fn place(&self) -> String {
        self.inner.place()
    }
}
