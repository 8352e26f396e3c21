//! Reading the file's head: all words, and what is known of every plugin beyond its entry.

use super::super::rank::{self, Fit};
use super::{HEADER, Link, MAGIC, RECORD, WORD};
use crate::manifest::Runtime;

/// What stands before the name of a category among the words. No word that is typed has it.
pub(in super::super) const CATEGORY: char = '#';

/// A part of the file.
pub type Range = std::ops::Range<u64>;

/// A head that does not fit its own lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the head of the search index is damaged: {0}")]
pub struct Damaged(&'static str);

/// A head in memory.
#[derive(Debug)]
pub struct Head {
    bytes: Vec<u8>,
    plugins: u32,
    words: Dictionary,
    /// Where the links are, which readers who only search do without.
    links: Dictionary,
    entries: Range,
}

/// Where sorted texts are, and the plugins of each.
#[derive(Debug, Clone, Copy)]
struct Dictionary {
    count: u32,
    /// Where its records begin.
    at: u64,
    /// Where its texts begin, and how long they are together.
    texts: u64,
    texts_length: u64,
    postings: u64,
    postings_length: u64,
}

/// A word and how it fits.
#[derive(Debug, Clone)]
pub(in super::super) struct Term {
    pub fit: Fit,
    /// Where its plugins are.
    pub postings: Range,
}

impl Head {
    /// Reads a head, or a file of which this is the beginning.
    ///
    /// # Errors
    /// Its lengths do not fit.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, Damaged> {
        if bytes.len() < HEADER || !bytes.starts_with(MAGIC) {
            return Err(Damaged("it does not begin as one"));
        }
        let number = |place: usize| u64::from(number(&bytes, (MAGIC.len() + 4 * place) as u64));
        let [plugins, words, links, word_texts, link_texts, word_postings, link_postings, entries] =
            std::array::from_fn(number);
        let words_at = HEADER as u64 + plugins * RECORD as u64;
        let texts = words_at + words * WORD as u64;
        let links_at = texts + word_texts;
        if links_at > bytes.len() as u64 {
            return Err(Damaged("it is shorter than it says"));
        }
        let link_texts_at = links_at + links * WORD as u64;
        let postings = link_texts_at + link_texts;
        let dictionary = |count, at, texts, texts_length, postings, postings_length| Dictionary {
            count,
            at,
            texts,
            texts_length,
            postings,
            postings_length,
        };
        let after = postings + word_postings;
        let entries_at = after + link_postings;
        Ok(Self {
            plugins: plugins as u32,
            words: dictionary(words as u32, words_at, texts, word_texts, postings, word_postings),
            links: dictionary(links as u32, links_at, link_texts_at, link_texts, after, link_postings),
            entries: entries_at..entries_at + entries,
            bytes,
        })
    }

    /// How many plugins there are.
    pub fn plugins(&self) -> u32 {
        self.plugins
    }

    /// Where the entries are, all of them.
    pub fn entries(&self) -> Range {
        self.entries.clone()
    }

    /// A part of the file, if it is in what was given to [`Head::parse`].
    pub fn part(&self, part: &Range) -> Option<&[u8]> {
        let place = |offset: u64| usize::try_from(offset).ok();
        self.bytes.get(place(part.start)?..place(part.end)?)
    }

    /// The names of all plugins, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        (0..self.plugins).map(|plugin| self.name(plugin))
    }

    /// Where the entry of each plugin is, in the order of their names.
    pub fn entry_of_each(&self) -> impl Iterator<Item = Range> + '_ {
        (0..self.plugins).map(|plugin| self.entry(plugin))
    }

    /// Where a plugin's entry is.
    pub(in super::super) fn entry(&self, plugin: u32) -> Range {
        let end_of = |plugin: u32| u64::from(self.record(plugin, 0)).min(self.entries.end - self.entries.start);
        let start = plugin.checked_sub(1).map_or(0, end_of);
        let end = end_of(plugin).max(start);
        self.entries.start + start..self.entries.start + end
    }

    pub(in super::super) fn name(&self, plugin: u32) -> &str {
        self.words.text(&self.bytes, self.record(plugin, 4))
    }

    pub(in super::super) fn downloads(&self, plugin: u32) -> u64 {
        self.record(plugin, 8).into()
    }

    pub(in super::super) fn updated(&self, plugin: u32) -> u64 {
        self.record(plugin, 12).into()
    }

    pub(in super::super) fn runtime(&self, plugin: u32) -> Option<Runtime> {
        Runtime::ALL.get(self.record(plugin, 16) as usize & 0xff).copied()
    }

    /// The number of the plugin of this name.
    pub(in super::super) fn plugin(&self, name: &str) -> Option<u32> {
        let at = partition(self.plugins, |plugin| self.name(plugin) < name);
        (at < self.plugins && self.name(at) == name).then_some(at)
    }

    /// The words that begin with what was typed.
    pub(in super::super) fn begins(&self, typed: &str) -> Vec<Term> {
        let first = self.words.first(&self.bytes, typed);
        let fitting = (first..self.words.count).map_while(|word| {
            let fit = rank::fits(typed, self.words.text(&self.bytes, word))?;
            Some(Term { fit, postings: self.words.postings(&self.bytes, word) })
        });
        fitting.collect()
    }

    /// The words that hold what was typed, or differ by a typing error.
    pub(in super::super) fn near(&self, typed: &str) -> Vec<Term> {
        let fitting = (0..self.words.count).filter_map(|word| {
            let text = self.words.text(&self.bytes, word);
            let fit = (!text.starts_with(CATEGORY)).then(|| rank::nearly_fits(typed, text))??;
            Some(Term { fit, postings: self.words.postings(&self.bytes, word) })
        });
        fitting.collect()
    }

    /// The plugins of a category.
    pub(in super::super) fn category(&self, name: &str) -> Option<Range> {
        self.words.find(&self.bytes, &format!("{CATEGORY}{name}"))
    }

    /// Every category.
    pub(in super::super) fn categories(&self) -> impl Iterator<Item = (&str, Range)> {
        let first = self.words.first(&self.bytes, "#");
        (first..self.words.count).map_while(|word| {
            let name = self.words.text(&self.bytes, word).strip_prefix(CATEGORY)?;
            Some((name, self.words.postings(&self.bytes, word)))
        })
    }

    /// The plugins that have a link; none as well where the links are not here.
    pub(in super::super) fn linked(&self, link: Link<'_>) -> Option<Range> {
        self.links.find(&self.bytes, &link.text())
    }

    fn record(&self, plugin: u32, field: u64) -> u32 {
        number(&self.bytes, HEADER as u64 + u64::from(plugin) * RECORD as u64 + field)
    }
}

