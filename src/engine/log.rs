//! What plugins write to their log.

use std::fmt;
use std::sync::Arc;

/// The longest line that is kept, in bytes: a plugin cannot flood a terminal with one call of `log`.
const MAX_LINE_BYTES: usize = 4096;

/// One line that a plugin wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLine<'a> {
    /// The plugin's name.
    pub plugin: &'a str,
    /// The text without line end, control characters escaped.
    pub text: &'a str,
}

/// Where plugins' log lines go.
#[derive(Clone)]
pub struct PluginLog(Arc<dyn Fn(LogLine<'_>) + Send + Sync>);

impl PluginLog {
    /// Hands every line to `sink`.
    pub fn new(sink: impl Fn(LogLine<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(sink))
    }

    /// Writes `text`, line by line. Control characters are escaped: a plugin must not move the user's cursor.
    pub fn write(&self, plugin: &str, text: &str) {
        for line in text.lines() {
            let end = line.floor_char_boundary(MAX_LINE_BYTES);
            let text: String = line[..end].chars().flat_map(escape_control).collect();
            (self.0)(LogLine { plugin, text: &text });
        }
    }
}

impl Default for PluginLog {
    /// Lines go to standard error, the plugin's name in front.
    fn default() -> Self {
        Self::new(|line| eprintln!("[{}] {}", line.plugin, line.text))
    }
}

impl fmt::Debug for PluginLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PluginLog")
    }
}

fn escape_control(c: char) -> impl Iterator<Item = char> {
    let escaped = (c.is_control() && c != '\t').then(|| c.escape_default());
    let plain = escaped.is_none().then_some(c);
    escaped.into_iter().flatten().chain(plain)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn a_line_cannot_move_the_cursor_or_flood_the_terminal() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        let log = PluginLog::new(move |line| sink.lock().expect("no test panics").push(line.text.to_owned()));
        log.write("p", &format!("one\u{1b}[2J\ntwo{}", "x".repeat(10_000)));
        let seen = seen.lock().expect("no test panics");
        assert_eq!(seen[0], "one\\u{1b}[2J");
        assert_eq!(seen[1].len(), MAX_LINE_BYTES);
    }
}
