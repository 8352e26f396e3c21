//! How well a plugin fits a query: what both ways of searching agree on.
//!
//! A plugin must have every word of the query. A word counts most where it is the plugin's name, less as a part of the name, a
//! keyword, a node type or a category, least in the description; and more where it stands as it was typed than where a longer word
//! begins with it, holds it inside, or differs by a typing error.

use std::cmp::{Ordering, Reverse};

use super::SearchEntry;
use super::query::{Query, Sort};

/// A word is also looked for inside of other words, and with typing errors, if fewer plugins than this have it, or a word that
/// begins with it. 20 fill a screen.
pub(super) const ENOUGH: usize = 20;

/// 64 letters: a longer word is not looked for with typing errors.
const LONGEST: usize = 64;

/// Where a word stands, from where it counts most to where it counts least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Name,
    PartOfName,
    Keyword,
    Node,
    Category,
    Description,
}

impl Place {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Name, Self::PartOfName, Self::Keyword, Self::Node, Self::Category, Self::Description];
}

/// How a word fits one of the query's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    Same,
    Begins,
    Inside,
    OneTypo,
    TwoTypos,
}

/// A plugin that was found, with what decides about its place in the answer.
#[derive(Debug, Clone)]
pub(super) struct Candidate<'a, T> {
    pub item: T,
    pub name: &'a str,
    pub points: u32,
    pub downloads: u64,
    pub updated: u64,
}

/// Gives each run of letters and digits in lower case.
pub(super) fn split(text: &str, give: &mut impl FnMut(&str)) {
    let lower = text.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).for_each(give);
}

/// Gives each word that a plugin is found by; one may come several times.
pub(super) fn words(entry: &SearchEntry, give: &mut impl FnMut(Place, &str)) {
    give(Place::Name, entry.name.as_str());
    split(entry.name.as_str(), &mut |word| give(Place::PartOfName, word));
    let keywords = entry.keywords.iter().map(|text| (Place::Keyword, text.as_str()));
    let nodes = entry.nodes.iter().map(|node| (Place::Node, node.as_str()));
    let categories = entry.categories.iter().map(|text| (Place::Category, text.as_str()));
    for (place, text) in keywords.chain(nodes).chain(categories) {
        split(text, &mut |word| give(place, word));
    }
    split(&entry.description, &mut |word| give(Place::Description, word));
}

/// Whether a word is the one that was typed, or begins with it.
pub(super) fn fits(typed: &str, word: &str) -> Option<Fit> {
    if word == typed { Some(Fit::Same) } else { word.starts_with(typed).then_some(Fit::Begins) }
}

/// Whether a word holds the one that was typed, or differs from it by a typing error: one in 4 letters or more, two in 8 or more.
pub(super) fn nearly_fits(typed: &str, word: &str) -> Option<Fit> {
    // Nearly every word has any one letter in it.
    if typed.len() > 1 && word.contains(typed) {
        return Some(Fit::Inside);
    }
    let allowed = match typed.chars().count() {
        0..=3 => return None,
        4..=7 => 1,
        8..=LONGEST => 2,
        // Comparing takes the square of the length, and nobody types such a word.
        _ => return None,
    };
    // Another letter is four bytes more at most; and one typing error changes two letters of the set at most.
    let is_far = typed.len().abs_diff(word.len()) > 4 * allowed
        || (letters(typed) ^ letters(word)).count_ones() as usize > 2 * allowed;
    if is_far {
        return None;
    }
    match strsim::osa_distance(typed, word) {
        1 => Some(Fit::OneTypo),
        2 if allowed == 2 => Some(Fit::TwoTypos),
        _ => None,
    }
}

/// The letters of a word as a set; several may share a bit.
fn letters(word: &str) -> u64 {
    word.chars().fold(0, |set, letter| set | 1 << (letter as u32 & 63))
}

/// What a fit at a place is worth.
pub(super) fn points(place: Place, fit: Fit) -> u32 {
    let row: [u32; 5] = match place {
        Place::Name => [1_000, 800, 300, 200, 150],
        Place::PartOfName => [600, 500, 290, 180, 140],
        Place::Keyword => [420, 300, 120, 80, 60],
        Place::Node => [400, 280, 110, 70, 50],
        Place::Category => [250, 150, 60, 40, 30],
        Place::Description => [100, 60, 20, 15, 10],
    };
    row[fit as usize]
}

/// What the name is worth beyond its single words: it is all of what was typed, or begins with it.
pub(super) fn bonus(name: &str, query: &Query) -> u32 {
    // One word has its points for the same thing already.
    let [first, rest @ ..] = query.words() else { return 0 };
    let Some(mut left) = name.strip_prefix(first.as_str()) else { return 0 };
    for word in rest {
        match left.strip_prefix('-').and_then(|left| left.strip_prefix(word.as_str())) {
            Some(after) => left = after,
            None => return 0,
        }
    }
    if left.is_empty() { 10_000 } else { 500 }
}

/// The order of the answer. Names are different, so no two plugins are equal.
pub(super) fn order<T>(sort: Sort, one: &Candidate<'_, T>, other: &Candidate<'_, T>) -> Ordering {
    let by_name = || one.name.cmp(other.name);
    let by_downloads = || other.downloads.cmp(&one.downloads);
    match sort {
        Sort::Relevance => Reverse(one.points).cmp(&Reverse(other.points)).then_with(by_downloads).then_with(by_name),
        Sort::Downloads => by_downloads().then_with(by_name),
        Sort::Updated => other.updated.cmp(&one.updated).then_with(by_name),
        Sort::Name => by_name(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_is_a_letter_more_less_other_or_swapped() {
        for typed in ["rdis", "reddis", "redas", "redsi"] {
            assert_eq!(nearly_fits(typed, "redis"), Some(Fit::OneTypo), "{typed}");
        }
        assert_eq!(nearly_fits("sentimnet", "sentiment"), Some(Fit::OneTypo));
        assert_eq!(nearly_fits("centimant", "sentiment"), Some(Fit::TwoTypos));
        assert_eq!(nearly_fits("rad", "red"), None, "three letters are too few to guess from");
        assert_eq!(nearly_fits("radas", "redis"), None, "two in five letters are another word");
        assert_eq!(nearly_fits("grösse", "größe"), None);
        assert_eq!(nearly_fits("grüße", "größe"), Some(Fit::OneTypo));
        assert_eq!(nearly_fits("dis", "redis"), Some(Fit::Inside));
    }

    #[test]
    fn a_word_that_nobody_types_is_not_guessed_at() {
        let word = |letters: usize| "ab".repeat(letters / 2);
        let typed = |letters: usize| format!("b{}", &word(letters)[1..]);
        assert_eq!(nearly_fits(&typed(64), &word(64)), Some(Fit::OneTypo));
        assert_eq!(nearly_fits(&typed(66), &word(66)), None);
        assert_eq!(nearly_fits(&word(66), &word(1_000)), Some(Fit::Inside));
    }

    #[test]
    fn a_name_is_all_that_was_typed_or_begins_with_it() {
        let bonus = |name: &str, text: &str| bonus(name, &Query::new(text).expect("a query"));
        assert_eq!(bonus("redis-cache", "redis cache"), 10_000);
        assert_eq!(bonus("redis-cache", "redis-cache"), 10_000);
        assert_eq!(bonus("redis-cache-tools", "redis cache"), 500);
        assert_eq!(bonus("redis-cache", "cache redis"), 0);
        assert_eq!(bonus("redis-cache", ""), 0);
    }
}
