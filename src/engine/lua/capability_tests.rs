//! What plugins may have the host do, and how it is refused.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pocket_index::permissions::Permissions;
use serde_json::{Map, Value, json};

use super::*;
use crate::engine::access::testing::{Server, ok, redirect, soon};
use crate::engine::budget::{Limit, Limits};
use crate::engine::error::CallErrorKind;
use crate::engine::grants::{GrantedWords, Grants};
use crate::engine::log::{PluginLog, Severity};
use crate::engine::testing;

/// A plugin of one script that asks for this and is granted all of it.
fn plugin(source: &str, asked: &Permissions, limits: Limits) -> LuaPlugin {
    granting(source, Grants::new(asked, &GrantedWords::all(), &Map::new()).expect("they are well-formed"), limits)
}

fn granting(source: &str, grants: Grants, limits: Limits) -> LuaPlugin {
    let border = Border { grants, ..testing::border(limits, &Permissions::default()) };
    LuaPlugin::compile("test.lua", source, border).expect("it compiles")
}

fn run(plugin: &LuaPlugin, input: Value) -> Result<Value, CallError> {
    let limits = plugin.border.limits;
    plugin.call(&testing::call("process", &Value::Null, &input, limits)).map(|reply| reply.output)
}

fn http(server: &Server) -> Permissions {
    Permissions { http: vec![format!("127.0.0.1:{}", server.port())], ..Permissions::default() }
}

fn folder(filesystem: &[&str], granted: &GrantedWords) -> (tempfile::TempDir, Grants) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(folder.path().join("data")).expect("it can be made");
    std::fs::write(folder.path().join("data/a.txt"), "hello").expect("it can be written");
    let filesystem = filesystem.iter().map(|&entry| entry.to_owned()).collect();
    let asked = Permissions { filesystem, ..Permissions::default() };
    let grants = Grants::new(&asked, granted, &Map::new()).expect("they are well-formed");
    let grants = grants.with_base(folder.path().to_owned());
    (folder, grants)
}

