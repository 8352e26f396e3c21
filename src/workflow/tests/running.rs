//! What a run does.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{plan, run};
use crate::engine::CallErrorKind;
use crate::nodes::Stop;
use crate::workflow::{RunErrorKind, RunOptions};

/// Answers every connection with the same bytes; gives the address.
pub(super) fn serve(answer: &'static str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut request = [0; 4096];
            let _ = connection.read(&mut request);
            let _ = connection.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn parallel_branches_meet_in_an_object_and_aggregate_keeps_the_order_of_the_file() {
    let text = r#"
nodes:
  - {name: s, type: echo}
  - {name: z, type: echo, config: {value: "{{.n}}"}}
  - {name: a, type: delay, config: {duration: 1ms}}
  - {name: all, type: aggregate}
connections:
  - {from: s, to: z}
  - {from: s, to: a}
  - {from: z, to: all}
  - {from: a, to: all}
"#;
    assert_eq!(run(text, json!({"n": 1})).unwrap(), json!([1, {"n": 1}]));
}

#[test]
fn a_condition_goes_to_the_node_it_names() {
    let text = r#"
nodes:
  - name: check
    type: conditional
    config:
      conditions:
        - {if: "{{.missing}}", then: never}
        - {if: "{{gt .score 0.8}}", then: good}
        - {else: bad}
  - {name: never, type: echo, config: {message: never}}
  - {name: good, type: echo, config: {message: good}}
  - {name: bad, type: echo, config: {message: bad}}
connections:
  - {from: check, to: bad, when: bad}
"#;
    assert_eq!(run(text, json!({"score": 0.9})).unwrap(), "good");
    assert_eq!(run(text, json!({"score": 0.1})).unwrap(), "bad");
}

#[test]
fn variables_and_earlier_outputs_stay_in_reach() {
    let text = r#"
vars: {greeting: hello, user: nobody}
nodes:
  - {name: a, type: echo, config: {value: {x: 1}}}
  - {name: b, type: echo, config: {message: between}}
  - {name: c, type: echo, config: {value: ["{{.greeting}} {{.user}}", "{{output \"a\"}}"]}}
connections: [{from: a, to: b}, {from: b, to: c}]
"#;
    assert_eq!(run(text, json!({"user": "Ada"})).unwrap(), json!(["hello Ada", {"x": 1}]));
}

#[test]
fn a_failure_is_retried_then_succeeds() {
    let text = "nodes: [{name: a, type: flaky, retry: {max_attempts: 3, delay: 1ms, jitter: true}}]";
    assert_eq!(run(text, json!(null)).unwrap(), 3);
}

#[test]
fn a_failed_node_goes_to_its_error_connection_with_what_it_had() {
    let text = r#"
nodes:
  - {name: a, type: crash}
  - {name: rescue, type: echo}
connections: [{from: a, to: rescue, when: error}]
"#;
    let error = json!({"node": "a", "kind": "crashed", "message": "killed by signal 11"});
    assert_eq!(run(text, json!(5)).unwrap(), json!({"error": error, "input": 5}));
}

#[test]
fn a_crashed_plugin_is_told_from_work_that_failed() {
    let error = run("nodes: [{name: a, type: crash}]", json!(null)).unwrap_err();
    assert!(error.is_plugin_fault());
    assert_eq!(error.to_string(), "node `a` (plugin `broken`): killed by signal 11");
    let error = run("nodes: [{name: a, type: flaky}]", json!(null)).unwrap_err();
    assert!(!error.is_plugin_fault());
    assert_eq!(error.kind, RunErrorKind::Node(CallErrorKind::Failed));
}

#[test]
fn a_fallback_value_or_node_takes_over() {
    assert_eq!(run("nodes: [{name: a, type: crash, fallback: {value: {ok: 0}}}]", json!(1)).unwrap(), json!({"ok": 0}));
    let text = r#"
nodes:
  - {name: a, type: crash, fallback: {node: b}}
  - {name: b, type: echo, config: {message: "{{.error.kind}}"}}
connections: [{from: b, to: nowhere-at-all}]
"#;
    assert_eq!(run(text, json!(1)).unwrap(), "crashed");
}

#[test]
fn a_node_that_ignores_its_timeout_is_given_up() {
    let error = run("nodes: [{name: a, type: sleep, timeout: 10ms}]", json!(null)).unwrap_err();
    assert_eq!(error.kind, RunErrorKind::Node(CallErrorKind::Timeout));
    assert_eq!(error.message, "`sleep` did not finish within its time limit of 10ms");
}

#[test]
fn the_workflows_timeout_ends_everything() {
    let error = run("timeout: 20ms\nnodes: [{name: a, type: sleep}]", json!(null)).unwrap_err();
    assert_eq!(error.kind, RunErrorKind::TimedOut);
    assert_eq!(error.message, "the workflow's timeout of 20ms was up while `a` was running");
    let text = "timeout: 20ms\nmax_steps: 1000000000\nnodes: [{name: a, type: echo}]\nconnections: [{from: a, to: a}]";
    assert_eq!(run(text, json!(null)).unwrap_err().kind, RunErrorKind::TimedOut);
}

#[test]
fn a_stopped_run_says_where_it_was() {
    let plan = Arc::new(plan("nodes: [{name: a, type: sleep}]").unwrap());
    let stop = Stop::default();
    let options = RunOptions { stop: stop.clone(), ..RunOptions::default() };
    let stopper = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(10));
        stop.stop();
    });
    let error = crate::workflow::run(&plan, json!(null), &options).unwrap_err();
    stopper.join().unwrap();
    assert_eq!(error.to_string(), "the run was stopped while `a` was running");
}

