//! The same cases for every language.

use std::time::Duration;

use pocket::engine::{CallErrorKind, Limits};
use serde_json::{Value, json};

use crate::support::{Guest, Setup};

/// Whether a language's library lets a plugin write to its log.
#[derive(PartialEq)]
enum Log {
    Has,
    HasNot,
}

fn load(language: &'static str) -> Guest {
    Setup::of(language).load().unwrap_or_else(|error| panic!("{error}"))
}

/// The contract, from the outside.
fn keeps_the_contract(language: &'static str, log: Log) {
    let guest = load(language);
    for input in [json!(null), json!([1, -2.5, true]), json!({"ä": "\u{1f600} \" \\ \n"}), json!("")] {
        assert_eq!(guest.output("echo", input.clone()), input);
    }
    let large = Value::from("größer ".repeat(150_000));
    assert_eq!(guest.output("echo", large.clone()), large);

    let error = guest.error("fail", json!({"field": "text"}));
    assert_eq!((error.kind, error.message.as_str()), (CallErrorKind::InvalidInput, "no"));
    assert_eq!(error.details, Some(json!({"field": "text"})));
    let error = guest.error("unknown", Value::Null);
    assert!(error.message.contains("unknown"), "{error}");

    if log == Log::Has {
        guest.output("log", Value::Null);
        assert_eq!(guest.log(), [format!("hello from {}", language.trim_end_matches("-wasi"))]);
    }
    assert_eq!(guest.error("trap", Value::Null).kind, CallErrorKind::Crashed);
    assert_eq!(
        [guest.output("count", 0), guest.output("count", 0)],
        [1, 1],
        "nothing is left of one call for the next"
    );
}

/// What a plugin cannot do to others. Each limit is reached before another one could be.
fn is_held(language: &'static str, memory: u64) {
    let timeout = Duration::from_secs(2);
    let hasty = Setup { limits: Limits { timeout, ..Limits::default() }, ..Setup::of(language) };
    let error = hasty.load().expect("it loads").error("loop", Value::Null);
    assert_eq!(error.kind, CallErrorKind::Timeout, "{error}");
    let limits = Limits { timeout: Duration::from_secs(120), memory, ..Limits::default() };
    let small = Setup { limits, ..Setup::of(language) }.load().expect("it loads");
    let error = small.error("memory", Value::Null);
    assert_eq!(error.kind, CallErrorKind::OutOfMemory, "{error}");
    assert_eq!(small.output("echo", 7), 7, "the next call is none the worse");
}

const MEBIBYTE: u64 = 1 << 20;

#[test]
fn rust_keeps_the_contract() {
    keeps_the_contract("rust", Log::HasNot);
    is_held("rust", 16 * MEBIBYTE);
}

#[test]
fn rust_for_wasi_keeps_the_contract() {
    keeps_the_contract("rust-wasi", Log::Has);
    is_held("rust-wasi", 16 * MEBIBYTE);
}

#[test]
fn c_keeps_the_contract() {
    keeps_the_contract("c", Log::Has);
    is_held("c", 16 * MEBIBYTE);
}

#[test]
fn zig_keeps_the_contract() {
    keeps_the_contract("zig", Log::HasNot);
    is_held("zig", 16 * MEBIBYTE);
}

#[test]
fn go_keeps_the_contract() {
    keeps_the_contract("go", Log::Has);
    is_held("go", 64 * MEBIBYTE);
}

#[test]
fn assemblyscript_keeps_the_contract() {
    keeps_the_contract("assemblyscript", Log::HasNot);
    is_held("assemblyscript", 16 * MEBIBYTE);
}

#[test]
fn javascript_keeps_the_contract() {
    keeps_the_contract("javascript", Log::Has);
    is_held("javascript", 128 * MEBIBYTE);
}

#[test]
fn python_keeps_the_contract() {
    keeps_the_contract("python", Log::HasNot);
    is_held("python", 128 * MEBIBYTE);
}

#[test]
fn go_sleeps_and_knows_the_time() {
    assert!(load("go").output("sleep", Value::Null).as_i64().is_some_and(|year| year >= 2026));
}
