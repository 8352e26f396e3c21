//! Plugins that are used where they stand: loaded by their path, or lying in the folders of `plugins.directories`.

use crate::support::Sandbox;

const GREETER: &str = "-- @name: greeter\n-- @version: 1.2.0\n-- @node: greet\nfunction greet(input) return 'Hello, ' .. input.name end\n";
const LIST: [&str; 2] = ["plugin", "list"];

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("greeter.lua", GREETER);
    workflow(&sandbox, "greet");
    sandbox
}

fn workflow(sandbox: &Sandbox, node_type: &str) {
    sandbox.write("w.yaml", &format!("name: w\nstart: a\nnodes: [{{name: a, type: {node_type}}}]\n"));
}

#[track_caller]
fn greeting(sandbox: &Sandbox) -> String {
    sandbox.pocket(&["run", "w.yaml", "--input", "{\"name\": \"Ada\"}"]).success().stdout
}

/// The columns NAME and STATUS of `plugin list`.
#[track_caller]
fn statuses(sandbox: &Sandbox) -> Vec<String> {
    let list = sandbox.pocket(&[&LIST[..], &["-o", "json"]].concat()).success().json();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let row = |plugin: &serde_json::Value| format!("{} {}", text(&plugin["name"]), text(&plugin["status"]));
    list.as_array().unwrap().iter().map(row).collect()
}

/// A folder with a plugin that asks for an environment variable.
fn asking(sandbox: &Sandbox, folder: &str, variables: &str) {
    sandbox.write(
        &format!("{folder}/manifest.yaml"),
        &format!(
            "name: teller\nversion: 1.0.0\nruntime: lua\nbinary: main.lua\nnodes: [{{type: tell}}]\npermissions: {{env: [{variables}]}}\n"
        ),
    );
    sandbox.write(&format!("{folder}/main.lua"), "function tell() return env.HOME or 'none' end\n");
    workflow(sandbox, "tell");
}