impl Dictionary {
    /// The first text that is not before this one.
    fn first(&self, bytes: &[u8], text: &str) -> u32 {
        partition(self.count, |word| self.text(bytes, word) < text)
    }

    fn find(&self, bytes: &[u8], text: &str) -> Option<Range> {
        let word = self.first(bytes, text);
        (word < self.count && self.text(bytes, word) == text).then(|| self.postings(bytes, word))
    }

    /// A text; an empty one where there is none that makes sense.
    fn text<'a>(&self, bytes: &'a [u8], word: u32) -> &'a str {
        let Range { start, end } = self.part(bytes, word, 0, self.texts_length);
        let place = |offset: u64| (self.texts + offset) as usize;
        bytes.get(place(start)..place(end)).and_then(|text| str::from_utf8(text).ok()).unwrap_or_default()
    }

    fn postings(&self, bytes: &[u8], word: u32) -> Range {
        let Range { start, end } = self.part(bytes, word, 4, self.postings_length);
        self.postings + start..self.postings + end
    }

    /// From where the one before ends to where this one does.
    fn part(&self, bytes: &[u8], word: u32, field: u64, length: u64) -> Range {
        let end_of = |word: u32| u64::from(number(bytes, self.at + u64::from(word) * WORD as u64 + field)).min(length);
        let start = word.checked_sub(1).map_or(0, end_of);
        start..end_of(word).max(start)
    }
}

/// Four bytes, the lowest first; 0 where there are none.
fn number(bytes: &[u8], at: u64) -> u32 {
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    let four = bytes.get(at..at.saturating_add(4)).and_then(|four| four.try_into().ok());
    four.map_or(0, u32::from_le_bytes)
}

/// The first of `0..count` for which this does not hold.
fn partition(count: u32, before: impl Fn(u32) -> bool) -> u32 {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle) { low = middle + 1 } else { high = middle }
    }
    low
}
