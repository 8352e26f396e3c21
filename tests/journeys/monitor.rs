//! `registry verify`: somebody reads a whole registry for everybody.

use std::fs;

use serde_json::Value;

use crate::support::{Author, Sandbox, TestRegistry};

const GREETING: &str = "index/gr/ee/greeting";
const OTHER: &str = "index/ot/he/other";

/// Two plugins, and a yank of one of them.
fn registry() -> TestRegistry {
    let registry = TestRegistry::empty();
    let author = Author::of(&registry);
    author.publish("greeting", "1.0.0", "");
    author.publish("other", "1.0.0", "");
    author.pocket(&["plugin", "yank", "greeting@1.0.0", "--reason", "broken"]).success();
    registry
}

/// The differences as `file: problem`.
#[track_caller]
fn differences(registry: &TestRegistry, more: &[&str]) -> Vec<String> {
    let sandbox = Sandbox::new();
    let arguments = [&["registry", "verify", registry.url(), "--output", "json"], more].concat();
    let outcome = sandbox.pocket(&arguments);
    let document: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let found = document["differences"].as_array().unwrap().iter();
    let found: Vec<_> = found.map(|found| format!("{}: {}", text(&found["file"]), text(&found["problem"]))).collect();
    assert_eq!(outcome.code, if found.is_empty() { 0 } else { 6 }, "{}", outcome.stderr);
    found
}

fn flip(registry: &TestRegistry, path: &str, at: usize) {
    let mut bytes = fs::read(registry.file(path)).unwrap();
    bytes[at] ^= 1;
    fs::write(registry.file(path), bytes).unwrap();
}

#[test]
fn an_honest_registry_is_verified_wherever_it_is() {
    let registry = registry();
    let sandbox = Sandbox::new();
    let folder = registry.tree().to_str().unwrap().to_owned();
    for place in [registry.url(), &folder, &format!("file://{folder}")] {
        let outcome = sandbox.pocket(&["registry", "verify", place]).success();
        for said in ["is verified", "3 events with the root", "2 plugins with 2 releases", "2 archives"] {
            assert!(outcome.stdout.contains(said), "{}", outcome.stdout);
        }
    }
    let bundled = sandbox.pocket(&["registry", "verify", "bundled", "--output", "json"]).json();
    assert_eq!(bundled["differences"], Value::Array(Vec::new()));
    assert!(bundled["archives"].as_u64() > Some(0), "{bundled}");
}

#[test]
fn every_difference_is_told_and_not_only_the_first() {
    let registry = registry();
    let archive = registry.archive_of(OTHER);
    fs::write(&archive, b"something else").unwrap();
    // The yank is hidden, and the other plugin has an event that was never logged.
    let text = fs::read_to_string(registry.file(GREETING)).unwrap();
    let yank = text.lines().last().unwrap().to_owned();
    fs::write(registry.file(GREETING), format!("{}\n", text.lines().next().unwrap())).unwrap();
    let other = fs::read_to_string(registry.file(OTHER)).unwrap();
    fs::write(registry.file(OTHER), format!("{other}{}\n", yank.replace("\"log\":2", "\"log\":1"))).unwrap();
    flip(&registry, "log/tile/0/000.p/3", 40);
    fs::remove_file(registry.file("search.json")).unwrap();

    let found = differences(&registry, &[]).join("\n");
    for said in [
        "log/tile/0/000.p/3: hash 1 is ",
        "search.json: there is nothing at",
        "index/gr/ee/greeting: event 2 is not there, leaf 2 of the log says sha256:",
        "index/ot/he/other: event 2 is sha256:",
        "of which the log has no leaf",
        "index/ot/he/other: line 2 of ",
    ] {
        assert!(found.contains(said), "{said} is missing in:\n{found}");
    }
    assert_eq!(found.lines().count(), 5, "{found}");
}

#[test]
fn an_archive_that_was_changed_is_told_with_both_digests_unless_none_is_read() {
    let registry = registry();
    let archive = registry.archive_of(OTHER);
    let length = fs::read(&archive).unwrap().len();
    fs::write(&archive, b"x").unwrap();
    let found = differences(&registry, &[]);
    let [one] = &found[..] else { panic!("{found:?}") };
    assert!(one.contains("`other-1.0.0.tar.gz` has 1 bytes and the digest sha256:"), "{one}");
    assert!(one.contains(&format!("expected {length} bytes and sha256:")), "{one}");
    assert_eq!(differences(&registry, &["--no-archives"]), Vec::<String>::new());
}

#[test]
fn leaves_that_are_not_those_of_the_root_are_told() {
    let registry = registry();
    let bundle = "log/tile/entries/000.p/3";
    let bytes = fs::read(registry.file(bundle)).unwrap();
    // The last hexadecimal digit of the first leaf's digest.
    let at = bytes.iter().position(|byte| *byte == b'\n').unwrap() - 1;
    let digit = if bytes[at] == b'0' { b'1' } else { b'0' };
    let mut forged = bytes;
    forged[at] = digit;
    fs::write(registry.file(bundle), forged).unwrap();
    let found = differences(&registry, &[]).join("\n");
    for said in [
        "log/checkpoint: the root of 3 leaves is ",
        "log/tile/0/000.p/3: hash 0 is ",
        "index/gr/ee/greeting: event 1 is sha256:",
    ] {
        assert!(found.contains(said), "{said} is missing in:\n{found}");
    }
    fs::write(registry.file(bundle), b"\x00").unwrap();
    assert_eq!(differences(&registry, &[]), ["log/tile/entries/000.p/3: the bundle of leaves ends inside leaf 0"]);
}

#[test]
fn what_was_seen_before_must_still_be_there() {
    let registry = registry();
    let sandbox = Sandbox::new();
    sandbox.pocket(&["registry", "verify", registry.url()]).success();
    let text = fs::read_to_string(registry.file(GREETING)).unwrap();
    fs::write(registry.file(GREETING), format!("{}\n", text.lines().next().unwrap())).unwrap();
    let outcome = sandbox.pocket(&["registry", "verify", registry.url()]);
    assert_eq!(outcome.code, 6, "{}", outcome.stderr);
    for said in ["shows another history", "event 2 of `greeting` was sha256:", "it is gone: the file ends after 1"] {
        assert!(outcome.stdout.contains(said), "{}", outcome.stdout);
    }
}
