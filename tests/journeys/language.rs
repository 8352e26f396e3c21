//! The language of workflows as a user meets it: `workflow validate`, `workflow schema`, `graph`, plans, and documents that are
//! meant to do harm.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::support::{Author, Sandbox, TestRegistry};

const TWO_PROBLEMS: &str =
    "name: w\nnodes:\n  - {name: a, type: ecko}\n  - {name: b, type: echo, config: {mesage: hi}}\n";

#[test]
fn validate_tells_every_problem_of_every_file_and_runs_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "flows/good.yaml",
        "name: fine\nnodes: [{name: a, type: file, config: {operation: write, path: made.txt}}]\n",
    );
    sandbox.write("flows/deep/bad.yaml", TWO_PROBLEMS);
    sandbox.write("flows/pocket.yaml", "plugins: {}\n");
    sandbox.write("flows/notes.yaml", "some: other file\n");
    sandbox.write("flows/also.json", "{\"nodes\": [{\"name\": \"a\", \"type\": \"echo\"}]}");
    let outcome = sandbox.pocket(&["workflow", "validate", "flows"]);
    let outcome = outcome.failure(3, &["flows/deep/bad.yaml:3:21", "flows/deep/bad.yaml:4:36", "did you mean `echo`?"]);
    assert_eq!(
        outcome.stdout,
        "flows/also.json: ok, 1 node\nflows/deep/bad.yaml: 2 problems\nflows/good.yaml: ok, 1 node\n"
    );
    assert!(!sandbox.path("flows/made.txt").exists());
    let found = sandbox.pocket(&["workflow", "validate", "flows/deep/bad.yaml", "flows/good.yaml", "-o", "json"]);
    assert_eq!(found.code, 3);
    let found = found.json();
    assert_eq!((&found["valid"], &found["invalid"]), (&json!(1), &json!(1)));
    let problem = &found["files"][0]["problems"][0];
    assert_eq!((&problem["line"], &problem["column"], &problem["severity"]), (&json!(3), &json!(21), &json!("error")));
}

#[test]
fn validate_reads_the_standard_input() {
    let sandbox = Sandbox::new();
    sandbox.pocket_with_input(&["workflow", "validate", "-"], "nodes: [{name: a, type: echo}]\n").success();
    let outcome = sandbox.pocket_with_input(&["workflow", "validate", "-"], TWO_PROBLEMS);
    outcome.failure(3, &["<stdin>:3:21", "there is no node type `ecko`"]);
    sandbox.write("empty/readme.txt", "");
    sandbox.pocket(&["workflow", "validate", "empty"]).failure(1, &["there is no workflow in `empty`"]);
    sandbox.pocket(&["workflow", "validate", "missing.yaml"]).failure(3, &["cannot read `missing.yaml`"]);
}

#[test]
fn the_schema_knows_the_plugins_of_the_project() {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "");
    sandbox.pocket(&["plugin", "install", "redis-cache", "--yes"]).success();
    let types = |arguments: &[&str]| {
        let schema = sandbox.pocket(arguments).success().json();
        schema["$defs"]["node"]["properties"]["type"]["anyOf"][0]["oneOf"].to_string()
    };
    assert!(types(&["workflow", "schema"]).contains("\"redis-cache/redis-get\""));
    assert!(!types(&["workflow", "schema", "--built-in"]).contains("redis"));
}

#[test]
fn a_workflow_is_drawn_in_four_ways_also_where_its_plugins_are_missing() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "name: w\nnodes: [{name: a, type: echo}, {name: b, type: redis-get}]\n");
    let svg = sandbox.pocket(&["graph", "w.yaml"]).success();
    assert!(svg.stdout.starts_with("<svg ") && svg.stderr.contains("there is no node type `redis-get` here"));
    assert!(sandbox.pocket(&["graph", "w.yaml", "--format", "mermaid"]).success().stdout.starts_with("flowchart TD\n"));
    assert!(sandbox.pocket(&["graph", "w.yaml", "--format", "dot"]).success().stdout.starts_with("digraph \"w\" {\n"));
    sandbox.pocket(&["graph", "w.yaml", "--out", "w.html"]).success();
    assert!(sandbox.read("w.html").starts_with("<!DOCTYPE html>"));
    sandbox
        .pocket(&["graph", "w.yaml", "--out", "w.png"])
        .failure(1, &["`w.png` is not the name of a picture", ".svg"]);
    sandbox.write("bad.yaml", "nodes: [{name: a, type: echo}]\nconnections: [{from: a, to: aa}, {from: b, to: a}]\n");
    sandbox.pocket(&["graph", "bad.yaml"]).failure(3, &["`from` names no node: `b`"]);
}

