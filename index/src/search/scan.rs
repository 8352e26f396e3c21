//! Going through entries one by one: what searching means, and fast enough for a few hundred.

use super::SearchEntry;
use super::query::Query;
use super::rank::{self, ENOUGH};
#[cfg(test)]
use super::{Hit, Page, rank::Candidate};

/// Finds the entries that fit a query. `downloads` tells how often a plugin was downloaded.
#[cfg(test)]
pub(super) fn scan(entries: &[SearchEntry], query: &Query, downloads: &dyn Fn(&str) -> u64) -> Page {
    let rare: Vec<bool> = query.words().iter().map(|word| count_that_begin(entries, word) < ENOUGH).collect();
    let candidate = |item: &usize| {
        let entry = &entries[*item];
        let name = entry.name.as_str();
        let points = points(entry, query, &rare)? + rank::bonus(name, query);
        let updated = entry.updated.unwrap_or_default();
        Some(Candidate { item: *item, name, points, downloads: downloads(name), updated })
    };
    let wanted = (0..entries.len()).filter(|item| is_wanted(&entries[*item], query));
    let mut found: Vec<Candidate<'_, usize>> = wanted.filter_map(|item| candidate(&item)).collect();
    found.sort_unstable_by(|one, other| rank::order(query.sort, one, other));
    let total = found.len();
    let hit = |found: Candidate<'_, usize>| Hit { entry: entries[found.item].clone(), downloads: found.downloads };
    Page { total, entries: query.part(found.into_iter().map(hit)) }
}

/// Whether an entry passes the query's filters.
pub(super) fn is_wanted(entry: &SearchEntry, query: &Query) -> bool {
    let category = query.category.as_deref();
    category.is_none_or(|wanted| entry.categories.iter().any(|category| category == wanted))
        && query.runtime.is_none_or(|wanted| entry.runtime == wanted)
}

/// How many entries have the word, or one that begins with it; counted up to [`ENOUGH`].
pub(super) fn count_that_begin<'a>(entries: impl IntoIterator<Item = &'a SearchEntry>, typed: &str) -> usize {
    let has = |entry: &&SearchEntry| {
        let mut has = false;
        rank::words(entry, &mut |_, word| has |= word.starts_with(typed));
        has
    };
    entries.into_iter().filter(has).take(ENOUGH).count()
}

/// The sum of each word's best place; none if a word has none.
pub(super) fn points(entry: &SearchEntry, query: &Query, rare: &[bool]) -> Option<u32> {
    let mut best = vec![0; query.words().len()];
    rank::words(entry, &mut |place, word| {
        for ((typed, rare), best) in query.words().iter().zip(rare).zip(&mut best) {
            let fit = rank::fits(typed, word);
            let fit = if *rare { fit.or_else(|| rank::nearly_fits(typed, word)) } else { fit };
            *best = fit.map_or(0, |fit| rank::points(place, fit)).max(*best);
        }
    });
    best.iter().all(|points| *points > 0).then(|| best.iter().sum())
}