#[test]
fn a_loaded_script_is_used_by_later_commands_and_changes_no_file_of_the_project() {
    let sandbox = sandbox();
    sandbox.write("pocket.yaml", "# ours\n");
    let before = sandbox.snapshot();
    sandbox.pocket(&["plugin", "load", "./greeter.lua"]).success();
    assert_eq!(sandbox.snapshot(), before);
    assert_eq!(greeting(&sandbox), "Hello, Ada\n");
    insta::assert_snapshot!(sandbox.pocket(&LIST).success().stdout, @r"
    NAME     TYPE  VERSION  STATUS  NODES
    greeter  lua   1.2.0    loaded  greet
    ");
    sandbox.pocket_in(".", &["plugin", "info", "greeter"]).success();

    sandbox.pocket(&["plugin", "unload", "greeter"]).success();
    sandbox.pocket(&["run", "w.yaml"]).failure(3, &["there is no node type `greet`"]);
    assert_eq!(statuses(&sandbox), [""; 0]);
    sandbox.pocket(&["plugin", "unload", "greeter"]).failure(1, &["there is no plugin `greeter` in"]);
}

#[test]
fn load_needs_no_project_and_another_project_does_not_see_it() {
    let sandbox = sandbox();
    sandbox.pocket(&["plugin", "load", "greeter.lua"]).success();
    assert_eq!(greeting(&sandbox), "Hello, Ada\n");
    let other = sandbox.beside();
    other.write("pocket.yaml", "");
    workflow(&other, "greet");
    other.pocket(&["run", "w.yaml"]).failure(3, &["there is no node type `greet`"]);
}

#[test]
fn the_newest_file_runs_and_is_told_once() {
    let sandbox = sandbox();
    sandbox.pocket(&["plugin", "load", "greeter.lua"]).success();
    sandbox.write("greeter.lua", &GREETER.replace("Hello", "Salut"));
    let first = sandbox.pocket(&["run", "w.yaml", "--input", "{\"name\": \"Ada\"}"]).success();
    assert_eq!(first.stdout, "Salut, Ada\n");
    assert!(first.stderr.contains("Reloaded") && first.stderr.contains("has changed"), "{}", first.stderr);
    let second = sandbox.pocket(&["run", "w.yaml", "--input", "{\"name\": \"Ada\"}"]).success();
    assert!(!second.stderr.contains("Reloaded"), "{}", second.stderr);
}

#[test]
fn an_alias_renames_the_plugin() {
    let sandbox = sandbox();
    sandbox.pocket(&["plugin", "load", "./greeter.lua", "--alias", "custom-processor"]).success();
    assert_eq!(statuses(&sandbox), ["custom-processor loaded"]);
    workflow(&sandbox, "custom-processor/greet");
    assert_eq!(greeting(&sandbox), "Hello, Ada\n");
    workflow(&sandbox, "greeter/greet");
    sandbox.pocket(&["run", "w.yaml"]).failure(3, &["greeter/greet"]);

    // Two plugins with one node type: the full name is valid, the bare one says so.
    sandbox.write("other.lua", &GREETER.replace("Hello", "Salut"));
    sandbox.pocket(&["plugin", "load", "./other.lua"]).success();
    workflow(&sandbox, "greet");
    sandbox.pocket(&["run", "w.yaml"]).failure(3, &["custom-processor/greet", "greeter/greet"]);
    workflow(&sandbox, "greeter/greet");
    assert_eq!(greeting(&sandbox), "Salut, Ada\n");
}

#[test]
fn settings_come_from_the_file_that_was_given() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "p/manifest.yaml",
        "name: greeting\nversion: 1.0.0\nruntime: lua\nbinary: m.lua\nauthor: Example Corp\ndescription: Greets\nnodes: [{type: greet, description: Says hello}]\nconfig:\n  word: {default: Hello, description: The first word}\n  token: {secret: true, description: A secret}\n",
    );
    sandbox.write("p/m.lua", "function greet(i, c, context) return context.settings.word end\n");
    sandbox.write("plugin-config.yaml", "word: '${WORD:-Moin}'\ntoken: hunter2\n");
    workflow(&sandbox, "greet");
    sandbox.pocket(&["plugin", "load", "./p", "--config", "plugin-config.yaml"]).success();
    assert_eq!(greeting(&sandbox), "Moin\n");
    sandbox.write("plugin-config.yaml", "word: Servus\ntoken: hunter2\n");
    assert_eq!(greeting(&sandbox), "Servus\n");
    insta::assert_snapshot!(sandbox.pocket(&["plugin", "info", "greeting"]).success().stdout, @r"
    Plugin: greeting
    Type: lua
    Version: 1.0.0
    Author: Example Corp
    Description: Greets

    Provided Nodes:
      - greet: Says hello

    Configuration:
      word: The first word (default: Hello)
      token: A secret (optional)
    ");
    let all = sandbox.pocket(&["plugin", "info", "greeting", "-v"]).success().stdout;
    assert!(
        all.contains("= Servus, from") && all.contains("plugin-config.yaml") && all.contains("= ********"),
        "{all}"
    );
    assert!(!all.contains("hunter2"));
    let debugged = sandbox.pocket(&["run", "w.yaml", "--debug-plugins", "--input", "{\"t\": \"hunter2\"}"]).success();
    assert!(debugged.stderr.contains("********") && !debugged.stderr.contains("hunter2"), "{}", debugged.stderr);

    sandbox.write("plugin-config.yaml", "[1]");
    sandbox.pocket(&["run", "w.yaml"]).failure(1, &["plugin-config.yaml", "expected a mapping"]);
}

