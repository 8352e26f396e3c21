//! Runs with journals: killed, taken up, repeated, listed; and what of a run is told to whom.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{POCKET, Sandbox};

/// A chain of nodes that append their number to a file, with nodes between them that change nothing.
fn appending(nodes: usize) -> String {
    let mut list = Vec::new();
    for number in 0..nodes {
        list.push(json!({
            "name": format!("append{number}"), "type": "file",
            "config": {"operation": "append", "path": "out/log", "content": format!("{number}\n")},
        }));
        list.push(json!({"name": format!("pass{number}"), "type": "echo"}));
    }
    json!({"name": "appending", "nodes": list}).to_string()
}

/// How often each number stands in the file.
fn appended(sandbox: &Sandbox) -> BTreeMap<usize, usize> {
    let mut counts = BTreeMap::new();
    for line in sandbox.read("out/log").lines() {
        *counts.entry(line.parse().unwrap()).or_default() += 1;
    }
    counts
}

/// The names of the nodes whose end is in the journal.
fn recorded(sandbox: &Sandbox) -> Vec<String> {
    let shown = sandbox.pocket(&["runs", "show", "latest", "--journal", "journals", "-o", "json"]);
    if shown.code != 0 {
        // Killed before the journal's first record.
        return Vec::new();
    }
    let events = shown.json()["events"].as_array().unwrap().clone();
    events.iter().map(|event| event["node"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_killed_run_goes_on_and_no_node_that_was_recorded_runs_again() {
    const NODES: usize = 40;
    let mut cut_off = 0;
    // From before the first node to after the last one.
    for delay in (0..24).map(|step| Duration::from_millis(4 * step)) {
        let sandbox = Sandbox::new();
        sandbox.write("w.json", &appending(NODES));
        let mut child = sandbox.command(POCKET);
        child.args(["run", "w.json", "--journal", "journals", "--quiet"]);
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(delay);
        // SIGKILL: nothing of the process gets to do anything any more.
        child.kill().unwrap();
        child.wait().unwrap();
        let before = recorded(&sandbox);
        if before.is_empty() {
            continue;
        }
        if before.len() < 2 * NODES {
            cut_off += 1;
        }
        let done = sandbox.pocket(&["run", "--resume", "latest", "--journal", "journals"]).success();
        let after = appended(&sandbox);
        assert_eq!(after.keys().copied().collect::<Vec<_>>(), (0..NODES).collect::<Vec<_>>(), "every node has run");
        for (number, times) in &after {
            let was_recorded = before.contains(&format!("append{number}"));
            // One node was under way: it may have written, and that could not be recorded any more.
            let may_repeat = !was_recorded && before.len() / 2 == *number;
            assert!(*times == 1 || (may_repeat && *times == 2), "{number}: {times} times, recorded: {was_recorded}");
        }
        let again = sandbox.pocket(&["run", "--resume", "latest", "--journal", "journals"]).success();
        assert_eq!(again.stdout, done.stdout);
        assert_eq!(appended(&sandbox), after, "a run that is over does nothing");
    }
    assert!(cut_off > 0, "no kill hit a run");
}

/// A workflow whose node `get` fails until the file `there` exists.
fn fails_until_there(sandbox: &Sandbox) {
    sandbox.write(
        "w.yaml",
        r#"
name: fetch
nodes:
  - {name: count, type: file, config: {operation: append, path: counted, content: "x"}}
  - {name: get, type: file, config: {operation: read, path: there}}
  - {name: say, type: template, config: {template: "{{output \"count\" | json}} {{.}}"}}
finally:
  - {name: note, type: file, config: {operation: append, path: noted, content: "{{.status}}\n"}}
"#,
    );
}

#[test]
fn a_failed_run_goes_on_at_the_node_that_failed() {
    let sandbox = Sandbox::new();
    fails_until_there(&sandbox);
    sandbox.pocket(&["run", "w.yaml", "--journal", "j"]).failure(4, &["node `get`", "pocket run --resume"]);
    sandbox.write("there", "found");
    let done = sandbox.pocket(&["run", "--resume", "latest", "--journal", "j"]).success();
    assert_eq!(done.stdout, "{\"bytes\":1,\"path\":\"counted\"} found\n");
    assert_eq!((sandbox.read("counted"), sandbox.read("noted")), ("x".to_owned(), "failed\nsucceeded\n".to_owned()));
}

#[test]
fn a_run_begins_again_at_a_node_with_what_it_received() {
    let sandbox = Sandbox::new();
    fails_until_there(&sandbox);
    sandbox.pocket(&["run", "w.yaml", "--journal", "j"]).failure(4, &["node `get`"]);
    sandbox.write("there", "found");
    sandbox.write("w.yaml", &sandbox.read("w.yaml").replace("{{.}}\"", "now {{.}}\""));
    let text = ["run", "--resume", "latest", "--journal", "j"];
    sandbox.pocket(&text).failure(6, &["is of another", "its digest was sha256:", "now it is sha256:", "--from NODE"]);
    let again = sandbox.pocket(&[&text[..], &["--from", "get"]].concat()).success();
    assert_eq!(again.stdout, "{\"bytes\":1,\"path\":\"counted\"} now found\n");
    assert!(again.stderr.contains("not all is as it was"), "{}", again.stderr);
    assert_eq!(sandbox.read("counted"), "x");
    let listed = sandbox.pocket(&["runs", "list", "--journal", "j", "-o", "json"]).success().json();
    assert_eq!(listed[0]["repeats"], json!({"run": listed[1]["run"], "node": "get"}));
    assert_eq!((&listed[0]["status"], &listed[1]["status"]), (&json!("succeeded"), &json!("failed")));
    sandbox.pocket(&[&text[..], &["--from", "gte"]].concat()).failure(1, &["`gte` did not end in the run"]);
}

#[test]
fn a_run_that_begins_at_a_node_has_the_fallback_values_before_it() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "w.yaml",
        r#"
nodes:
  - {name: ask, type: file, config: {operation: read, path: missing}, fallback: {value: {known: "by heart"}}}
  - {name: pass, type: echo}
  - {name: say, type: template, config: {template: "{{(output \"ask\").known}}, {{.known}}"}}
"#,
    );
    let first = sandbox.pocket(&["run", "w.yaml", "--journal", "j"]).success();
    for node in ["pass", "say"] {
        let again = sandbox.pocket(&["run", "--resume", "latest", "--journal", "j", "--from", node]).success();
        assert_eq!((first.stdout.as_str(), again.stdout.as_str()), ("by heart, by heart\n", "by heart, by heart\n"));
    }
}

#[test]
fn a_run_without_a_journal_cannot_be_resumed() {
    let sandbox = Sandbox::new();
    sandbox.pocket(&["run", "--resume", "latest"]).failure(1, &["there is no journal of a run `latest`"]);
    sandbox.write("w.yaml", "journal: true\nnodes: [{name: a, type: echo}]\n");
    sandbox.pocket(&["run", "w.yaml"]).success();
    assert!(sandbox.pocket(&["runs", "list"]).success().stdout.contains("succeeded"));
    assert!(sandbox.pocket(&["runs", "show", "latest"]).success().stdout.contains("-> default"));
}

#[test]
fn a_run_that_is_killed_inside_of_a_foreach_repeats_no_item() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "w.yaml",
        r#"
nodes:
  - name: each
    type: foreach
    config:
      items: [0, 1, 2, 3]
      max_concurrency: 1
      body:
        - {name: note, type: file, config: {operation: append, path: noted, content: "{{.item}}\n"}}
        - {name: gate, type: file, config: {operation: read, path: "gate{{.index}}"}}
"#,
    );
    sandbox.write("gate0", "");
    sandbox.write("gate1", "");
    sandbox.pocket(&["run", "w.yaml", "--journal", "j"]).failure(4, &["item 2"]);
    assert_eq!(sandbox.read("noted"), "0\n1\n2\n");
    sandbox.write("gate2", "");
    sandbox.write("gate3", "");
    sandbox.pocket(&["run", "--resume", "latest", "--journal", "j"]).success();
    assert_eq!(sandbox.read("noted"), "0\n1\n2\n3\n");
}

