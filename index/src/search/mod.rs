//! `search.json`: one entry for each plugin, so that a purely static index can be searched.
//!
//! It is derived from the index files and nothing in it is signed: it may help to find a plugin, never to install one.
//!
//! Who has the list goes through it once with [`scan()`]; a server that is asked again and again keeps a [`Finder`]. Both find the
//! same in the same order.

mod finder;
#[cfg(test)]
mod finding_tests;
mod query;
mod rank;
mod scan;
mod update;

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::json::{check_strict, objects};
use crate::manifest::Runtime;
use crate::name::{NodeType, PluginName};
use crate::record::{History, ReleaseEntry, Status};
use crate::signature::PublicKey;

pub use finder::Finder;
pub use query::{MAX_LIMIT, MAX_OFFSET, MAX_QUERY_BYTES, MAX_QUERY_WORDS, Query, QueryError, Sort, UnknownSort};
pub use scan::scan;
pub use update::Changes;

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
    pub entries: Vec<SearchEntry>,
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

/// The text of `search.json`: sorted by name, one entry a line.
pub fn write(mut entries: Vec<SearchEntry>) -> String {
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let lines: Vec<_> = entries.iter().map(SearchEntry::to_line).collect();
    format!("[{}]\n", lines.join(",\n"))
}

/// Reads `search.json`.
pub fn parse(text: &str) -> Result<Vec<SearchEntry>, serde_json::Error> {
    check_strict(text)?;
    objects(&mut serde_json::Deserializer::from_str(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Event;
    use crate::testing::{TestIndex, key, name, release, withdrawal};

    #[test]
    fn an_entry_is_an_object_with_each_key_once() {
        let entry = r#"{"name":"x","version":"1.0.0","description":"","runtime":"lua","nodes":[],"categories":[],"keywords":[]}"#;
        assert_eq!(parse(&format!("[{entry}]")).expect("it is well-formed").len(), 1);
        assert!(parse(r#"[["x","1.0.0","","lua",[],[],[]]]"#).is_err());
        assert!(parse(&format!("[{}]", entry.replace("}", r#","more":1,"more":2}"#))).is_err());
    }

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

    #[test]
    fn the_file_is_sorted_and_comes_back_as_it_was_written() {
        let entry = |plugin: &str| {
            let index = TestIndex::new();
            let history = index.append(Event::from(release(plugin, "1.0.0")), &[&key(1)]).history;
            SearchEntry::of(&history).expect("available")
        };
        let text = write(vec![entry("b"), entry("a")]);
        assert_eq!(parse(&text).expect("just written"), [entry("a"), entry("b")]);
        assert_eq!(write(Vec::new()), "[]\n");
    }
}
