//! Errors, `finally`, decisions, and nodes inside of nodes.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{plan, run};
use crate::engine::CallErrorKind;
use crate::nodes::Stop;
use crate::workflow::{RunErrorKind, RunOptions};

/// What each of these nodes does when it fails: the run's result says that the error connection took over.
#[test]
fn an_error_connection_fires_whatever_went_wrong() {
    let node = |node: Value| {
        let mut failing = node;
        failing["name"] = json!("a");
        let rescue = json!({"name": "rescue", "type": "echo", "config": {"message": "{{.error.kind}}"}});
        json!({"nodes": [failing, rescue], "connections": [{"from": "a", "to": "rescue", "when": "error"}]}).to_string()
    };
    let lua = |source: &str| json!({"type": "lua", "config": {"source": source}});
    let cases = [
        (json!({"type": "echo", "config": {"message": "{{index .list 5}}"}}), "invalid_input"),
        (json!({"type": "sleep", "timeout": "10ms"}), "timeout"),
        (json!({"type": "lua", "timeout": "30ms", "config": {"source": "while true do end"}}), "timeout"),
        (lua("local t = {} while true do t[#t + 1] = string.rep('x', 1e6) .. #t end"), "out_of_memory"),
        (lua("error('no')"), "failed"),
        (json!({"type": "crash"}), "crashed"),
    ];
    for (failing, kind) in cases {
        assert_eq!(run(&node(failing.clone()), json!({"list": []})).unwrap(), kind, "{failing}");
    }
}

#[test]
fn what_finally_names_runs_after_success_failure_timeout_and_stop() {
    let folder = tempfile::tempdir().unwrap();
    let text = |nodes: &str| {
        format!(
            "timeout: 50ms\nnodes: [{nodes}]\nfinally:\n  - name: note\n    type: file\n    config: {{operation: write, path: note, content: \"{{{{.status}}}} {{{{.error.node}}}} {{{{output \\\"first\\\"}}}}\"}}\n"
        )
    };
    let first = "{name: first, type: echo, config: {message: done}}";
    let noted = |second: &str, stop: &Stop| {
        let source = crate::workflow::SourceText::new("w.yaml", text(&format!("{first}, {second}")));
        let document = crate::workflow::Document::parse(source, folder.path()).unwrap();
        let plan = crate::workflow::Plan::new(&document, &super::FakePlugins).unwrap_or_else(|error| panic!("{error}"));
        let options = RunOptions { stop: stop.clone(), ..RunOptions::default() };
        let result = crate::workflow::run(&Arc::new(plan), json!("in"), &options);
        let note = std::fs::read_to_string(folder.path().join("note")).unwrap();
        std::fs::remove_file(folder.path().join("note")).unwrap();
        (result.map(|report| Value::clone(&report.output)).map_err(|error| error.kind), note)
    };
    let go = Stop::default();
    assert_eq!(noted("{name: b, type: echo}", &go), (Ok(json!("done")), "succeeded <no value> done".to_owned()));
    let crashed = Err(RunErrorKind::Node(CallErrorKind::Crashed));
    assert_eq!(noted("{name: b, type: crash}", &go), (crashed, "failed b done".to_owned()));
    let late = noted("{name: b, type: sleep}", &go);
    assert_eq!(late, (Err(RunErrorKind::TimedOut), "timed_out <no value> done".to_owned()));
    let stop = Stop::default();
    let told = stop.clone();
    let stopper = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(10));
        told.stop();
    });
    let stopped = noted("{name: b, type: sleep}", &stop);
    stopper.join().unwrap();
    assert_eq!(stopped, (Err(RunErrorKind::Stopped), "stopped <no value> done".to_owned()));
}

#[test]
fn no_connection_leads_into_finally() {
    let text = "nodes: [{name: a, type: echo}]\nfinally: {name: z, type: echo}\nconnections: [{from: a, to: z}]";
    let problems = plan(text).err().unwrap().to_string();
    assert!(problems.contains("no connection leads to or from a node of `finally`"), "{problems}");
    assert!(plan("nodes: [{name: a, type: echo}]\nfinally: {name: a, type: echo}").is_err());
}

