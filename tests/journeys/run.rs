//! `pocket run`: the documented workflows with real services, and what plugins that misbehave end in.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use serde_json::json;

use crate::support::{Redis, Sandbox};

/// A sandbox with the example workflows and their plugins.
fn examples(redis: Option<&Redis>) -> Sandbox {
    let mut sandbox = Sandbox::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    for name in [
        "cache-workflow.yaml",
        "configured-workflow.yaml",
        "data-pipeline.yaml",
        "hello.yaml",
        "lua-processing.yaml",
        "pocket.yaml",
        "scripts/transform.lua",
        "user-cache.yaml",
        "wasm-analysis.yaml",
    ] {
        sandbox.write(name, &std::fs::read_to_string(format!("{folder}/{name}")).unwrap());
    }
    if let Some(redis) = redis {
        sandbox.set("POCKET_PLUGIN_REDIS_HOST", "127.0.0.1");
        sandbox.set("POCKET_PLUGIN_REDIS_PORT", redis.port());
    }
    sandbox.pocket(&["plugin", "install", "--yes"]).success();
    sandbox
}

#[test]
fn the_cache_workflow_takes_what_is_in_redis() {
    let redis = Redis::start();
    redis.command(&["SET", "user:42", "{\"name\":\"Ada\"}"]);
    let sandbox = examples(Some(&redis));
    let hit =
        sandbox.pocket(&["run", "cache-workflow.yaml", "--input", "{\"user_id\": 42}", "--output", "json"]).success();
    assert_eq!(hit.json()["value"], json!({"name": "Ada"}));
    let miss =
        sandbox.pocket(&["run", "cache-workflow.yaml", "--input", "{\"user_id\": 43}", "--output", "json"]).success();
    assert_eq!(miss.json()["found"], json!(false));
}

#[test]
fn the_user_cache_asks_the_api_once() {
    let redis = Redis::start();
    let api = answer_once("{\"name\":\"Ada\"}");
    let sandbox = examples(Some(&redis));
    let input = format!("{{\"user_id\": 7, \"db_api\": \"{api}\"}}");
    sandbox.pocket(&["run", "user-cache.yaml", "--input", &input]).success();
    assert!(redis.command(&["GET", "user:7"]).contains("Ada"));
    assert!(redis.command(&["TTL", "user:7"]).trim().trim_start_matches(':').parse::<i32>().unwrap() > 3500);
    // The API answers no second time; the cache does.
    let cached = sandbox.pocket(&["run", "user-cache.yaml", "--input", &input, "--output", "json"]).success();
    assert_eq!(cached.json()["body"]["name"], "Ada");
}

#[test]
fn the_configured_workflow_reads_its_settings_from_workflow_and_environment() {
    let redis = Redis::with_password("hunter2");
    let mut sandbox = examples(Some(&redis));
    let denied = sandbox.pocket(&["run", "configured-workflow.yaml", "--input", "{\"id\": 7}"]);
    assert_ne!(denied.code, 0);
    assert!(denied.stderr.contains("cache-get") && denied.stderr.contains("redis-cache"), "{}", denied.stderr);
    sandbox.set("POCKET_PLUGIN_REDIS_PASSWORD", "hunter2");
    let run =
        sandbox.pocket(&["run", "configured-workflow.yaml", "--input", "{\"id\": 7}", "--output", "json"]).success();
    assert_eq!(run.json(), json!({"found": false, "key": "data:7", "value": null}));
    assert!(!run.stderr.contains("hunter2"));
}

#[test]
fn the_lua_workflows_run() {
    let sandbox = examples(None);
    let items =
        "{\"items\": [{\"id\": 1, \"active\": true, \"value\": 10}, {\"id\": 2, \"active\": false, \"value\": 5}]}";
    let result = sandbox.pocket(&["run", "data-pipeline.yaml", "--input", items, "--output", "json"]).success().json();
    assert_eq!(result["items"].as_array().unwrap().len(), 1);
    assert_eq!(result["items"][0]["id"], 1);
    let result =
        sandbox.pocket(&["run", "lua-processing.yaml", "--input", "{\"data\": 21}", "--output", "json"]).success();
    assert_eq!(result.json(), json!({"transformed": 42}));
}

