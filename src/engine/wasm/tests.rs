//! Plugins written by hand, as small as what each test is about.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::engine::budget::Limits;
use crate::engine::error::CallErrorKind;
use crate::engine::plugin::Reply;
use crate::engine::testing;

/// A core module whose `run` is `body`: eight parameters (pointer and length of `node`, `config`, `input`, `context`), the result a
/// pointer to `{is-error, pointer, length}`. `items` are further items of the module.
pub(super) fn module(items: &str, body: &str) -> Vec<u8> {
    let text = format!(
        r#"(module {items}
            (memory (export "memory") 2)
            (global $free (mut i32) (i32.const 4096))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
                (local.set $at (global.get $free))
                (global.set $free (i32.and (i32.add (i32.add (local.get $at) (local.get 3)) (i32.const 7)) (i32.const -8)))
                (local.get $at))
            (func $reply (param $error i32) (param $pointer i32) (param $length i32) (result i32)
                (i32.store (i32.const 1024) (local.get $error))
                (i32.store (i32.const 1028) (local.get $pointer))
                (i32.store (i32.const 1032) (local.get $length))
                (i32.const 1024))
            (func $run (export "run") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32) {body}))"#
    );
    wat::parse_str(text).expect("the test's module is well-formed")
}

/// Replies with the input as it is, so that a test's input says what the plugin returns.
pub(super) fn reply_with_input(error: u8) -> Vec<u8> {
    module("", &format!("(call $reply (i32.const {error}) (local.get 4) (local.get 5))"))
}

pub(super) struct Host {
    pub(super) folder: tempfile::TempDir,
    pub(super) engine: WasmEngine,
}

impl Host {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let engine = WasmEngine::new(folder.path().join("cache"));
        Self { folder, engine }
    }

    pub(super) fn load(&self, code: &[u8], limits: Limits) -> Result<WasmPlugin, CallError> {
        self.load_as(InstancePolicy::default(), code, limits)
    }

    pub(super) fn load_as(
        &self,
        instance: InstancePolicy,
        code: &[u8],
        limits: Limits,
    ) -> Result<WasmPlugin, CallError> {
        let source = Source { code: CodeFile::of(code), preview1: Preview1::Small, instance };
        self.engine.load_code(&source, testing::border(limits, &Default::default()))
    }

    fn cached(&self, extension: &str) -> PathBuf {
        let entries = std::fs::read_dir(self.folder.path().join("cache/wasm")).expect("the cache has a folder");
        let mut paths = entries.map(|entry| entry.expect("it can be read").path());
        paths.find(|path| path.extension().is_some_and(|found| found == extension)).expect("there is one such file")
    }
}

pub(super) fn run(plugin: &WasmPlugin, input: Value, limits: Limits) -> Result<Reply, CallError> {
    plugin.call(&testing::call("node", &Value::Null, &input, limits))
}

/// Loads `code` with small limits, time among them, and calls it once.
fn fail_in_time(code: &[u8]) -> CallError {
    fail(code, testing::small_limits())
}

/// The same with a time limit that no other one should have to wait for, however busy the machine is.
fn fail_at_once(code: &[u8]) -> CallError {
    fail(code, Limits { timeout: Duration::from_secs(20), ..testing::small_limits() })
}

fn fail(code: &[u8], limits: Limits) -> CallError {
    let plugin = Host::new().load(code, limits).expect("it loads");
    run(&plugin, Value::Null, limits).expect_err("it fails")
}

#[test]
fn a_core_module_without_imports_is_a_plugin() {
    let plugin = Host::new().load(&reply_with_input(0), Limits::default()).expect("it loads");
    let reply = run(&plugin, json!({"output": [1, "ä"], "action": "found"}), Limits::default()).expect("it succeeds");
    assert_eq!(reply, Reply { output: json!([1, "ä"]), action: Some("found".into()) });
}

#[test]
fn a_component_is_a_plugin() {
    let component = wrap::wrapped(&reply_with_input(0), Preview1::Small).expect("it can be wrapped");
    let plugin = Host::new().load(&component, Limits::default()).expect("it loads");
    assert_eq!(run(&plugin, json!({"output": 1}), Limits::default()).expect("it succeeds").output, json!(1));
}

