//! How plugins end: each death is told by its cause, and the next call works.

use std::time::{Duration, Instant};

use pocket::engine::{CallErrorKind, Limits};
use serde_json::{Value, json};

use crate::support::{Held, Setup, c_library};

fn ending() -> Held {
    Setup::default().hold(&c_library("c-hostile/endings.c"))
}

fn ending_with(limits: Limits) -> Held {
    Setup { limits, ..Setup::default() }.hold(&c_library("c-hostile/endings.c"))
}

fn assert_works_anew(plugin: &Held) {
    assert_eq!(plugin.output("count", json!(null)), 1);
}

#[test]
fn a_death_is_told_by_its_cause() {
    let plugin = ending();
    for (node, expected) in [
        ("segfault", "`segfault` crashed with SIGSEGV (invalid memory access) in `touch_nothing`"),
        ("illegal", "`illegal` crashed with SIGILL (invalid instruction) in `illegal`"),
        ("divide", "`divide` crashed with SIGFPE (arithmetic error) in `divide`"),
        (
            "stack-overflow",
            "`stack-overflow` crashed with a stack overflow: its functions nest too deeply in `recurse`",
        ),
        ("abort", "`abort` crashed with SIGABRT (it gave up by itself); its last words: the cache is inconsistent"),
        ("exit-zero", "`exit-zero` ended its own process with exit status 0"),
        ("exit-at-once", "`exit-at-once` ended its own process with exit status 7"),
        ("exit-in-thread", "`exit-in-thread` ended its own process with exit status 5"),
        ("alarm", "`alarm` crashed with SIGALRM"),
    ] {
        let error = plugin.error(node, "");
        assert_eq!((error.kind, error.message.as_str()), (CallErrorKind::Crashed, expected));
        assert_works_anew(&plugin);
    }
}

#[test]
fn a_plugin_that_does_not_end_is_ended_at_its_deadline() {
    let plugin = ending_with(Limits { timeout: Duration::from_millis(300), ..Limits::default() });
    for node in ["loop", "stop-oneself", "deaf-loop", "exit-main-thread"] {
        let error = plugin.error(node, "");
        assert!(matches!(error.kind, CallErrorKind::Timeout | CallErrorKind::Crashed), "{node}: {error}");
        assert_works_anew(&plugin);
    }
}

#[test]
fn a_fault_that_a_plugin_catches_is_its_own_business() {
    let plugin = ending();
    assert_eq!(plugin.output("catch-fault", ""), 1);
    assert_eq!(plugin.output("count", json!(null)), 2);
}

#[test]
fn timers_and_threads_go_on_between_calls() {
    let plugin = ending();
    for node in ["timer", "tick-later"] {
        plugin.output(node, "");
        let before = ticks(&plugin);
        let patience = Instant::now() + Duration::from_secs(20);
        while ticks(&plugin) == before {
            assert!(Instant::now() < patience, "{node} ticks");
        }
    }
}

fn ticks(plugin: &Held) -> i64 {
    plugin.output("count-ticks", "").as_i64().expect("it counts")
}

#[test]
fn a_death_between_two_calls_is_told_and_the_next_call_works() {
    let plugin = ending();
    plugin.output("crash-later", "");
    assert_eq!(later_death(&plugin), "crashed with SIGSEGV (invalid memory access) in `touch_nothing`");
    assert_works_anew(&plugin);
}

#[test]
fn memory_that_is_taken_between_two_calls_is_limited_too() {
    let plugin = ending_with(Limits { memory: 64 << 20, ..Limits::default() });
    plugin.output("eat-later", "");
    assert_eq!(later_death(&plugin), "needs more than its memory limit of 64MiB");
}

/// How the process died: in the log, or as the error of a call that was running at that moment.
fn later_death(plugin: &Held) -> String {
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        if let Err(error) = plugin.call("count", Value::Null) {
            return error.message.replace("`count` ", "");
        }
        let between = "error: between two calls, `held` ";
        if let Some(line) = plugin.log().iter().find_map(|line| line.strip_prefix(between)) {
            // This call was answered by a new process.
            plugin.error("exit-zero", "");
            return line.to_owned();
        }
        assert!(Instant::now() < patience, "the log has {:?}", plugin.log());
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_plugin_that_listens_to_no_signal_is_unloaded_all_the_same() {
    for node in ["deaf", "never-exit"] {
        let plugin = ending();
        assert!(plugin.call(node, "").is_ok());
        plugin.unload();
        let error = plugin.error("count", json!(null));
        assert_eq!(error.message, "`held` was unloaded: it takes no more calls, such as this of `count`");
    }
}
