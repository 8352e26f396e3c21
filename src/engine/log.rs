//! What plugins write to their log.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::budget::{Limit, Limits};

/// The longest line that is kept, in bytes: a plugin cannot flood a terminal with one call of `log`.
const MAX_LINE_BYTES: usize = 4096;

/// What the limits of a log are counted over.
const WINDOW: Duration = Duration::from_secs(1);

/// One line that a plugin wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLine<'a> {
    /// The plugin's name.
    pub plugin: &'a str,
    /// How important the plugin finds it.
    pub severity: Severity,
    /// The text without line end, control characters escaped.
    pub text: &'a str,
}

/// How important a plugin finds a line of its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Severity {
    /// For those who look for a mistake in the plugin.
    Debug,
    /// What it does. Also what it prints without saying how important it is.
    #[default]
    Info,
    /// What may be wrong.
    Warning,
    /// What went wrong.
    Error,
}

impl Severity {
    /// What stands in front of a line for people; nothing for [`Severity::Info`].
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Debug => "debug: ",
            Self::Info => "",
            Self::Warning => "warning: ",
            Self::Error => "error: ",
        }
    }
}

/// Where plugins' log lines go.
#[derive(Clone)]
pub struct PluginLog {
    sink: Arc<dyn Fn(LogLine<'_>) + Send + Sync>,
    gate: Option<Arc<Mutex<Gate>>>,
}

impl PluginLog {
    /// Hands every line to `sink`.
    pub fn new(sink: impl Fn(LogLine<'_>) + Send + Sync + 'static) -> Self {
        Self { sink: Arc::new(sink), gate: None }
    }

    /// The same for one plugin, which may write as much as `limits` say. What is more is left out, and a line says so.
    #[must_use]
    pub fn limited(self, plugin: &str, limits: Limits) -> Self {
        let gate = Gate { plugin: plugin.to_owned(), limits, since: Instant::now(), lines: 0, bytes: 0, shut: false };
        Self { gate: Some(Arc::new(Mutex::new(gate))), ..self }
    }

    /// Writes `text`, line by line. Control characters are escaped: a plugin must not move the user's cursor.
    pub fn write(&self, plugin: &str, text: &str) {
        self.write_as(Severity::Info, plugin, text);
    }

    /// The same with another severity.
    pub fn write_as(&self, severity: Severity, plugin: &str, text: &str) {
        for line in text.lines() {
            let end = line.floor_char_boundary(MAX_LINE_BYTES);
            match self.admit(end) {
                Admission::Granted => {
                    let text: String = line[..end].chars().flat_map(escape_control).collect();
                    (self.sink)(LogLine { plugin, severity, text: &text });
                }
                Admission::Told(notice) => {
                    return (self.sink)(LogLine { plugin, severity: Severity::Warning, text: &notice });
                }
                // The other lines of the text are not even looked at: there may be millions.
                Admission::Refused => return,
            }
        }
    }

    fn admit(&self, bytes: usize) -> Admission {
        let Some(gate) = &self.gate else { return Admission::Granted };
        gate.lock().unwrap_or_else(PoisonError::into_inner).admit(bytes as u64, Instant::now())
    }
}

/// Counts what one plugin writes.
struct Gate {
    plugin: String,
    limits: Limits,
    since: Instant,
    lines: u32,
    bytes: u64,
    /// Whether the log was told in this second that lines are left out.
    shut: bool,
}

/// What becomes of a line.
#[derive(Debug, PartialEq)]
enum Admission {
    Granted,
    /// It is left out, and this is said instead.
    Told(String),
    Refused,
}

impl Gate {
    fn admit(&mut self, bytes: u64, now: Instant) -> Admission {
        if now.saturating_duration_since(self.since) >= WINDOW {
            (self.since, self.lines, self.bytes, self.shut) = (now, 0, 0, false);
        }
        if self.shut {
            return Admission::Refused;
        }
        self.lines = self.lines.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
        let (limit, unit) = if self.lines > self.limits.log_lines {
            (Limit::LogLines, " lines")
        } else if self.bytes > self.limits.log_bytes {
            (Limit::LogBytes, "")
        } else {
            return Admission::Granted;
        };
        self.shut = true;
        let (most, advice) = (self.limits.shown(limit), limit.advice(&self.plugin));
        Admission::Told(format!("lines are left out: the log's limit is {most}{unit} a second; {advice}"))
    }
}

impl Default for PluginLog {
    /// Lines go to standard error, the plugin's name in front.
    fn default() -> Self {
        Self::new(|line| eprintln!("[{}] {}{}", line.plugin, line.severity.prefix(), line.text))
    }
}

impl fmt::Debug for PluginLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PluginLog")
    }
}

/// A character that moves no cursor.
pub(super) fn escape_control(c: char) -> impl Iterator<Item = char> {
    let escaped = (c.is_control() && c != '\t').then(|| c.escape_default());
    let plain = escaped.is_none().then_some(c);
    escaped.into_iter().flatten().chain(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log, and what arrives of it.
    fn log() -> (PluginLog, Arc<Mutex<Vec<String>>>) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        let write = move |line: LogLine<'_>| {
            sink.lock().expect("no test panics").push(format!("{}{}", line.severity.prefix(), line.text));
        };
        (PluginLog::new(write), seen)
    }

    #[test]
    fn a_line_cannot_move_the_cursor_or_flood_the_terminal() {
        let (log, seen) = log();
        log.write("p", &format!("one\u{1b}[2J\ntwo{}", "x".repeat(10_000)));
        log.write_as(Severity::Error, "p", "three");
        let seen = seen.lock().expect("no test panics");
        assert_eq!(seen[0], "one\\u{1b}[2J");
        assert_eq!(seen[1].len(), MAX_LINE_BYTES);
        assert_eq!(seen[2], "error: three");
    }

    #[test]
    fn a_flood_is_cut_off_with_one_line_that_names_the_limit() {
        let (log, seen) = log();
        let limits = Limits { log_lines: 2, ..Limits::default() };
        // However slow the machine is: one text is counted in far less than a second, or the flood is no flood.
        log.limited("sample", limits).write("p", &"line\n".repeat(100));
        let seen = seen.lock().expect("no test panics");
        assert_eq!(seen[..2], ["line", "line"]);
        insta::assert_snapshot!(seen[2], @"warning: lines are left out: the log's limit is 2 lines a second; `plugins.limits.sample.log_lines` in pocket.yaml raises it");
        assert_eq!(seen.len(), 3);
    }

    #[test]
    fn bytes_are_counted_too_and_every_second_starts_anew() {
        let now = Instant::now();
        let limits = Limits { log_bytes: 1 << 10, ..Limits::default() };
        let mut gate = Gate { plugin: "sample".into(), limits, since: now, lines: 0, bytes: 0, shut: false };
        assert_eq!(gate.admit(1 << 10, now), Admission::Granted);
        let Admission::Told(notice) = gate.admit(1, now) else { panic!("the limit is reached") };
        insta::assert_snapshot!(notice, @"lines are left out: the log's limit is 1KiB a second; `plugins.limits.sample.log_bytes` in pocket.yaml raises it");
        assert_eq!(gate.admit(1, now), Admission::Refused);
        assert_eq!(gate.admit(1, now + WINDOW), Admission::Granted);
    }
}
