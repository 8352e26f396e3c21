//! Where results, notices and errors go: results to the standard output, everything else to the standard error.

use std::io::{IsTerminal as _, Write as _};

use serde::Serialize;

use super::arguments::Format;
use super::error::Failure;
use crate::workflow::Drawing;

/// How this run prints.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    format: Format,
    quiet: bool,
    color: bool,
}

impl Output {
    /// How the arguments say.
    pub fn new(format: Format, quiet: bool) -> Self {
        Self { format, quiet, color: colours() }
    }

    /// Whether progress bars may be drawn.
    pub fn shows_bars(&self) -> bool {
        !self.quiet && std::io::stderr().is_terminal()
    }

    /// How problems in files are drawn.
    pub fn drawing(&self) -> Drawing {
        if self.color { Drawing::Coloured } else { Drawing::Plain }
    }

    /// Whether a person sits there to answer a question.
    pub fn can_ask(&self) -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// Prints a result: `document` for programs, `text` for people.
    pub fn result<T: Serialize>(&self, document: &T, text: impl FnOnce() -> String) {
        let printed = match self.format {
            Format::Text => text(),
            Format::Json => serde_json::to_string_pretty(document).expect("results have text keys"),
            Format::Yaml => yaml(document),
        };
        print_line(&printed);
    }

    /// Prints a result that has one form only.
    pub fn text(&self, text: &str) {
        print_line(text);
    }

    /// Prints a result as JSON, whatever `--output` says.
    pub fn json<T: Serialize>(&self, document: &T) {
        print_line(&serde_json::to_string_pretty(document).expect("results have text keys"));
    }

    /// Prints a step that was done, as `  Verb what`.
    pub fn step(&self, verb: &str, what: impl AsRef<str>) {
        if !self.quiet {
            let verb = format!("{verb:>12}");
            eprintln!("{} {}", self.paint(&verb, "1;32"), what.as_ref());
        }
    }

    /// Prints a line that belongs to a question.
    pub fn notice(&self, text: &str) {
        eprintln!("{text}");
    }

    /// Prints something a person should know. Not silenced: it may be about safety.
    pub fn warning(&self, text: impl AsRef<str>) {
        eprintln!("{}: {}", self.paint("warning", "1;33"), text.as_ref());
    }

    /// Prints an error with its causes and the next step.
    pub fn failure(&self, failure: &Failure) {
        if self.format == Format::Json {
            let document = serde_json::json!({ "error": failure });
            print_line(&serde_json::to_string_pretty(&document).expect("errors have text keys"));
        }
        if let Some(drawing) = &failure.drawing {
            eprint!("{drawing}");
        }
        eprintln!("{}: {}", self.paint("error", "1;31"), failure.message);
        for cause in &failure.causes {
            eprintln!("  {}: {cause}", self.paint("cause", "1"));
        }
        if let Some(hint) = &failure.hint {
            eprintln!("  {}: {hint}", self.paint("hint", "1;36"));
        }
    }

    fn paint(&self, text: &str, code: &str) -> String {
        if self.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Colours are used on a terminal only, and not where `NO_COLOR` is set.
fn colours() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

fn yaml<T: Serialize>(document: &T) -> String {
    serde_saphyr::to_string(document).expect("results have text keys")
}

/// Like `println!`, but a reader that went away (`| head`) ends the output, not the program.
fn print_line(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let newline = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
    let _ = write!(stdout, "{text}{newline}").and_then(|()| stdout.flush());
}
