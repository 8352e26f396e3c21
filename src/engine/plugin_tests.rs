use serde_json::json;

use super::*;
use crate::engine::grants::GrantedWords;
use crate::engine::testing;

const MANIFEST: &str = "name: sample\nversion: 1.2.3\nruntime: lua\nbinary: main.lua\nnodes:\n- type: step\npermissions:\n  timeout: 100ms\n";

/// Loads a plugin of one script; the folder is read while it is loaded.
fn load(manifest: &str, script: &str) -> Result<Arc<Plugin>, CallError> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    std::fs::write(folder.path().join("main.lua"), script).expect("it can be written");
    let manifest = Manifest::parse(manifest.as_bytes()).expect("the manifest is well-formed");
    let grants = Grants::new(&manifest.permissions, &GrantedWords::none(), &Map::new()).expect("it asks for nothing");
    let options = EngineOptions { cache_dir: folder.path().join("cache"), host_program: "pocket".into() };
    let files = PluginFiles { root: folder.path().to_owned(), manifest, tree: None };
    let settings = json!({"factor": 2}).as_object().expect("it is an object").clone();
    Engine::new(options).load(files, grants, settings, Limits::default())
}

fn call(plugin: &Plugin, node_type: &str) -> Result<Reply, CallError> {
    plugin.call(testing::call(node_type, &Value::Null, &json!(21), Limits::default()))
}

#[test]
fn a_folder_with_a_manifest_is_loaded_and_called_with_its_settings() {
    let plugin =
        load(MANIFEST, "function step(x, _, context) return x * context.settings.factor end").expect("it loads");
    assert_eq!(call(&plugin, "step").expect("it succeeds").output, json!(42));
}

#[test]
fn a_node_type_that_the_manifest_does_not_list_is_not_called() {
    let plugin = load(MANIFEST, "function other() return 1 end").expect("it loads");
    let error = call(&plugin, "other").expect_err("it is not in the manifest");
    insta::assert_snapshot!(error, @"plugin `sample` 1.2.3 has no node type `other`");
}

#[test]
fn the_manifests_time_limit_holds_when_the_caller_allows_more() {
    let plugin = load(MANIFEST, "function step() while true do end end").expect("it loads");
    assert_eq!(plugin.limits().timeout, Duration::from_millis(100));
    let error = call(&plugin, "step").expect_err("it never ends by itself");
    insta::assert_snapshot!(error, @"`step` did not finish within its time limit of 100ms; the plugin's manifest sets it");
}

#[test]
fn an_error_of_a_limit_says_how_it_is_raised() {
    let hungry = "function step() return string.rep('a', 1000000000) end";
    let error = call(&load(MANIFEST, hungry).expect("it loads"), "step").expect_err("it needs too much");
    insta::assert_snapshot!(error, @"`step` needs more than its memory limit of 256MiB; `plugins.limits.sample.memory` in pocket.yaml raises it");
    let plugin = load(MANIFEST, "function step() while true do end end").expect("it loads");
    let hasty = Limits { timeout: Duration::from_millis(20), ..Limits::default() };
    let error = plugin.call(testing::call("step", &Value::Null, &Value::Null, hasty)).expect_err("it never ends");
    assert!(error.message.ends_with("; the node's or the workflow's `timeout` sets it"), "{error}");
}

#[test]
fn an_error_of_a_plugin_cannot_move_the_cursor() {
    let plugin = load(MANIFEST, "function step() error('a\\27[2J\\nb', 0) end").expect("it loads");
    assert_eq!(call(&plugin, "step").expect_err("it fails").message, "a\\u{1b}[2J\nb");
}

#[test]
fn a_missing_file_is_named() {
    let error = load(&MANIFEST.replace("main.lua", "gone.lua"), "").err().expect("the file is not there");
    assert_eq!(error.kind, CallErrorKind::Load);
    assert!(error.message.contains("gone.lua` of `sample`: No such file"), "{error}");
}
