//! `plugin create`: what it makes builds with its compiler, loads, and does what it says, in every language.

use std::path::PathBuf;
use std::process::Command;

use crate::support::Sandbox;

/// A compiler that `fixtures/toolchains/install` installed.
#[track_caller]
fn toolchain(name: &str, program: &str) -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"));
    let folder = std::env::var_os("POCKET_TOOLCHAINS").map_or_else(|| cache.join("pocket-toolchains"), PathBuf::from);
    let path = folder.join(name).join(program);
    assert!(path.exists(), "{} is missing: run `fixtures/toolchains/install {name}`", path.display());
    path
}

/// Creates the plugin `my-plugin`, runs what it says comes next but the last line, and tries it.
#[track_caller]
fn created(arguments: &[&str], build: impl Fn(&mut Command, &str)) -> Sandbox {
    let sandbox = Sandbox::new();
    let command = [&["plugin", "create", "my-plugin"], arguments, &["-o", "json"]].concat();
    let made = sandbox.pocket(&command).success().json();
    let next: Vec<&str> = made["next"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    let (load, builds) = next.split_last().unwrap();
    for line in builds {
        let mut words = line.split(' ');
        let mut command = sandbox.command(words.next().unwrap());
        command.args(words).current_dir(sandbox.path("my-plugin"));
        build(&mut command, line);
        assert!(command.status().unwrap().success(), "{line}");
    }
    let load: Vec<&str> = load.split(' ').skip(1).collect();
    sandbox.write("my-plugin/pocket.yaml", "");
    sandbox.pocket_in("my-plugin", &["plugin", "check", load[2]]).success();
    sandbox.pocket_in("my-plugin", &load).success();
    sandbox
}

/// What a workflow with the plugin gives.
#[track_caller]
fn greeting(sandbox: &Sandbox, input: &str) -> serde_json::Value {
    sandbox.write("my-plugin/w.yaml", "nodes: [{name: a, type: my-plugin-greet}]\n");
    sandbox.pocket_in("my-plugin", &["run", "w.yaml", "--input", input, "-o", "json"]).success().json()
}

/// The names of the files in a folder, and below it.
fn files(sandbox: &Sandbox) -> Vec<String> {
    let root = sandbox.path("my-plugin");
    let mut files: Vec<String> =
        std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    files
}

#[test]
fn a_script_works_as_it_is_and_packs() {
    let sandbox = created(&["--type", "lua"], |_, _| {});
    assert_eq!(greeting(&sandbox, "{\"name\": \"Ada\"}")["text"], "Hello, Ada!");
    sandbox.pocket(&["plugin", "test", "./my-plugin"]).success();
    std::fs::remove_file(sandbox.path("my-plugin/w.yaml")).unwrap();
    std::fs::remove_file(sandbox.path("my-plugin/pocket.yaml")).unwrap();
    sandbox.pocket(&["plugin", "pack", "my-plugin"]).success();
    sandbox.pocket(&["plugin", "install", "./my-plugin-0.1.0.tar.gz"]).success();
    sandbox.pocket(&["plugin", "create", "my-plugin", "--type", "lua"]).failure(1, &["`my-plugin` is not empty"]);
}

#[test]
fn a_native_plugin_is_go_with_the_files_that_are_documented() {
    let sandbox = Sandbox::new();
    sandbox.pocket(&["plugin", "create", "my-plugin", "--type", "native"]).success();
    assert_eq!(files(&sandbox), ["README.md", "go.mod", "nodes.go", "plugin.go"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_go_plugin_builds_and_runs() {
    let sandbox = created(&["--type", "native"], with_path(toolchain("go", "bin")));
    assert_eq!(greeting(&sandbox, "{\"name\": \"Ada\"}")["text"], "Hello, Ada!");
    sandbox.write("data.json", "{\"name\": \"Bob\"}");
    let tested = sandbox.pocket(&["plugin", "test", "./my-plugin/my-plugin.so", "--input", "data.json"]).success();
    assert!(tested.stdout.contains("Hello, Bob!"), "{}", tested.stdout);
}

/// Has a compiler's folder searched first.
fn with_path(folder: PathBuf) -> impl Fn(&mut Command, &str) {
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    move |command, _| {
        command.env("PATH", &path);
    }
}

#[test]
fn modules_in_go_and_zig_build_and_say_hello() {
    for language in ["go", "zig"] {
        let sandbox = created(&["--type", "wasm", "--lang", language], with_path(toolchain(language, "bin")));
        assert_eq!(greeting(&sandbox, "{\"name\": \"Ada \\\"A\\\"\"}")["text"], "Hello, Ada \"A\"!", "{language}");
        sandbox.pocket(&["plugin", "test", "./my-plugin"]).success();
    }
}

#[test]
fn modules_in_c_and_assemblyscript_build_and_run() {
    for (language, compiler) in
        [("c", toolchain("zig", "bin")), ("assemblyscript", toolchain("assemblyscript", "node_modules/.bin"))]
    {
        let sandbox = created(&["--type", "wasm", "--lang", language], with_path(compiler));
        assert_eq!(greeting(&sandbox, "\"abc\""), "ABC", "{language}");
        sandbox.pocket(&["plugin", "test", "./my-plugin"]).success();
        let bench = ["plugin", "bench", "./my-plugin", "--time", "10ms", "--batch", "4", "-o", "json"];
        assert_eq!(sandbox.pocket(&bench).success().json()["nodes"][0]["batch"], 4);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_c_plugin_builds_and_runs() {
    let sandbox = created(&["--type", "native", "--lang", "c"], |_, _| {});
    assert_eq!(greeting(&sandbox, "\"abc\""), "ABC");
    sandbox.pocket(&["plugin", "test", "./my-plugin"]).success();
}

/// Both builds share what they depend on with those of other plugins.
fn cargo(command: &mut Command, line: &str) {
    command.env("CARGO_NET_OFFLINE", "true").env_remove("CARGO_BUILD_BUILD_DIR").env_remove("RUSTFLAGS");
    if line.starts_with("cargo") {
        command.env("CARGO_TARGET_DIR", "target");
    }
}

#[test]
fn a_rust_plugin_builds_for_webassembly_and_runs() {
    let sandbox = created(&["--type", "wasm", "--lang", "rust"], cargo);
    assert_eq!(greeting(&sandbox, "{\"name\": \"Ada\"}")["text"], "Hello, Ada!");
    sandbox.pocket(&["plugin", "test", "./my-plugin"]).success();
}

#[cfg(target_os = "linux")]
#[test]
fn a_rust_plugin_builds_as_a_library_and_runs() {
    let sandbox = created(&["--type", "native", "--lang", "rust"], cargo);
    assert_eq!(greeting(&sandbox, "{\"name\": \"Ada\"}")["text"], "Hello, Ada!");
}

#[test]
fn what_nothing_makes_is_told_with_what_there_is() {
    let sandbox = Sandbox::new();
    sandbox
        .pocket(&["plugin", "create", "x", "--type", "lua", "--lang", "go"])
        .failure(1, &["no template for a lua plugin in go", "--type native --lang go|rust|c"]);
}
