//! What is told of how things happen, on the standard error: `POCKET_LOG_LEVEL`, `log_level` in `pocket.yaml`, `--debug-plugins`.

use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::arguments::Command;
use super::output::Output;
use crate::ops;
use crate::project::LogLevel;

const VARIABLE: &str = "POCKET_LOG_LEVEL";
/// `json` for an object a line, with the time.
const FORMAT: &str = "POCKET_LOG_FORMAT";

/// The crates of this program; what libraries tell is told at the level `trace` only.
const OURS: [&str; 2] = ["pocket", "pocket_registry"];

/// Listens from now on. Without any wish only warnings are shown.
pub fn start(command: &Command, output: &Output) {
    // The child process speaks with the engine, and a library in it may read what is written.
    if matches!(command, Command::PluginHost) {
        return;
    }
    let wished = wished(output).unwrap_or_else(|| of_level(LogLevel::Warn));
    let filter = match command {
        Command::Run(arguments) if arguments.debug_plugins => wished.with_target(ops::trace::TARGET, Level::DEBUG),
        _ => wished,
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    let registry = tracing_subscriber::registry().with(filter);
    // Tests start the command line more than once in a process; the first one's wish counts.
    let _ = if std::env::var(FORMAT).is_ok_and(|format| format == "json") {
        registry.with(lines.json().flatten_event(true)).try_init()
    } else {
        registry.with(lines.without_time()).try_init()
    };
}

/// The environment's word, else the configuration's.
fn wished(output: &Output) -> Option<Targets> {
    let Some(text) = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty()) else {
        return ops::log_level().map(of_level);
    };
    let wish = wish(&text);
    if wish.is_none() {
        output.warning(format!(
            "{VARIABLE}: `{}` is no level: expected `off`, `error`, `warn`, `info`, `debug` or `trace`, or such as \
             `pocket::plugin=debug`",
            text.escape_debug()
        ));
    }
    wish
}

fn wish(text: &str) -> Option<Targets> {
    let text = text.trim().to_lowercase();
    match LogLevel::parse(&text) {
        Some(level) => Some(of_level(level)),
        None if text.contains('=') => text.parse().ok(),
        None => None,
    }
}

fn of_level(level: LogLevel) -> Targets {
    let filter = match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => return Targets::new().with_default(LevelFilter::TRACE),
    };
    Targets::new().with_targets(OURS.map(|name| (name, filter)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_a_level_or_names_what_it_is_for() {
        let shows = |wish: &Targets, target, level| wish.would_enable(target, &level);
        let debug = wish("DEBUG").expect("a level");
        assert!(shows(&debug, "pocket::ops", Level::DEBUG) && !shows(&debug, "hyper", Level::ERROR));
        let one = wish("pocket::plugin=debug").expect("a target with a level");
        assert!(shows(&one, "pocket::plugin", Level::DEBUG) && !shows(&one, "pocket::ops", Level::ERROR));
        assert!(wish("loud").is_none());
    }
}
