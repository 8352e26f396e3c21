//! What is wrong with a workflow file, and how it is drawn: message, place, the line underlined, help.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::source::SourceText;

/// Whether a problem keeps the workflow from running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The workflow does not run.
    Error,
    /// It runs, but probably not as meant.
    Warning,
}

/// How a problem is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drawing {
    /// Text alone.
    Plain,
    /// With terminal colours.
    Coloured,
}

/// One thing that is wrong with a workflow file.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Whether the workflow still runs.
    pub severity: Severity,
    /// The file as the user named it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The bytes of the file that are underlined.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do next.
    pub help: Option<String>,
    source: Arc<SourceText>,
}

impl Problem {
    /// Describes what is wrong at `span` of `source`.
    pub fn new(severity: Severity, source: &Arc<SourceText>, span: Range<usize>, message: impl Into<String>) -> Self {
        let position = source.position(span.start);
        Self {
            severity,
            file: source.name().to_owned(),
            line: position.line,
            column: position.column,
            span: visible(source.text(), span),
            message: message.into(),
            help: None,
            source: Arc::clone(source),
        }
    }

    /// Adds what to do next.
    pub fn help(mut self, help: Option<impl Into<String>>) -> Self {
        self.help = help.map(Into::into);
        self
    }

    /// Draws the problem with its source line.
    pub fn draw(&self, drawing: Drawing) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let Window { text, span } = self.window();
        let shown_column = text[..span.start].chars().count() + 1;
        let snippet = Snippet::source(text).path(self.file.as_str()).line_start(self.line);
        let snippet = snippet.annotation(AnnotationKind::Primary.span(span));
        let mut report: Vec<Group<'_>> = vec![level.primary_title(self.message.as_str()).element(snippet)];
        if let Some(help) = &self.help {
            report[0] = report[0].clone().element(Level::HELP.message(help.as_str()));
        }
        let renderer = match drawing {
            Drawing::Plain => Renderer::plain(),
            Drawing::Coloured => Renderer::styled(),
        };
        let drawn = renderer.decor_style(DecorStyle::Ascii).render(&report);
        // Columns were counted from where the shown part of the line begins.
        let place = |column: usize| format!("{}:{}:{column}", self.file, self.line);
        if shown_column == self.column { drawn } else { drawn.replacen(&place(shown_column), &place(self.column), 1) }
    }

    /// The line that is shown: drawing takes time by the length of what is given to it. Of a long one, what is near the place.
    fn window(&self) -> Window<'_> {
        let text = self.source.text();
        let begins = text[..self.span.start].rfind('\n').map_or(0, |newline| newline + 1);
        let ends = text[self.span.end..].find('\n').map_or(text.len(), |length| self.span.end + length);
        let end = self.span.end.min(self.span.start + MAX_UNDERLINED);
        let (from, to) = if ends - begins <= MAX_LINE {
            (begins, ends)
        } else {
            (begins.max(self.span.start.saturating_sub(BEFORE)), ends.min(end + AFTER))
        };
        let (from, to) = (text.ceil_char_boundary(from), text.floor_char_boundary(to));
        let end = text.floor_char_boundary(end).max(self.span.start);
        Window { text: &text[from..to], span: self.span.start - from..end - from }
    }
}

/// The longest line that is shown whole, in bytes. A JSON file may be one line of megabytes.
const MAX_LINE: usize = 240;
/// The most of a place that is underlined, in bytes.
const MAX_UNDERLINED: usize = 100;
/// How much of a long line is shown before the place, in bytes.
const BEFORE: usize = 50;
/// The same behind it.
const AFTER: usize = 30;

/// The part of a source that is shown.
struct Window<'a> {
    text: &'a str,
    span: Range<usize>,
}

/// Narrows a span to its first line and to at least one character, so that a whole block is not underlined.
fn visible(text: &str, span: Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start);
    let end = text.floor_char_boundary(span.end.max(start));
    let line = text[start..end].split('\n').next().unwrap_or_default().trim_end();
    if !line.is_empty() {
        return start..start + line.len();
    }
    match text[start..].chars().next() {
        Some(next) if next != '\n' => start..start + next.len_utf8(),
        // At the end of a line the last character before it stands for the place.
        _ => text[..start]
            .char_indices()
            .next_back()
            .filter(|(_, last)| *last != '\n')
            .map_or(start..start, |(at, _)| at..start),
    }
}

/// How many problems of a workflow are told: 500. The others are counted.
const MAX_TOLD: usize = 500;

/// Everything found wrong with a workflow, in the order of the file.
#[derive(Debug, Clone, Default)]
pub struct Problems {
    told: Vec<Problem>,
    more: usize,
    errors: usize,
}

impl Problems {
    /// Sorts problems by file and place.
    pub fn new(list: Vec<Problem>) -> Self {
        let mut problems = Self::default();
        list.into_iter().for_each(|problem| problems.push(problem));
        problems.sorted()
    }

    /// The same in the order of files and places.
    #[must_use]
    pub(super) fn sorted(mut self) -> Self {
        self.told.sort_by(|a, b| (&a.file, a.span.start).cmp(&(&b.file, b.span.start)));
        self
    }

