//! A place in front of another, for tests: some things it does in its own way, all others the other one does.

use std::fmt::Debug;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;

use super::{Condition, Entry, Pieces, Put, Storage, StorageError, Stored};

/// What such a place may do in its own way.
#[async_trait]
pub(crate) trait Around: Debug + Send + Sync {
    /// The place behind it.
    fn inner(&self) -> &dyn Storage;

    async fn entry_around(&self, path: &str) -> Result<Option<Entry>, StorageError> {
        self.inner().entry(path).await
    }

    async fn pieces_around(&self, entry: &Entry, part: Range<u64>) -> Result<Pieces, StorageError> {
        self.inner().pieces(entry, part).await
    }

    async fn put_around(&self, path: &str, bytes: Bytes, condition: Condition) -> Result<Put, StorageError> {
        self.inner().put(path, bytes, condition).await
    }

    async fn list_around(&self, prefix: &str) -> Result<Vec<Entry>, StorageError> {
        self.inner().list(prefix).await
    }
}

#[async_trait]
impl<P: Around> Storage for P {
    async fn read(&self, path: &str) -> Result<Option<Stored>, StorageError> {
        self.inner().read(path).await
    }

    async fn entry(&self, path: &str) -> Result<Option<Entry>, StorageError> {
        self.entry_around(path).await
    }

    async fn pieces(&self, entry: &Entry, part: Range<u64>) -> Result<Pieces, StorageError> {
        self.pieces_around(entry, part).await
    }

    async fn put(&self, path: &str, bytes: Bytes, condition: Condition) -> Result<Put, StorageError> {
        self.put_around(path, bytes, condition).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, StorageError> {
        self.list_around(prefix).await
    }

    async fn remove(&self, path: &str) -> Result<(), StorageError> {
        self.inner().remove(path).await
    }

    fn place(&self) -> String {
        self.inner().place()
    }
}
