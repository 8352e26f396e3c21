//! What scripts may rely on, and what they may try.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pocket_index::permissions::Permissions;
use serde_json::{Value, json};

use super::*;
use crate::engine::budget::Limits;
use crate::engine::error::CallErrorKind;
use crate::engine::log::PluginLog;
use crate::engine::testing;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn run(source: &str, input: Value) -> Result<Reply, CallError> {
    Script::compile("test.lua", source, Limits::default())?.run(&input, &[], soon())
}

fn output(source: &str, input: Value) -> Value {
    run(source, input).expect("the script succeeds").output
}

/// Runs an evil script with small limits, time among them, and then checks that the same script object still serves calls.
fn fail_in_time(source: &str) -> CallError {
    fail(source, Instant::now() + testing::small_limits().timeout)
}

/// The same with a deadline that no other limit should have to wait for, however busy the machine is.
fn fail_at_once(source: &str) -> CallError {
    fail(source, soon())
}

fn fail(source: &str, deadline: Instant) -> CallError {
    let limits = testing::small_limits();
    let source = format!("if input == 'be good' then return 'good' end\n{source}");
    let script = Script::compile("evil.lua", &source, limits).expect("it compiles");
    let error = script.run(&Value::Null, &[], deadline).expect_err("it fails");
    let reply = script.run(&json!("be good"), &[], soon()).expect("the next call is served");
    assert_eq!(reply.output, json!("good"));
    error
}

fn plugin(source: &str, asked: &Permissions) -> Result<LuaPlugin, CallError> {
    LuaPlugin::compile("test.lua", source, testing::border(Limits::default(), asked))
}

fn call(source: &str, node_type: &str, config: Value, input: Value) -> Result<Reply, CallError> {
    let plugin = plugin(source, &Permissions::default())?;
    plugin.call(&testing::call(node_type, &config, &input, Limits::default()))
}

#[test]
fn a_script_sees_its_input_and_returns_output_and_action() {
    let reply = run("return {sum = input.a + input.b}, 'found'", json!({"a": 1, "b": 2})).expect("it succeeds");
    assert_eq!(reply, Reply { output: json!({"sum": 3}), action: Some("found".into()) });
}

#[test]
fn a_script_that_returns_nothing_has_its_process_called() {
    assert_eq!(output("function process(x) return x * 2 end", json!(21)), json!(42));
    assert_eq!(output("function process(x) return 1 end return nil", json!(21)), json!(null));
    assert_eq!(output("local x = 1", json!(21)), json!(null));
}

#[test]
fn a_changed_input_is_seen_as_changed() {
    assert_eq!(output("input.a = {b = 2} return input.a.b", json!({"a": {"b": 1}})), json!(2));
}

#[test]
fn a_node_type_calls_the_function_of_its_name_or_process() {
    let source =
        "function count_words(input, config, context) return {input, config.x, context.node, context.plugin} end
                  function process() return 'process' end";
    let reply = call(source, "count-words", json!({"x": 1}), json!("in")).expect("it succeeds");
    assert_eq!(reply.output, json!(["in", 1, "step", "sample"]));
    assert_eq!(call(source, "other", json!({}), json!("in")).expect("it succeeds").output, json!("process"));
    let error = call("x = 1", "count-words", json!({}), json!(1)).expect_err("there is no function");
    assert_eq!(error.kind, CallErrorKind::Load);
    insta::assert_snapshot!(error, @"`test.lua` defines neither `count_words` nor `process`");
}

#[test]
fn only_granted_environment_variables_are_seen() {
    let asked = Permissions { env: vec!["CARGO_PKG_NAME".into(), "NOT_SET_ANYWHERE".into()], ..Permissions::default() };
    let plugin = plugin("function n() return {env.CARGO_PKG_NAME, type(env.PATH)} end", &asked).expect("it compiles");
    let reply = plugin.call(&testing::call("n", &Value::Null, &Value::Null, Limits::default())).expect("it succeeds");
    assert_eq!(reply.output, json!(["pocket", "nil"]));
}

