//! The text of a workflow file, and where an offset in it stands.

use std::ops::Range;
use std::sync::OnceLock;

use pocket_index::digest::Digest;

/// A workflow's text with the name its problems are reported under.
#[derive(Debug)]
pub struct SourceText {
    name: String,
    text: String,
    line_starts: Vec<usize>,
    /// Then a column is a difference of offsets: a line may have megabytes.
    is_ascii: bool,
    digest: OnceLock<Digest>,
}

/// A place in a text, as editors count: both start at 1, columns are characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl SourceText {
    /// Takes a text and the name of the file it came from.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { name: name.into(), is_ascii: text.is_ascii(), text, line_starts, digest: OnceLock::new() }
    }

    /// The file's name as the user gave it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The digest of the text.
    pub fn digest(&self) -> Digest {
        *self.digest.get_or_init(|| Digest::of(self.text.as_bytes()))
    }

    /// Where a byte offset stands; an offset past the end stands at the end.
    pub fn position(&self, offset: usize) -> Position {
        let offset = self.text.floor_char_boundary(offset);
        let line = self.line_starts.partition_point(|&start| start <= offset);
        let start = self.line_starts[line - 1];
        let characters = if self.is_ascii { offset - start } else { self.text[start..offset].chars().count() };
        Position { line, column: characters + 1 }
    }

    /// The byte offset of a place; a place past a line's end stands at that end.
    pub fn offset(&self, line: usize, column: usize) -> usize {
        let Some(&start) = self.line_starts.get(line.saturating_sub(1)) else { return self.text.len() };
        let rest = self.text[start..].split('\n').next().unwrap_or_default();
        let within = rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at);
        start + within
    }

    /// The source offset of a byte of a scalar's *decoded* text, so that an error inside a quoted or block
    /// scalar points into the file. `span` is the scalar as it stands in the file, a block scalar's without its header.
    pub fn inside(&self, span: &Range<usize>, decoded: &str, offset: usize) -> usize {
        let raw = self.text.get(span.clone()).unwrap_or_default();
        let quote = match raw.chars().next() {
            Some(quote @ ('"' | '\'')) if !self.is_block(span.start) => Some(quote),
            _ => None,
        };
        span.start + align(raw, quote, decoded, offset)
    }

    /// Whether a block scalar's header (`|`, `>-`) stands before its content at `start`.
    fn is_block(&self, start: usize) -> bool {
        let before = self.text[..start].trim_end();
        let header = before.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-' || c == '+');
        header.ends_with(['|', '>']) && self.text[before.len()..start].contains('\n')
    }
}

/// Walks a scalar's raw and decoded forms side by side up to `offset` of the decoded one.
///
/// Line folding and indentation only ever change white space, so that white space is matched by runs and everything else
/// by equality.
fn align(raw: &str, quote: Option<char>, decoded: &str, offset: usize) -> usize {
    let mut at = usize::from(quote.is_some());
    for (index, wanted) in decoded.char_indices() {
        let is_target = index >= offset;
        if quote == Some('"') && raw[at..].starts_with('\\') && !raw[at..].starts_with("\\\n") {
            if is_target {
                return at;
            }
            at += escape_length(&raw[at..]);
            continue;
        }
        if !wanted.is_whitespace() {
            at += raw[at..].find(wanted).unwrap_or(0);
        }
        if is_target {
            return at;
        }
        at = step_over(raw, at, wanted, quote);
    }
    at.min(raw.len())
}

/// The offset after one decoded character that is not an escape.
fn step_over(raw: &str, at: usize, wanted: char, quote: Option<char>) -> usize {
    let rest = &raw[at..];
    match rest.chars().next() {
        None => at,
        Some('\'') if quote == Some('\'') && rest.starts_with("''") => at + 2,
        Some(found) if found == wanted => at + found.len_utf8(),
        Some(found) if found.is_whitespace() => at + (rest.len() - rest.trim_start().len()),
        Some(_) => at,
    }
}

/// How many bytes an escape of a double-quoted scalar takes.
fn escape_length(rest: &str) -> usize {
    let length = match rest.chars().nth(1) {
        Some('x') => 4,
        Some('u') => 6,
        Some('U') => 10,
        Some(other) => 1 + other.len_utf8(),
        None => 1,
    };
    length.min(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_becomes_line_and_column_and_back() {
        let source = SourceText::new("w.yaml", "eins\nzwölf: ja\n");
        let position = source.position(13);
        assert_eq!(position, Position { line: 2, column: 8 });
        assert_eq!(source.offset(position.line, position.column), 13);
        assert_eq!(source.position(999), Position { line: 3, column: 1 });
    }

    #[test]
    fn an_offset_in_a_decoded_scalar_finds_its_place_in_the_file() {
        for (raw, decoded) in [
            ("plain !x", "plain !x"),
            (r#""a\n\t\"\u0041!x""#, "a\n\t\"A!x"),
            ("'it''s !x'", "it's !x"),
            ("|\n  \"one\"\n  !x", "\"one\"\n!x"),
            ("|\n  one\n    two !x\n  three\n", "one\n  two !x\nthree\n"),
            (">-\n  one\n  two\n\n  !x", "one two\n!x"),
        ] {
            let source = SourceText::new("w.yaml", format!("k: {raw}"));
            let start = if raw.starts_with(['|', '>']) { raw.find('\n').unwrap() + 3 } else { 0 };
            let span = 3 + start..3 + raw.len();
            let wanted = decoded.find('!').unwrap();
            let found = source.inside(&span, decoded, wanted);
            assert_eq!(&source.text()[found..found + 2], "!x", "{raw}");
        }
    }
}