#[test]
fn the_wasm_workflow_tells_how_a_text_feels() {
    let sandbox = examples(None);
    let label = |text: &str| {
        let input = json!({ "text": text }).to_string();
        let run =
            sandbox.pocket_with_input(&["run", "wasm-analysis.yaml", "--input-file", "-", "--output", "json"], &input);
        run.success().json()["label"].as_str().unwrap().to_owned()
    };
    assert_eq!(label("What a wonderful day!"), "positive");
    assert_eq!(label("This is a terrible, horrible failure."), "negative");
    assert_eq!(label("The table has four legs."), "neutral");
}

#[test]
fn redis_that_does_not_answer_is_an_error_with_a_next_step() {
    let mut sandbox = examples(None);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    sandbox.set("POCKET_PLUGIN_REDIS_PORT", port);
    sandbox.set("POCKET_PLUGIN_REDIS_HOST", "127.0.0.1");
    sandbox
        .pocket(&["run", "cache-workflow.yaml", "--input", "{\"user_id\": 42}"])
        .failure(4, &["node `get-data` (plugin `redis-cache`)", &port.to_string()]);
}

#[test]
fn a_dry_run_prints_the_plan_and_runs_nothing() {
    let sandbox = examples(None);
    let plan = sandbox.pocket(&["run", "user-cache.yaml", "--dry-run"]).success().stdout;
    for expected in ["check-cache", "redis-cache", "found", "return-cached", "may connect to"] {
        assert!(plan.contains(expected), "expected `{expected}` in:\n{plan}");
    }
}

#[test]
fn an_unknown_node_type_names_the_plugin_that_has_it() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "name: w\nstart: a\nnodes: [{name: a, type: redis-get, config: {key: x}}]\n");
    sandbox
        .pocket(&["run", "w.yaml"])
        .failure(3, &["there is no node type `redis-get`", "pocket plugin install redis-cache"]);
    let sandbox = examples(None);
    sandbox
        .pocket(&["run", "cache-workflow.yaml", "--disable-plugin", "redis-cache"])
        .failure(3, &["there is no node type `redis-get`"]);
}

/// A project with a Lua plugin of this source, installed from its archive.
fn with_plugin(script: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "");
    sandbox.write(
        "p/manifest.yaml",
        "name: probe\nversion: 1.0.0\nruntime: lua\nbinary: m.lua\nnodes: [{type: try}]\npermissions: {timeout: 500ms, memory: 16MB}\n",
    );
    sandbox.write("p/m.lua", script);
    sandbox.pocket(&["plugin", "pack", "p"]).success();
    sandbox.pocket(&["plugin", "install", "./probe-1.0.0.tar.gz"]).success();
    sandbox.write("w.yaml", "name: w\nstart: a\nnodes: [{name: a, type: try}]\n");
    sandbox
}

#[test]
fn a_plugin_that_fails_ends_the_run_with_its_message() {
    let sandbox = with_plugin("function try() error('no luck') end");
    sandbox.pocket(&["run", "w.yaml"]).failure(4, &["node `a` (plugin `probe`)", "no luck"]);
}

