//! The short way through a document without anchors, tags, and other things that few workflows have.
//!
//! It is the parser of the long way with nothing around it, and takes a third of the time. What it does not read, or reads in doubt,
//! it leaves alone: what a document means, and what is wrong with one, is said in one place.

use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::Number;

use super::{Key, Kind, MAX_VALUES, Yaml};

/// How deep values nest on the short way: 32. The long way says how deep is too deep.
const MAX_OPEN: usize = 32;

/// The document, if all of it is plain.
pub(super) fn read(text: &str) -> Option<Yaml> {
    let mut tree = Tree::default();
    let options = granit_parser::options! { emit_comments: false };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.ok()?;
        tree.take(event, &span)?;
    }
    tree.root
}

/// A tree that grows.
#[derive(Default)]
struct Tree {
    root: Option<Yaml>,
    open: Vec<Open>,
    values: usize,
}

/// A list or mapping whose end is still to come.
struct Open {
    span: Range<usize>,
    parts: Parts,
}

enum Parts {
    List(Vec<Yaml>),
    /// The entries so far, and a key that waits for its value.
    Map(Vec<(Key, Yaml)>, Option<Key>),
}

impl Tree {
    /// Takes the next event in. Nothing: the document is not plain.
    fn take(&mut self, event: Event<'_>, span: &Span) -> Option<()> {
        match event {
            Event::StreamStart | Event::DocumentEnd | Event::StreamEnd => Some(()),
            Event::DocumentStart(_, None) if self.root.is_none() => Some(()),
            Event::Scalar(text, style, 0, None) => {
                let span = place(span)?;
                match self.open.last_mut().map(|open| &mut open.parts) {
                    Some(Parts::Map(_, waiting @ None)) => *waiting = Some(key(span, &text, style)?),
                    _ => self.add(Yaml { span, kind: scalar(&text, style)? })?,
                }
                self.count()
            }
            Event::SequenceStart(_, 0, None) => self.begin(span, Parts::List(Vec::new())),
            Event::MappingStart(_, 0, None) => self.begin(span, Parts::Map(Vec::new(), None)),
            Event::SequenceEnd | Event::MappingEnd => {
                let Open { span, parts } = self.open.pop()?;
                self.add(match parts {
                    Parts::List(items) => Yaml { span, kind: Kind::List(items) },
                    Parts::Map(mut entries, _) => {
                        // Most have one or two; room for four was made.
                        if entries.len() * 2 <= entries.capacity() {
                            entries.shrink_to_fit();
                        }
                        Yaml { span, kind: Kind::Map(entries) }
                    }
                })
            }
            _ => None,
        }
    }

    fn begin(&mut self, span: &Span, parts: Parts) -> Option<()> {
        // A key that is no text.
        if let Some(Open { parts: Parts::Map(_, None), .. }) = self.open.last() {
            return None;
        }
        self.open.push(Open { span: place(span)?, parts });
        if self.open.len() > MAX_OPEN { None } else { self.count() }
    }

    fn add(&mut self, value: Yaml) -> Option<()> {
        match self.open.last_mut().map(|open| &mut open.parts) {
            Some(Parts::List(items)) => items.push(value),
            Some(Parts::Map(entries, key)) => entries.push((key.take()?, value)),
            None => self.root = Some(value),
        }
        Some(())
    }

    fn count(&mut self) -> Option<()> {
        self.values += 1;
        (self.values <= MAX_VALUES).then_some(())
    }
}

fn place(span: &Span) -> Option<Range<usize>> {
    Some(span.start.byte_offset()?..span.end.byte_offset()?)
}

/// A key that is a text, and not `<<`, which merges.
fn key(span: Range<usize>, text: &str, style: ScalarStyle) -> Option<Key> {
    match scalar(text, style)? {
        Kind::Text(text) if text != "<<" => Some(Key { span, text }),
        _ => None,
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Option<Kind> {
    if style != ScalarStyle::Plain {
        return Some(Kind::Text(text.into()));
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Some(Kind::Null),
        "true" | "True" | "TRUE" => Some(Kind::Bool(true)),
        "false" | "False" | "FALSE" => Some(Kind::Bool(false)),
        _ if text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '-' | '+' | '.')) => number(text),
        _ => Some(Kind::Text(text.into())),
    }
}

