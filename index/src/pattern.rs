//! Patterns over plugin names, for policies: `geo`, `acme-*`, `*`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::name::{MAX_NAME_BYTES, PluginName};

/// A pattern over plugin names, in which `*` stands for any letters, also for none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NamePattern(String);

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is no pattern of plugin names: expected lower-case letters, digits, `-` and `*`, at most {MAX_NAME_BYTES}",
    value.escape_debug()
)]
pub struct NamePatternError {
    value: String,
}

impl NamePattern {
    /// Whether the name fits.
    pub fn matches(&self, name: &PluginName) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = name.as_str().strip_prefix(first) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            // The earliest place leaves the most for what follows.
            let Some((_, after)) = rest.split_once(part) else { return false };
            rest = after;
        }
        rest.ends_with(last)
    }
}

impl NamePattern {
    /// How many letters it names: of two patterns, the one with more says more.
    pub fn letters(&self) -> usize {
        self.0.chars().filter(|&letter| letter != '*').count()
    }
}

impl FromStr for NamePattern {
    type Err = NamePatternError;

    fn from_str(text: &str) -> Result<Self, NamePatternError> {
        let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-*".contains(letter);
        if text.is_empty() || text.len() > MAX_NAME_BYTES || !text.chars().all(fits) {
            return Err(NamePatternError { value: text.to_owned() });
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for NamePattern {
    type Error = NamePatternError;

    fn try_from(text: String) -> Result<Self, NamePatternError> {
        text.parse()
    }
}

impl From<NamePattern> for String {
    fn from(pattern: NamePattern) -> Self {
        pattern.0
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_letters() {
        for (pattern, name, fits) in [
            ("geo", "geo", true),
            ("geo", "geo2", false),
            ("*", "geo", true),
            ("acme-*", "acme-geo", true),
            ("geo*", "geo", true),
            ("acme-*", "evil-acme-geo", false),
            ("*-cache", "redis-cache", true),
            ("*-cache", "redis-cache2", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
        ] {
            let pattern: NamePattern = pattern.parse().expect("a pattern");
            let name: PluginName = name.parse().expect("a name");
            assert_eq!(pattern.matches(&name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn what_no_name_can_be_is_no_pattern() {
        for bad in ["", "Geo", "geo cache", "geo/*", "g\u{e9}o"] {
            assert!(bad.parse::<NamePattern>().is_err(), "{bad}");
        }
    }
}