#[test]
fn a_run_is_drawn_also_if_it_fails() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "w.yaml",
        "nodes:\n  - {name: first, type: echo}\n  - {name: second, type: transform, config: {jq: 'error(\"no\")'}}\n  - {name: third, type: echo}\n",
    );
    sandbox.pocket(&["run", "w.yaml", "--graph", "run.svg"]).failure(4, &["no"]);
    let picture = sandbox.read("run.svg");
    for state in ["shelf-data done", "shelf-data failed", "shelf-data skipped"] {
        assert!(picture.contains(state), "{state}");
    }
    let refused = sandbox
        .pocket(&["run", "w.yaml", "--graph", "run.txt"])
        .failure(1, &["`run.txt` is not the name of a picture"]);
    assert_eq!(refused.stdout, "");
}

#[test]
fn an_unknown_type_names_the_plugin_of_the_projects_own_registry() {
    let registry = TestRegistry::empty();
    let author = Author::of(&registry);
    author.publish("find-cat", "1.0.0", "");
    let sandbox = Sandbox::with_registry(registry.url());
    sandbox.write("w.yaml", "nodes: [{name: a, type: find-cat}, {name: b, type: find-cat/find-cat}]\n");
    let outcome = sandbox.pocket(&["run", "w.yaml"]).failure(3, &["there is no node type `find-cat`"]);
    assert_eq!(outcome.stderr.matches("run `pocket plugin install find-cat`").count(), 2, "{}", outcome.stderr);
    sandbox.pocket(&["plugin", "install", "find-cat", "--yes"]).success();
    sandbox.pocket(&["plugin", "unload", "find-cat"]).success();
    sandbox.pocket(&["run", "w.yaml"]).failure(3, &["run `pocket plugin load find-cat`"]);
}

/// A plugin whose node gives its settings back.
fn with_settings_plugin() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "plugins:\n  config:\n    tell:\n      city: Rome\n");
    sandbox.write(
        "p/manifest.yaml",
        "name: tell\nversion: 1.0.0\nruntime: lua\nbinary: m.lua\nnodes: [{type: tell}]\nconfig: {city: {default: Paris}, country: {default: Italy}, token: {secret: true, default: none}}\n",
    );
    sandbox.write("p/m.lua", "function tell(input, config, context) return context.settings.city .. ' in ' .. context.settings.country end\n");
    sandbox.pocket(&["plugin", "pack", "p"]).success();
    sandbox.pocket(&["plugin", "install", "./tell-1.0.0.tar.gz"]).success();
    sandbox
}

#[test]
fn a_workflow_inside_another_has_its_own_settings_of_plugins() {
    let sandbox = with_settings_plugin();
    sandbox.write("inner.yaml", "plugins: {tell: {city: Berlin, country: Germany}}\nnodes: [{name: t, type: tell}]\n");
    sandbox.write("plain.yaml", "nodes: [{name: t, type: tell}]\n");
    sandbox.write(
        "outer.yaml",
        "plugins: {tell: {city: Milan}}\nnodes:\n  - {name: own, type: tell}\n  - {name: inner, type: workflow, config: {path: inner.yaml}}\n  - {name: plain, type: workflow, config: {path: plain.yaml}}\n  - {name: all, type: template, config: {template: '{{output \"own\"}}, {{output \"inner\"}}, {{output \"plain\"}}'}}\n",
    );
    let outcome = sandbox.pocket(&["run", "outer.yaml"]).success();
    assert_eq!(outcome.stdout, "Milan in Italy, Berlin in Germany, Milan in Italy\n");
    sandbox.write("inner.yaml", "plugins: {tell: {city: '${NOT_SET}'}}\nnodes: [{name: t, type: tell}]\n");
    sandbox
        .pocket(&["run", "outer.yaml"])
        .failure(3, &["inner.yaml:1:24", "`plugins.tell.city` needs the environment variable `NOT_SET`"]);
}

