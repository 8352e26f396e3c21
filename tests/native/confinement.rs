//! What a plugin must not do.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use pocket::engine::{CallErrorKind, GrantedWords, Limits};
use pocket_index::permissions::Permissions;
use serde_json::json;

use crate::support::{Held, Setup, c_library};

fn hostile() -> Held {
    Setup::default().hold(&c_library("c-hostile/hostile.c"))
}

fn hostile_with(asked: Permissions, granted: GrantedWords) -> Held {
    Setup { asked, granted, ..Setup::default() }.hold(&c_library("c-hostile/hostile.c"))
}

/// The process is a new one: it counts from the start again.
fn assert_works_anew(plugin: &Held) {
    assert_eq!(plugin.output("count", json!(null)), 1);
}

#[test]
fn a_refused_system_call_ends_the_process_by_name_and_the_next_call_works() {
    let plugin = hostile();
    for (node, name, advice) in [
        ("socket", "socket", "a native plugin gets its connections from `connect` of its host"),
        ("unix-socket", "socket", "a native plugin gets its connections from `connect` of its host"),
        ("execve", "execve", "a native plugin cannot start processes"),
        ("fork", "clone", "a native plugin cannot start processes"),
        ("vfork", "vfork", "a native plugin cannot start processes"),
        ("kill-parent", "kill", "a native plugin cannot touch other processes"),
        ("kill-everybody", "kill", "a native plugin cannot touch other processes"),
        ("ptrace", "ptrace", "a native plugin cannot touch other processes"),
        ("io_uring", "io_uring_setup", "a native plugin cannot change the machine"),
        ("unshare", "unshare", "a native plugin cannot change the machine"),
        ("take-sigsys", "socket", "a native plugin gets its connections from `connect` of its host"),
    ] {
        let error = plugin.error(node, json!(null));
        assert_eq!(error.kind, CallErrorKind::Crashed, "{node}");
        assert_eq!(error.message, format!("`{node}` was ended at the system call `{name}`: {advice}"));
        assert_eq!(error.details, Some(json!({"system_call": name})));
        assert_works_anew(&plugin);
    }
}

#[test]
fn blocking_the_signal_of_a_refused_call_hides_its_name_at_most() {
    let plugin = hostile();
    for node in ["block-sigsys", "system"] {
        let error = plugin.error(node, json!(null));
        let expected = format!("`{node}` was ended at a system call that native plugins may not make; ");
        assert!(error.message.starts_with(&expected), "{}", error.message);
        assert_works_anew(&plugin);
    }
}

#[test]
fn a_system_call_that_nobody_needs_does_not_exist() {
    let plugin = hostile();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().to_str().expect("it is UTF-8");
    for (node, input) in [("unknown-call", json!(null)), ("other-abi", json!(null)), ("chmod", json!(path))] {
        assert_eq!(plugin.error(node, input).message, "refused: Function not implemented", "{node}");
    }
}

#[test]
fn a_crash_names_the_signal_and_the_last_words() {
    let plugin = hostile();
    let error = plugin.error("segfault", json!(null));
    assert_eq!(error.kind, CallErrorKind::Crashed);
    assert_eq!(error.message, "`segfault` crashed with SIGSEGV (invalid memory access) in `run_crash`");
    let error = plugin.error("abort", json!(null));
    let expected = "`abort` crashed with SIGABRT (it gave up by itself); its last words: the cache is inconsistent";
    assert_eq!(error.message, expected);
    let error = plugin.error("exit", json!(null));
    assert!(error.message.starts_with("`exit` ended its own process with exit status 3"), "{}", error.message);
    assert_works_anew(&plugin);
}

#[test]
fn an_endless_loop_ends_at_its_deadline_and_the_next_call_works() {
    let limits = Limits { timeout: Duration::from_millis(500), ..Limits::default() };
    let plugin = Setup { limits, ..Setup::default() }.hold(&c_library("c-hostile/hostile.c"));
    let error = plugin.error("loop", json!(null));
    assert_eq!(error.kind, CallErrorKind::Timeout);
    assert_eq!(error.message, "`loop` did not finish within its time limit of 500ms");
    assert_works_anew(&plugin);
}

#[test]
fn a_result_that_is_too_large_or_no_result_is_refused() {
    let limits = Limits { output: 1 << 20, ..Limits::default() };
    let plugin = Setup { limits, ..Setup::default() }.hold(&c_library("c-hostile/hostile.c"));
    for (node, message) in [
        ("big", "the output of `big` is larger than its limit of 1MiB"),
        ("lie", "`lie` returned a broken reply: its result is a null pointer with a size"),
        ("binary", "`binary` returned a broken reply: its result is not UTF-8"),
        ("broken", "`broken` returned a broken reply: EOF while parsing a value at line 1 column 10"),
    ] {
        assert_eq!(plugin.error(node, json!(null)).message, message);
    }
    assert_eq!(plugin.output("count", json!(null)), 5, "none of them cost the process");
}

#[test]
fn memory_ends_at_its_limit_and_the_next_call_works() {
    let limits = Limits { memory: 64 << 20, ..Limits::default() };
    let plugin = Setup { limits, ..Setup::default() }.hold(&c_library("c-hostile/hostile.c"));
    let error = plugin.error("use-memory", json!(null));
    assert_eq!(error.kind, CallErrorKind::OutOfMemory);
    assert_eq!(error.message, "`use-memory` needs more than its memory limit of 64MiB");
    assert_works_anew(&plugin);
}