#[test]
fn events_are_lines_of_json_and_have_every_attempt() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "w.yaml",
        "nodes: [{name: a, type: file, config: {operation: read, path: none}, retry: {max_attempts: 2, delay: 1ms}, fallback: {value: 1}}, {name: b, type: echo}]\n",
    );
    sandbox.pocket(&["run", "w.yaml", "--events", "events.jsonl"]).success();
    let text = sandbox.read("events.jsonl");
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let words: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    let attempt = ["node_started", "node_failed"];
    let expected = [
        &["run_started"][..],
        &attempt,
        &["node_retrying"],
        &attempt,
        &["node_recovered", "node_started", "node_finished", "run_finished"],
    ]
    .concat();
    assert_eq!(words, expected);
    assert!(events.iter().all(|event| event["at"].is_u64()), "{text}");
}

#[test]
fn ctrl_c_stops_the_nodes_runs_finally_and_says_where_the_run_was() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "w.yaml",
        "nodes: [{name: first, type: file, config: {operation: write, path: begun, content: x}}, {name: wait, type: delay, config: {duration: 10m}}]\nfinally: {name: note, type: file, config: {operation: write, path: noted, content: '{{.status}}'}}\n",
    );
    let mut command = sandbox.command(POCKET);
    command.args(["run", "w.yaml"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    while !sandbox.path("begun").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let ended = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(4), "{stderr}");
    assert!(stderr.contains("the run was stopped while `wait` was running"), "{stderr}");
    assert_eq!(sandbox.read("noted"), "stopped");
}