#[test]
fn without_connections_one_alternative_of_a_decision_runs() {
    let text = r#"
nodes:
  - {name: check, type: conditional, config: {conditions: [{if: "{{.n}}", then: good}, {else: bad}]}}
  - {name: good, type: echo, config: {message: good}}
  - {name: better, type: echo, config: {message: "{{.}} better"}}
  - {name: bad, type: echo, config: {message: bad}}
  - {name: worse, type: echo, config: {message: "{{.}} worse"}}
"#;
    assert_eq!(run(text, json!({"n": 1})).unwrap(), "good better");
    assert_eq!(run(text, json!({"n": 0})).unwrap(), "bad worse");
    let skipping = r#"
nodes:
  - {name: check, type: conditional, config: {conditions: [{if: "{{.skip}}", then: last}]}}
  - {name: work, type: echo, config: {message: worked}}
  - {name: last, type: echo, config: {message: "last {{.}}"}}
"#;
    assert_eq!(run(skipping, json!({"skip": false})).unwrap(), "last worked");
    assert!(run(skipping, json!({"skip": true})).unwrap().as_str().unwrap().starts_with("last map["));
    let one_armed = skipping.replace("then: last", "then: work");
    assert_eq!(run(&one_armed, json!({"skip": true})).unwrap(), "last worked");
    assert_eq!(run(&one_armed, json!({"skip": false})).unwrap(), json!({"skip": false}));
}

#[test]
fn foreach_keeps_the_order_and_does_with_failures_what_it_is_told() {
    let text = |policy: &str| {
        format!(
            r#"
vars: {{by: 10}}
nodes:
  - name: each
    type: foreach
    config:
      items: "{{{{.list}}}}"
      max_concurrency: 4
      on_failure: {policy}
      body:
        - {{type: transform, config: {{jq: 'if .item == 3 then error("three") else .item end'}}}}
        - {{name: say, type: echo, config: {{message: "{{{{.index}}}}:{{{{mul . .by}}}}:{{{{.item}}}}"}}}}
"#
        )
    };
    let list = json!({"list": [1, 2, 4, 5, 6]});
    let all = json!(["0:10:1", "1:20:2", "2:40:4", "3:50:5", "4:60:6"]);
    for policy in ["fail_fast", "collect", "skip"] {
        assert_eq!(run(&text(policy), list.clone()).unwrap(), all);
    }
    let list = json!({"list": [1, 3]});
    let error = run(&text("fail_fast"), list.clone()).unwrap_err();
    assert_eq!(error.to_string(), "node `each`: item 1: node `transform-1`: \"three\"");
    assert_eq!(run(&text("skip"), list.clone()).unwrap(), json!(["0:10:1"]));
    let collected = run(&text("collect"), list).unwrap();
    assert_eq!(collected[1]["error"]["kind"], "failed");
    let error = run(&text("skip"), json!({"list": "x"})).unwrap_err();
    assert_eq!(error.to_string(), "node `each`: `items` must be a list, found a text");
}

#[test]
fn a_body_has_retries_fallbacks_and_problems_like_any_node() {
    let text = "nodes: [{name: each, type: foreach, config: {body: [{type: flaky, retry: {max_attempts: 3, delay: 1ms}}, \
        {type: crash, fallback: {value: saved}}]}}]";
    assert_eq!(run(text, json!([1, 2])).unwrap(), json!(["saved", "saved"]));
    let wrong =
        plan("nodes: [{name: each, type: foreach, config: {body: [{type: echo}, {type: ehco}]}}]").err().unwrap();
    assert!(wrong.to_string().contains("there is no node type `ehco`"), "{wrong}");
    let wrong = plan("nodes: [{name: each, type: foreach, config: {body: {type: delay}}}]").err().unwrap();
    assert!(wrong.to_string().contains("needs `duration`"), "{wrong}");
}

/// The events of a run, without times.
#[derive(Default)]
struct Seen(std::sync::Mutex<Vec<String>>);

