//! Searching a list once, without making an index first.

use super::query::Query;
use super::rank::{self, Candidate, ENOUGH};
use super::{Page, SearchEntry};

/// Finds the entries that fit a query. `downloads` tells how often a plugin was downloaded, 0 where nobody knows.
pub fn scan(entries: &[SearchEntry], query: &Query, downloads: &dyn Fn(&str) -> u64) -> Page {
    let rare: Vec<bool> = query.words().iter().map(|word| is_rare(entries, word)).collect();
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
    Page { total, entries: query.part(found.into_iter().map(|found| entries[found.item].clone())) }
}

fn is_wanted(entry: &SearchEntry, query: &Query) -> bool {
    let category = query.category.as_deref();
    category.is_none_or(|wanted| entry.categories.iter().any(|category| category == wanted))
        && query.runtime.is_none_or(|wanted| entry.runtime == wanted)
}

/// Whether fewer entries than [`ENOUGH`] have the word, or one that begins with it.
fn is_rare(entries: &[SearchEntry], typed: &str) -> bool {
    let has = |entry: &&SearchEntry| {
        let mut has = false;
        rank::words(entry, &mut |_, word| has |= word.starts_with(typed));
        has
    };
    entries.iter().filter(has).take(ENOUGH).count() < ENOUGH
}

/// The sum of each word's best place; none if a word has none.
fn points(entry: &SearchEntry, query: &Query, rare: &[bool]) -> Option<u32> {
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