#[test]
fn a_loop_ends_by_its_condition_or_by_its_limit() {
    let text = r#"
max_steps: 50
nodes:
  - {name: count, type: echo, config: {value: {n: "{{add .n 1}}"}}}
  - name: more
    type: transform
    config: {jq: "if .n < LIMIT then . else {done: .n} end"}
  - {name: check, type: router, config: {route: "{{.done}}", routes: {"": count}, default: end}}
  - {name: end, type: echo}
connections: [{from: count, to: more}, {from: more, to: check}]
"#;
    assert_eq!(run(&text.replace("LIMIT", "5"), json!({"n": 0})).unwrap(), json!({"done": 5}));
    let error = run(&text.replace("LIMIT", "500"), json!({"n": 0})).unwrap_err();
    assert_eq!(error.kind, RunErrorKind::TooManySteps);
    insta::assert_snapshot!(error, @"node `check`: the run was stopped after 50 steps (`max_steps`), in the cycle check → count → more → check");
}

#[test]
fn a_chain_of_ten_thousand_nodes_runs_and_copies_nothing() {
    let nodes: Vec<Value> = (0..10_000).map(|index| json!({"name": format!("n{index}"), "type": "echo"})).collect();
    let plan = Arc::new(plan(&json!({"nodes": nodes}).to_string()).unwrap());
    let report = crate::workflow::run(&plan, json!({"a": 1}), &RunOptions::default()).unwrap();
    assert_eq!(report.steps, 10_000);
    assert_eq!(*report.output, json!({"a": 1}));
}

#[test]
fn a_rendered_config_is_checked_before_the_node_runs() {
    let text = "nodes: [{name: a, type: redis-get, config: {key: \"{{.id}}\"}}]";
    let error = run(text, json!({"id": [1]})).unwrap_err();
    insta::assert_snapshot!(error, @"node `a` (plugin `redis-cache`): the rendered config is refused: `key` must be of type string, found `[1]`");
}

#[test]
fn a_workflow_runs_another_file_as_a_node_but_not_itself_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("inner.yaml", "nodes: [{name: e, type: echo, config: {message: \"got {{.x}}\"}}]");
    write("outer.yaml", "nodes: [{name: sub, type: workflow, config: {path: inner.yaml}}]");
    write("self.yaml", "nodes: [{name: sub, type: workflow, config: {path: self.yaml}}]");
    let load = |name: &str| crate::workflow::load(&folder.path().join(name), &super::FakePlugins);
    let plan = Arc::new(load("outer.yaml").unwrap_or_else(|error| panic!("{error}")));
    let report = crate::workflow::run(&plan, json!({"x": 1}), &RunOptions::default()).unwrap();
    assert_eq!(*report.output, "got 1");
    let error = load("self.yaml").err().unwrap().to_string();
    assert!(error.contains("in a circle: self.yaml → self.yaml"), "{error}");
}

