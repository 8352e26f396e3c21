//! What the search list says, as new as the list: what changed of late in memory, and most of the file that the list names.
//!
//! The entries themselves, two thirds of that file, stay where they are: an answer reads the few that it shows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::try_join_all;
use futures_util::stream::TryStreamExt as _;
use pocket_index::layout;
use pocket_index::name::PluginName;
use pocket_index::search::{Head, IndexFile, Link, Listing, Page, Query, Range, SearchEntry, Shelf, Source};
use tokio::sync::Mutex;

use crate::error::{ApiError, chain};
use crate::storage::{Entry, Storage, StorageError, Tag, in_tree};
use crate::{Registry, RegistryError};

/// The search list, ready to be asked.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    /// Held while a newer list is read, so that one request does it.
    newest: Mutex<Arc<Listed>>,
}

/// A list that was read.
#[derive(Debug, Default)]
struct Listed {
    tag: Option<Tag>,
    listing: Listing,
    file: Option<Arc<Filed>>,
}

/// The file that a list names.
#[derive(Debug)]
pub(crate) struct Filed {
    file: IndexFile,
    /// All of it but the entries.
    pub head: Head,
    /// Where the entries are.
    pub entry: Entry,
}

/// Such a file with the place where its entries are.
struct Place<'a> {
    storage: &'a dyn Storage,
    filed: &'a Filed,
}

impl Catalog {
    /// Finds the plugins that fit a query.
    pub async fn find(
        &self,
        registry: &Registry,
        query: &Query,
        downloads: impl Fn(&str) -> Option<u64> + Send,
    ) -> Result<Page, ApiError> {
        let listed = self.newest(registry).await?;
        Ok(listed.shelf(registry).find(query, downloads).await?)
    }

    /// Every category with the number of its plugins.
    pub async fn categories(&self, registry: &Registry) -> Result<BTreeMap<String, usize>, ApiError> {
        let listed = self.newest(registry).await?;
        Ok(listed.shelf(registry).categories().await?)
    }

    /// The plugins that need a plugin, or that a key signs for.
    pub async fn linked(&self, registry: &Registry, link: Link<'_>) -> Result<BTreeSet<PluginName>, ApiError> {
        let listed = self.newest(registry).await?;
        Ok(listed.shelf(registry).linked(link).await?)
    }

    /// The entries of these plugins.
    pub async fn entries(
        &self,
        registry: &Registry,
        names: &BTreeSet<PluginName>,
    ) -> Result<Vec<SearchEntry>, ApiError> {
        let listed = self.newest(registry).await?;
        let shelf = listed.shelf(registry);
        let entries = try_join_all(names.iter().map(|name| shelf.entry(name))).await?;
        Ok(entries.into_iter().flatten().collect())
    }

    /// Reads the list, so that the first question need not.
    pub async fn prepare(&self, registry: &Registry) {
        // An error is met again by the first question.
        let _ = self.newest(registry).await;
    }

    async fn newest(&self, registry: &Registry) -> Result<Arc<Listed>, ApiError> {
        let path = in_tree(layout::SEARCH);
        let tag = registry.storage().entry(&path).await?.map(|entry| entry.tag);
        let mut newest = self.newest.lock().await;
        if newest.tag == tag {
            return Ok(Arc::clone(&newest));
        }
        let Some(stored) = registry.storage().read(&path).await? else { return Ok(Arc::clone(&newest)) };
        match Listed::read(registry, &stored.bytes, newest.file.as_ref()).await {
            Ok(listed) => *newest = Arc::new(Listed { tag: Some(stored.tag), ..listed }),
            // What was read before is better than nothing.
            Err(error) => tracing::error!("the search list cannot be read: {}", chain(&error)),
        }
        Ok(Arc::clone(&newest))
    }
}

impl Listed {
    async fn read(registry: &Registry, text: &[u8], before: Option<&Arc<Filed>>) -> Result<Self, RegistryError> {
        let listing = Listing::parse(&String::from_utf8_lossy(text));
        let listing = listing.map_err(|error| registry.damaged_file(layout::SEARCH, chain(&error)))?;
        let file = match (&listing.index, before) {
            (Some(file), Some(before)) if before.file == *file => Some(Arc::clone(before)),
            (Some(file), _) => Some(Arc::new(Filed::read(registry, file).await?)),
            (None, _) => None,
        };
        Ok(Self { tag: None, listing, file })
    }

    fn shelf<'a>(&'a self, registry: &'a Registry) -> Shelf<'a, Place<'a>> {
        let place = |filed: &'a Arc<Filed>| (&filed.head, Place { storage: registry.storage(), filed });
        Shelf::new(&self.listing, self.file.as_ref().map(place))
    }
}

impl Filed {
    /// Reads all of a file but its entries.
    pub async fn read(registry: &Registry, file: &IndexFile) -> Result<Self, RegistryError> {
        let path = layout::search_index(&file.sha256);
        let entry = registry.storage().entry(&in_tree(&path)).await?;
        let entry = entry.filter(|entry| entry.length == file.bytes && file.entries <= file.bytes);
        let entry = entry.ok_or_else(|| registry.damaged_file(&path, "it is not as the list says".to_owned()))?;
        let bytes = read(registry.storage(), &entry, 0..file.entries).await?;
        let head = Head::parse(bytes).map_err(|error| registry.damaged_file(&path, chain(&error)))?;
        Ok(Self { file: file.clone(), head, entry })
    }
}

impl Source for Place<'_> {
    type Error = StorageError;

    async fn read(&self, parts: Vec<Range>) -> Result<Vec<Vec<u8>>, StorageError> {
        let part = async |part: Range| match self.filed.head.part(&part) {
            Some(bytes) => Ok(bytes.to_vec()),
            None => read(self.storage, &self.filed.entry, part).await,
        };
        try_join_all(parts.into_iter().map(part)).await
    }
}

async fn read(storage: &dyn Storage, entry: &Entry, part: Range) -> Result<Vec<u8>, StorageError> {
    let end = part.end.min(entry.length);
    let mut bytes = Vec::with_capacity(usize::try_from(end.saturating_sub(part.start)).unwrap_or_default());
    let mut pieces = storage.pieces(entry, part.start.min(end)..end).await?;
    while let Some(piece) = pieces.try_next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}