#[test]
fn errors_name_the_line_of_the_script() {
    let message = |source: &str| run(source, json!(null)).expect_err("it fails").message;
    insta::assert_snapshot!(message("local x\nlocal y = x.z"), @"test.lua:2: attempt to index nil with 'z'");
    insta::assert_snapshot!(message("\nerror('no luck')"), @"test.lua:2: no luck");
    insta::assert_snapshot!(message("\n\njson_decode('{')"), @"json_decode: EOF while parsing an object at line 1 column 1 (at test.lua:3)");
    insta::assert_snapshot!(message("error()"), @"the script raised null (at test.lua:1)");
    insta::assert_snapshot!(message("return {f = print}"), @"the output of the script at `f` is a function, which is no JSON");
    insta::assert_snapshot!(message("return 1, {}"), @"the action of the script must be a text, found array");
}

#[test]
fn a_raised_table_is_an_error_of_its_kind() {
    let source = "error({kind = 'retryable', message = 'busy', details = {after = 3}})";
    let error = run(source, json!(null)).expect_err("it fails");
    assert_eq!((error.kind, error.details), (CallErrorKind::Retryable, Some(json!({"after": 3}))));
    assert_eq!(error.message, "busy (at test.lua:1)");
}

#[test]
fn a_mistake_in_the_source_is_found_when_it_is_compiled() {
    let error = Script::compile("test.lua", "local x =\nreturn )", Limits::default()).err().expect("it is no Lua");
    assert_eq!(error.kind, CallErrorKind::Load);
    insta::assert_snapshot!(error, @"test.lua:2: Expected identifier when parsing expression, got 'return'");
}

#[test]
fn the_helpers_do_what_they_say() {
    let source = r#"return {
        json_encode({b = 1, a = json_array()}), json_decode('{"x":[1,null]}'), str_trim("  a b "), str_split("a,b,", ","),
        str_contains("abc", "b"), str_contains("abc", "."), str_replace("a.b.c", ".", "%1"),
        type_of(nil), type_of({1}), type_of({a = 1}), type_of(json_object()), type_of(1), type_of("x"), type_of(true),
        json_object(), {}, json_null,
    }"#;
    let expected = json!([
        r#"{"a":[],"b":1}"#, {"x": [1, null]}, "a b", ["a", "b", ""], true, false, "a%1b%1c",
        "null", "array", "object", "object", "number", "string", "boolean", {}, [], null,
    ]);
    assert_eq!(output(source, json!(null)), expected);
}

#[test]
fn long_patterns_are_found_as_short_ones_are() {
    let source = "local long, results = string.rep('ab', 200), {}
        for _, part in {'ab', long} do
            for _, init in {1, 3, -400, 5000} do
                local from, to = string.find('x' .. long .. 'y', part, init, true)
                table.insert(results, from and from .. '-' .. to or 'none')
            end
        end
        table.insert(results, #string.split(long .. ',' .. long, long))
        return results";
    assert_eq!(output(source, json!(null)), json!(["2-3", "4-5", "4-5", "none", "2-401", "none", "none", "none", 3]));
}

#[test]
fn large_integers_pass_unchanged_and_cannot_be_calculated_with() {
    let id = json!(9007199254740993u64);
    assert_eq!(
        output("return {input, tostring(input), input == input}", id.clone()),
        json!([id, "9007199254740993", true])
    );
    let error = run("return input + 1", id).expect_err("it would be rounded");
    assert!(error.message.contains("attempt to perform arithmetic"), "{error}");
}

#[test]
fn what_a_script_prints_goes_to_the_log() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let log = PluginLog::new(move |line| sink.lock().expect("no test panics").push(line.text.to_owned()));
    let script =
        Script::compile("test.lua", "log('a', 1) print(nil)", Limits::default()).expect("it compiles").with_log(log);
    script.run(&json!(null), &[], soon()).expect("it succeeds");
    assert_eq!(*seen.lock().expect("no test panics"), ["a\t1", "nil"]);
}