#[test]
fn parallel_tasks_see_the_runs_variables_and_the_first_failure_stops_the_others() {
    let text = r#"
vars: {by: 3}
nodes:
  - name: all
    type: parallel
    config:
      tasks:
        - {name: a, node: echo, config: {message: "{{.n}} by {{.by}}"}}
        - {name: b, node: redis-get, config: {key: x42}}
"#;
    let output = run(text, json!({"n": 1})).unwrap();
    assert_eq!(output, json!({"a": "1 by 3", "b": {"found": true, "key": "x42"}}));
    let failing = r#"
nodes:
  - name: all
    type: parallel
    config: {fail_fast: FAST, tasks: [{name: a, node: SLOW}, {name: b, node: crash}]}
"#;
    let fast = failing.replace("FAST", "true").replace("SLOW", "sleep");
    let error = run(&fast, json!(null)).unwrap_err();
    assert_eq!(error.to_string(), "node `all`: task `b`: killed by signal 11");
    let patient = failing.replace("FAST", "false").replace("SLOW", "echo");
    let error = json!({"error": {"kind": "crashed", "message": "killed by signal 11"}});
    assert_eq!(run(&patient, json!(5)).unwrap(), json!({"a": 5, "b": error}));
}

#[test]
fn files_stay_inside_their_folder() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("secret"), "s").unwrap();
    std::os::unix::fs::symlink("../secret", folder.path().join("data/link")).unwrap();
    let run_in = |config: Value| {
        let text = json!({"nodes": [{"name": "f", "type": "file", "config": config}]}).to_string();
        let document =
            crate::workflow::Document::parse(crate::workflow::SourceText::new("w", text), folder.path()).unwrap();
        let plan = crate::workflow::Plan::new(&document, &super::FakePlugins).unwrap_or_else(|error| panic!("{error}"));
        crate::workflow::run(&plan.into(), json!({"a": 1}), &RunOptions::default())
            .map(|report| Value::clone(&report.output))
    };
    let config = |operation: &str, path: &str| json!({"operation": operation, "path": path, "base_dir": "data"});
    assert_eq!(run_in(config("write", "new/out.json")).unwrap()["bytes"], 7);
    let read = json!({"operation": "read", "path": "new/out.json", "base_dir": "data", "format": "json"});
    assert_eq!(run_in(read).unwrap(), json!({"a": 1}));
    assert_eq!(run_in(config("list", ".")).unwrap()[0], json!({"name": "link", "kind": "link"}));
    // An absolute path, a way up and a link that leads out: each would read outside of the folder.
    for path in ["../secret", "link", folder.path().join("secret").to_str().unwrap(), "new/../../secret"] {
        let error = run_in(config("read", path)).unwrap_err();
        assert!(error.message.contains("a path led outside of the filesystem"), "{path}: {error}");
    }
    assert!(run_in(config("delete", "../secret")).is_err());
    assert!(run_in(config("write", "link")).is_err());
    assert_eq!(std::fs::read_to_string(folder.path().join("secret")).unwrap(), "s");
}

#[test]
fn a_program_runs_without_a_shell_and_dies_with_its_children_at_its_deadline() {
    let node = |config: Value| json!({"nodes": [{"name": "x", "type": "exec", "config": config}]}).to_string();
    let cat = node(json!({"command": "cat", "stdin": {"a": 1}}));
    assert_eq!(run(&cat, json!(null)).unwrap(), json!({"exit_code": 0, "stdout": "{\"a\":1}", "stderr": ""}));
    let failing = node(json!({"command": "sh", "args": ["-c", "echo $0 >&2; exit 3", "{{.}}"]}));
    let error = run(&failing, json!("$(id)")).unwrap_err();
    assert_eq!(error.message, "`sh` ended with exit status: 3: $(id)");
    // The grandchild holds the output open: only killing the whole group ends the wait.
    let slow = node(json!({"command": "sh", "args": ["-c", "sleep 600 & sleep 600"], "timeout": "20ms"}));
    let error = run(&slow, json!(null)).unwrap_err();
    assert_eq!(error.message, "`sh` did not end within 20ms and was killed");
    let forbidden = super::plan(&node(json!({"command": "rm"}))).err().unwrap().to_string();
    assert!(forbidden.contains("workflows may not run `rm`"), "{forbidden}");
}
