//! `search.json`: one entry for each plugin, so that a purely static index can be searched.
//!
//! It is derived from the index files and nothing in it is signed: it may help to find a plugin, never to install one.
//!
//! Up to a few hundred entries stand in `search.json` itself. More are in a file beside it that is made to be searched in and never
//! changed, and `search.json` names that file and what changed since: so a publish writes little, and so does a search read.

mod find;
#[cfg(test)]
mod finding_tests;
mod index;
mod listing;
mod query;
mod rank;
mod scan;

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::manifest::Runtime;
use crate::name::{NodeType, PluginName};
use crate::record::{History, ReleaseEntry, Status};
use crate::signature::PublicKey;

pub use find::{Shelf, Source};
pub use index::{Builder, Built, Damaged, Head, Link, OutOfOrder, Range};
pub use listing::{IndexFile, Listing, ListingError, MAX_LISTED};
pub use query::{MAX_LIMIT, MAX_OFFSET, MAX_QUERY_BYTES, MAX_QUERY_WORDS, Query, QueryError, Sort, UnknownSort};

/// What is searched in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchEntry {
    /// The plugin.
    pub name: PluginName,
    /// The version that the entry describes.
    pub version: Version,
    /// Its description.
    pub description: String,
    /// What runs it.
    pub runtime: Runtime,
    /// The node types it provides.
    pub nodes: Vec<NodeType>,
    /// Shelves it stands on.
    pub categories: Vec<String>,
    /// Words to find it by.
    pub keywords: Vec<String>,
    /// The plugins it needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<PluginName>,
    /// Who signed for it when its last line came. Older lists do not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<PublicKey>,
    /// When the version came out: seconds since 1970-01-01 UTC. Older lists do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<u64>,
}

/// A part of what was found, best first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// How many plugins were found in all.
    pub total: usize,
    /// Those that were asked for.
    pub entries: Vec<Hit>,
}

/// A plugin that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// What is listed of it.
    pub entry: SearchEntry,
    /// How often it was downloaded in the last days, as far as that is known.
    pub downloads: u64,
}

/// The files of a list.
#[derive(Debug, Clone)]
pub struct Files {
    /// The text of `search.json`.
    pub listing: String,
    /// The file that it names, if it does, and its bytes. It must be there first.
    pub index: Option<(IndexFile, Vec<u8>)>,
}

impl SearchEntry {
    /// Describes a plugin by its highest available release, pre-releases only if there is no other. None if every release is
    /// withdrawn.
    pub fn of(history: &History) -> Option<Self> {
        let available = |entry: &&ReleaseEntry| *entry.status() == Status::Available;
        let mut stable =
            history.releases().rev().filter(available).filter(|entry| entry.release().version.pre.is_empty());
        let newest = stable.next().or_else(|| history.releases().rev().find(available))?;
        let release = newest.release();
        let owners = history.owners_at(history.outline().last_at());
        Some(Self {
            name: release.name.clone(),
            version: release.version.clone(),
            description: release.description.clone(),
            runtime: release.runtime,
            nodes: release.nodes.clone(),
            categories: release.categories.clone(),
            keywords: release.keywords.clone(),
            dependencies: release.dependencies.keys().cloned().collect(),
            owners: owners.map(|owners| owners.keys().copied().collect()).unwrap_or_default(),
            updated: Some(newest.at()),
        })
    }
}

impl SearchEntry {
    /// The entry as it stands in the list.
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).expect("an entry has text keys only")
    }
}

/// The files of a list of these entries, one for each plugin.
pub fn files(entries: impl IntoIterator<Item = SearchEntry>) -> Files {
    let listing = Listing::of(entries);
    if !listing.is_long() {
        return Files { listing: listing.to_text(), index: None };
    }
    let mut builder = Builder::default();
    for entry in listing.entries.values() {
        builder.push(entry, 0).expect("a map is in the order of its keys");
    }
    let (file, bytes) = builder.finish().named();
    let listing = Listing { index: Some(file.clone()), ..Listing::default() }.to_text();
    Files { listing, index: Some((file, bytes)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Event;
    use crate::testing::{TestIndex, key, name, release, withdrawal};

    #[test]
    fn a_plugin_is_described_by_its_highest_available_stable_release() {
        let index = TestIndex::new();
        for version in ["1.0.0", "1.2.0", "1.10.0", "2.0.0-rc.1"] {
            index.append(Event::from(release("redis", version)), &[&key(1)]);
        }
        let found = |index: &TestIndex| {
            let history = History::replay(&name("redis"), &index.text("redis"), &index.policy).expect("the file holds");
            SearchEntry::of(&history).map(|entry| entry.version.to_string())
        };
        assert_eq!(found(&index).as_deref(), Some("1.10.0"));

        for version in ["1.10.0", "1.2.0", "1.0.0"] {
            index.append(Event::Yank(withdrawal("redis", version)), &[&key(1)]);
        }
        assert_eq!(found(&index).as_deref(), Some("2.0.0-rc.1"));
        index.append(Event::Revoke(withdrawal("redis", "2.0.0-rc.1")), &[&key(1)]);
        assert_eq!(found(&index), None);
    }
}
