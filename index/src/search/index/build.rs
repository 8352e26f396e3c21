//! Writing the file.

use std::collections::HashMap;

use super::super::IndexFile;
use super::super::rank::{self, Place};
use super::head::CATEGORY;
use super::{HEADER, Link, MAGIC, RECORD, SearchEntry, WORD, postings};
use crate::digest::Digest;
use crate::manifest::Runtime;
use crate::name::PluginName;

/// Takes entries in the order of their names, and gives the file.
#[derive(Debug, Default)]
pub struct Builder {
    records: Vec<u8>,
    words: Words,
    links: Words,
    entries: Vec<u8>,
    plugins: u32,
    last: Option<PluginName>,
}

/// A file that is to be written.
#[derive(Debug, Clone)]
pub struct Built {
    /// All of it.
    pub bytes: Vec<u8>,
    /// How many of them are the head.
    pub head: u64,
    /// Where its entries begin.
    pub entries: u64,
    /// How many plugins it has.
    pub plugins: u32,
}

/// An entry that does not come after the one before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` does not come after `{before}`")]
pub struct OutOfOrder {
    before: PluginName,
    name: PluginName,
}

#[derive(Debug, Default)]
struct Words(HashMap<Box<str>, Word>);

/// A word with the plugins that have it.
#[derive(Debug, Default)]
struct Word {
    /// Whose name it is, plus one.
    name_of: u32,
    /// The number of the last plugin that has it.
    last: u32,
    postings: Vec<u8>,
}

impl Builder {
    /// Adds an entry, with the downloads of its plugin in the last days.
    ///
    /// # Errors
    /// It belongs before one that was added.
    pub fn push(&mut self, entry: &SearchEntry, downloads: u64) -> Result<(), OutOfOrder> {
        if let Some(before) = self.last.take().filter(|before| *before >= entry.name) {
            return Err(OutOfOrder { before, name: entry.name.clone() });
        }
        self.last = Some(entry.name.clone());
        let plugin = self.plugins;
        self.plugins += 1;
        let mut places: HashMap<String, Place> = HashMap::new();
        rank::words(entry, &mut |place, word| {
            let best = places.entry(word.to_owned()).or_insert(place);
            *best = (*best).min(place);
        });
        places.extend(entry.categories.iter().map(|name| (format!("{CATEGORY}{name}"), Place::Category)));
        for (word, place) in places {
            self.words.push(&word, plugin, place);
        }
        self.words.0.entry(entry.name.as_str().into()).or_default().name_of = plugin + 1;
        for name in &entry.dependencies {
            self.links.push(&Link::Needs(name).text(), plugin, Place::Name);
        }
        for key in &entry.owners {
            self.links.push(&Link::Owner(key).text(), plugin, Place::Name);
        }
        self.entries.extend_from_slice(entry.to_line().as_bytes());
        self.record(entry, downloads);
        Ok(())
    }

    fn record(&mut self, entry: &SearchEntry, downloads: u64) {
        let saturated = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let end = saturated(self.entries.len() as u64);
        // The number of the name's word is known at the end.
        for number in [end, 0, saturated(downloads), saturated(entry.updated.unwrap_or_default())] {
            self.records.extend(number.to_le_bytes());
        }
        let runtime = Runtime::ALL.iter().position(|runtime| *runtime == entry.runtime).unwrap_or_default();
        self.records.extend([runtime as u8, 0, 0, 0]);
    }

    /// The file.
    pub fn finish(mut self) -> Built {
        let words = std::mem::take(&mut self.words).sorted();
        let links = std::mem::take(&mut self.links).sorted();
        for (number, (_, word)) in (0_u32..).zip(&words) {
            if let Some(plugin) = word.name_of.checked_sub(1) {
                let at = plugin as usize * RECORD + 4;
                self.records[at..at + 4].copy_from_slice(&number.to_le_bytes());
            }
        }
        let lengths = [length(&words, |text, _| text.len()), length(&links, |text, _| text.len())];
        let postings = [length(&words, |_, word| word.postings.len()), length(&links, |_, word| word.postings.len())];
        let head = HEADER + self.records.len() + words.len() * WORD + lengths[0];
        let all = head + links.len() * WORD + lengths[1] + postings[0] + postings[1] + self.entries.len();
        let mut bytes = Vec::with_capacity(all);
        bytes.extend(MAGIC);
        let counts = [self.plugins as usize, words.len(), links.len()];
        for number in counts.into_iter().chain(lengths).chain(postings).chain([self.entries.len()]) {
            bytes.extend((number as u32).to_le_bytes());
        }
        bytes.append(&mut self.records);
        for dictionary in [&words, &links] {
            put_dictionary(&mut bytes, dictionary);
        }
        for (_, word) in words.iter().chain(&links) {
            bytes.extend_from_slice(&word.postings);
        }
        let entries = bytes.len() as u64;
        bytes.append(&mut self.entries);
        Built { bytes, head: head as u64, entries, plugins: self.plugins }
    }
}

impl Built {
    /// The file as a list names it, and its bytes.
    pub fn named(self) -> (IndexFile, Vec<u8>) {
        let Self { bytes, head, entries, plugins } = self;
        let sha256 = Digest::of(&bytes);
        (IndexFile { sha256, bytes: bytes.len() as u64, head, entries, plugins: plugins.into() }, bytes)
    }
}

impl Words {
    fn push(&mut self, text: &str, plugin: u32, place: Place) {
        if !self.0.contains_key(text) {
            self.0.insert(text.into(), Word::default());
        }
        let word = self.0.get_mut(text).expect("it was just put there");
        // A list of dependencies or keys may name one twice.
        if word.postings.is_empty() || word.last != plugin {
            postings::push(&mut word.postings, plugin - word.last, place);
            word.last = plugin;
        }
    }

    fn sorted(self) -> Vec<(Box<str>, Word)> {
        let mut sorted: Vec<_> = self.0.into_iter().collect();
        sorted.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        sorted
    }
}

fn length(words: &[(Box<str>, Word)], of: impl Fn(&str, &Word) -> usize) -> usize {
    words.iter().map(|(text, word)| of(text, word)).sum()
}

fn put_dictionary(bytes: &mut Vec<u8>, words: &[(Box<str>, Word)]) {
    let (mut text_end, mut postings_end) = (0_u32, 0_u32);
    for (text, word) in words {
        text_end += text.len() as u32;
        postings_end += word.postings.len() as u32;
        bytes.extend(text_end.to_le_bytes());
        bytes.extend(postings_end.to_le_bytes());
    }
    words.iter().for_each(|(text, _)| bytes.extend_from_slice(text.as_bytes()));
}
