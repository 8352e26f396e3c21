//! Searching again and again: every word with the plugins that have it, kept up to date entry by entry.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Bound;

use super::query::Query;
use super::rank::{self, Candidate, ENOUGH, Fit, Place};
use super::{Page, SearchEntry};
use crate::manifest::Runtime;
use crate::name::PluginName;

/// An index of [`SearchEntry`]s in memory. It finds what [`super::scan()`] finds.
#[derive(Debug, Default)]
pub struct Finder {
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    names: HashMap<Box<str>, u32>,
    words: BTreeMap<Box<str>, Vec<Posting>>,
    categories: BTreeMap<Box<str>, BTreeSet<u32>>,
}

/// An entry: what every query asks for, and the rest as its line, which takes a third of the memory.
#[derive(Debug)]
struct Slot {
    name: Box<str>,
    runtime: Runtime,
    updated: u64,
    line: Box<str>,
}

/// That an entry has a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Posting {
    slot: u32,
    place: Place,
}

impl Finder {
    /// An index of all these.
    pub fn new(entries: impl IntoIterator<Item = SearchEntry>) -> Self {
        let mut finder = Self::default();
        entries.into_iter().for_each(|entry| finder.put(&entry));
        finder.words.values_mut().for_each(Vec::shrink_to_fit);
        finder
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The entry of a plugin.
    pub fn get(&self, name: &PluginName) -> Option<SearchEntry> {
        let slot = *self.names.get(name.as_str())?;
        Some(self.entry(slot))
    }

    /// Every category with the number of its plugins.
    pub fn categories(&self) -> impl Iterator<Item = (&str, usize)> {
        self.categories.iter().map(|(name, slots)| (&**name, slots.len()))
    }

    /// Takes an entry in, in place of an older one of the same plugin.
    pub fn put(&mut self, entry: &SearchEntry) {
        self.remove(&entry.name);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).expect("no registry has four thousand million plugins")
        });
        rank::words(entry, &mut |place, word| {
            let posting = Posting { slot, place };
            match self.words.get_mut(word) {
                Some(postings) if postings.last() == Some(&posting) => {}
                Some(postings) => postings.push(posting),
                None => drop(self.words.insert(word.into(), vec![posting])),
            }
        });
        for category in &entry.categories {
            self.categories.entry(category.as_str().into()).or_default().insert(slot);
        }
        self.names.insert(entry.name.as_str().into(), slot);
        self.slots[slot as usize] = Some(Slot {
            name: entry.name.as_str().into(),
            runtime: entry.runtime,
            updated: entry.updated.unwrap_or_default(),
            line: entry.to_line().into(),
        });
    }

    /// Takes a plugin's entry out, and returns it.
    pub fn remove(&mut self, name: &PluginName) -> Option<SearchEntry> {
        let slot = self.names.remove(name.as_str())?;
        let entry = self.entry(slot);
        let mut had = BTreeSet::new();
        rank::words(&entry, &mut |_, word| had.extend([word.to_owned()]));
        for word in had {
            if let Some(postings) = self.words.get_mut(word.as_str()) {
                postings.retain(|posting| posting.slot != slot);
                if postings.is_empty() {
                    self.words.remove(word.as_str());
                }
            }
        }
        for category in &entry.categories {
            if let Some(slots) = self.categories.get_mut(category.as_str()) {
                slots.remove(&slot);
            }
        }
        self.categories.retain(|_, slots| !slots.is_empty());
        self.slots[slot as usize] = None;
        self.free.push(slot);
        Some(entry)
    }

    /// Finds the entries that fit a query. `downloads` tells how often a plugin was downloaded.
    pub fn find(&self, query: &Query, downloads: &dyn Fn(&str) -> u64) -> Page {
        let mut found = self.candidates(query, downloads);
        let total = found.len();
        let order = |one: &Candidate<'_, u32>, other: &Candidate<'_, u32>| rank::order(query.sort, one, other);
        // A common word is in half of all plugins, and the first 20 of them are asked for.
        let end = query.offset.saturating_add(query.limit.unwrap_or(total)).min(total);
        if end < total {
            found.select_nth_unstable_by(end, order);
            found.truncate(end);
        }
        found.sort_unstable_by(order);
        Page { total, entries: query.part(found.into_iter().map(|found| self.entry(found.item))) }
    }

    fn candidates<'a>(&'a self, query: &Query, downloads: &dyn Fn(&str) -> u64) -> Vec<Candidate<'a, u32>> {
        let shelf = query.category.as_deref().map(|name| self.categories.get(name));
        // A category without plugins has nothing to find.
        let Some(shelf) = shelf.map_or(Some(None), |shelf| shelf.map(Some)) else { return Vec::new() };
        let points = self.points(query);
        let candidate = |(item, slot): (u32, &'a Slot)| {
            let points = points.as_ref().map_or(0, |points| points[item as usize]);
            let name = &*slot.name;
            let points = points + rank::bonus(name, query);
            Candidate { item, name, points, downloads: downloads(name), updated: slot.updated }
        };
        let is_wanted = |(item, slot): &(u32, &Slot)| {
            points.as_ref().is_none_or(|points| points[*item as usize] > 0)
                && shelf.is_none_or(|slots| slots.contains(item))
                && query.runtime.is_none_or(|runtime| slot.runtime == runtime)
        };
        let taken = (0..).zip(&self.slots).filter_map(|(item, slot)| Some((item, slot.as_ref()?)));
        taken.filter(is_wanted).map(candidate).collect()
    }

    /// What each slot is worth, 0 where a word is missing; none for a query without words.
    fn points(&self, query: &Query) -> Option<Vec<u32>> {
        let mut words = query.words().iter();
        let mut sum = self.points_of(words.next()?);
        for word in words {
            let points = self.points_of(word);
            sum.iter_mut().zip(points).for_each(|(sum, points)| {
                *sum = if *sum > 0 && points > 0 { *sum + points } else { 0 };
            });
        }
        Some(sum)
    }

    /// The best place of a word in each slot.
    fn points_of(&self, typed: &str) -> Vec<u32> {
        let mut best = vec![0; self.slots.len()];
        let mut found = 0;
        let from = (Bound::Included(typed), Bound::Unbounded);
        for (word, postings) in self.words.range::<str, _>(from) {
            let Some(fit) = rank::fits(typed, word) else { break };
            found += take(&mut best, fit, postings);
        }
        if found < ENOUGH {
            for (word, postings) in &self.words {
                if let Some(fit) = rank::nearly_fits(typed, word) {
                    take(&mut best, fit, postings);
                }
            }
        }
        best
    }

    /// A plugin's entry as its line.
    pub(super) fn line(&self, name: &str) -> Option<&str> {
        let slot = *self.names.get(name)?;
        self.slots[slot as usize].as_ref().map(|slot| &*slot.line)
    }

    /// The entries of all plugins but these.
    pub(super) fn entries_without(&self, kept: &HashSet<&str>) -> Vec<SearchEntry> {
        let gone = self.names.iter().filter(|(name, _)| !kept.contains(&***name));
        gone.map(|(_, slot)| self.entry(*slot)).collect()
    }

    fn entry(&self, slot: u32) -> SearchEntry {
        let slot = self.slots[slot as usize].as_ref().expect("a slot with a number is taken");
        serde_json::from_str(&slot.line).expect("a line that was written here is read again")
    }
}

/// Keeps what is worth more, and counts the slots that had nothing before.
fn take(best: &mut [u32], fit: Fit, postings: &[Posting]) -> usize {
    let mut found = 0;
    for posting in postings {
        let best = &mut best[posting.slot as usize];
        found += usize::from(*best == 0);
        *best = rank::points(posting.place, fit).max(*best);
    }
    found
}