#[test]
fn all_plugins_of_a_folder_are_loaded_or_none() {
    let sandbox = sandbox();
    sandbox.write("plugins/a.lua", &GREETER.replace("greet", "hail"));
    sandbox.write("plugins/notes.md", "no plugin");
    asking(&sandbox, "plugins/teller", "");
    sandbox
        .pocket(&["plugin", "load", "./plugins/", "--alias", "x"])
        .failure(1, &["--alias is for one plugin", "has 2"]);
    sandbox.pocket(&["plugin", "load", "./plugins/"]).success();
    assert_eq!(statuses(&sandbox), ["hailer loaded", "teller loaded"]);
    sandbox.pocket(&["plugin", "unload", "--all"]).success();
    assert_eq!(statuses(&sandbox), [""; 0]);

    sandbox.write("plugins/broken.lua", "function (");
    sandbox.pocket(&["plugin", "load", "./plugins/"]).failure(5, &["cannot load the plugin `broken`", "broken.lua:1"]);
    assert_eq!(statuses(&sandbox), [""; 0]);
    sandbox.write("empty/notes.md", "");
    sandbox.pocket(&["plugin", "load", "./empty"]).failure(1, &["there is no plugin in `./empty`", "manifest.yaml"]);
    sandbox.pocket(&["plugin", "load", "./gone.lua"]).failure(1, &["cannot read `./gone.lua`"]);
    sandbox.pocket(&["plugin", "load", "greting"]).failure(1, &["is no file, no folder and no plugin"]);
}

#[test]
fn what_a_plugin_asks_for_needs_a_yes_and_what_it_asks_for_later_another_one() {
    let sandbox = Sandbox::new();
    asking(&sandbox, "p", "HOME");
    sandbox.pocket(&["plugin", "load", "./p"]).failure(1, &["may read the environment variable HOME", "--yes"]);
    assert_eq!(statuses(&sandbox), [""; 0]);
    sandbox.pocket(&["plugin", "load", "./p", "--yes"]).success();
    assert_ne!(greeting(&sandbox), "none\n");
    sandbox.pocket(&["plugin", "load", "./p"]).success();

    asking(&sandbox, "p", "HOME, AWS_SECRET");
    sandbox.pocket(&["run", "w.yaml"]).failure(6, &["AWS_SECRET", "nobody said yes", "pocket plugin load"]);
    assert_eq!(statuses(&sandbox), ["teller installed"]);
    let permissions = sandbox.pocket(&["plugin", "permissions", "teller"]).success().stdout;
    assert!(permissions.contains("nobody approved it yet"), "{permissions}");
    sandbox.pocket_at_a_terminal(&["plugin", "load", "./p"], "y\n").success();
    assert_ne!(greeting(&sandbox), "none\n");
}

#[test]
fn plugins_in_the_folders_of_the_configuration_are_used_unless_autoload_is_off() {
    let sandbox = sandbox();
    sandbox.write("plugins/hail.lua", &GREETER.replace("greet", "hail"));
    let directories =
        |rest: &str| format!("plugins: {{directories: [./plugins, ~/.pocket/plugins, /no/such/folder]{rest}}}\n");
    sandbox.write("pocket.yaml", &directories(""));
    workflow(&sandbox, "hail");
    assert_eq!(greeting(&sandbox), "Hello, Ada\n");
    sandbox.pocket(&["plugin", "unload", "hailer"]).success();
    assert_eq!(statuses(&sandbox), ["hailer unloaded"]);
    sandbox.pocket(&["run", "w.yaml"]).failure(3, &["there is no node type `hail`"]);
    sandbox.pocket(&["plugin", "load", "hailer"]).success();
    assert_eq!(greeting(&sandbox), "Hello, Ada\n");

    sandbox.pocket(&["plugin", "unload", "hailer"]).success();
    sandbox.write("plugins/other.lua", &GREETER.replace("greet", "wave"));
    sandbox.write("pocket.yaml", &directories(", autoload: false"));
    assert_eq!(statuses(&sandbox), ["hailer unloaded", "waveer installed"]);
    workflow(&sandbox, "wave");
    sandbox.pocket(&["run", "w.yaml"]).failure(3, &["there is no node type `wave`"]);
    sandbox.pocket(&["plugin", "load", "waveer"]).success();
    assert_eq!(greeting(&sandbox), "Hello, Ada\n");
}

