//! Bringing a [`Finder`] up to date with a list of which one line changed, in a fraction of the time that reading it takes.

use std::collections::HashSet;

use super::{Finder, SearchEntry};
use crate::json::check_strict;

/// How each line begins, as [`super::write`] writes it. Names have no character that JSON escapes.
const NAME: &str = "{\"name\":\"";

/// What an update changed: a changed entry is in both.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// The entries that are gone, as they were.
    pub removed: Vec<SearchEntry>,
    /// The entries that came.
    pub added: Vec<SearchEntry>,
}

impl Finder {
    /// Takes over the text of a `search.json`.
    ///
    /// # Errors
    /// It is none. Nothing has changed then.
    pub fn update(&mut self, text: &str) -> Result<Changes, serde_json::Error> {
        let changed = match lines(text).map(|lines| self.changed_lines(&lines)) {
            Some(changed) => changed?,
            // Somebody else writes it in another way.
            None => self.changed_entries(super::parse(text)?),
        };
        for entry in &changed.removed {
            self.remove(&entry.name);
        }
        changed.added.iter().for_each(|entry| self.put(entry));
        Ok(changed)
    }

    fn changed_lines(&self, lines: &[&str]) -> Result<Changes, serde_json::Error> {
        let mut added = Vec::new();
        let mut kept = HashSet::new();
        for line in lines {
            let name = line[NAME.len()..].split('"').next().unwrap_or_default();
            if self.line(name) == Some(line) {
                kept.insert(name);
            } else {
                check_strict(line)?;
                added.push(serde_json::from_str(line)?);
            }
        }
        Ok(Changes { removed: self.entries_without(&kept), added })
    }

    fn changed_entries(&self, entries: Vec<SearchEntry>) -> Changes {
        let is_new = |entry: &SearchEntry| self.line(entry.name.as_str()) != Some(&entry.to_line());
        let (added, kept): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_new);
        let kept = kept.iter().map(|entry| entry.name.as_str()).collect();
        Changes { removed: self.entries_without(&kept), added }
    }
}

/// The lines of a list with one entry in each; none if it is not written so.
fn lines(text: &str) -> Option<Vec<&str>> {
    let inner = text.trim_end().strip_prefix('[')?.strip_suffix(']')?;
    if inner.is_empty() {
        return Some(Vec::new());
    }
    let lines: Vec<&str> = inner.split(",\n").collect();
    let is_entry = |line: &&str| line.starts_with(NAME) && line.ends_with('}') && !line.contains('\n');
    lines.iter().all(is_entry).then_some(lines)
}