#[test]
fn a_reply_is_read_before_the_plugin_frees_it() {
    let frees = r#"(func (export "cabi_post_run") (param i32)
        (memory.fill (i32.load offset=4 (local.get 0)) (i32.const 255) (i32.load offset=8 (local.get 0))))"#;
    let code = module(frees, "(call $reply (i32.const 0) (local.get 4) (local.get 5))");
    let plugin = Host::new().load(&code, Limits::default()).expect("it loads");
    assert_eq!(run(&plugin, json!({"output": 1}), Limits::default()).expect("it succeeds").output, json!(1));
}

#[test]
fn a_plugins_error_arrives_with_kind_and_details() {
    let plugin = Host::new().load(&reply_with_input(1), Limits::default()).expect("it loads");
    let input = json!({"kind": "invalid_input", "message": "no text", "details": {"field": "text"}});
    let error = run(&plugin, input, Limits::default()).expect_err("it reports an error");
    assert_eq!((error.kind, error.message.as_str()), (CallErrorKind::InvalidInput, "no text"));
    assert_eq!(error.details, Some(json!({"field": "text"})));
}

#[test]
fn a_trap_ends_the_call_and_not_the_plugin() {
    let code = module(
        "(global $calls (mut i32) (i32.const 0))",
        r#"(if (i32.eq (local.get 5) (i32.const 4)) (then unreachable))
           (call $reply (i32.const 0) (local.get 4) (local.get 5))"#,
    );
    let limits = Limits::default();
    let plugin = Host::new().load(&code, limits).expect("it loads");
    let error = run(&plugin, Value::Null, limits).expect_err("`null` has four bytes");
    assert_eq!(error.kind, CallErrorKind::Crashed);
    insta::assert_snapshot!(error, @"`node` crashed: wasm trap: wasm `unreachable` instruction executed in run");
    run(&plugin, json!({"output": 1}), limits).expect("the next call has an instance of its own");
}

#[test]
fn nothing_is_left_of_one_call_for_the_next() {
    let code = module(
        r#"(global $calls (mut i32) (i32.const 0)) (data (i32.const 2048) "{\"output\":0}")"#,
        r#"(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
           (i32.store8 (i32.const 2058) (i32.add (global.get $calls) (i32.load8_u (i32.const 2058))))
           (call $reply (i32.const 0) (i32.const 2048) (i32.const 12))"#,
    );
    let plugin = Host::new().load(&code, Limits::default()).expect("it loads");
    for _ in 0..3 {
        assert_eq!(run(&plugin, Value::Null, Limits::default()).expect("it succeeds").output, json!(1));
    }
}

#[test]
fn an_endless_loop_ends_at_its_time_limit() {
    let error = fail_in_time(&module("", "(loop $again (br $again)) unreachable"));
    assert_eq!(error.kind, CallErrorKind::Timeout);
    insta::assert_snapshot!(error, @"`node` did not finish within its time limit of 200ms");
}

#[test]
fn one_plugins_timeout_does_not_stop_another() {
    let host = Host::new();
    let counts = module(
        "",
        r#"(local $left i64) (local.set $left (i64.const 1000000000))
           (loop $again (br_if $again (i64.ne (i64.const 0) (local.tee $left (i64.sub (local.get $left) (i64.const 1))))))
           (call $reply (i32.const 0) (local.get 4) (local.get 5))"#,
    );
    let slow = host.load(&counts, Limits::default()).expect("it loads");
    let hasty_limits = Limits { timeout: Duration::from_millis(20), ..Limits::default() };
    let endless = host.load(&module("", "(loop $again (br $again)) unreachable"), hasty_limits).expect("it loads");
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| run(&slow, json!({"output": 1}), Limits::default()));
        for _ in 0..5 {
            let error = run(&endless, Value::Null, hasty_limits).expect_err("it never ends by itself");
            assert_eq!(error.kind, CallErrorKind::Timeout);
        }
        assert_eq!(slow.join().expect("no test panics").expect("its own time is not up").output, json!(1));
    });
}

#[test]
fn memory_beyond_the_limit_is_named_as_the_reason() {
    // What allocators do: grow, and give up when that is refused.
    let grows = "(if (i32.eq (memory.grow (i32.const 1000)) (i32.const -1)) (then unreachable)) unreachable";
    let error = fail_at_once(&module("", grows));
    assert_eq!(error.kind, CallErrorKind::OutOfMemory);
    insta::assert_snapshot!(error, @"`node` needs more than its memory limit of 16MiB");
    let error = fail_at_once(&module("(memory $first 1000)", "unreachable"));
    assert_eq!(error.kind, CallErrorKind::OutOfMemory, "{error}");
}