    /// Adds one.
    pub(super) fn push(&mut self, problem: Problem) {
        self.errors += usize::from(problem.severity == Severity::Error);
        if self.is_full() { self.more += 1 } else { self.told.push(problem) }
    }

    /// Adds one whose place and words are not needed once there are many.
    pub(super) fn add(&mut self, severity: Severity, problem: impl FnOnce() -> Problem) {
        if self.is_full() {
            self.errors += usize::from(severity == Severity::Error);
            self.more += 1;
        } else {
            self.push(problem());
        }
    }

    /// Adds those of another document.
    pub(super) fn extend(&mut self, others: Self) {
        let told = others.told.iter().filter(|problem| problem.severity == Severity::Error).count();
        self.errors += others.errors - told;
        self.more += others.more;
        others.told.into_iter().for_each(|problem| self.push(problem));
    }

    /// Whether more are only counted.
    pub(super) fn is_full(&self) -> bool {
        self.told.len() >= MAX_TOLD
    }

    /// Each problem that is told.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.told.iter()
    }

    /// How many there are beyond those that are told.
    pub fn more(&self) -> usize {
        self.more
    }

    /// How many keep the workflow from running.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// How many do not.
    pub fn warnings(&self) -> usize {
        self.told.len() + self.more - self.errors
    }

    /// Whether any of them keeps the workflow from running.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// Draws all of them, a blank line between each two.
    pub fn draw(&self, drawing: Drawing) -> String {
        let mut drawn: Vec<String> = self.told.iter().map(|problem| problem.draw(drawing)).collect();
        if self.more > 0 {
            drawn.push(format!("… and {} more", self.more));
        }
        drawn.join("\n\n")
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.draw(Drawing::Plain))
    }
}

impl std::error::Error for Problems {}

/// The name nearest to a mistyped one, when one is near enough to be meant.
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (wanted.chars().count() / 3).max(1);
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(wanted, name), name))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many names are compared with mistyped ones before no more near names are looked for: a million, which takes a second.
const MAX_COMPARED: usize = 1_000_000;

/// Names among which near ones are looked for many times.
#[derive(Debug, Default)]
pub(super) struct Names {
    by_length: BTreeMap<usize, Vec<Arc<str>>>,
    compared: Cell<usize>,
}

impl Names {
    /// Adds one.
    pub fn add(&mut self, name: &Arc<str>) {
        self.by_length.entry(name.chars().count()).or_default().push(Arc::clone(name));
    }

    /// The name nearest to a mistyped one. Only one of about the same length can be near.
    pub fn nearest(&self, wanted: &str) -> Option<&str> {
        let length = wanted.chars().count();
        let slips = (length / 3).max(1);
        let near = || self.by_length.range(length.saturating_sub(slips)..=length + slips);
        let compared = self.compared.get() + near().map(|(_, names)| names.len()).sum::<usize>();
        if compared > MAX_COMPARED {
            return None;
        }
        self.compared.set(compared);
        nearest(wanted, near().flat_map(|(_, names)| names).map(|name| &**name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_drawn_with_its_line_underlined() {
        let source = Arc::new(SourceText::new("w.yaml", "name: a\nstart: fetsch\n"));
        let problem = Problem::new(Severity::Error, &source, 15..21, "`start` names no node: `fetsch`")
            .help(Some("did you mean `fetch`?"));
        insta::assert_snapshot!(problem.draw(Drawing::Plain), @r"
        error: `start` names no node: `fetsch`
         --> w.yaml:2:8
          |
        2 | start: fetsch
          |        ^^^^^^
          |
          = help: did you mean `fetch`?
        ");
        assert_eq!((problem.line, problem.column), (2, 8));
    }

    #[test]
    fn a_long_line_is_shown_around_the_place_with_its_own_column() {
        let text = format!("{{\"a\": \"{}\", \"stort\": 1, \"b\": \"{}\"}}", "é".repeat(5_000), "x".repeat(5_000));
        let start = text.find("stort").unwrap();
        let source = Arc::new(SourceText::new("w.json", text));
        let drawn = Problem::new(Severity::Error, &source, start..start + 5, "no key `stort`").draw(Drawing::Plain);
        insta::assert_snapshot!(drawn, @r#"
        error: no key `stort`
         --> w.json:1:5012
          |
        1 | ééééééééééééééééééééééé", "stort": 1, "b": "xxxxxxxxxxxxxxxxxx
          |                            ^^^^^
        "#);
    }

    #[test]
    fn a_flood_of_problems_is_counted() {
        let source = Arc::new(SourceText::new("w.yaml", "name: a\n"));
        let problem = |_| Problem::new(Severity::Error, &source, 0..4, "wrong");
        let problems = Problems::new((0..2_000).map(problem).collect());
        assert_eq!((problems.iter().count(), problems.more(), problems.errors()), (MAX_TOLD, 1_500, 2_000));
        assert!(problems.to_string().ends_with("… and 1500 more"));
    }

    #[test]
    fn only_a_close_name_is_suggested() {
        assert_eq!(nearest("coonfig", ["config", "name"]), Some("config"));
        assert_eq!(nearest("return-cached", ["check-cache", "update-cache"]), None);
    }
}