#[test]
fn a_plugin_in_a_folder_gets_a_permission_by_a_yes_or_by_the_configuration() {
    let sandbox = Sandbox::new();
    asking(&sandbox, "plugins/teller", "HOME");
    sandbox.write("pocket.yaml", "plugins: {directories: [plugins]}\n");
    sandbox
        .pocket(&["run", "w.yaml"])
        .failure(6, &["teller", "may read the environment variable HOME", "nobody said yes"]);
    sandbox.pocket(&["plugin", "load", "teller", "--yes"]).success();
    assert_ne!(greeting(&sandbox), "none\n");

    let granted = "plugins: {directories: [plugins], security: {permissions: {teller: [read_env]}}}\n";
    let other = sandbox.copy();
    other.pocket(&["plugin", "unload", "--all"]).success();
    other.write("pocket.yaml", granted);
    other.pocket(&["plugin", "load", "teller", "--yes"]).success();
    assert_ne!(greeting(&other), "none\n");
    let fresh = Sandbox::new();
    asking(&fresh, "plugins/teller", "HOME");
    fresh.write("pocket.yaml", granted);
    assert_ne!(greeting(&fresh), "none\n");
    fresh.write("pocket.yaml", &granted.replace("read_env", "none"));
    fresh.pocket(&["run", "w.yaml"]).failure(6, &["nobody said yes"]);
    fresh.write("pocket.yaml", "plugins: {directories: [plugins], security: {denied_permissions: [read_env]}}\n");
    assert_eq!(statuses(&fresh), ["teller disabled"]);
    fresh.pocket(&["run", "w.yaml"]).failure(6, &["`read_env`, which", "denies"]);
}

#[test]
fn two_plugins_of_one_name_are_an_error_that_names_both_places() {
    let sandbox = sandbox();
    sandbox.write("plugins/greeter.lua", GREETER);
    sandbox.write("pocket.yaml", "plugins: {directories: [plugins]}\n");
    sandbox
        .pocket(&["plugin", "load", "./greeter.lua"])
        .failure(1, &["two plugins are called `greeter`", "plugins/greeter.lua` and", "--alias NAME"]);
    sandbox.pocket(&["plugin", "install", "./greeter.lua"]).success();
    sandbox.pocket(&["run", "w.yaml"]).failure(1, &["two plugins are called `greeter`", "plugins/greeter.lua`"]);
    assert_eq!(statuses(&sandbox), ["greeter failed", "greeter failed"]);
}

#[test]
fn an_installed_plugin_is_unloaded_and_taken_back() {
    let sandbox = sandbox();
    sandbox.write("pocket.yaml", "");
    sandbox.pocket(&["plugin", "install", "./greeter.lua"]).success();
    assert_eq!(statuses(&sandbox), ["greeter loaded"]);
    let lock = sandbox.read("pocket.lock");
    sandbox.pocket(&["plugin", "unload", "greeter"]).success();
    assert_eq!(statuses(&sandbox), ["greeter unloaded"]);
    sandbox.pocket(&["run", "w.yaml"]).failure(3, &["there is no node type `greet`"]);

    // While it is unloaded, a file under development can stand in for it.
    sandbox.write("dev/greeter.lua", &GREETER.replace("Hello", "Salut"));
    sandbox.pocket(&["plugin", "load", "./dev/greeter.lua"]).success();
    assert_eq!(greeting(&sandbox), "Salut, Ada\n");
    sandbox.pocket(&["plugin", "unload", "greeter"]).success();
    sandbox.pocket(&["plugin", "load", "greeter", "--alias", "x"]).failure(1, &["--alias goes with a path"]);
    sandbox.pocket(&["plugin", "load", "greeter"]).success();
    assert_eq!(greeting(&sandbox), "Hello, Ada\n");
    assert_eq!(sandbox.read("pocket.lock"), lock);
}

