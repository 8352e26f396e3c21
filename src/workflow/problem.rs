//! What is wrong with a workflow file, and how it is drawn: message, place, the line underlined, help.

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
        let annotation = AnnotationKind::Primary.span(self.span.clone());
        let snippet = Snippet::source(self.source.text()).path(self.file.as_str()).annotation(annotation);
        let mut report: Vec<Group<'_>> = vec![level.primary_title(self.message.as_str()).element(snippet)];
        if let Some(help) = &self.help {
            report[0] = report[0].clone().element(Level::HELP.message(help.as_str()));
        }
        let renderer = match drawing {
            Drawing::Plain => Renderer::plain(),
            Drawing::Coloured => Renderer::styled(),
        };
        renderer.decor_style(DecorStyle::Ascii).render(&report)
    }
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

/// Everything found wrong with a workflow, in the order of the file.
#[derive(Debug, Clone, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Sorts problems by file and place.
    pub fn new(mut list: Vec<Problem>) -> Self {
        list.sort_by(|a, b| (&a.file, a.span.start).cmp(&(&b.file, b.span.start)));
        Self(list)
    }

    /// Each problem.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// Those that keep the workflow from running.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter().filter(|problem| problem.severity == Severity::Error)
    }

    /// Whether any of them keeps the workflow from running.
    pub fn has_errors(&self) -> bool {
        self.errors().next().is_some()
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Draws all of them, a blank line between each two.
    pub fn draw(&self, drawing: Drawing) -> String {
        self.0.iter().map(|problem| problem.draw(drawing)).collect::<Vec<_>>().join("\n\n")
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
    fn only_a_close_name_is_suggested() {
        assert_eq!(nearest("coonfig", ["config", "name"]), Some("config"));
        assert_eq!(nearest("return-cached", ["check-cache", "update-cache"]), None);
    }
}
