//! What a death is called: the signal, the exit status or the refused system call by name, with the plugin's last words.

use std::os::unix::process::ExitStatusExt;

use serde_json::{Map, Value, json};

use super::fault::Fault;
use super::syscalls;
use super::usage::Overuse;
use super::watch::Death;
use crate::engine::budget::Limits;
use crate::engine::error::{CallError, CallErrorKind};

/// What memory exhaustion looks like in the last words of Rust, Go, C++ and C programs.
const OUT_OF_MEMORY_WORDS: [&str; 5] =
    ["memory allocation of", "out of memory", "std::bad_alloc", "cannot allocate memory", "Cannot allocate memory"];

/// The error of a call during which the process died. `symbol` names what is at a place in the plugin's library.
pub fn error_of(
    death: &Death,
    node_type: &str,
    limits: Limits,
    symbol: impl FnOnce(u64) -> Option<String>,
) -> CallError {
    let mut error = if ran_out_of_memory(death) {
        CallError::out_of_memory(node_type, limits.memory)
    } else if death.overuse == Some(Overuse::Threads) {
        CallError::too_many_threads(node_type, limits.threads)
    } else {
        CallError::new(CallErrorKind::Crashed, format!("`{node_type}` {}", sentence(death)))
    };
    let symbol = death.fault.and_then(|fault| fault.place).and_then(symbol);
    if let Some(symbol) = &symbol {
        error.message.push_str(&format!(" in `{}`", symbol.escape_debug()));
    }
    if let Some(last) = death.last_lines.last().filter(|_| death.panic.is_none()) {
        error.message.push_str(&format!("; its last words: {}", last.trim_start().escape_debug()));
    }
    error.details = Some(details(death, symbol));
    error
}

/// The error of a call during which the process closed its socket and lived on.
pub fn hung_up(node_type: &str) -> CallError {
    CallError::crashed(format!("`{node_type}` closed its connection to the engine"))
}

fn sentence(death: &Death) -> String {
    if let Some(refused) = death.refused.and_then(syscalls::refused) {
        return format!("was ended at the system call `{}`: {}", refused.name, refused.purpose.advice());
    }
    let Some(status) = death.status else { return "lost its process in an unknown way".to_owned() };
    if let Some(panic) = &death.panic {
        return format!("crashed: {}", panic.escape_debug());
    }
    match (status.signal(), status.code()) {
        // The handler that writes the name down did not run.
        (Some(libc::SIGSYS), _) => "was ended at a system call that native plugins may not make; its name is unknown \
             because SIGSYS was blocked, as C libraries do when they start a process"
            .to_owned(),
        (Some(_), _) if death.fault.as_ref().is_some_and(Fault::is_stack_overflow) => {
            "crashed with a stack overflow: its functions nest too deeply".to_owned()
        }
        (Some(signal), _) => format!("crashed with {}", signal_text(signal)),
        (None, Some(code)) => format!("ended its own process with exit status {code}"),
        (None, None) => "lost its process in an unknown way".to_owned(),
    }
}

fn details(death: &Death, symbol: Option<String>) -> Value {
    let mut details = Map::new();
    details.extend(symbol.map(|symbol| ("symbol".to_owned(), symbol.into())));
    if let Some(number) = death.refused {
        let name = syscalls::refused(number).map_or_else(|| number.to_string(), |refused| refused.name.to_owned());
        details.insert("system_call".to_owned(), name.into());
    } else if let Some(status) = death.status {
        if let Some(signal) = status.signal() {
            details.insert("signal".to_owned(), signal_name(signal).map_or_else(|| json!(signal), Value::from));
        }
        if let Some(code) = status.code() {
            details.insert("exit_status".to_owned(), code.into());
        }
    }
    if !death.last_lines.is_empty() {
        details.insert("last_lines".to_owned(), death.last_lines.clone().into());
    }
    Value::Object(details)
}

