//! `pocket nodes`, `pocket scripts`, and nodes that meet what is hostile.

use serde_json::{Value, json};

use crate::support::Sandbox;

/// A sandbox whose file `w.yaml` has one node.
fn one(node_type: &str, config: &Value) -> Sandbox {
    let sandbox = Sandbox::new();
    let node = json!({"name": "n", "type": node_type, "config": config, "timeout": "10s"});
    sandbox.write("w.yaml", &json!({ "nodes": [node] }).to_string());
    sandbox
}

#[test]
fn node_types_are_listed_with_those_of_plugins_and_explained() {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "plugins: {directories: [plugins]}\n");
    sandbox.write(
        "plugins/greeter/manifest.yaml",
        "name: greeter\nversion: 1.0.0\nruntime: lua\nbinary: main.lua\nnodes:\n  - type: greet\n    category: text\n    description: Says hello\n    configSchema: {type: object, properties: {word: {type: string, description: The greeting}}}\n",
    );
    sandbox.write("plugins/greeter/main.lua", "function process() return 1 end\n");
    let listed = sandbox.pocket(&["nodes", "list"]).success().stdout;
    assert!(listed.contains("TYPE") && listed.contains("http ") && listed.contains("greet "), "{listed}");
    let data = sandbox.pocket(&["nodes", "list", "--category", "text", "-o", "json"]).success().json();
    assert_eq!(
        (data[0]["type"].as_str(), data[0]["plugin"].as_str(), data.as_array().unwrap().len()),
        (Some("greet"), Some("greeter"), 1)
    );
    let info = sandbox.pocket(&["nodes", "info", "greeter/greet"]).success().stdout;
    assert!(
        info.contains("Of the plugin `greeter` 1.0.0.") && info.contains("| `word` | string | The greeting |"),
        "{info}"
    );
    sandbox
        .pocket(&["nodes", "info", "htpp"])
        .failure(1, &["there is no node type `htpp` here", "did you mean `http`?"]);
    sandbox.pocket(&["nodes", "list", "--category", "dta"]).failure(1, &["there is no category `dta`", "data"]);
    sandbox.pocket(&["nodes", "docs", "--out", "nodes.md"]).success();
    assert!(sandbox.read("nodes.md").contains("## greet\n"));
}

#[test]
fn scripts_are_listed_checked_with_their_lines_and_run() {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "plugins: {directories: [more]}\n");
    sandbox.write("scripts/double.lua", "-- @name: doubler\n-- @version: 1.2.0\n-- @description: Doubles\n-- @node: double\nfunction process(input) return {n = input.n * 2} end\n");
    sandbox.write("more/broken.lua", "local x = 1\nreturn (\n");
    let listed = sandbox.pocket(&["scripts", "list", "-o", "json"]).success().json();
    let names: Vec<&str> = listed.as_array().unwrap().iter().filter_map(|script| script["name"].as_str()).collect();
    assert_eq!(names, ["broken", "doubler"]);
    let info = sandbox.pocket(&["scripts", "info", "doubler"]).success().stdout;
    assert!(info.contains("Version: 1.2.0") && info.contains("  - double"), "{info}");
    let checked = sandbox.pocket(&["scripts", "validate"]);
    assert_eq!(checked.code, 3, "{checked:?}");
    assert!(
        checked.stdout.contains("broken.lua:3: Expected") && checked.stdout.contains("double.lua: ok"),
        "{}",
        checked.stdout
    );
    let ran = sandbox
        .pocket(&["scripts", "run", "scripts/double.lua", "--input", "{\"n\": 21}", "-o", "json"])
        .success()
        .json();
    assert_eq!(ran["output"], json!({"n": 42}));
    sandbox.pocket(&["scripts", "run", "doublr"]).failure(1, &["there is no script `doublr`", "`doubler`?"]);
    sandbox.pocket(&["scripts", "run", "broken"]).failure(3, &["broken.lua:3"]);
    sandbox.write("scripts/loop.lua", "while true do end");
    sandbox
        .pocket(&["scripts", "run", "loop", "--timeout", "50ms"])
        .failure(4, &["did not finish within its time limit"]);
    sandbox.write("scripts/out.lua", "return io.open('/etc/passwd')");
    sandbox.pocket(&["scripts", "run", "out"]).failure(4, &["out.lua:1"]);
}