/// A number as JSON has them, or a text that cannot be one. Nothing: YAML has more ways to write numbers.
fn number(text: &str) -> Option<Kind> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_digits = |part: &str| is_all_digits(part) && (part == "0" || !part.starts_with('0'));
    if !text.starts_with('+') {
        if is_digits(unsigned) {
            return text.parse::<i64>().ok().map(|whole| Kind::Number(whole.into()));
        }
        if unsigned.split_once('.').is_some_and(|(whole, fraction)| is_digits(whole) && is_all_digits(fraction)) {
            return Number::from_f64(text.parse().ok()?).map(Kind::Number);
        }
    }
    let may_be_one = text.parse::<f64>().is_ok()
        || text.contains('_')
        || ["0x", "0X", "0o", "0O", "0b", "0B", "."].iter().any(|prefix| unsigned.starts_with(prefix));
    if may_be_one { None } else { Some(Kind::Text(text.into())) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::parse_in_full;
    use super::*;
    use crate::workflow::source::SourceText;

    /// What both ways make of a text; nothing where the short one leaves it alone.
    fn both(text: &str) -> Option<(String, String)> {
        let source = Arc::new(SourceText::new("w.yaml", text));
        let short = read(text)?;
        let long = parse_in_full(&source)
            .unwrap_or_else(|problem| panic!("the long way refuses {text:?}: {}", problem.message));
        Some((format!("{short:?}"), format!("{long:?}")))
    }

    #[test]
    fn plain_documents_are_read_as_on_the_long_way() {
        let texts = [
            "a: [1, -2, 2.5, -0.25, \"5\", 'x', ~, null, true, FALSE, yes, 5s, 1m30s, 1.2.3, 2026-11-23, a-b]\n",
            "a:\n  - b: |\n      two\n      lines\n    c: >-\n      folded\n      text\n  -\n  - - x\n    - y\n",
            "{\"a\": {\"b\": [true, null, \"x\\u00e9\\n\"]}, \"long\": 123456789012345678}",
            "# a comment\n---\nname: ä # and one\nlist:\n- 1\n- {a: b, c: }\n...\n",
            "a: 1\na: 2\n",
            "text",
            "[]",
            "a: 'it''s'\r\nb: \"x\\\n  y\"\r\n",
            "a: one\n  two\n\n  three\nb: -0\nc: 0\n",
        ];
        for text in texts {
            let (short, long) = both(text).unwrap_or_else(|| panic!("{text:?} is plain"));
            assert_eq!(short, long, "{text:?}");
        }
    }

    #[test]
    fn whatever_needs_the_long_way_is_left_to_it() {
        let texts = [
            "a: &a 1\nb: *a\n",
            "a: !!str 1\n",
            "a: {<<: {b: 1}}\n",
            "? [a]\n: b\n",
            "1: a\n",
            "a: 0x10\n",
            "a: 1_000\n",
            "a: 1e3\n",
            "a: .5\n",
            "a: .inf\n",
            "a: -.inf\n",
            "a: +1\n",
            "a: 010\n",
            "a: 12345678901234567890\n",
            "a: 1\n---\nb: 2\n",
            "%YAML 1.2\n---\na: 1\n",
            "a: [1\n",
            "a: b: c\n",
            "",
        ];
        for text in texts {
            assert!(read(text).is_none(), "{text:?}");
        }
        assert!(read(&"[".repeat(40)).is_none());
        assert!(read(&format!("{}{}", "[".repeat(40), "]".repeat(40))).is_none());
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config { cases: 2000, failure_persistence: None, ..Default::default() })]

        #[test]
        fn the_short_way_says_what_the_long_one_says(
            parts in proptest::collection::vec(proptest::sample::select(PARTS), 0..14)
        ) {
            if let Some((short, long)) = both(&parts.concat()) {
                proptest::prop_assert_eq!(short, long);
            }
        }
    }

    /// What texts are put together from.
    const PARTS: &[&str] = &[
        "a", "b: ", "c: ", "- ", "\n", "\n  ", "\n    ", "[", "]", "{", "}", ", ", ": ", "\"q\"", "'s'", "1", "-1",
        "0", "2.5", "00", ".", "e3", "+", "_", "~", "null", "true", "no", "é", "# c\n", "|\n  x\n", ">\n  y\n",
        "---\n", "...\n", "\t", "\r\n", " ", "5s", "0x1f", "inf", "nan", "<<: ", "&x ", "*x", "!t ", "\u{feff}", "\\",
        "?", "%",
    ];
}