/// Every file below a folder.
fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn a_secret_is_nowhere_that_anybody_looks() {
    const SECRET: &str = "hunter2-and-more";
    let mut sandbox = Sandbox::new();
    sandbox.set("POCKET_PLUGIN_PROBE_TOKEN", SECRET);
    sandbox.set("POCKET_LOG_LEVEL", "trace");
    sandbox.write("pocket.yaml", "");
    sandbox.write(
        "p/manifest.yaml",
        "name: probe\nversion: 1.0.0\nruntime: lua\nbinary: m.lua\nnodes: [{type: tell}, {type: fail}]\nconfig:\n  token: {type: string, secret: true}\n",
    );
    // A plugin that hands its secret to everybody.
    sandbox.write(
        "p/m.lua",
        "function tell(input, config, context) local token = context.settings.token return {token = token, [token] = 'a ' .. token} end\nfunction fail(input, config, context) error('no ' .. context.settings.token) end\n",
    );
    sandbox.pocket(&["plugin", "pack", "p"]).success();
    sandbox.pocket(&["plugin", "install", "./probe-1.0.0.tar.gz"]).success();
    sandbox.write(
        "w.yaml",
        "nodes: [{name: a, type: tell}, {name: b, type: echo}, {name: c, type: fail, fallback: {node: d}}, {name: d, type: echo}]\nconnections: [{from: a, to: b}, {from: b, to: c}]\n",
    );
    sandbox.write("fails.yaml", "nodes: [{name: a, type: tell}, {name: c, type: fail}]\n");
    let options = ["--journal", "seen/journals", "--events", "seen/events", "--debug-plugins", "--verbose"];
    std::fs::create_dir(sandbox.path("seen")).unwrap();
    let mut said = Vec::new();
    for (workflow, code) in [("w.yaml", 0), ("fails.yaml", 4)] {
        let run = sandbox.pocket(&[&["run", workflow, "-o", "json"], &options[..]].concat());
        assert_eq!(run.code, code, "{}", run.stderr);
        assert!(run.stderr.contains("********"), "{}", run.stderr);
        said.extend([run.stdout, run.stderr]);
        let shown = sandbox.pocket(&["runs", "show", "latest", "--journal", "seen/journals"]).success();
        said.extend([shown.stdout, shown.stderr]);
    }
    for command in [
        &["plugin", "metrics", "-o", "json"][..],
        &["plugin", "info", "probe", "--verbose"],
        &["plugin", "metrics", "--format", "prometheus"],
    ] {
        let told = sandbox.pocket(command).success();
        said.extend([told.stdout, told.stderr]);
    }
    for text in said {
        assert!(!text.contains(SECRET), "{text}");
    }
    for file in files(&sandbox.path("seen")).into_iter().chain(files(&sandbox.home())) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(SECRET), "{}", file.display());
    }
    // And yet the plugin's own data come back whole when the run goes on.
    let seen = sandbox.pocket(&["run", "--resume", "latest", "--journal", "seen/journals"]);
    assert_eq!(seen.code, 4);
}