#[test]
fn programs_and_variables_are_used_when_pocket_yaml_lists_them() {
    let mut sandbox = Sandbox::new();
    sandbox.set("REGION", "eu");
    sandbox.write(
        "w.yaml",
        "nodes:\n  - {name: a, type: exec, config: {command: echo, args: [\"{{env \\\"REGION\\\"}}\"]}}\n",
    );
    sandbox.pocket(&["run", "w.yaml"]).failure(
        3,
        &[
            "workflows may not run `echo`",
            "allow_exec: [echo]",
            "may not read the environment variable `REGION`",
            "allow_env: [REGION]",
        ],
    );
    sandbox.write("pocket.yaml", "plugins: {security: {allow_exec: [echo], allow_env: [\"REG*\"]}}\n");
    let output = sandbox.pocket(&["run", "w.yaml", "-o", "json"]).success().json();
    assert_eq!(output["stdout"], "eu\n");
    // The user's own file narrows what a project that comes from elsewhere allows.
    std::fs::create_dir_all(sandbox.home()).unwrap();
    std::fs::write(sandbox.home().join("pocket.yaml"), "plugins: {security: {allow_exec: [git]}}\n").unwrap();
    sandbox.pocket(&["run", "w.yaml"]).failure(3, &["workflows may not run `echo`"]);
}

#[test]
fn a_jq_program_that_explodes_ends_with_its_reason_and_not_with_the_machine() {
    let memory = "needs more than its memory limit";
    for (program, reasons) in [
        // Which limit comes first depends on the machine.
        ("[range(1e12)] | length", ["time limit", memory]),
        ("[limit(1e11; repeat(\"x\" * 1000))]", ["time limit", memory]),
        ("reduce range(1e8) as $i (0; [.]) | length", ["time limit", memory]),
        ("\"x\" * 3000000000", [memory; 2]),
        ("reduce range(60) as $i ([1]; . + .)", [memory; 2]),
        ("reduce range(200) as $i (0; [.])", ["nested deeper than 127 levels"; 2]),
        ("def f: 1 + f; f", ["goes too deep"; 2]),
    ] {
        let outcome = one("transform", &json!({ "jq": program })).pocket(&["run", "w.yaml"]);
        assert!([4, 5].contains(&outcome.code), "{program}: {outcome:?}");
        assert!(reasons.iter().any(|reason| outcome.stderr.contains(reason)), "{program}: {}", outcome.stderr);
    }
    let endless =
        json!({"nodes": [{"name": "n", "type": "transform", "config": {"jq": "def f: f; f"}, "timeout": "300ms"}]});
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", &endless.to_string());
    sandbox.pocket(&["run", "w.yaml"]).failure(4, &["did not finish within its time limit"]);
}

#[test]
fn paths_and_schemas_that_explode_end_at_the_nodes_time() {
    let deep = (0..60).fold(json!(1), |inside, _| json!([inside, 1]));
    let path = format!("${}", "..*".repeat(12));
    let node = |node_type: &str, config: Value| {
        json!({"nodes": [{"name": "n", "type": node_type, "config": config, "timeout": "500ms"}]}).to_string()
    };
    let sandbox = Sandbox::new();
    sandbox.write("path.yaml", &node("jsonpath", json!({ "path": path })));
    let outcome = sandbox.pocket_with_input(&["run", "path.yaml", "--input", "-"], &deep.to_string());
    assert!(outcome.stderr.contains("time limit") || outcome.stderr.contains("memory limit"), "{outcome:?}");
    sandbox.write("self.yaml", &node("validate", json!({"schema": {"$ref": "#"}})));
    let outcome = sandbox.pocket(&["run", "self.yaml"]);
    assert!(
        outcome.code == 0 || outcome.stderr.contains("too deep") || outcome.stderr.contains("time limit"),
        "{outcome:?}"
    );
    sandbox.write("pattern.yaml", &node("validate", json!({"schema": {"items": {"pattern": "^(a|a)*\\1b"}}})));
    let texts = json!(vec!["a".repeat(40) + "!"; 100]).to_string();
    let outcome = sandbox.pocket_with_input(&["run", "pattern.yaml", "--input", "-"], &texts);
    assert!(
        outcome.code != 0 && (outcome.stderr.contains("takes too long") || outcome.stderr.contains("time limit")),
        "{outcome:?}"
    );
}

