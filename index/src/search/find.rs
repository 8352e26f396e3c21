//! Searching a list with its file, of which no more is read than the question needs.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use super::index::{Head, Link, Range, Term, postings};
use super::query::Query;
use super::rank::{self, Candidate, ENOUGH};
use super::{Hit, Listing, Page, SearchEntry, scan};
use crate::name::PluginName;

/// Parts of the file nearer to each other than this are read in one: 4 KiB cost less than another request.
const NEAR: u64 = 4 << 10;

/// Where the parts of the file come from.
pub trait Source: Sync {
    /// Why they did not come.
    type Error;

    /// Reads parts of the file: for each of `parts` its bytes, or fewer where the file ends before.
    fn read(&self, parts: Vec<Range>) -> impl Future<Output = Result<Vec<Vec<u8>>, Self::Error>> + Send;
}

/// A list and its file, ready to be asked.
#[derive(Debug)]
pub struct Shelf<'a, S> {
    listing: &'a Listing,
    file: Option<(&'a Head, S)>,
}

/// A plugin that may be found.
#[derive(Debug, Clone, Copy)]
enum Item<'a> {
    /// In the list.
    Listed(&'a SearchEntry),
    /// In the file.
    Filed(u32),
}

/// Parts of the file that were read.
#[derive(Debug, Default)]
struct Parts(BTreeMap<u64, Vec<u8>>);

/// What one word of the query finds in the file.
struct Word {
    /// What each plugin has for it, 0 for nothing.
    points: Vec<u32>,
    /// Whether so few have it that it is looked for inside of others, and with typing errors.
    is_rare: bool,
}