#[test]
fn a_node_is_held_to_the_schemas_of_its_manifest() {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "");
    sandbox.write(
        "p/manifest.yaml",
        "name: probe\nversion: 1.0.0\nruntime: lua\nbinary: m.lua\nnodes:\n  - type: double\n    inputSchema: {type: object, required: [n]}\n    outputSchema: {type: object, properties: {n: {type: number}}}\n",
    );
    sandbox.write("p/m.lua", "function double(input) return {n = if input.n == 0 then 'zero' else input.n * 2} end");
    sandbox.pocket(&["plugin", "pack", "p"]).success();
    sandbox.pocket(&["plugin", "install", "./probe-1.0.0.tar.gz"]).success();
    sandbox.write("w.yaml", "name: w\nstart: a\nnodes: [{name: a, type: double}]\n");
    assert_eq!(
        sandbox.pocket(&["run", "w.yaml", "--input", "{\"n\": 2}", "--output", "json"]).success().json()["n"],
        4
    );
    sandbox
        .pocket(&["run", "w.yaml"])
        .failure(4, &["node `a` (plugin `probe`)", "the input of `double` is refused", "`n`"]);
    sandbox.pocket(&["run", "w.yaml", "--input", "{\"n\": 0}"]).failure(4, &["breaks its own `outputSchema`"]);
}

#[test]
fn what_the_configuration_takes_away_is_not_in_the_plan() {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "plugins: {security: {permissions: {redis-cache: [none]}}}\n");
    sandbox.pocket(&["plugin", "install", "redis-cache", "--yes"]).success();
    sandbox.write("w.yaml", "name: w\nstart: a\nnodes: [{name: a, type: redis-get, config: {key: x}}]\n");
    let plan = sandbox.pocket(&["run", "w.yaml", "--dry-run"]).success().stdout;
    assert!(!plan.contains("may connect to"), "{plan}");
    sandbox
        .pocket(&["run", "w.yaml"])
        .failure(5, &["node `a` (plugin `redis-cache`)", "`network_access` was not granted"]);
}

#[test]
fn settings_matter_only_for_plugins_that_are_used() {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "plugins: {config: {redis-cache: {password: '${NOBODY_SETS_THIS}'}}}\n");
    sandbox.pocket(&["plugin", "install", "redis-cache", "data-processor", "--yes"]).success();
    sandbox.write("w.yaml", "name: w\nstart: a\nnodes: [{name: a, type: process-data}]\n");
    sandbox.pocket(&["run", "w.yaml", "--input", "{\"items\": []}"]).success();
    sandbox.write("w.yaml", "name: w\nstart: a\nnodes: [{name: a, type: redis-get, config: {key: x}}]\n");
    sandbox
        .pocket(&["run", "w.yaml"])
        .failure(1, &["pocket.yaml", "NOBODY_SETS_THIS", "plugins.config.redis-cache.password"]);
}

#[test]
fn a_fallback_value_is_the_nodes_output() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "w.yaml",
        "name: w\nstart: a\nnodes:\n  - {name: a, type: lua, config: {source: 'error(\"no\")'}, fallback: {value: instead}}\n  - {name: b, type: echo}\n  - {name: c, type: template, config: {template: '{{output \"a\"}}'}}\nconnections: [{from: a, to: b}, {from: b, to: c}]\n",
    );
    assert_eq!(sandbox.pocket(&["run", "w.yaml"]).success().stdout, "instead\n");
}

#[test]
fn a_plugin_that_never_ends_is_stopped_at_its_limit() {
    let sandbox = with_plugin("function try() while true do end end");
    sandbox.pocket(&["run", "w.yaml"]).failure(5, &["node `a` (plugin `probe`)", "time limit of 500ms", "timeout"]);
}

#[test]
fn a_plugin_that_takes_too_much_memory_is_stopped() {
    let sandbox =
        with_plugin("function try() local t = {} while true do t[#t + 1] = string.rep('x', 100000) .. #t end end");
    sandbox.pocket(&["run", "w.yaml"]).failure(5, &["node `a` (plugin `probe`)", "memory limit of 16MB"]);
}

