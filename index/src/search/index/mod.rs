//! The file that a large list is searched in: every word with the plugins that have it, and every entry.
//!
//! It is written once and never changed; `search.json` names the one that counts. A reader keeps its head, which has all words and
//! what is known of every plugin beyond its entry, and fetches a few thousand bytes more for each question. The specification of the
//! format is section 8 of the README.

mod build;
mod head;
mod postings;

pub use build::{Builder, Built, OutOfOrder};
pub(super) use head::Term;
pub use head::{Damaged, Head, Range};
pub(super) use postings::postings;

use super::SearchEntry;
use crate::name::PluginName;
use crate::signature::PublicKey;

/// The first bytes.
const MAGIC: &[u8; 16] = b"pocket-search/1\n";
/// The magic and eight numbers of four bytes.
const HEADER: usize = 48;
/// The bytes of a plugin's record: where its entry ends, the number of its name's word, downloads, time, runtime.
const RECORD: usize = 20;
/// The bytes of a word's record: where its text ends, where its plugins end.
const WORD: usize = 8;

/// How entries are looked up that belong to each other.
#[derive(Debug, Clone, Copy)]
pub enum Link<'a> {
    /// Plugins that need this one.
    Needs(&'a PluginName),
    /// Plugins that this key signs for.
    Owner(&'a PublicKey),
}

impl Link<'_> {
    /// The text that it is looked up by.
    fn text(self) -> String {
        match self {
            Self::Needs(name) => format!("<{name}"),
            // 128 bits of a key: nobody makes another with the same.
            Self::Owner(key) => format!("@{}", &key.to_string()["ed25519:".len()..][..32]),
        }
    }

    /// Whether an entry has it.
    pub(super) fn is_of(self, entry: &SearchEntry) -> bool {
        match self {
            Self::Needs(name) => entry.dependencies.contains(name),
            Self::Owner(key) => entry.owners.contains(key),
        }
    }
}
