//! Calls that nest deeply, calls in numbers, and code that changed after it was verified.

use std::time::{Duration, Instant};

use pocket_index::digest::Digest;
use serde_json::{Value, json};

use super::tests::{Host, module, reply_with_input, run};
use super::*;
use crate::engine::budget::{Limit, Limits};
use crate::engine::error::CallErrorKind;
use crate::engine::plugin::{Asked, CallContext, Reply};
use crate::engine::testing;

/// A plugin whose calls nest 100,000 deep, which takes 16 bytes of stack each at least, and then replies.
fn deep() -> Vec<u8> {
    let items = r#"(func $deep (param i32) (result i32)
            (if (result i32) (i32.eqz (local.get 0))
                (then (i32.const 0))
                (else (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1)))))))"#;
    module(items, "(drop (call $deep (i32.const 100000))) (call $reply (i32.const 0) (local.get 4) (local.get 5))")
}

#[test]
fn a_stack_that_is_exhausted_names_its_limit() {
    let error = |limits| {
        let plugin = Host::new().load(&deep(), limits).expect("it loads");
        run(&plugin, Value::Null, limits).expect_err("its calls nest too deep")
    };
    let found = error(Limits::default());
    assert_eq!(found.limit, Some(Limit::Stack));
    insta::assert_snapshot!(found, @"`node` needs more than its stack limit of 512KiB");
    insta::assert_snapshot!(error(Limits { stack: 1 << 20, ..Limits::default() }), @"`node` needs more than its stack limit of 1MiB");
}

#[test]
fn a_larger_stack_holds_more_calls_on_a_thread_with_a_small_one() {
    let limits = Limits { stack: Limits::MOST_STACK, timeout: Duration::from_secs(20), ..Limits::default() };
    let host = Host::new();
    let plugin = host.load_as(InstancePolicy::Pooled, &deep(), limits).expect("it loads");
    let call = || run(&plugin, json!({"output": 1}), limits).expect("there is room").output;
    std::thread::scope(|scope| {
        let small = std::thread::Builder::new().stack_size(256 << 10);
        let outputs = small.spawn_scoped(scope, || [call(), call()]).expect("a thread starts").join();
        assert_eq!(outputs.expect("no call panics"), [json!(1), json!(1)]);
    });
}

#[test]
fn another_stack_limit_runs_the_same_compiled_code() {
    let host = Host::new();
    host.load(&deep(), Limits::default()).expect("it loads");
    host.load(&deep(), Limits { stack: 1 << 20, ..Limits::default() }).expect("it loads");
    let files = std::fs::read_dir(host.folder.path().join("cache/wasm")).expect("the cache has a folder").count();
    assert_eq!(files, 2, "the code and its digest");
}

/// Replies to several calls with the node type as it is, so that a test's node type says what the plugin returns.
fn batch() -> Vec<u8> {
    let items = r#"(func (export "run-batch") (param i32 i32 i32 i32 i32 i32) (result i32)
        (call $reply (i32.const 0) (local.get 0) (local.get 1)))"#;
    module(items, "(call $reply (i32.const 0) (local.get 4) (local.get 5))")
}

fn context() -> CallContext {
    let deadline = Instant::now() + Duration::from_secs(20);
    CallContext { run_id: "run-1".into(), node: "step".into(), attempt: 1, deadline }
}

#[test]
fn several_calls_cross_once_and_have_a_result_each() {
    let plugin = Host::new().load(&batch(), Limits::default()).expect("it loads");
    assert!(plugin.has_batch());
    let asked = [Asked { config: &Value::Null, input: &Value::Null }; 2];
    let returns = |text: &str| plugin.call_batch(text, &asked, &context());
    let replies = returns(r#"[{"output":1},{"error":{"kind":"retryable","message":"busy"}}]"#).expect("both are there");
    assert_eq!(replies[0], Ok(Reply { output: json!(1), action: None }));
    assert_eq!(replies[1].as_ref().expect_err("it is busy").kind, CallErrorKind::Retryable);
    let error = returns(r#"[{"output":1}]"#).expect_err("one is missing");
    assert_eq!(error.kind, CallErrorKind::Crashed);
    assert!(error.message.ends_with("returned broken replies: there are 1 for 2 calls"), "{error}");
    assert_eq!(run(&plugin, json!({"output": 3}), Limits::default()).expect("`run` is there too").output, json!(3));
}

#[test]
fn a_plugin_need_not_take_several_calls_but_if_it_does_then_rightly() {
    let host = Host::new();
    assert!(!host.load(&reply_with_input(0), Limits::default()).expect("it loads").has_batch());
    let component = r#"(component
        (core module $m (memory (export "memory") 1)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0))
            (func (export "run") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 0))
            (func (export "other")))
        (core instance $i (instantiate $m))
        (func (export "run") (param "node" string) (param "config" string) (param "input" string) (param "context" string)
            (result (result string (error string)))
            (canon lift (core func $i "run") (memory $i "memory") (realloc (func $i "realloc"))))
        (func (export "run-batch") (canon lift (core func $i "other"))))"#;
    let code = wat::parse_str(component).expect("the test's component is well-formed");
    let error = host.load(&code, Limits::default()).err().expect("its type is another");
    insta::assert_snapshot!(error, @"cannot load plugin `sample` 1.2.3: its export `run-batch` has another type: it must be `run-batch: func(node: string, calls: string, context: string) -> result<string, string>`");
}

#[test]
fn code_that_changed_after_it_was_verified_is_not_compiled() {
    let host = Host::new();
    let path = host.folder.path().join("plugin.wasm");
    std::fs::write(&path, reply_with_input(1)).expect("it can be written");
    let load = |digest| {
        let code = CodeFile::open(path.clone(), Some(digest)).expect("it is not read yet");
        let source = Source { code, preview1: Preview1::Small, instance: InstancePolicy::default() };
        host.engine.load_code(&source, testing::border(Limits::default(), &Default::default()))
    };
    let (verified, there) = (Digest::of(&reply_with_input(0)), Digest::of(&reply_with_input(1)));
    let error = load(verified).err().expect("other bytes were verified");
    let expected = format!("was {verified} when it was verified, and is {there} now");
    assert!(error.message.ends_with(&expected), "{error}");
    load(there).expect("these were");
}
