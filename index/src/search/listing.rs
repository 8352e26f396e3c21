//! `search.json`: which file is searched in, and what changed since that was written.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::SearchEntry;
use crate::digest::Digest;
use crate::json::{check_strict, objects, optional_object, parse_object};
use crate::name::PluginName;

/// 256 entries, about 64 KiB: more are put into a file to search in, so that `search.json` stays as small as that however many plugins
/// there are.
pub const MAX_LISTED: usize = 256;
const VERSION: u32 = 2;

/// What is searched in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// The file with most entries, if there are many.
    pub index: Option<IndexFile>,
    /// Entries that the file lacks or has otherwise.
    pub entries: BTreeMap<PluginName, SearchEntry>,
    /// Plugins whose entries in the file do not count any more.
    pub removed: BTreeSet<PluginName>,
}

/// A file to search in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexFile {
    /// Its digest, which is its name.
    pub sha256: Digest,
    /// Its length.
    pub bytes: u64,
    /// How many of its bytes are the head.
    pub head: u64,
    /// Where its entries begin.
    pub entries: u64,
    /// How many plugins it has.
    pub plugins: u64,
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    #[serde(deserialize_with = "optional_object")]
    index: Option<IndexFile>,
    removed: BTreeSet<PluginName>,
    #[serde(deserialize_with = "objects")]
    entries: Vec<SearchEntry>,
}

/// A text that is no `search.json`.
#[derive(Debug, thiserror::Error)]
pub enum ListingError {
    /// It is malformed.
    #[error("`search.json` is malformed")]
    Json(#[from] serde_json::Error),
    /// It is of a later program.
    #[error("`search.json` has version {found}, this program reads version {VERSION}: a newer one is needed")]
    Version {
        /// What it has.
        found: u32,
    },
}

impl Listing {
    /// A list of these, and of no more.
    pub fn of(entries: impl IntoIterator<Item = SearchEntry>) -> Self {
        let entries = entries.into_iter().map(|entry| (entry.name.clone(), entry)).collect();
        Self { entries, ..Self::default() }
    }

    /// Reads `search.json`. A bare list of entries, which older programs wrote, is one without a file.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, ListingError> {
        if text.trim_start().starts_with('[') {
            check_strict(text)?;
            let entries: Vec<SearchEntry> = objects(&mut serde_json::Deserializer::from_str(text))?;
            return Ok(Self::of(entries));
        }
        let Versioned { version: found } = parse_object(text)?;
        if found != VERSION {
            return Err(ListingError::Version { found });
        }
        let Document { index, removed, entries, .. } = parse_object(text)?;
        Ok(Self { index, removed, ..Self::of(entries) })
    }

    /// The text of `search.json`: one entry a line.
    pub fn to_text(&self) -> String {
        let (index, removed) = (self.index.clone(), self.removed.clone());
        let document = Document { version: VERSION, index, removed, entries: Vec::new() };
        let json = serde_json::to_string(&document).expect("it has text keys only");
        let begun = json.strip_suffix("]}").expect("a document ends with its empty list of entries");
        let lines: Vec<_> = self.entries.values().map(|entry| format!("\n{}", entry.to_line())).collect();
        format!("{begun}{}]}}\n", lines.join(","))
    }

    /// Lists a plugin as it is now: none if nothing of it may be found. Tells whether that changed anything.
    pub fn put(&mut self, name: &PluginName, entry: Option<SearchEntry>) -> bool {
        match entry {
            Some(entry) => {
                let was_removed = self.removed.remove(name);
                let before = self.entries.insert(name.clone(), entry);
                was_removed || before.as_ref() != self.entries.get(name)
            }
            None => {
                let was_listed = self.entries.remove(name).is_some();
                // Whether the file has it is not known here.
                let is_new = self.index.is_some() && self.removed.insert(name.clone());
                was_listed || is_new
            }
        }
    }

    /// Whether so much changed that a new file should be written.
    pub fn is_long(&self) -> bool {
        self.entries.len() + self.removed.len() > MAX_LISTED
    }

    /// What is left of this list when `index` was made of `taken`, an earlier state of it.
    pub fn since(mut self, taken: &Self, index: IndexFile) -> Self {
        self.removed.retain(|name| !taken.removed.contains(name));
        let gone = taken.entries.keys().filter(|name| !self.entries.contains_key(*name));
        self.removed.extend(gone.cloned());
        self.entries.retain(|name, entry| taken.entries.get(name) != Some(&*entry));
        Self { index: Some(index), ..self }
    }

    /// Whether what the file says of a plugin does not count.
    pub fn hides(&self, name: &PluginName) -> bool {
        self.entries.contains_key(name) || self.removed.contains(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str =
        r#"{"name":"x","version":"1.0.0","description":"","runtime":"lua","nodes":[],"categories":[],"keywords":[]}"#;

    #[test]
    fn a_list_is_an_object_with_each_key_once() {
        let list = format!("{{\"version\":2,\"index\":null,\"removed\":[],\"entries\":[\n{ENTRY}]}}\n");
        let listing = Listing::parse(&list).expect("it is well-formed");
        assert_eq!((listing.entries.len(), listing.to_text()), (1, list.clone()));
        for damaged in [
            list.replace("}]}", r#","more":1,"more":2}]}"#),
            list.replace(ENTRY, r#"["x","1.0.0","","lua",[],[],[]]"#),
            list.replace("\"index\":null,", ""),
            list.replace("null", "[1,2,3,4,5]"),
            String::new(),
        ] {
            assert!(Listing::parse(&damaged).is_err(), "{damaged}");
        }
        let later = Listing::parse(r#"{"version":3}"#).expect_err("it is of a later program");
        assert_eq!(
            later.to_string(),
            "`search.json` has version 3, this program reads version 2: a newer one is needed"
        );
    }

    #[test]
    fn a_bare_list_of_entries_is_one_without_a_file() {
        let listing = Listing::parse(&format!("[{ENTRY}]\n")).expect("older programs wrote it");
        assert_eq!(listing, Listing::of(listing.entries.values().cloned()));
        assert!(Listing::parse(&format!("[{}]", ENTRY.replace("\"lua\"", "\"lua\",\"name\":\"y\""))).is_err());
    }
}