#[test]
fn a_plan_shows_each_setting_with_its_origin_and_no_secret() {
    let mut sandbox = with_settings_plugin();
    sandbox.set("POCKET_PLUGIN_TELL_TOKEN", "hunter2");
    sandbox.write(
        "w.yaml",
        "plugins: {tell: {country: Austria}}\nnodes:\n  - {name: t, type: tell}\n  - {name: get, type: http, config: {url: 'https://api.example.com/{{.id}}'}}\n  - {name: j, type: aggregate}\n",
    );
    let plan = sandbox.pocket(&["run", "w.yaml", "--dry-run"]).success();
    for line in [
        "   city: \"Rome\" (project/pocket.yaml)",
        "   country: \"Austria\"\n",
        "   token: \"********\" ($POCKET_PLUGIN_TELL_TOKEN)",
        "   sends HTTP requests to `api.example.com`",
        "   mode: \"array\" (default)",
    ] {
        assert!(plan.stdout.contains(line), "{line}\n{}", plan.stdout);
    }
    let document = sandbox.pocket(&["run", "w.yaml", "--dry-run", "-o", "json"]).success();
    assert!(!document.stdout.contains("hunter2") && !plan.stdout.contains("hunter2"));
    let document = document.json();
    assert_eq!(document["nodes"][1]["needs"], json!(["sends HTTP requests to `api.example.com`"]));
    assert_eq!(
        document["plugins"][0]["settings"][0],
        json!({"name": "city", "origin": "project/pocket.yaml", "value": "Rome"})
    );
}

#[test]
fn a_variable_that_is_not_set_is_named_with_its_place() {
    let sandbox = with_settings_plugin();
    sandbox.write("w.yaml", "plugins:\n  tell:\n    city: '${NOT_SET}'\n    token: 'my${secret word}'\nnodes: [{name: t, type: tell}, {name: u, type: ecko}]\n");
    let outcome = sandbox.pocket(&["run", "w.yaml"]).failure(
        3,
        &[
            "w.yaml:3:11",
            "`plugins.tell.city` needs the environment variable `NOT_SET`",
            "w.yaml:4:12",
            "there is no node type `ecko`",
        ],
    );
    assert_eq!(outcome.stderr.matches("error: `plugins").count(), 2, "{}", outcome.stderr);
    sandbox.write("w.yaml", "nodes: [{name: t, type: tell}]\n");
    sandbox.write("pocket.yaml", "plugins:\n  config:\n    tell:\n      token: 'my${secret word}'\n");
    let outcome = sandbox.pocket(&["run", "w.yaml"]).failure(1, &["pocket.yaml:4:14", "`plugins.config.tell.token`"]);
    assert!(!outcome.stderr.contains("secret word"), "{}", outcome.stderr);
}

