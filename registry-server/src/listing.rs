//! `search.json` with one plugin's entry changed, without reading the others: there may be a hundred thousand.

use pocket_index::record::History;
use pocket_index::search::{self, SearchEntry};

/// What becomes of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Changed {
    /// It says all of it already.
    Same,
    /// This is the new one.
    List(String),
    /// It is not a list: what it said of the other plugins stands in their files alone.
    Unreadable,
}

/// Whether a list can be read.
pub(crate) fn is_readable(list: &[u8]) -> bool {
    str::from_utf8(list).ok().and_then(lines).is_some()
}

/// The list with this plugin as it is now.
pub(crate) fn with(list: &[u8], history: &History) -> Changed {
    let entry = SearchEntry::of(history);
    let (name, line) = (history.name().as_str(), entry.as_ref().map(line_of));
    let Some(lines) = str::from_utf8(list).ok().and_then(lines) else { return Changed::Unreadable };
    let place = lines.binary_search_by(|line| name_of(line).cmp(name));
    let (before, there, after) = match place {
        Ok(at) => (&lines[..at], Some(lines[at]), &lines[at + 1..]),
        Err(at) => (&lines[..at], None, &lines[at..]),
    };
    if there == line.as_deref() {
        return Changed::Same;
    }
    let mut text = String::with_capacity(list.len() + line.as_ref().map_or(0, String::len) + 2);
    for (number, line) in before.iter().copied().chain(line.as_deref()).chain(after.iter().copied()).enumerate() {
        text.push_str(if number == 0 { "[" } else { ",\n" });
        text.push_str(line);
    }
    text.push_str(if text.is_empty() { "[]\n" } else { "]\n" });
    Changed::List(text)
}

fn line_of(entry: &SearchEntry) -> String {
    let text = search::write(vec![entry.clone()]);
    text[1..text.len() - 2].to_owned()
}

/// The entries of a list as this program writes it: one a line, sorted by name. A string in JSON has no line break.
fn lines(list: &str) -> Option<Vec<&str>> {
    let inner = list.strip_prefix('[')?.strip_suffix("]\n")?;
    let lines: Vec<_> = if inner.is_empty() { Vec::new() } else { inner.split(",\n").collect() };
    let well_formed = lines.iter().all(|line| line.starts_with(NAME) && line.ends_with('}'));
    let sorted = lines.windows(2).all(|pair| name_of(pair[0]) < name_of(pair[1]));
    (well_formed && sorted).then_some(lines)
}

const NAME: &str = "{\"name\":\"";

/// Names have no character that JSON escapes.
fn name_of(line: &str) -> &str {
    line[NAME.len()..].split('"').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use pocket_index::record::Policy;

    use super::*;

    fn empty(name: &str) -> History {
        History::empty(name.parse().expect("a name"), &Policy::new([]))
    }

    const LIST: &str = r#"[{"name":"a","version":"1.0.0","description":"x","runtime":"lua","nodes":[],"categories":[],"keywords":[]},
{"name":"c","version":"1.0.0","description":"}]","runtime":"lua","nodes":[],"categories":[],"keywords":[]}]
"#;

    #[test]
    fn a_plugin_without_releases_leaves_the_list_and_the_others_stay_as_they_are() {
        let Changed::List(without) = with(LIST.as_bytes(), &empty("a")) else { panic!("it changes") };
        assert_eq!(search::parse(&without).expect("it is a list").len(), 1);
        assert!(without.starts_with("[{\"name\":\"c\"") && LIST.ends_with(&without[1..]));
        let none = with(without.as_bytes(), &empty("c"));
        assert_eq!(none, Changed::List("[]\n".to_owned()));
        assert_eq!(with(b"[]\n", &empty("c")), Changed::Same);
        assert_eq!(with(LIST.as_bytes(), &empty("b")), Changed::Same);
    }

    #[test]
    fn a_damaged_list_is_told_from_an_empty_one() {
        assert!(is_readable(LIST.as_bytes()) && is_readable(b"[]\n"));
        for damaged in ["", "[", "[x]\n", "{}", "[{\"name\":\"b\"},\n{\"name\":\"a\"}]\n"] {
            assert_eq!(with(damaged.as_bytes(), &empty("a")), Changed::Unreadable, "{damaged}");
            assert!(!is_readable(damaged.as_bytes()), "{damaged}");
        }
    }
}