#[test]
fn what_a_plugin_can_take_at_a_stroke_is_bounded() {
    let limits = Limits { memory: 64 << 20, ..Limits::default() };
    let plugin = Setup { limits, ..Setup::default() }.hold(&c_library("c-hostile/hostile.c"));
    let mapped = plugin.output("map-memory", json!(null)).as_u64().expect("it counts MiB");
    assert!((128..=256).contains(&mapped), "{mapped} MiB");
    assert_eq!(plugin.output("map-shared-memory", json!(null)), 0);
}

#[test]
fn files_are_out_of_reach_unless_granted_and_links_lead_nowhere() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, out) = (folder.path().join("data"), folder.path().join("out"));
    for path in [&data, &out] {
        std::fs::create_dir(path).expect("the folder is writable");
    }
    std::fs::write(data.join("file"), "x").expect("the folder is writable");
    std::fs::write(folder.path().join("secret"), "x").expect("the folder is writable");
    symlink("../secret", data.join("link")).expect("the folder is writable");
    let filesystem = vec![format!("read:{}", data.display()), format!("write:{}", out.display())];
    let plugin = hostile_with(Permissions { filesystem, ..Permissions::default() }, GrantedWords::all());
    let path = |path: &str| json!(folder.path().join(path));
    assert!(plugin.call("read", path("data/file")).is_ok());
    assert!(plugin.call("write", path("out/new")).is_ok());
    for (node, input) in [
        ("read", json!("/etc/shadow")),
        ("read", json!("/proc/self/environ")),
        ("read", path("secret")),
        ("read", path("data/link")),
        ("read", path("data/../secret")),
        ("read", path("out/new")),
        ("write", path("data/file")),
        ("write", path("data/new")),
        ("write", path("secret")),
    ] {
        assert_eq!(plugin.error(node, input.clone()).message, "refused: Permission denied", "{node} {input}");
    }
}

#[test]
fn a_granted_folder_that_is_missing_is_named() {
    let asked = Permissions { filesystem: vec!["read:/no/such/folder".to_owned()], ..Permissions::default() };
    let error = hostile_with(asked, GrantedWords::all()).error("count", json!(null));
    assert_eq!(error.kind, CallErrorKind::Load);
    assert!(error.message.contains("`/no/such/folder`"), "{}", error.message);
}

#[test]
fn the_environment_holds_what_was_granted_alone() {
    let asked = Permissions { env: vec!["CARGO_MANIFEST_DIR".to_owned()], ..Permissions::default() };
    let plugin = hostile_with(asked.clone(), GrantedWords::all());
    assert_eq!(plugin.output("env", json!("CARGO_MANIFEST_DIR")), true);
    assert_eq!(plugin.output("env", json!("PATH")), false);
    assert_eq!(hostile_with(asked, GrantedWords::none()).output("env", json!("CARGO_MANIFEST_DIR")), false);
}

#[test]
fn no_descriptor_of_the_engine_is_open() {
    let _ours = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    assert_eq!(
        hostile().output("descriptors", json!(null)),
        4,
        "standard input, output, error and the engine's socket"
    );
}

#[test]
fn a_connection_goes_where_it_was_granted_and_nowhere_else() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let here = listener.local_addr().expect("it is bound").to_string();
    let asked = Permissions { network: vec![here.clone()], ..Permissions::default() };
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the plugin connects");
        let mut ping = [0; 4];
        stream.read_exact(&mut ping).expect("the plugin writes");
        stream.write_all(b"pong!").expect("the plugin reads");
        listener
    });
    let plugin = hostile_with(asked.clone(), GrantedWords::all());
    assert_eq!(plugin.output("connect", here.as_str()), 5);
    let _listener = answering.join().expect("it does not panic");

    let error = plugin.error("connect", "127.0.0.1:1");
    assert_eq!(error.kind, CallErrorKind::Denied);
    assert!(error.message.contains("its manifest does not ask for"), "{}", error.message);
    let error = hostile_with(asked, GrantedWords::none()).error("connect", here.as_str());
    assert_eq!(error.kind, CallErrorKind::Denied);
    assert!(error.message.contains("`network_access` was not granted"), "{}", error.message);
    assert_eq!(plugin.error("fast-open", here.as_str()).message, "refused: Function not implemented");
}

#[test]
fn one_plugins_timeout_leaves_the_others_alone() {
    let limits = Limits { timeout: Duration::from_millis(500), ..Limits::default() };
    let slow = Setup { limits, ..Setup::default() }.hold(&c_library("c-hostile/hostile.c"));
    let quick = hostile();
    assert_eq!(quick.output("count", json!(null)), 1);
    std::thread::scope(|scope| {
        let looping = scope.spawn(|| slow.error("loop", json!(null)).kind);
        let until = Instant::now() + Duration::from_millis(100);
        let mut calls = 1;
        while Instant::now() < until {
            calls += 1;
            assert_eq!(quick.output("count", json!(null)), calls);
        }
        assert_eq!(looping.join().expect("it does not panic"), CallErrorKind::Timeout);
    });
}
