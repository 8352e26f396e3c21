//! A plugin's life: restarts and their policies, several processes at once, unloading under load.

use std::sync::Mutex;
use std::time::Duration;

use pocket::engine::{CallErrorKind, GrantedWords, Limits};
use pocket_index::permissions::Permissions;
use serde_json::json;

use crate::support::{Held, Setup, c_library};

fn held(manifest: &'static str) -> Held {
    Setup { manifest, ..Setup::default() }.hold(&c_library("c-hostile/endings.c"))
}

/// A plugin that may use the folder.
fn held_with_folder(manifest: &'static str, folder: &tempfile::TempDir) -> Held {
    let filesystem = ["read", "write"].map(|access| format!("{access}:{}", folder.path().display())).into();
    let asked = Permissions { filesystem, ..Permissions::default() };
    Setup { manifest, asked, granted: GrantedWords::all(), ..Setup::default() }.hold(&c_library("c-hostile/endings.c"))
}

#[test]
fn a_plugin_that_is_to_fail_for_good_is_not_started_again() {
    let plugin = held("failure: fail\n");
    assert_eq!(plugin.output("count", json!(null)), 1);
    plugin.error("exit-at-once", "");
    for _ in 0..2 {
        let error = plugin.error("count", json!(null));
        assert_eq!(error.kind, CallErrorKind::Crashed);
        assert_eq!(
            error.message,
            "`held` is not started again, as its manifest says (`failure: fail`): it died: `exit-at-once` ended its own \
             process with exit status 7"
        );
    }
}

#[test]
fn a_plugin_that_dies_again_and_again_is_left_alone() {
    let plugin = held("failure: break\n");
    for _ in 0..5 {
        let error = plugin.error("exit-at-once", "");
        assert_eq!(error.message, "`exit-at-once` ended its own process with exit status 7");
    }
    let error = plugin.error("count", json!(null));
    assert!(error.message.starts_with("`held` is left alone for "), "{error}");
    assert!(error.message.contains("it died 5 times in a row, the last time: `exit-at-once` ended"), "{error}");
    assert!(error.details.is_some_and(|details| details["retry_after_ms"].as_u64() > Some(0)));
}

#[test]
fn a_pause_between_two_starts_counts_against_the_deadline() {
    let limits = Limits { timeout: Duration::from_secs(1), ..Limits::default() };
    let plugin = Setup { limits, ..Setup::default() }.hold(&c_library("c-hostile/endings.c"));
    let ended = (0..10).map(|_| plugin.error("exit-at-once", "")).find(|error| error.message.contains("left alone"));
    assert!(ended.is_some(), "the pauses grow beyond a second");
}

#[test]
fn several_processes_run_calls_at_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plugin = held_with_folder("instances: 2\n", &folder);
    let file = folder.path().join("file");
    let path = file.to_str().expect("it is UTF-8");
    std::thread::scope(|scope| {
        // Were there one process, the second call would wait for the first, and the first for ever.
        let waiting = scope.spawn(|| plugin.output("wait-for-file", path));
        assert_eq!(plugin.output("make-file", path), 0);
        assert_eq!(waiting.join().expect("it does not panic"), 1);
    });
}

#[test]
fn there_are_never_more_processes_than_the_manifest_says() {
    let plugin = held("instances: 3\n");
    let counts: Mutex<Vec<u64>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| {
                let count = plugin.output("count", json!(null)).as_u64().expect("it counts");
                counts.lock().expect("no call panics").push(count);
            });
        }
    });
    // Each process counts for itself from 1 on.
    let firsts = counts.lock().expect("no call panics").iter().filter(|count| **count == 1).count();
    assert!((1..=3).contains(&firsts), "{firsts} processes");
}

#[test]
fn unloading_waits_for_calls_and_refuses_new_ones() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plugin = held_with_folder("instances: 2\n", &folder);
    let file = folder.path().join("file");
    let path = file.to_str().expect("it is UTF-8");
    assert_eq!(plugin.output("count", json!(null)), 1);
    std::thread::scope(|scope| {
        let running = scope.spawn(|| plugin.output("wait-for-file", path));
        while !plugin.log().contains(&"waiting".to_owned()) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let unloading = scope.spawn(|| plugin.unload());
        let refused = loop {
            match plugin.call("count", json!(null)) {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(refused.kind, CallErrorKind::Load);
        assert_eq!(refused.message, "`held` was unloaded: it takes no more calls, such as this of `count`");
        assert!(!unloading.is_finished(), "a call is still running");
        std::fs::write(&file, "").expect("the folder is writable");
        assert_eq!(running.join().expect("it does not panic"), 1);
        unloading.join().expect("it does not panic");
    });
}

#[test]
fn unloading_waits_no_longer_than_its_deadline() {
    let limits = Limits { timeout: Duration::from_secs(2), ..Limits::default() };
    let plugin = Setup { limits, ..Setup::default() }.hold(&c_library("c-hostile/endings.c"));
    assert_eq!(plugin.output("count", json!(null)), 1);
    std::thread::scope(|scope| {
        let running = scope.spawn(|| plugin.error("loop", ""));
        std::thread::sleep(Duration::from_millis(100));
        plugin.unload_within(Duration::from_millis(100));
        assert!(!running.is_finished(), "it is the call's own deadline that ends it");
        assert_eq!(running.join().expect("it does not panic").kind, CallErrorKind::Timeout);
    });
}