/// The limit makes allocations fail; what a program then says and does is up to its language.
fn ran_out_of_memory(death: &Death) -> bool {
    if death.overuse == Some(Overuse::Memory) {
        return true;
    }
    let said_so = death.last_lines.iter().any(|line| OUT_OF_MEMORY_WORDS.iter().any(|words| line.contains(words)));
    said_so && death.refused.is_none() && death.overuse.is_none()
}

fn signal_text(signal: i32) -> String {
    match signal_name(signal) {
        Some(name) => match signal_meaning(signal) {
            Some(meaning) => format!("{name} ({meaning})"),
            None => name.to_owned(),
        },
        None => format!("signal {signal}"),
    }
}

fn signal_meaning(signal: i32) -> Option<&'static str> {
    Some(match signal {
        libc::SIGSEGV => "invalid memory access",
        libc::SIGBUS => "access to memory that is not there",
        libc::SIGABRT => "it gave up by itself",
        libc::SIGILL => "invalid instruction",
        libc::SIGFPE => "arithmetic error",
        libc::SIGKILL => "killed from outside, perhaps for lack of memory",
        _ => return None,
    })
}

fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        libc::SIGSYS => "SIGSYS",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::process::ExitStatus;

    use super::*;

    fn death(raw_status: i32, refused: Option<i64>, lines: &[&str]) -> Death {
        let last_lines = lines.iter().map(|line| (*line).to_owned()).collect();
        Death { status: Some(ExitStatus::from_raw(raw_status)), refused, last_lines, ..Death::default() }
    }

    fn error_of(death: &Death, node_type: &str, memory: u64) -> CallError {
        let limits = Limits { memory, ..Limits::default() };
        super::error_of(death, node_type, limits, |place| Some(format!("at_{place:x}")))
    }

    #[test]
    fn a_crash_names_its_place_and_a_full_stack() {
        let mut death = death(libc::SIGSEGV, None, &[]);
        death.fault = Some(Fault { place: Some(0x1139), address: 8, stack: 0x7fff_0000 });
        let error = error_of(&death, "n", 1);
        assert_eq!(error.message, "`n` crashed with SIGSEGV (invalid memory access) in `at_1139`");
        assert_eq!(error.details, Some(json!({"signal": "SIGSEGV", "symbol": "at_1139"})));
        death.fault = Some(Fault { place: None, address: 0x7fff_0000, stack: 0x7fff_0000 });
        let error = error_of(&death, "n", 1);
        assert_eq!(error.message, "`n` crashed with a stack overflow: its functions nest too deeply");
    }

    #[test]
    fn a_process_that_was_ended_is_told_why() {
        let mut death = death(libc::SIGKILL, None, &["last"]);
        death.overuse = Some(Overuse::Memory);
        assert_eq!(error_of(&death, "n", 1).kind, CallErrorKind::OutOfMemory);
        death.overuse = Some(Overuse::Threads);
        let error = error_of(&death, "n", 1);
        assert_eq!(error.message, "`n` needs more than its limit of 256 threads; its last words: last");
    }

    #[test]
    fn a_death_is_called_by_its_cause() {
        let error = error_of(&death(libc::SIGSEGV, None, &[]), "n", 1);
        assert_eq!(error.message, "`n` crashed with SIGSEGV (invalid memory access)");
        let error = error_of(&death(3 << 8, None, &["first", "so long\u{7}"]), "n", 1);
        assert_eq!(error.message, "`n` ended its own process with exit status 3; its last words: so long\\u{7}");
        let error = error_of(&death(159 << 8, Some(libc::SYS_execve), &[]), "n", 1);
        assert_eq!(error.message, "`n` was ended at the system call `execve`: a native plugin cannot start processes");
        assert_eq!(error.details, Some(json!({"system_call": "execve"})));
    }

    #[test]
    fn last_words_about_memory_make_it_out_of_memory() {
        let error = error_of(&death(libc::SIGABRT, None, &["memory allocation of 9 bytes failed"]), "n", 64 << 20);
        assert_eq!(error.kind, CallErrorKind::OutOfMemory);
        assert!(error.message.starts_with("`n` needs more than its memory limit of 64MiB"), "{}", error.message);
    }
}