#[test]
fn a_reply_outside_the_plugins_memory_is_a_crash() {
    let error = fail_at_once(&module("", "(call $reply (i32.const 0) (i32.const -16) (i32.const 1000))"));
    assert_eq!(error.kind, CallErrorKind::Crashed, "{error}");
}

#[test]
fn an_output_above_its_limit_is_refused() {
    let limits = Limits { output: 20, ..Limits::default() };
    let plugin = Host::new().load(&reply_with_input(0), limits).expect("it loads");
    let error = run(&plugin, json!({"output": "0123456789"}), limits).expect_err("it is longer than 20 bytes");
    assert_eq!(error, CallError::output_too_large("node", 20));
}

#[test]
fn what_cannot_be_a_plugin_says_why() {
    let load = |code: &[u8]| Host::new().load(code, Limits::default()).err().expect("it is refused").message;
    insta::assert_snapshot!(load(b"hello"), @r"cannot load plugin `sample` 1.2.3: the file is no WebAssembly: it does not start with `\0asm`");
    let imports =
        wat::parse_str(r#"(component (import "acme:mail/send@1.0.0" (instance)))"#).expect("it is well-formed");
    let exports =
        wat::parse_str(r#"(component (core module $m) (export "other" (core module $m)))"#).expect("it is well-formed");
    insta::assert_snapshot!(load(&exports), @"cannot load plugin `sample` 1.2.3: it must export `run: func(node: string, config: string, input: string, context: string) -> result<string, string>`, it exports `other`");
    insta::assert_snapshot!(load(&imports), @"cannot load plugin `sample` 1.2.3: it imports `acme:mail/send@1.0.0`, which plugins are not given");
    let message = load(&module(r#"(import "env" "launch" (func))"#, "unreachable"));
    assert!(
        message.contains("does not implement the world `pocket:plugin/plugin`") && message.contains("`env`"),
        "{message}"
    );
}

#[test]
fn compiled_code_is_kept_for_this_user_alone_and_used_again() {
    let (host, code) = (Host::new(), reply_with_input(0));
    host.load(&code, Limits::default()).expect("it loads");
    let compiled = std::fs::metadata(host.cached("cwasm")).and_then(|found| found.modified()).expect("it is there");
    assert!(is_closed(&host.cached("cwasm")) && is_closed(host.cached("cwasm").parent().expect("it is in a folder")));
    let plugin = host.load(&code, Limits::default()).expect("it loads again");
    let again = std::fs::metadata(host.cached("cwasm")).and_then(|found| found.modified()).expect("it is there");
    assert_eq!(compiled, again, "the second load wrote nothing");
    assert_eq!(run(&plugin, json!({"output": 1}), Limits::default()).expect("it succeeds").output, json!(1));
}

fn is_closed(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 == 0)
}

#[test]
fn compiled_code_that_was_changed_is_compiled_anew() {
    let (host, code) = (Host::new(), reply_with_input(0));
    host.load(&code, Limits::default()).expect("it loads");
    let good = std::fs::read(host.cached("cwasm")).expect("it can be read");
    for at in [0, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 0x55;
        std::fs::write(host.cached("cwasm"), &bad).expect("it can be written");
        let plugin = host.load(&code, Limits::default()).expect("it is compiled anew");
        assert_eq!(run(&plugin, json!({"output": 1}), Limits::default()).expect("it succeeds").output, json!(1));
        assert_eq!(std::fs::read(host.cached("cwasm")).expect("it can be read"), good);
    }
}

/// A plugin that sleeps in its host, with the parts of WASI that this takes.
fn sleeper() -> Vec<u8> {
    let wit = "package test:sleeper;
        world plugin {
            import wasi:clocks/monotonic-clock@0.2.0;
            export run: func(node: string, config: string, input: string, context: string) -> result<string, string>;
        }
        package wasi:io@0.2.0 { interface poll { resource pollable { block: func(); } } }
        package wasi:clocks@0.2.0 {
            interface monotonic-clock {
                use wasi:io/poll@0.2.0.{pollable};
                subscribe-duration: func(when: u64) -> pollable;
            }
        }";
    let mut code = module(
        r#"(import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $subscribe (param i64) (result i32)))
           (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))"#,
        "(call $block (call $subscribe (i64.const 3600000000000))) unreachable",
    );
    let mut resolve = wit_parser::Resolve::default();
    let package = resolve.push_str("test.wit", wit).expect("the test's world is well-formed");
    let world = resolve.select_world(&[package], Some("plugin")).expect("it has one");
    wit_component::embed_component_metadata(&mut code, &resolve, world, wit_component::StringEncoding::UTF8)
        .expect("the module fits the world");
    code
}

#[test]
fn a_plugin_that_sleeps_in_its_host_ends_at_its_time_limit() {
    let error = fail_in_time(&sleeper());
    assert_eq!(error.kind, CallErrorKind::Timeout, "{error}");
}

#[test]
fn the_published_text_of_the_first_version_never_changes() {
    let published = include_bytes!("../../../sdk/wit/plugin.wit");
    let digest = "sha256:4f7d8d3b3eb7f706becc6add8cdf190aa5c17c960bfb8b7e09ead22a2bf11c80";
    assert_eq!(pocket_index::digest::Digest::of(published).to_string(), digest);
}

/// A module for preview 1 that prints with `fd_write` and then replies.
const PRINTS: &str = r#"(if (call $write (i32.const 2) (i32.const 3000) (i32.const 1) (i32.const 3016)) (then unreachable))
    (call $reply (i32.const 0) (local.get 4) (local.get 5))"#;

fn prints(import: &str, data: &str) -> Vec<u8> {
    let items = format!(
        r#"(import "wasi_snapshot_preview1" "{import}" (func $write (param i32 i32 i32 i32) (result i32)))
           (data (i32.const 3000) "\d0\0b\00\00\05\00\00\00") (data (i32.const 3024) "{data}")"#
    );
    module(&items, PRINTS)
}

#[test]
fn a_module_for_preview_1_imports_nothing_of_the_system_and_prints_to_the_log() {
    let code = prints("fd_write", "hello");
    let wrapped = wrap::wrapped(&code, Preview1::Small).expect("it can be wrapped");
    let imports = crate::engine::inspect::wasm(&wrapped).expect("it can be inspected").imports;
    assert_eq!(imports.iter().map(|import| import.name.as_str()).collect::<Vec<_>>(), [preview1::HOST]);
    let plugin = Host::new().load(&code, Limits::default()).expect("it loads");
    assert_eq!(run(&plugin, json!({"output": 1}), Limits::default()).expect("it succeeds").output, json!(1));
}

#[test]
fn an_instance_that_holds_half_of_its_memory_is_not_kept() {
    let grows = r#"(global $calls (mut i32) (i32.const 0))
        (data (i32.const 2048) "{\"output\":0}")"#;
    let body = r#"(drop (memory.grow (i32.const 60)))
        (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (i32.store8 (i32.const 2058) (i32.add (i32.const 48) (global.get $calls)))
        (call $reply (i32.const 0) (i32.const 2048) (i32.const 12))"#;
    let code = module(grows, body);
    let limits = Limits { memory: 16 << 20, ..Limits::default() };
    let plugin = Host::new().load_as(InstancePolicy::Pooled, &code, limits).expect("it loads");
    let outputs: Vec<_> =
        (0..4).map(|_| run(&plugin, Value::Null, limits).expect("it succeeds").output.to_string()).collect();
    assert_eq!(outputs, ["1", "2", "3", "1"], "60 pages are 3.75 MiB; three times that is more than half of 16 MiB");
}

#[test]
fn a_plugin_starts_with_its_settings_and_stops_when_its_run_ends() {
    let items = r#"(import "pocket:plugin/log@1.0.0" "write" (func $log (param i32 i32)))
        (func (export "start") (param i32 i32) (result i32) (call $log (local.get 0) (local.get 1)) (i32.const 1100))
        (func (export "stop") (call $log (i32.const 3024) (i32.const 3)))
        (data (i32.const 3024) "bye")"#;
    let code = module(items, "(call $reply (i32.const 0) (local.get 4) (local.get 5))");
    let source = Source { code: CodeFile::of(&code), preview1: Preview1::Small, instance: InstancePolicy::PerRun };
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let sink = std::sync::Arc::clone(&seen);
    let log = crate::engine::log::PluginLog::new(move |line| {
        sink.lock().expect("no test panics").push(line.text.to_owned());
    });
    let border = Border { log, ..testing::border(Limits::default(), &Default::default()) };
    let plugin = Host::new().engine.load_code(&source, border).expect("it loads");
    for _ in 0..2 {
        run(&plugin, json!({"output": 1}), Limits::default()).expect("it succeeds");
    }
    plugin.end_run("run-1");
    assert_eq!(*seen.lock().expect("no test panics"), ["{}", "bye"]);
}