impl<'a, S: Source> Shelf<'a, S> {
    /// A list, and the head of its file with where the rest comes from, if it names one.
    pub fn new(listing: &'a Listing, file: Option<(&'a Head, S)>) -> Self {
        Self { listing, file }
    }

    /// Finds the entries that fit a query. `downloads` tells how often a plugin was downloaded, if somebody counts; of what the file has,
    /// the file does.
    pub async fn find(&self, query: &Query, downloads: impl Fn(&str) -> Option<u64>) -> Result<Page, S::Error> {
        let words = self.words(query).await?;
        let rare: Vec<bool> = words.iter().map(|word| word.is_rare).collect();
        let shelf = self.shelf(query).await?;
        let mut found = self.listed(query, &rare, &downloads);
        if let Some((head, _)) = &self.file {
            found.extend(self.filed(head, query, &words, shelf.as_ref()));
        }
        let total = found.len();
        let order =
            |one: &Candidate<'_, Item<'_>>, other: &Candidate<'_, Item<'_>>| rank::order(query.sort, one, other);
        // A common word is in half of all plugins, and the first 20 of them are asked for.
        let end = query.offset.saturating_add(query.limit.unwrap_or(total)).min(total);
        if end < total {
            found.select_nth_unstable_by(end, order);
            found.truncate(end);
        }
        found.sort_unstable_by(order);
        let items = query.part(found.into_iter().map(|candidate| (candidate.item, candidate.downloads)));
        Ok(Page { total, entries: self.hits(&items).await? })
    }

    /// Every category with the number of its plugins.
    pub async fn categories(&self) -> Result<BTreeMap<String, usize>, S::Error> {
        let mut categories: BTreeMap<String, usize> = BTreeMap::new();
        for name in self.listing.entries.values().flat_map(|entry| entry.categories.iter().collect::<BTreeSet<_>>()) {
            *categories.entry(name.clone()).or_default() += 1;
        }
        let Some((head, source)) = &self.file else { return Ok(categories) };
        let hidden = self.hidden(head);
        let parts = Parts::read(source, head.categories().map(|(_, range)| range)).await?;
        for (name, range) in head.categories() {
            let plugins = postings(parts.get(&range)).filter(|(plugin, _)| !hidden.contains(plugin)).count();
            if plugins > 0 {
                *categories.entry(name.to_owned()).or_default() += plugins;
            }
        }
        Ok(categories)
    }

    /// The plugins that are linked so, by name.
    pub async fn linked(&self, link: Link<'_>) -> Result<BTreeSet<PluginName>, S::Error> {
        let listed = self.listing.entries.values().filter(|entry| link.is_of(entry));
        let mut names: BTreeSet<PluginName> = listed.map(|entry| entry.name.clone()).collect();
        let Some((head, source)) = &self.file else { return Ok(names) };
        let Some(range) = head.linked(link) else { return Ok(names) };
        let hidden = self.hidden(head);
        let parts = Parts::read(source, [range.clone()]).await?;
        let plugins = postings(parts.get(&range)).filter(|(plugin, _)| !hidden.contains(plugin));
        names.extend(plugins.filter_map(|(plugin, _)| head.name(plugin).parse().ok()));
        Ok(names)
    }

    /// The entry of a plugin.
    pub async fn entry(&self, name: &PluginName) -> Result<Option<SearchEntry>, S::Error> {
        if self.listing.hides(name) {
            return Ok(self.listing.entries.get(name).cloned());
        }
        let Some((head, _)) = &self.file else { return Ok(None) };
        let Some(plugin) = head.plugin(name.as_str()) else { return Ok(None) };
        Ok(self.hits(&[(Item::Filed(plugin), 0)]).await?.pop().map(|hit| hit.entry))
    }

    /// The points of each word of the query, and whether it is rare.
    async fn words(&self, query: &Query) -> Result<Vec<Word>, S::Error> {
        let Some((head, source)) = &self.file else {
            let rare = query.words().iter().map(|typed| self.listed_that_begin(typed) < ENOUGH);
            return Ok(rare.map(|is_rare| Word { points: Vec::new(), is_rare }).collect());
        };
        let hidden = self.hidden(head);
        let begins: Vec<Vec<Term>> = query.words().iter().map(|typed| head.begins(typed)).collect();
        let parts = Parts::read(source, begins.iter().flatten().map(|term| term.postings.clone())).await?;
        let mut words = Vec::new();
        for (typed, terms) in query.words().iter().zip(&begins) {
            let points = points(head, terms, &parts, &hidden, vec![0; head.plugins() as usize]);
            let filed = points.iter().filter(|points| **points > 0).take(ENOUGH).count();
            words.push(Word { points, is_rare: filed + self.listed_that_begin(typed) < ENOUGH });
        }
        let near = |(typed, word): (&String, &Word)| if word.is_rare { head.near(typed) } else { Vec::new() };
        let near: Vec<Vec<Term>> = query.words().iter().zip(&words).map(near).collect();
        let parts = Parts::read(source, near.iter().flatten().map(|term| term.postings.clone())).await?;
        for (word, terms) in words.iter_mut().zip(&near) {
            word.points = points(head, terms, &parts, &hidden, std::mem::take(&mut word.points));
        }
        Ok(words)
    }

    /// The plugins of the file that are in the wanted category; none if any will do.
    async fn shelf(&self, query: &Query) -> Result<Option<BTreeSet<u32>>, S::Error> {
        let (Some((head, source)), Some(name)) = (&self.file, &query.category) else { return Ok(None) };
        // A category without plugins has nothing to find.
        let Some(range) = head.category(name) else { return Ok(Some(BTreeSet::new())) };
        let parts = Parts::read(source, [range.clone()]).await?;
        Ok(Some(postings(parts.get(&range)).map(|(plugin, _)| plugin).collect()))
    }

    fn listed(
        &self,
        query: &Query,
        rare: &[bool],
        downloads: &impl Fn(&str) -> Option<u64>,
    ) -> Vec<Candidate<'a, Item<'a>>> {
        let filed = |name: &str| self.file.as_ref().and_then(|(head, _)| Some(head.downloads(head.plugin(name)?)));
        let candidate = |entry: &'a SearchEntry| {
            let points = scan::points(entry, query, rare).filter(|_| scan::is_wanted(entry, query))?;
            let name = entry.name.as_str();
            let (points, updated) = (points + rank::bonus(name, query), entry.updated.unwrap_or_default());
            let downloads = downloads(name).or_else(|| filed(name)).unwrap_or_default();
            Some(Candidate { item: Item::Listed(entry), name, points, downloads, updated })
        };
        self.listing.entries.values().filter_map(candidate).collect()
    }

    fn filed<'b>(
        &'b self,
        head: &'b Head,
        query: &'b Query,
        words: &'b [Word],
        shelf: Option<&'b BTreeSet<u32>>,
    ) -> impl Iterator<Item = Candidate<'b, Item<'b>>> + 'b
    where
        'a: 'b,
    {
        let hidden = self.hidden(head);
        (0..head.plugins()).filter_map(move |plugin| {
            let points = words.iter().map(|word| word.points[plugin as usize]);
            let has_all = points.clone().all(|points| points > 0);
            let is_wanted = has_all
                && shelf.is_none_or(|shelf| shelf.contains(&plugin))
                && query.runtime.is_none_or(|wanted| head.runtime(plugin) == Some(wanted))
                && !hidden.contains(&plugin);
            is_wanted.then(|| {
                let name = head.name(plugin);
                let points = points.sum::<u32>() + rank::bonus(name, query);
                let (downloads, updated) = (head.downloads(plugin), head.updated(plugin));
                Candidate { item: Item::Filed(plugin), name, points, downloads, updated }
            })
        })
    }

    fn listed_that_begin(&self, typed: &str) -> usize {
        scan::count_that_begin(self.listing.entries.values(), typed)
    }

    /// The plugins of the file of which the list says something newer.
    fn hidden(&self, head: &Head) -> BTreeSet<u32> {
        let names = self.listing.entries.keys().chain(&self.listing.removed);
        names.filter_map(|name| head.plugin(name.as_str())).collect()
    }

    async fn hits(&self, items: &[(Item<'_>, u64)]) -> Result<Vec<Hit>, S::Error> {
        let mut entries: BTreeMap<u32, SearchEntry> = BTreeMap::new();
        if let Some((head, source)) = &self.file {
            let filed = |item: &(Item<'_>, u64)| match item.0 {
                Item::Listed(_) => None,
                Item::Filed(plugin) => Some((plugin, head.entry(plugin))),
            };
            let filed: Vec<(u32, Range)> = items.iter().filter_map(filed).collect();
            let parts = Parts::read(source, filed.iter().map(|(_, range)| range.clone())).await?;
            let read = |(plugin, range): &(u32, Range)| Some((*plugin, serde_json::from_slice(parts.get(range)).ok()?));
            entries.extend(filed.iter().filter_map(read));
        }
        // An entry that cannot be read is as good as none: nothing but finding depends on it.
        let hit = |(item, downloads): &(Item<'_>, u64)| {
            let entry = match item {
                Item::Listed(entry) => (*entry).clone(),
                Item::Filed(plugin) => entries.remove(plugin)?,
            };
            Some(Hit { entry, downloads: *downloads })
        };
        Ok(items.iter().filter_map(hit).collect())
    }
}

/// Keeps what is worth more.
fn points(head: &Head, terms: &[Term], parts: &Parts, hidden: &BTreeSet<u32>, mut best: Vec<u32>) -> Vec<u32> {
    for term in terms {
        for (plugin, place) in postings(parts.get(&term.postings)).take_while(|(plugin, _)| *plugin < head.plugins()) {
            let best = &mut best[plugin as usize];
            *best = rank::points(place, term.fit).max(*best);
        }
    }
    hidden.iter().for_each(|plugin| best[*plugin as usize] = 0);
    best
}

impl Parts {
    /// Reads these, those near to each other in one.
    async fn read<S: Source>(source: &S, wanted: impl IntoIterator<Item = Range>) -> Result<Self, S::Error> {
        let mut wanted: Vec<Range> = wanted.into_iter().filter(|range| !range.is_empty()).collect();
        wanted.sort_unstable_by_key(|range| range.start);
        let mut merged: Vec<Range> = Vec::new();
        for range in wanted {
            match merged.last_mut() {
                Some(last) if range.start <= last.end + NEAR => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        if merged.is_empty() {
            return Ok(Self::default());
        }
        let starts: Vec<u64> = merged.iter().map(|range| range.start).collect();
        Ok(Self(starts.into_iter().zip(source.read(merged).await?).collect()))
    }

    /// The bytes of a part; none where they were not there.
    fn get(&self, range: &Range) -> &[u8] {
        let Some((start, bytes)) = self.0.range(..=range.start).next_back() else { return &[] };
        let place = |offset: u64| usize::try_from(offset - start).unwrap_or(usize::MAX);
        bytes.get(place(range.start)..place(range.end)).unwrap_or_default()
    }
}