#[test]
fn settings_for_a_plugin_that_nothing_uses_are_told() {
    let sandbox = with_settings_plugin();
    sandbox.write("w.yaml", "plugins: {tel: {city: Bonn}}\nnodes: [{name: t, type: tell}]\n");
    let outcome = sandbox.pocket(&["run", "w.yaml"]).success();
    assert!(
        outcome.stderr.contains("no node here is of the plugin `tel`")
            && outcome.stderr.contains("did you mean `tell`?"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn workflows_that_run_each_other_in_a_circle_are_refused_where_the_circle_closes() {
    let sandbox = Sandbox::new();
    let runs = |other: &str| format!("nodes: [{{name: n, type: workflow, config: {{path: {other}}}}}]\n");
    sandbox.write("a.yaml", &runs("b.yaml"));
    sandbox.write("b.yaml", &runs("./deep/../c.yaml"));
    sandbox.write("deep/keep", "");
    sandbox.write("c.yaml", &runs("a.yaml"));
    sandbox.pocket(&["run", "a.yaml"]).failure(3, &["c.yaml:1:", "in a circle: a.yaml → b.yaml → c.yaml → a.yaml"]);
}

#[test]
fn workflows_that_run_each_other_many_times_over_are_planned_once_each() {
    let sandbox = Sandbox::new();
    // Ten nodes on each of twelve levels would be a million million plans.
    for level in 0..12 {
        let nodes: Vec<Value> = (0..10)
            .map(|node| json!({"name": format!("n{node}"), "type": "workflow", "config": {"path": format!("l{}.json", level + 1)}}))
            .collect();
        sandbox.write(&format!("l{level}.json"), &json!({"nodes": nodes}).to_string());
    }
    sandbox.write("l12.json", "{\"nodes\": [{\"name\": \"a\", \"type\": \"ecko\"}]}");
    let outcome = sandbox.pocket(&["run", "l0.json"]).failure(3, &["l12.json:1:34", "there is no node type `ecko`"]);
    assert_eq!(outcome.stderr.matches("there is no node type").count(), 1);
}

/// Checks a document that is refused, within 20 s of processor time in a build without optimisation, 500 MB of address
/// space and 1 MiB of messages.
#[track_caller]
fn refused_within_bounds(sandbox: &Sandbox, file: &str, said: &[&str]) {
    let mut command = sandbox.command("sh");
    let bounded = format!("ulimit -t 20; ulimit -v 500000; exec '{}' workflow validate {file}", crate::support::POCKET);
    command.arg("-c").arg(bounded);
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{file}: {stderr}");
    assert!(said.iter().all(|said| stderr.contains(said)), "{file}: {stderr}");
    assert!(stderr.len() < 1 << 20, "{file}: {} bytes of messages", stderr.len());
}

#[test]
fn documents_that_are_meant_to_do_harm_end_in_a_clear_error() {
    let sandbox = Sandbox::new();
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let alias = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{alias}]").unwrap();
    }
    sandbox.write("bomb.yaml", &bomb);
    refused_within_bounds(&sandbox, "bomb.yaml", &["bomb.yaml:"]);
    sandbox.write("self.yaml", "vars: &a [*a]\n");
    refused_within_bounds(&sandbox, "self.yaml", &["self.yaml:1"]);
    for (name, text) in
        [("list", "[".repeat(1 << 20)), ("block", "- ".repeat(1 << 19)), ("map", "{a: ".repeat(1 << 18))]
    {
        sandbox.write(&format!("{name}.yaml"), &text);
        refused_within_bounds(&sandbox, &format!("{name}.yaml"), &[&format!("{name}.yaml:1")]);
    }
    std::fs::File::create(sandbox.path("huge.yaml")).unwrap().set_len(100 << 20).unwrap();
    refused_within_bounds(&sandbox, "huge.yaml", &["`huge.yaml` has 104857600 bytes, a workflow has at most 16777216"]);
    // A file that never ends, and tells no length.
    refused_within_bounds(&sandbox, "/dev/zero", &["`/dev/zero` has 16777217 bytes, a workflow has at most 16777216"]);
    std::fs::write(sandbox.path("latin.yaml"), b"name: caf\xe9\n").unwrap();
    refused_within_bounds(&sandbox, "latin.yaml", &["latin.yaml:1:10", "not UTF-8"]);
    sandbox.write("empty.yaml", "");
    refused_within_bounds(&sandbox, "empty.yaml", &["empty.yaml:1:1"]);
}

#[test]
fn a_hundred_thousand_mistakes_are_counted_and_not_all_told() {
    let sandbox = Sandbox::new();
    let mut text = "nodes:\n".to_owned();
    (0..50_000).for_each(|node| writeln!(text, "- {{name: n{node}, type: ecko}}").unwrap());
    text.push_str("connections:\n");
    (0..50_000).for_each(|node| writeln!(text, "- {{from: n{node}, to: m{node}}}").unwrap());
    sandbox.write("many.yaml", &text);
    refused_within_bounds(&sandbox, "many.yaml", &["there is no node type `ecko`", "… and "]);
    // One line of megabytes: each problem would draw all of it.
    let nodes: Vec<Value> = (0..50_000).map(|node| json!({"name": format!("n{node}"), "type": "ecko"})).collect();
    sandbox.write("line.json", &json!({ "nodes": nodes }).to_string());
    refused_within_bounds(&sandbox, "line.json", &["line.json:1:", "… and "]);
}