#[test]
fn the_users_own_plugins_are_offered_where_a_project_names_their_folder() {
    let sandbox = sandbox();
    sandbox.write("pocket.yaml", "plugins: {directories: [~/.pocket/plugins]}\n");
    sandbox.pocket(&["plugin", "install", "--global", "./greeter.lua"]).success();
    assert_eq!(statuses(&sandbox), ["greeter loaded"]);
    assert_eq!(greeting(&sandbox), "Hello, Ada\n");
    sandbox.write("pocket.yaml", "");
    assert_eq!(statuses(&sandbox), [""; 0]);
}

#[test]
fn a_broken_plugin_is_listed_with_its_reason_and_keeps_others_from_nothing() {
    let sandbox = sandbox();
    sandbox.write("plugins/greeter.lua", GREETER);
    sandbox.write("plugins/bad/manifest.yaml", "name: Bad Name\n");
    sandbox.write("pocket.yaml", "plugins: {directories: [plugins]}\n");
    assert_eq!(statuses(&sandbox), ["bad failed", "greeter loaded"]);
    let list = sandbox.pocket(&LIST).success();
    assert!(list.stderr.contains("`bad` is failed") && list.stderr.contains("line 1"), "{}", list.stderr);
    let run = sandbox.pocket(&["run", "w.yaml", "--input", "{\"name\": \"Ada\"}"]).success();
    assert!(run.stderr.contains("`bad` from") && run.stderr.contains("is not used"), "{}", run.stderr);
    let quiet =
        sandbox.pocket(&["run", "w.yaml", "--disable-plugin", "bad", "--input", "{\"name\": \"Ada\"}"]).success();
    assert_eq!(quiet.stderr, "");
}

#[test]
fn the_log_level_shows_how_things_happen() {
    let mut sandbox = sandbox();
    let quiet = sandbox.pocket(&["plugin", "load", "./greeter.lua"]).success();
    assert!(!quiet.stderr.contains("DEBUG"), "{}", quiet.stderr);
    sandbox.set("POCKET_LOG_LEVEL", "debug");
    let told = sandbox.pocket(&["plugin", "load", "./greeter.lua"]).success();
    assert!(told.stderr.contains("DEBUG") && told.stderr.contains("greeter.lua"), "{}", told.stderr);
    sandbox.set("POCKET_LOG_LEVEL", "loud");
    let warned = sandbox.pocket(&LIST).success();
    assert!(warned.stderr.contains("`loud` is no level: expected `off`"), "{}", warned.stderr);
    let by_file = self::sandbox();
    by_file.write("pocket.yaml", "log_level: debug\n");
    let told = by_file.pocket(&["plugin", "load", "./greeter.lua"]).success();
    assert!(told.stderr.contains("DEBUG"), "{}", told.stderr);
}

#[test]
fn debugging_shows_each_call_with_what_goes_in_and_comes_out() {
    let sandbox = sandbox();
    sandbox.pocket(&["plugin", "load", "./greeter.lua"]).success();
    let run = sandbox.pocket(&["run", "w.yaml", "--debug-plugins", "--input", "{\"name\": \"Ada\"}"]).success();
    assert_eq!(run.stdout, "Hello, Ada\n");
    for part in [
        "loaded",
        "nothing beyond its sandbox",
        "called",
        "{\"name\":\"Ada\"}",
        "returned",
        "\"Hello, Ada\"",
        "elapsed",
    ] {
        assert!(run.stderr.contains(part), "{part} in\n{}", run.stderr);
    }
}