#[test]
fn a_script_sends_requests_and_reads_answers() {
    let server = Server::start("127.0.0.1:0", |request| match request.split(' ').nth(1) {
        Some("/moved") => redirect(302, "/a"),
        _ => ok(r#"{"n":[1]}"#),
    });
    let source = "function process(base)
        local posted = http.post(base .. '/a', {list = {1, 2}}, {headers = {['X-Two'] = {'a', 'b'}, ['X-One'] = 1}})
        local moved = http.request({url = base .. '/moved', redirect = 'return'})
        local followed = http.get(base .. '/moved')
        return {posted.status, posted.headers['content-length'], json_decode(posted.body), moved.status,
            moved.headers.location, followed.status, followed.url == base .. '/a'}
    end";
    let base = format!("http://127.0.0.1:{}", server.port());
    let output = run(&plugin(source, &http(&server), Limits::default()), json!(base)).expect("it is answered");
    assert_eq!(output, json!([200, "9", {"n": [1]}, 302, "/a", 200, true]));
    let seen = server.requests();
    assert!(
        seen[0].starts_with("POST /a HTTP/1.1\r\n") && seen[0].ends_with("\r\n\r\n{\"list\":[1,2]}"),
        "{}",
        seen[0]
    );
    for header in ["content-type: application/json", "x-two: a", "x-two: b", "x-one: 1"] {
        assert!(seen[0].contains(&format!("{header}\r\n")), "{header} in {}", seen[0]);
    }
}

#[test]
fn what_was_not_asked_for_or_granted_is_refused_in_the_same_words_everywhere() {
    let message = |source: &str, grants: &Grants| {
        let source = format!("function process() {source} end");
        let error = run(&granting(&source, grants.clone(), Limits::default()), Value::Null).expect_err("it is refused");
        assert_eq!(error.kind, CallErrorKind::Denied, "{error}");
        error.message
    };
    let none = Grants::default();
    insta::assert_snapshot!(message("http.get('http://example.com')", &none), @"the plugin used http `example.com:80`, which its manifest does not ask for under `permissions.http` (at test.lua:1)");
    insta::assert_snapshot!(message("fs.read('data/a.txt')", &none), @"the plugin used filesystem `read:data/a.txt`, which its manifest does not ask for under `permissions.filesystem` (at test.lua:1)");
    insta::assert_snapshot!(message("fs.exists('data/a.txt')", &none), @"the plugin used filesystem `read:data/a.txt`, which its manifest does not ask for under `permissions.filesystem` (at test.lua:1)");
    let (_folder, withheld) = folder(&["read:./data", "write:./data"], &GrantedWords::none());
    insta::assert_snapshot!(message("fs.read('data/a.txt')", &withheld), @"the plugin used filesystem `read:data/a.txt`, which its manifest asks for but the permission `read_files` was not granted (at test.lua:1)");
    insta::assert_snapshot!(message("fs.append('data/a.txt', 'x')", &withheld), @"the plugin used filesystem `write:data/a.txt`, which its manifest asks for but the permission `write_files` was not granted (at test.lua:1)");
}

#[test]
fn a_script_can_catch_a_refusal_and_read_it() {
    let source = "function process()
        local ok, refusal = pcall(http.get, 'http://example.com')
        return {ok, refusal.kind, refusal.message, tostring(refusal) == refusal.message, refusal.other}
    end";
    let output = run(&granting(source, Grants::default(), Limits::default()), Value::Null).expect("it is caught");
    let message = "the plugin used http `example.com:80`, which its manifest does not ask for under `permissions.http`";
    assert_eq!(output, json!([false, "denied", message, true]));
}

#[test]
fn a_script_uses_the_files_that_were_granted() {
    let (folder, grants) = folder(&["read:./data", "write:./data"], &GrantedWords::all());
    let source = "function process()
        fs.write('data/new/b.txt', 'one')
        fs.append('data/new/b.txt', ' two')
        local entries = fs.list('data')
        local found = fs.find('data/new/b.txt')
        fs.remove('data/a.txt')
        return {fs.read('data/new/b.txt'), entries, found.bytes, fs.exists('data/a.txt'), fs.find('data/gone')}
    end";
    let output = run(&granting(source, grants, Limits::default()), Value::Null).expect("it is granted");
    let entry = |name, kind, bytes| json!({"name": name, "kind": kind, "bytes": bytes});
    assert_eq!(output[0], json!("one two"));
    assert_eq!(output[1][0], entry("a.txt", "file", 5));
    assert_eq!((&output[1][1]["name"], &output[1][1]["kind"]), (&json!("new"), &json!("folder")));
    assert_eq!((&output[2], &output[3]), (&json!(7), &json!(false)));
    assert_eq!(std::fs::read_to_string(folder.path().join("data/new/b.txt")).expect("it is there"), "one two");
}

#[test]
fn texts_are_remembered_between_calls_of_one_plugin_alone() {
    let source = "function process(key)
        if key == 'forget' then return kv.delete('a') end
        local before = kv.get(key) or 'nothing'
        kv.set(key, 'seen')
        return {before, kv.keys()}
    end";
    let (one, other) = (
        granting(source, Grants::default(), Limits::default()),
        granting(source, Grants::default(), Limits::default()),
    );
    let call = |plugin: &LuaPlugin, key: &str| run(plugin, json!(key)).expect("it needs no permission");
    assert_eq!(call(&one, "a"), json!(["nothing", ["a"]]));
    assert_eq!(call(&one, "a"), json!(["seen", ["a"]]));
    assert_eq!(call(&other, "a"), json!(["nothing", ["a"]]));
    assert_eq!((call(&one, "forget"), call(&one, "forget")), (json!(true), json!(false)));
}

#[test]
fn a_script_of_a_workflow_has_nothing_of_the_host_but_its_log() {
    let source = "return {type(http), type(fs), type(kv), type(env), type(log.warn)}";
    let script = Script::compile("test.lua", source, Limits::default()).expect("it compiles");
    let output = script.run(&Value::Null, &[], soon()).expect("it succeeds").output;
    assert_eq!(output, json!(["nil", "nil", "nil", "nil", "function"]));
}

#[test]
fn a_request_ends_with_the_call_that_waits_for_it() {
    let server = Server::start("127.0.0.1:0", |_| {
        std::thread::sleep(Duration::from_secs(60));
        ok("too late")
    });
    let limits = Limits { timeout: Duration::from_millis(200), ..Limits::default() };
    let source = "function process(url) while true do pcall(http.get, url) end end";
    let url = format!("http://127.0.0.1:{}/", server.port());
    let error = run(&plugin(source, &http(&server), limits), json!(url)).expect_err("nobody answers in time");
    insta::assert_snapshot!(error, @"`process` did not finish within its time limit of 200ms");
}

#[test]
fn what_the_host_brings_is_limited_and_counts_as_the_scripts_memory() {
    // Equal texts are one text in Luau, so each answer is another.
    let count = AtomicUsize::new(0);
    let answer = move |_: &str| ok(&format!("{}{}", count.fetch_add(1, Ordering::Relaxed), "x".repeat(1 << 20)));
    let server = Server::start("127.0.0.1:0", answer);
    let url = json!(format!("http://127.0.0.1:{}/", server.port()));
    let once = "function process(url) return #http.get(url).body end";
    let limits = Limits { transfer: 1 << 10, ..Limits::default() };
    let error = run(&plugin(once, &http(&server), limits), url.clone()).expect_err("it is too large");
    assert_eq!((error.kind, error.limit), (CallErrorKind::Failed, Some(Limit::Transfer)));
    let kept = "function process(url)
        local kept = {}
        while true do table.insert(kept, http.get(url).body) end
    end";
    let limits = Limits { memory: 8 << 20, ..Limits::default() };
    let error = run(&plugin(kept, &http(&server), limits), url).expect_err("it keeps too much");
    assert_eq!(error.kind, CallErrorKind::OutOfMemory, "{error}");
}

#[test]
fn calls_may_nest_as_deep_as_the_limit_says() {
    let source = "local function down(n) if n == 0 then return 0 end return 1 + down(n - 1) end
        function process(n) return down(n) end";
    let limits = Limits { call_depth: 100, ..Limits::default() };
    let shallow = plugin(source, &Permissions::default(), limits);
    assert_eq!(run(&shallow, json!(50)), Ok(json!(50)));
    let error = run(&shallow, json!(200)).expect_err("it is too deep");
    insta::assert_snapshot!(error, @"calls in `process` nest deeper than its limit of 100");
    assert_eq!(run(&shallow, json!(50)), Ok(json!(50)));
    let deep = plugin(source, &Permissions::default(), Limits::default());
    assert_eq!(run(&deep, json!(15_000)), Ok(json!(15_000)));
    let error = run(&deep, json!(30_000)).expect_err("it is too deep");
    insta::assert_snapshot!(error, @"calls in `process` nest deeper than its limit of 20000");
}

#[test]
fn lines_of_the_log_have_a_severity() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let log =
        PluginLog::new(move |line| sink.lock().expect("no test panics").push((line.severity, line.text.to_owned())));
    let source = "log('a', 1) print('b') log.debug('c') log.info('d') log.warn('e') log.error('f')";
    let script = Script::compile("test.lua", source, Limits::default()).expect("it compiles").with_log(log);
    script.run(&Value::Null, &[], soon()).expect("it succeeds");
    let expected = [
        (Severity::Info, "a\t1"),
        (Severity::Info, "b"),
        (Severity::Debug, "c"),
        (Severity::Info, "d"),
        (Severity::Warning, "e"),
        (Severity::Error, "f"),
    ];
    assert_eq!(*seen.lock().expect("no test panics"), expected.map(|(severity, text)| (severity, text.to_owned())));
}
