//! What is asked: words, filters, an order, and which part of the answer.

use std::fmt;
use std::str::FromStr;

use super::rank::split;
use crate::manifest::Runtime;

/// 1,000 bytes: nobody types more.
pub const MAX_QUERY_BYTES: usize = 1_000;
/// 16 words, each of which is looked up for itself.
pub const MAX_QUERY_WORDS: usize = 16;
/// 100 entries at once.
pub const MAX_LIMIT: usize = 100;
/// 1,000,000 entries to pass over: more than any registry has.
pub const MAX_OFFSET: usize = 1_000_000;

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    pub(super) words: Vec<String>,
    /// Only plugins of this category.
    pub category: Option<String>,
    /// Only plugins of this runtime.
    pub runtime: Option<Runtime>,
    /// What comes first.
    pub sort: Sort,
    /// How many to pass over.
    pub offset: usize,
    /// How many to give; none means all.
    pub limit: Option<usize>,
}

/// What comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// What fits best; without words what is downloaded most.
    #[default]
    Relevance,
    /// What is downloaded most.
    Downloads,
    /// What came out last.
    Updated,
    /// By name.
    Name,
}

/// Words that cannot be looked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Too long.
    #[error("the words have {bytes} bytes, at most {MAX_QUERY_BYTES} are looked for")]
    TooLong {
        /// How long.
        bytes: usize,
    },
    /// Too many.
    #[error("there are {words} words, at most {MAX_QUERY_WORDS} are looked for")]
    TooMany {
        /// How many.
        words: usize,
    },
    /// Punctuation alone, which nothing is found by.
    #[error("`{}` has no letter and no digit to look for", text.escape_debug())]
    NoWord {
        /// What was typed.
        text: String,
    },
}

/// A word that names no order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no order: expected `relevance`, `downloads`, `updated` or `name`", .0.escape_debug())]
pub struct UnknownSort(String);

impl Query {
    /// Looks for plugins that have every word of a text. An empty text finds all.
    ///
    /// # Errors
    /// It is too long, or has nothing to look for.
    pub fn new(text: &str) -> Result<Self, QueryError> {
        if text.len() > MAX_QUERY_BYTES {
            return Err(QueryError::TooLong { bytes: text.len() });
        }
        let mut words: Vec<String> = Vec::new();
        split(text, &mut |word| words.push(word.to_owned()));
        match words.len() {
            0 if !text.trim().is_empty() => Err(QueryError::NoWord { text: text.to_owned() }),
            0..=MAX_QUERY_WORDS => Ok(Self { words, ..Self::default() }),
            words => Err(QueryError::TooMany { words }),
        }
    }

    /// Looks for all plugins in an order, and gives the first of them.
    pub fn of_all(sort: Sort, limit: usize) -> Self {
        Self { sort, limit: Some(limit), ..Self::default() }
    }

    /// The words in lower case, in the order in which they were typed.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// The part of a sorted answer that was asked for.
    pub(super) fn part<T>(&self, found: impl Iterator<Item = T>) -> Vec<T> {
        found.skip(self.offset).take(self.limit.unwrap_or(usize::MAX)).collect()
    }
}

impl Sort {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Relevance, Self::Downloads, Self::Updated, Self::Name];
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Relevance => "relevance",
            Self::Downloads => "downloads",
            Self::Updated => "updated",
            Self::Name => "name",
        })
    }
}

impl FromStr for Sort {
    type Err = UnknownSort;

    fn from_str(text: &str) -> Result<Self, UnknownSort> {
        let found = Self::ALL.into_iter().find(|sort| sort.to_string() == text);
        found.ok_or_else(|| UnknownSort(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_stands_between_everything_that_is_no_letter_and_no_digit() {
        let words = |text: &str| Query::new(text).map(|query| query.words().join(" "));
        assert_eq!(words(" Redis-Cache,  GET\t"), Ok("redis cache get".to_owned()));
        assert_eq!(words("größe 数据"), Ok("größe 数据".to_owned()));
        assert_eq!(words("   "), Ok(String::new()));
    }

    #[test]
    fn what_cannot_be_looked_for_is_told() {
        insta::assert_snapshot!(Query::new("?!").expect_err("no word"), @"`?!` has no letter and no digit to look for");
        insta::assert_snapshot!(Query::new(&"x".repeat(2_000)).expect_err("too long"), @"the words have 2000 bytes, at most 1000 are looked for");
        insta::assert_snapshot!(Query::new(&"x ".repeat(17)).expect_err("too many"), @"there are 17 words, at most 16 are looked for");
        insta::assert_snapshot!("best".parse::<Sort>().expect_err("no order"), @"`best` is no order: expected `relevance`, `downloads`, `updated` or `name`");
        for sort in Sort::ALL {
            assert_eq!(sort.to_string().parse(), Ok(sort));
        }
    }
}
