//! The search list made anew from the index files: where it is gone or cannot be read, and when an operator wishes.

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use pocket_index::layout;
use pocket_index::name::PluginName;
use pocket_index::search::{self, SearchEntry};

use super::{ATTEMPTS, Writer, back_off};
use crate::RegistryError;
use crate::error::chain;
use crate::storage::{Condition, Put, TREE, in_tree};

/// How many index files are read at once.
const AT_ONCE: usize = 16;

/// What a list was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Relisted {
    /// The plugins that it has.
    pub listed: usize,
    /// The plugins whose files cannot be read.
    pub unreadable: usize,
}

/// One plugin's part of it.
enum Part {
    Entry(Box<SearchEntry>),
    /// Every release is withdrawn.
    Nothing,
    Unreadable,
}

impl Writer<'_> {
    /// Makes the list from every plugin's file. A plugin whose file cannot be read is told and left out.
    pub async fn relist(&self) -> Result<Relisted, RegistryError> {
        for attempt in 0..ATTEMPTS {
            let stored = self.read(layout::SEARCH).await?;
            let names = self.names().await?;
            tracing::warn!("the search list is made anew from {} index files", names.len());
            let parts = stream::iter(names.into_iter().map(|name| self.part(name)));
            let parts: Vec<_> = parts.buffered(AT_ONCE).try_collect().await?;
            let unreadable = parts.iter().filter(|part| matches!(part, Part::Unreadable)).count();
            let entries: Vec<_> = parts.into_iter().filter_map(Part::entry).collect();
            let relisted = Relisted { listed: entries.len(), unreadable };
            let search::Files { listing, index } = search::files(entries);
            if let Some((file, bytes)) = index {
                let path = in_tree(&layout::search_index(&file.sha256));
                let (Put::Done(_) | Put::Refused) = self.storage().put(&path, bytes.into(), Condition::Absent).await?;
            }
            match self
                .storage()
                .put(&in_tree(layout::SEARCH), listing.into(), Condition::as_read(stored.as_ref()))
                .await?
            {
                Put::Done(_) => return Ok(relisted),
                Put::Refused => back_off(attempt).await,
            }
        }
        Err(RegistryError::Busy { attempts: ATTEMPTS })
    }

    /// The plugins that have a file.
    async fn names(&self) -> Result<Vec<PluginName>, RegistryError> {
        let entries = self.storage().list(&format!("{TREE}index/")).await?;
        let names = entries.iter().filter_map(|entry| {
            let name: PluginName = entry.path.rsplit('/').next()?.parse().ok()?;
            (in_tree(&layout::index_file(&name)) == entry.path).then_some(name)
        });
        Ok(names.collect())
    }

    async fn part(&self, name: PluginName) -> Result<Part, RegistryError> {
        let Some(stored) = self.read(&layout::index_file(&name)).await? else { return Ok(Part::Nothing) };
        Ok(match self.history(&name, stored.bytes.to_vec()).await {
            Ok(history) => SearchEntry::of(&history).map_or(Part::Nothing, |entry| Part::Entry(Box::new(entry))),
            Err(error) => {
                tracing::error!("`{name}` is left out of the search list: {}", chain(&error));
                Part::Unreadable
            }
        })
    }
}

impl Part {
    fn entry(self) -> Option<SearchEntry> {
        match self {
            Self::Entry(entry) => Some(*entry),
            Self::Nothing | Self::Unreadable => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;

    use pocket_index::search::Listing;

    use super::*;
    use crate::storage::{Bucket, Storage};
    use crate::{Registry, Seed};

    async fn opened(storage: &Bucket, key: &std::path::Path) -> Registry {
        Registry::at(Arc::new(storage.clone()), key, Seed::Bundled).await.expect("it opens")
    }

    async fn list(storage: &Bucket) -> Vec<u8> {
        storage.read("tree/search.json").await.expect("it is read").expect("it is there").bytes.to_vec()
    }

    #[tokio::test]
    async fn a_list_that_is_gone_or_cannot_be_read_comes_back_with_every_plugin() {
        let storage = Bucket::of(Arc::new(InMemory::new()));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let key = folder.path().join("registry.key");
        opened(&storage, &key).await;
        let whole = list(&storage).await;
        assert!(whole.iter().filter(|byte| **byte == b'\n').count() > 2);
        storage.remove("tree/search.json").await.expect("it is removed");
        opened(&storage, &key).await;
        assert_eq!(list(&storage).await, whole);
        let damaged = bytes::Bytes::from_static(b"[{\"name\"");
        storage.put("tree/search.json", damaged, Condition::Always).await.expect("it is written");
        opened(&storage, &key).await;
        assert_eq!(list(&storage).await, whole);
    }

    #[tokio::test]
    async fn a_plugin_whose_file_cannot_be_read_is_left_out_and_stops_neither_list_nor_start() {
        let storage = Bucket::of(Arc::new(InMemory::new()));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let key = folder.path().join("registry.key");
        opened(&storage, &key).await;
        let before = Listing::parse(&String::from_utf8(list(&storage).await).expect("text")).expect("a list").entries;
        let path = in_tree(&layout::index_file(before.keys().next().expect("it has plugins")));
        storage.put(&path, "x\n".into(), Condition::Always).await.expect("it is written");
        storage.remove("tree/search.json").await.expect("it is removed");
        let registry = opened(&storage, &key).await;
        let after = Listing::parse(&String::from_utf8(list(&storage).await).expect("text")).expect("a list").entries;
        assert!(after.iter().eq(before.iter().skip(1)));
        let relisted = registry.write().await.relist().await.expect("it is made");
        assert_eq!(relisted, Relisted { listed: before.len() - 1, unreadable: 1 });
    }
}
