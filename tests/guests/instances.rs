//! How long an instance lives.

use std::time::Duration;

use pocket::engine::Limits;
use serde_json::Value;

use crate::support::{Guest, Setup};

fn with_policy(language: &'static str, policy: &str) -> Guest {
    let limits = Limits { timeout: Duration::from_secs(5), ..Limits::default() };
    let setup = Setup { manifest: format!("instance: {policy}\n"), limits, ..Setup::of(language) };
    setup.load().unwrap_or_else(|error| panic!("{error}"))
}

fn count(guest: &Guest, run: &str) -> Value {
    guest.call_in_run(run, "count", 0).unwrap_or_else(|error| panic!("{error}")).output
}

#[test]
fn a_pooled_instance_serves_any_run_until_it_fails() {
    for language in ["c", "go", "rust-wasi"] {
        let guest = with_policy(language, "pooled");
        assert_eq!([count(&guest, "a"), count(&guest, "b"), count(&guest, "a")], [1, 2, 3], "{language}");
        guest.error("fail", Value::Null);
        assert_eq!(count(&guest, "a"), 4, "{language}: an error that the plugin reports does not harm its instance");
        guest.error("trap", Value::Null);
        assert_eq!(count(&guest, "a"), 1, "{language}: what crashed is not used again");
    }
}

#[test]
fn an_instance_that_was_stopped_in_a_loop_is_not_used_again() {
    let guest = with_policy("zig", "pooled");
    assert_eq!(count(&guest, "a"), 1);
    guest.error("loop", Value::Null);
    assert_eq!(count(&guest, "a"), 1);
}

#[test]
fn a_run_has_an_instance_of_its_own_until_it_ends() {
    let guest = with_policy("c", "per-run");
    assert_eq!([count(&guest, "a"), count(&guest, "b"), count(&guest, "a")], [1, 1, 2]);
    guest.plugin.end_run("a");
    assert_eq!([count(&guest, "a"), count(&guest, "b")], [1, 2]);
}