#[test]
fn nothing_is_left_of_one_call_for_the_next() {
    let source = "local seen = counter; counter = (counter or 0) + 1; _G.other = 1
        pcall(function() getmetatable('').__index.upper = function() return 'bad' end end)
        pcall(function() string.upper = nil end)
        pcall(function() setmetatable(_G, {}) end)
        pcall(function() getmetatable(input).json = 'object' end)
        pcall(function() getmetatable(_G).__index = {} end)
        return {seen or 'nothing', ('a'):upper(), other == 1}";
    let script = Script::compile("test.lua", source, Limits::default()).expect("it compiles");
    for _ in 0..3 {
        let reply = script.run(&json!([1]), &[], soon()).expect("it succeeds");
        assert_eq!(reply.output, json!(["nothing", "A", true]));
    }
}

#[test]
fn there_is_no_way_to_files_modules_bytecode_or_the_outside() {
    let names =
        "io require dofile loadfile load loadstring package debug collectgarbage getfenv setfenv newproxy gcinfo";
    for name in names.split(' ') {
        assert_eq!(output(&format!("return type({name})"), json!(null)), json!("nil"), "{name}");
    }
    assert_eq!(
        output("local n = {} for k in os do table.insert(n, k) end table.sort(n) return n", json!(null)),
        json!(["clock", "date", "time"])
    );
    let error = Script::compile("test.lua", "\u{1b}LuaQ", Limits::default()).err().expect("bytecode is no source");
    assert_eq!(error.kind, CallErrorKind::Load);
}

#[test]
fn endless_work_ends_at_the_time_limit_whatever_catches_errors() {
    for source in [
        "while true do end",
        "repeat pcall(function() while true do end end) until false",
        "local function f() xpcall(f, f) while true do end end f()",
        "while true do coroutine.wrap(function() while true do end end)() end",
        "local co = coroutine.create(function() while true do coroutine.yield() end end) while true do coroutine.resume(co) end",
        "string.find(string.rep('a', 100000), string.rep('a?', 30) .. string.rep('a', 30) .. 'b')",
        "string.rep('a', 5000000):find(string.rep('.-', 100) .. 'b')",
        "local s, p = string.rep('a', 4000000), string.rep('a', 2000000) .. 'b' while true do s:find(p, 1, true) end",
        "local s, p = string.rep('a', 1000000), string.rep('a', 500000) .. 'b' while true do s:split(p) end",
        "for _ = 1, 1000000 do table.move({}, 1, 16000000, 2) end",
        "local a = string.rep('a', 4000000) local b, t = a .. 'b', {} for i = 1, 20000 do t[i] = if i % 2 == 0 then a else b end table.sort(t)",
        "string.rep('', 2147483647) while true do end",
        "local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end}) while true do pcall(function() return t[1] end) end",
        "local t = setmetatable({}, {__len = function() while true do end end}) return #t",
    ] {
        let error = fail_in_time(source);
        assert_eq!(error.kind, CallErrorKind::Timeout, "{source}: {error}");
    }
}

#[test]
fn hunger_for_memory_ends_at_the_memory_limit() {
    for source in [
        "return string.rep('a', 1000000000)",
        "local s = 'a' while true do s = s .. s end",
        "local t = {} while true do t[#t + 1] = {} end",
        "return table.create(50000000, 1)",
        "return buffer.create(1000000000)",
        "return str_replace(string.rep('a', 1000000), 'a', string.rep('b', 1000000))",
        "local t = {} for i = 1, 1000000000 do t[i] = coroutine.create(print) end",
        "local t = table.create(100000, string.rep('a', 10000)) return table.concat(t)",
    ] {
        let error = fail_at_once(source);
        assert_eq!(error.kind, CallErrorKind::OutOfMemory, "{source}: {error}");
    }
}

#[test]
fn deep_recursion_and_hostile_error_values_are_ordinary_failures() {
    for source in [
        "local function f() return f() end return f()",
        "local t = {} t.t = t return t",
        "local t = {} for _ = 1, 100000 do t = {t} end return t",
        "error(setmetatable({}, {__tostring = function() while true do end end}))",
        "error(setmetatable({}, {__index = function() while true do end end, __tostring = error}))",
        "error(coroutine.create(print))",
        "json_decode(string.rep('[', 100000))",
        "string.rep('x', 10):gsub(string.rep('(', 40), '')",
        "table.move({}, 1, 2147483646, 2)",
    ] {
        let error = fail_at_once(source);
        assert_eq!(error.kind, CallErrorKind::Failed, "{source}: {error}");
    }
}