/// A project with the hostile native plugin, whose node types are what they try.
fn with_hostile_library(nodes: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "");
    let root = concat!(env!("CARGO_MANIFEST_DIR"));
    sandbox.write(
        "p/manifest.yaml",
        &format!(
            "name: hostile\nversion: 1.0.0\nruntime: native\nbinary: {{x86_64-unknown-linux-gnu: hostile.so}}\nnodes: [{nodes}]\npermissions: {{timeout: 2s}}\n"
        ),
    );
    let compiled = std::process::Command::new("gcc")
        .args(["-shared", "-fPIC", "-pthread", "-I", &format!("{root}/sdk/c"), "-o"])
        .arg(sandbox.path("p/hostile.so"))
        .arg(format!("{root}/fixtures/plugins/c-hostile/hostile.c"))
        .status();
    assert!(compiled.unwrap().success(), "the plugin compiles");
    sandbox.pocket(&["plugin", "pack", "p"]).success();
    sandbox.pocket(&["plugin", "install", "./hostile-1.0.0-x86_64-unknown-linux-gnu.tar.gz"]).success();
    sandbox
}

#[test]
fn a_native_plugin_that_crashes_ends_its_call_and_names_the_signal() {
    let sandbox = with_hostile_library("{type: segfault}, {type: loop}");
    sandbox.write("w.yaml", "name: w\nstart: a\nnodes: [{name: a, type: segfault}]\n");
    sandbox.pocket(&["run", "w.yaml"]).failure(5, &["node `a` (plugin `hostile`)", "SIGSEGV"]);
    sandbox.write(
        "w.yaml",
        "name: w\nstart: a\nnodes:\n  - {name: a, type: segfault}\n  - {name: b, type: echo, config: {message: 'still here: {{.error.kind}}'}}\nconnections: [{from: a, to: b, when: error}]\n",
    );
    assert_eq!(sandbox.pocket(&["run", "w.yaml"]).success().stdout, "still here: crashed\n");
    sandbox.write("w.yaml", "name: w\nstart: a\nnodes: [{name: a, type: loop}]\n");
    sandbox.pocket(&["run", "w.yaml"]).failure(5, &["node `a` (plugin `hostile`)", "time limit of 2s"]);
}

#[test]
fn a_wasm_plugin_that_traps_ends_its_call() {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "");
    sandbox
        .write("p/manifest.yaml", "name: trap\nversion: 1.0.0\nruntime: wasm\nbinary: p.wasm\nnodes: [{type: trap}]\n");
    let module = wat::parse_str(
        r#"(module
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
            (func (export "run") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32) unreachable))"#,
    );
    std::fs::write(sandbox.path("p/p.wasm"), module.unwrap()).unwrap();
    sandbox.pocket(&["plugin", "pack", "p"]).success();
    sandbox.pocket(&["plugin", "install", "./trap-1.0.0.tar.gz"]).success();
    sandbox.write("w.yaml", "name: w\nstart: a\nnodes: [{name: a, type: trap}]\n");
    sandbox.pocket(&["run", "w.yaml"]).failure(5, &["node `a` (plugin `trap`)", "unreachable"]);
}

/// Says of each call whether it crossed alone or together with others: one for each outermost `{` of the calls.
const TELLS_HOW_IT_CROSSED: &str = r#"(module
    (memory (export "memory") 8)
    (global $free (mut i32) (i32.const 4096))
    (data (i32.const 64) "{\"output\":\"alone\"}")
    (data (i32.const 128) ",{\"output\":\"together\"}")
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (global.get $free)
        (global.set $free (i32.and (i32.add (i32.add (global.get $free) (local.get 3)) (i32.const 15)) (i32.const -16))))
    (func $reply (param i32 i32) (result i32)
        (i32.store (i32.const 0) (i32.const 0))
        (i32.store (i32.const 4) (local.get 0))
        (i32.store (i32.const 8) (local.get 1))
        (i32.const 0))
    (func (export "run") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
        (call $reply (i32.const 64) (i32.const 18)))
    (func (export "run-batch") (param i32 i32) (param $at i32) (param $left i32) (param i32 i32) (result i32)
        (local $out i32) (local $depth i32) (local $byte i32)
        (local.set $out (i32.const 262144))
        (loop $bytes
            (local.set $byte (i32.load8_u (local.get $at)))
            (if (i32.eq (local.get $byte) (i32.const 123))
                (then (local.set $depth (i32.add (local.get $depth) (i32.const 1)))))
            (if (i32.eq (local.get $byte) (i32.const 125))
                (then
                    (local.set $depth (i32.sub (local.get $depth) (i32.const 1)))
                    (if (i32.eqz (local.get $depth))
                        (then
                            (memory.copy (local.get $out) (i32.const 128) (i32.const 22))
                            (local.set $out (i32.add (local.get $out) (i32.const 22)))))))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $bytes (local.get $left)))
        (i32.store8 (i32.const 262144) (i32.const 91))
        (i32.store8 (local.get $out) (i32.const 93))
        (call $reply (i32.const 262144) (i32.sub (local.get $out) (i32.const 262143)))))"#;