impl crate::workflow::Observer for Seen {
    fn see(&self, event: &crate::workflow::RunEvent<'_>) {
        use crate::workflow::RunEvent;
        let line = match event {
            RunEvent::Began { .. } => "began".to_owned(),
            RunEvent::Started { node, node_type, attempt, .. } => format!("{node} ({node_type}) {attempt}"),
            RunEvent::Finished { node, action, .. } => format!("{node} -> {action}"),
            RunEvent::Retrying { node, attempt, .. } => format!("{node} again {attempt}"),
            RunEvent::Failed { node, error, .. } => format!("{node}: {error}"),
            RunEvent::Recovered { node, output } => format!("{node} = {output}"),
            RunEvent::Ended { result } => format!("ended {}", result.is_ok()),
        };
        self.0.lock().unwrap().push(line);
    }
}

#[test]
fn nodes_inside_of_nodes_are_seen_by_their_path() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("inner.yaml"), "nodes: [{name: e, type: echo}]").unwrap();
    std::fs::write(
        folder.path().join("outer.yaml"),
        r#"
nodes:
  - {name: sub, type: workflow, config: {path: inner.yaml}}
  - {name: all, type: parallel, config: {max_concurrency: 1, tasks: [{name: a, node: echo}, {name: b, node: crash, fallback: {value: 0}}]}}
  - {name: each, type: foreach, config: {items: [7], body: {type: flaky, retry: {max_attempts: 2, delay: 1ms}, fallback: {value: 1}}}}
  - {name: two, type: foreach, config: {items: [7], body: [{name: x, type: echo}, {type: echo}]}}
"#,
    )
    .unwrap();
    let plan = crate::workflow::load(&folder.path().join("outer.yaml"), &super::FakePlugins);
    let plan = Arc::new(plan.unwrap_or_else(|error| panic!("{error}")));
    let seen = Arc::new(Seen::default());
    let options = RunOptions { observer: Arc::clone(&seen) as _, ..RunOptions::default() };
    crate::workflow::run(&plan, json!(1), &options).unwrap();
    insta::assert_snapshot!(seen.0.lock().unwrap().join("\n"), @"
    began
    sub (workflow) 1
    sub/e (echo) 1
    sub/e -> default
    sub -> default
    all (parallel) 1
    all/a (echo) 1
    all/a -> default
    all/b (broken/crash) 1
    all/b: killed by signal 11
    all/b = 0
    all -> default
    each (foreach) 1
    each[0] (broken/flaky) 1
    each[0]: not yet
    each[0] again 2
    each[0] (broken/flaky) 2
    each[0]: not yet
    each[0] = 1
    each -> default
    two (foreach) 1
    two[0]/x (echo) 1
    two[0]/x -> default
    two[0]/echo-2 (echo) 1
    two[0]/echo-2 -> default
    two -> default
    ended true
    ");
}

#[test]
fn a_value_that_a_loop_wraps_for_ever_ends_with_an_error() {
    let text = r#"
nodes: [{name: wrap, type: echo, config: {value: {inner: "{{.}}"}}}]
connections: [{from: wrap, to: wrap}]
"#;
    let error = run(text, json!(1)).unwrap_err();
    assert_eq!(error.to_string(), "node `wrap`: the output nests deeper than 100 levels");
}

#[test]
fn a_thousand_branches_meet() {
    let mut nodes = vec![
        json!({"name": "start", "type": "echo"}),
        json!({"name": "join", "type": "transform", "config": {"jq": "length"}}),
    ];
    let mut connections = Vec::new();
    for branch in 0..1_000 {
        let name = format!("b{branch}");
        nodes.push(json!({"name": name, "type": "echo"}));
        connections.push(json!({"from": "start", "to": name}));
        connections.push(json!({"from": name, "to": "join"}));
    }
    let text = json!({"start": "start", "nodes": nodes, "connections": connections}).to_string();
    assert_eq!(run(&text, json!(1)).unwrap(), 1_000);
}
