//! Finding plugins in what a registry lists. It is for finding only: what is installed is verified event by event.
//!
//! A small list comes whole. Of a large one come the words and the names, which are kept until the registry writes another file, and
//! the few thousand bytes that an answer needs.

use futures_util::future::try_join_all;
use pocket_index::layout;
use pocket_index::search::{Head, IndexFile, Listing, Page, Query, Range, Shelf, Source};
use pocket_index::stats::Downloads;
use std::collections::BTreeMap;

use super::client::{Registry, SEARCH_FILE};
use super::error::{RegistryError, TransportError};
use super::transport::{Freshness, PartOf};

/// 256 MiB: the words of 1,000,000 plugins.
const MAX_HEAD: u64 = 256 << 20;

/// What a registry lists.
pub struct Listed<'a> {
    registry: &'a Registry,
    listing: Listing,
    file: Option<(IndexFile, Head)>,
}

/// The file that a list names, at its registry.
struct Remote<'a> {
    registry: &'a Registry,
    file: &'a IndexFile,
}

impl Registry {
    /// What it lists now.
    pub async fn listed(&self) -> Result<Listed<'_>, RegistryError> {
        let content = self.read(layout::SEARCH, SEARCH_FILE, Freshness::Revalidate).await?;
        let text = str::from_utf8(&content).map_err(|error| self.refused(error))?;
        let listing = Listing::parse(text).map_err(|error| self.refused(error))?;
        let file = match &listing.index {
            Some(file) => Some((file.clone(), self.head(file).await?)),
            None => None,
        };
        Ok(Listed { registry: self, listing, file })
    }

    async fn head(&self, file: &IndexFile) -> Result<Head, RegistryError> {
        if file.head > MAX_HEAD {
            let url = format!("{}{}", self.location, layout::search_index(&file.sha256));
            return Err(self.transport_error(TransportError::TooLarge { url, limit: MAX_HEAD }));
        }
        let head = self.part(file, 0..file.head).await?;
        Head::parse(head).map_err(|error| self.refused(error))
    }

    async fn part(&self, file: &IndexFile, part: Range) -> Result<Vec<u8>, RegistryError> {
        let path = layout::search_index(&file.sha256);
        let part = PartOf { path: &path, length: file.bytes, part };
        self.transport.read_part(part).await.map_err(|source| self.transport_error(source))
    }

    /// How often its plugins were downloaded; none if it does not count, or its counts cannot be read: only an order depends on it.
    async fn downloads(&self) -> Result<Option<Downloads>, RegistryError> {
        match self.transport.read(layout::DOWNLOADS, SEARCH_FILE, Freshness::Revalidate).await {
            Ok(content) => Ok(str::from_utf8(&content).ok().and_then(|text| Downloads::parse(text).ok())),
            Err(TransportError::NotFound { .. }) => Ok(None),
            Err(source) => Err(self.transport_error(source)),
        }
    }
}

impl Listed<'_> {
    /// How often plugins were downloaded, where that is not in the list's file; none if nobody counts.
    pub async fn downloads(&self) -> Result<Option<Downloads>, RegistryError> {
        if self.has_file() { Ok(None) } else { self.registry.downloads().await }
    }

    /// Whether a file with counts of its own goes with it.
    pub fn has_file(&self) -> bool {
        self.file.is_some()
    }

    /// The plugins that fit a query.
    pub async fn find(&self, query: &Query, downloads: impl Fn(&str) -> Option<u64>) -> Result<Page, RegistryError> {
        self.shelf().find(query, downloads).await
    }

    /// Every category with the number of its plugins.
    pub async fn categories(&self) -> Result<BTreeMap<String, usize>, RegistryError> {
        self.shelf().categories().await
    }

    /// The names of all plugins; of a few it may be that they are gone.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let filed = self.file.iter().flat_map(|(_, head)| head.names());
        self.listing.entries.keys().map(|name| name.as_str()).chain(filed)
    }

    fn shelf(&self) -> Shelf<'_, Remote<'_>> {
        let file = self.file.as_ref().map(|(file, head)| (head, Remote { registry: self.registry, file }));
        Shelf::new(&self.listing, file)
    }
}

impl Source for Remote<'_> {
    type Error = RegistryError;

    async fn read(&self, parts: Vec<Range>) -> Result<Vec<Vec<u8>>, RegistryError> {
        try_join_all(parts.into_iter().map(|part| self.registry.part(self.file, part))).await
    }
}