#[test]
fn items_cross_to_a_plugin_together_if_that_leaves_no_trace() {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "plugins: {directories: [plugins]}\n");
    std::fs::create_dir_all(sandbox.path("plugins/teller")).unwrap();
    std::fs::write(sandbox.path("plugins/teller/p.wasm"), wat::parse_str(TELLS_HOW_IT_CROSSED).unwrap()).unwrap();
    let nodes = "[{type: tell, pure: true}, {type: change}]";
    let manifest = format!("name: teller\nversion: 1.0.0\nruntime: wasm\nbinary: p.wasm\nnodes: {nodes}\n");
    sandbox.write("plugins/teller/manifest.yaml", &manifest);
    let told = |node_type: &str| {
        let each =
            format!("{{name: each, type: foreach, config: {{body: {{type: {node_type}}}, max_concurrency: 2}}}}");
        sandbox.write("w.yaml", &format!("nodes: [{each}]\n"));
        let items = serde_json::Value::from((0..300).collect::<Vec<_>>()).to_string();
        let run = sandbox.pocket(&["run", "w.yaml", "--input", &items, "--output", "json", "--events", "events"]);
        let ended =
            sandbox.read("events").lines().filter(|line| line.contains("finished") && line.contains("each[")).count();
        assert_eq!(ended, 300, "each item has an end of its own");
        run.success().json().as_array().unwrap().iter().filter(|how| **how == "together").count()
    };
    assert_eq!(told("change"), 0);
    let together = told("tell");
    assert!((2..=298).contains(&together), "{together} of 300: all but those that show how long one takes");
    let metrics = sandbox.pocket(&["plugin", "metrics", "--format", "json"]).success().json();
    let calls: Vec<_> = metrics["nodes"].as_array().unwrap().iter().map(|node| node["calls"].clone()).collect();
    assert_eq!(calls, [300, 300]);
}

#[test]
fn an_error_connection_takes_over_when_a_plugin_fails() {
    let sandbox = with_plugin("function try() while true do end end");
    sandbox.write(
        "w.yaml",
        "name: w\nstart: a\nnodes:\n  - {name: a, type: try}\n  - {name: b, type: echo, config: {message: 'saved: {{.error.kind}}'}}\nconnections: [{from: a, to: b, when: error}]\n",
    );
    assert_eq!(sandbox.pocket(&["run", "w.yaml"]).success().stdout, "saved: timeout\n");
}

#[test]
fn output_is_text_json_or_yaml() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "name: w\nstart: a\nnodes: [{name: a, type: template, config: {template: 'x: {{.x}}'}}]\n");
    let run =
        |format: &str| sandbox.pocket(&["run", "w.yaml", "--input", "{\"x\": 1}", "--output", format]).success().stdout;
    assert_eq!(run("text"), "x: 1\n");
    assert_eq!(run("json"), "\"x: 1\"\n");
    assert!(run("yaml").contains("x: 1"));
}

/// An HTTP server that answers one request with this JSON, and then no more.
fn answer_once(body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        drop(listener);
        let mut request = [0; 4096];
        let _ = client.read(&mut request);
        let _ = write!(
            client,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
    });
    url
}
