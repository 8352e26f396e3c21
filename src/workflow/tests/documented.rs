//! The workflows of the documentation plan and run as they are written there.

use std::path::Path;

use serde_json::json;

use super::{FakePlugins, plan, run};
use crate::workflow::{Document, Plan, SourceText};

const CACHE: &str = r#"name: cache-workflow
start: get-data

nodes:
  - name: get-data
    type: redis-get  # Node from redis-cache plugin
    config:
      key: "user:{{.user_id}}"
      
  - name: process
    type: conditional
    config:
      conditions:
        - if: "{{.found}}"
          then: use-cache
        - else: fetch-fresh
"#;

const LUA_FILE: &str = r#"name: lua-processing
start: transform

nodes:
  - name: transform
    type: lua  # Built-in lua node
    config:
      script: "./scripts/transform.lua"
      # Or inline:
      # source: |
      #   local data = input.data
      #   return {transformed = data * 2}
"#;

const WASM: &str = r#"name: wasm-analysis
start: analyze

nodes:
  - name: analyze
    type: sentiment-analyzer  # Node from WASM plugin
    config:
      model: "en-US"
      threshold: 0.7
"#;

const CONFIGURED: &str = r#"name: configured-workflow
start: cache-get

# Workflow-specific plugin config
plugins:
  redis-cache:
    host: "redis-prod.example.com"
    database: 1

nodes:
  - name: cache-get
    type: redis-get
    config:
      key: "data:{{.id}}"
"#;

const USER_CACHE: &str = r#"name: user-cache
start: check-cache

nodes:
  - name: check-cache
    type: redis-get
    config:
      key: "user:{{.user_id}}"
      
  - name: fetch-from-db
    type: http
    config:
      url: "{{.db_api}}/users/{{.user_id}}"
      
  - name: update-cache
    type: redis-set
    config:
      key: "user:{{.user_id}}"
      value: "{{.}}"
      ttl: "1h"

connections:
  - from: check-cache
    to: return-cached
    when: found
  - from: check-cache
    to: fetch-from-db
    when: not_found
  - from: fetch-from-db
    to: update-cache
"#;

const PIPELINE: &str = r#"name: data-pipeline
start: process

nodes:
  - name: process
    type: lua
    config:
      script: |
        -- Complex data transformation
        local result = {}
        for i, item in ipairs(input.items) do
          if item.active then
            table.insert(result, {
              id = item.id,
              value = item.value * 1.1,
              processed_at = os.time()
            })
          end
        end
        return {items = result}
"#;

#[test]
fn a_plugin_node_feeds_a_condition() {
    let output = run(CACHE, json!({"user_id": 42})).unwrap();
    assert_eq!(output, json!({"found": true, "key": "user:42"}));
}

#[test]
fn a_lua_file_stands_beside_the_workflow() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("scripts/transform.lua");
    std::fs::create_dir_all(script.parent().unwrap()).unwrap();
    std::fs::write(&script, "return {transformed = input.data * 2}").unwrap();
    let output = run_in(LUA_FILE, folder.path(), json!({"data": 21}));
    assert_eq!(output, json!({"transformed": 42}));
}

fn run_in(text: &str, folder: &Path, input: serde_json::Value) -> serde_json::Value {
    let document = Document::parse(SourceText::new("workflow.yaml", text), folder).unwrap();
    let plan = Plan::new(&document, &FakePlugins).unwrap_or_else(|problems| panic!("{problems}"));
    let report = crate::workflow::run(&plan.into(), input, &Default::default()).unwrap();
    serde_json::Value::clone(&report.output)
}

#[test]
fn a_wasm_node_takes_its_config() {
    assert_eq!(run(WASM, json!({})).unwrap(), json!({"model": "en-US", "threshold": 0.7}));
}

#[test]
fn plugin_settings_stand_in_the_workflow() {
    let document = Document::parse(SourceText::new("workflow.yaml", CONFIGURED), "").unwrap();
    let settings: Vec<_> = document.plugin_settings().collect();
    assert_eq!(settings[0].0, "redis-cache");
    assert_eq!(json!(settings[0].1), json!({"host": "redis-prod.example.com", "database": 1}));
    assert_eq!(run(CONFIGURED, json!({"id": 7})).unwrap()["key"], "data:7");
}

#[test]
fn a_cached_user_ends_the_workflow_at_an_end_that_is_no_node() {
    let plan = plan(USER_CACHE).unwrap();
    assert_eq!(plan.warnings.iter().count(), 1);
    insta::assert_snapshot!(plan.warnings, @r"
    warning: there is no node `return-cached`: the branch ends here
      --> workflow.yaml:24:9
       |
    24 |     to: return-cached
       |         ^^^^^^^^^^^^^
       |
       = help: the output of the node before it is the result; add the node if that is not meant
    ");
    let output = run(USER_CACHE, json!({"user_id": 42, "db_api": "http://127.0.0.1:1"})).unwrap();
    assert_eq!(output, json!({"found": true, "key": "user:42"}));
}

#[test]
fn an_unknown_user_is_fetched_and_cached_with_the_runs_input_still_in_reach() {
    let server = super::running::serve(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 12\r\n\r\n{\"name\":\"A\"}",
    );
    let output = run(USER_CACHE, json!({"user_id": 7, "db_api": server})).unwrap();
    assert_eq!(output["key"], "user:7");
    assert_eq!(output["value"]["status"], 200);
    assert_eq!(output["value"]["body"], json!({"name": "A"}));
}

#[test]
fn an_inline_lua_script_keeps_lists_and_numbers() {
    let input = json!({"items": [{"id": 1, "active": true, "value": 10}, {"id": 2, "active": false, "value": 1}]});
    let output = run(PIPELINE, input).unwrap();
    assert_eq!(output["items"].as_array().unwrap().len(), 1);
    assert_eq!(output["items"][0]["id"], 1);
    assert_eq!(output["items"][0]["value"], 11.0);
    assert!(output["items"][0]["processed_at"].as_i64().unwrap() > 1_600_000_000);
}