#[test]
fn calls_are_counted_over_runs() {
    let sandbox = sandbox();
    let none = sandbox.pocket(&["plugin", "metrics"]).success().stdout;
    assert_eq!(none, "no call of a plugin was counted yet\n");
    sandbox.pocket(&["plugin", "load", "./greeter.lua"]).success();
    greeting(&sandbox);
    greeting(&sandbox);
    sandbox.pocket(&["run", "w.yaml"]).failure(4, &["attempt to concatenate"]);
    let metrics = sandbox.pocket(&["plugin", "metrics", "--format", "json"]).success().json();
    let node = &metrics["nodes"][0];
    assert_eq!((&node["plugin"], &node["node"]), (&"greeter".into(), &"greet".into()));
    assert_eq!((&node["calls"], &node["errors"]["failed"]), (&3.into(), &1.into()));
    assert!(node["p50_us"].as_u64() <= node["p99_us"].as_u64() && node["p99_us"].as_u64() <= node["max_us"].as_u64());
    let prometheus = sandbox.pocket(&["plugin", "metrics", "greeter", "--format", "prometheus"]).success().stdout;
    assert!(prometheus.contains("pocket_plugin_calls_total{plugin=\"greeter\",node=\"greet\"} 3\n"), "{prometheus}");
    sandbox.pocket(&["plugin", "metrics", "gretter"]).failure(1, &["no call of `gretter`", "did you mean `greeter`?"]);
    sandbox.pocket(&["plugin", "metrics", "--reset"]).success();
    assert_eq!(sandbox.pocket(&["plugin", "metrics"]).success().stdout, none);
}

#[test]
fn an_import_that_the_manifest_does_not_ask_for_is_refused_by_load_and_by_run() {
    let sandbox = Sandbox::new();
    let manifest = |permissions: &str| {
        format!(
            "name: caller\nversion: 1.0.0\nruntime: wasm\nbinary: caller.wasm\nnodes: [{{type: call}}]\n{permissions}"
        )
    };
    let module = "(module
        (import \"pocket:plugin/http@1.1.0\" \"request\" (func (param i32 i32 i32)))
        (memory (export \"memory\") 1)
        (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) i32.const 1024)
        (func (export \"run\") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32) unreachable))";
    let refusal = [
        "`caller` 1.0.0 is not used",
        "it imports `pocket:plugin/http@1.1.0`, which takes `permissions.http` in its manifest",
    ];
    sandbox.write("caller/manifest.yaml", &manifest(""));
    std::fs::write(sandbox.path("caller/caller.wasm"), wat::parse_str(module).unwrap()).unwrap();
    workflow(&sandbox, "call");
    sandbox.pocket(&["plugin", "load", "./caller", "--yes"]).failure(6, &refusal);
    assert!(statuses(&sandbox).is_empty(), "it was not loaded");

    // Once it was loaded, its manifest can change.
    sandbox.write("caller/manifest.yaml", &manifest("permissions: {http: [\"api.example.com:443\"]}\n"));
    sandbox.pocket(&["plugin", "load", "./caller", "--yes"]).success();
    sandbox.write("caller/manifest.yaml", &manifest(""));
    sandbox.pocket(&["run", "w.yaml"]).failure(6, &refusal);
}

#[test]
fn a_node_of_a_plugin_that_is_here_and_not_used_says_what_would_use_it() {
    let sandbox = sandbox();
    sandbox.write("pocket.yaml", "plugins: {directories: [./folder], autoload: false}\n");
    sandbox.pocket(&["plugin", "load", "./greeter.lua"]).success();
    sandbox
        .pocket(&["run", "w.yaml", "--disable-plugin", "greeter"])
        .failure(3, &["the plugin `greeter` provides it, which `--disable-plugin` leaves out"]);
    sandbox.pocket(&["plugin", "unload", "greeter"]).success();
    sandbox.write("folder/greeter.lua", GREETER);
    let hint = "the plugin `greeter` provides it, which is not loaded: run `pocket plugin load greeter`";
    sandbox.pocket(&["run", "w.yaml"]).failure(3, &[hint]);
    sandbox.pocket(&["plugin", "load", "greeter"]).success();
    sandbox.pocket(&["plugin", "install", "data-processor"]).success();
    sandbox.pocket(&["plugin", "unload", "data-processor"]).success();
    workflow(&sandbox, "process-data");
    let hint = "the plugin `data-processor` provides it, which was unloaded: run `pocket plugin load data-processor`";
    sandbox.pocket(&["run", "w.yaml"]).failure(3, &[hint]);
}
