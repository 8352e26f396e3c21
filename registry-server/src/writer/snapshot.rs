//! The files that the one writer of an index reads, fetched before it asks for them.

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use futures_util::future::try_join_all;
use pocket_index::append::{Files, files_to_append};
use pocket_index::layout;
use pocket_index::log::{EntriesPath, decode_entries};
use pocket_index::name::PluginName;

use crate::storage::{Storage, StorageError, in_tree};

/// Files of the static tree as they were read.
#[derive(Debug, Clone, Default)]
pub(super) struct Snapshot(BTreeMap<String, Option<Bytes>>);

impl Snapshot {
    /// What adding a line about this plugin to a log of `size` leaves reads.
    pub async fn to_append(storage: &dyn Storage, name: &PluginName, size: u64) -> Result<Self, StorageError> {
        let mut snapshot = Self::default();
        snapshot.fetch(storage, files_to_append(name, size)).await?;
        // A leaf beyond the checkpoint names the plugin whose line may wait.
        let next = EntriesPath::holding(size, size + 1);
        let waiting = snapshot.get(&next.to_string()).and_then(|bytes| decode_entries(bytes, next.width).ok());
        if let Some(leaf) = waiting.and_then(|leaves| leaves.into_iter().next_back()) {
            snapshot.fetch(storage, vec![layout::index_file(&leaf.name)]).await?;
        }
        Ok(snapshot)
    }

    async fn fetch(&mut self, storage: &dyn Storage, paths: Vec<String>) -> Result<(), StorageError> {
        let reads = paths.iter().map(async |path| storage.read(&in_tree(path)).await);
        let found = try_join_all(reads).await?;
        self.0.extend(paths.into_iter().zip(found.into_iter().map(|stored| stored.map(|stored| stored.bytes))));
        Ok(())
    }

    /// A file that is there.
    pub fn get(&self, path: &str) -> Option<&Bytes> {
        self.0.get(path).and_then(Option::as_ref)
    }
}

impl Files for Snapshot {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let known = self.0.get(path).ok_or_else(|| io::Error::other("it was not fetched"))?;
        Ok(known.as_ref().map(|bytes| bytes.to_vec()))
    }
}