#[test]
fn work_in_a_process_of_its_own_gives_what_it_gives_in_place() {
    let sandbox = one("transform", &json!({"jq": "[range(3)] | map(. * .)"}));
    assert_eq!(sandbox.pocket(&["run", "w.yaml", "-o", "json"]).success().json(), json!([0, 1, 4]));
    sandbox.write(
        "v.yaml",
        r##"
start: v
nodes:
  - {name: v, type: validate, config: {schema: {$defs: {id: {type: integer}}, properties: {id: {$ref: "#/$defs/id"}}}}}
  - {name: bad, type: template, config: {template: "{{(first .errors).message}}"}}
connections: [{from: v, to: bad, when: invalid}]
"##,
    );
    let output = sandbox.pocket(&["run", "v.yaml", "--input", "{\"id\": \"x\"}"]).success().stdout;
    assert_eq!(output, "\"x\" is not of type \"integer\"\n");
    let big = json!({"n": u64::MAX}).to_string();
    sandbox.write("big.yaml", "nodes: [{name: n, type: transform, config: {jq: \"[limit(1; .n)]\"}}]");
    assert_eq!(sandbox.pocket(&["run", "big.yaml", "--input", &big, "-o", "json"]).success().json(), json!([u64::MAX]));
}

#[test]
fn files_that_are_no_text_or_no_files_are_told() {
    let sandbox = one("file", &json!({"operation": "read", "path": "data"}));
    std::fs::write(sandbox.path("data"), b"abc\xff").unwrap();
    sandbox.pocket(&["run", "w.yaml"]).failure(4, &["`data` is no UTF-8 text from byte 4", "format: base64"]);
    std::fs::remove_file(sandbox.path("data")).unwrap();
    std::process::Command::new("mkfifo").arg(sandbox.path("data")).status().unwrap();
    sandbox.pocket(&["run", "w.yaml"]).failure(4, &["neither a file nor a folder"]);
    std::fs::remove_file(sandbox.path("data")).unwrap();
    // A file of a terabyte that takes no room on the disk.
    std::fs::File::create(sandbox.path("data")).unwrap().set_len(1 << 40).unwrap();
    sandbox.pocket(&["run", "w.yaml"]).failure(4, &["it has more than `max_bytes` (10485760) bytes"]);
}

#[test]
fn numbers_that_fit_no_number_are_refused_wherever_they_come_in() {
    let wide = "123456789012345678901234567890";
    let sandbox = one("echo", &json!({}));
    let refused = format!("the whole number `{wide}` has more than 64 bits");
    sandbox.pocket(&["run", "w.yaml", "--input", &format!("{{\"n\": {wide}}}")]).failure(3, &[&refused]);
    let sandbox = one("template", &json!({"template": format!("{{{{(fromJson \"[{wide}]\") | len}}}}")}));
    sandbox.pocket(&["run", "w.yaml"]).failure(4, &[&refused]);
    let sandbox = one("file", &json!({"operation": "read", "path": "n.json", "format": "json"}));
    sandbox.write("n.json", wide);
    sandbox.pocket(&["run", "w.yaml"]).failure(4, &[&refused]);
    sandbox.write("n.json", "[9007199254740993, 18446744073709551615]");
    assert_eq!(
        sandbox.pocket(&["run", "w.yaml", "-o", "json"]).success().json(),
        json!([9_007_199_254_740_993_u64, u64::MAX])
    );
}
