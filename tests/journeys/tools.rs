//! What authors and operators look with: `check`, `test`, `bench`, `profile`, and the limits that `pocket.yaml` sets.

use crate::support::Sandbox;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Compiles C to a shared library in the project.
#[track_caller]
fn library(sandbox: &Sandbox, name: &str, source: &str) {
    sandbox.write("source.c", source);
    let mut compiler = sandbox.command("gcc");
    compiler.args(["-shared", "-fPIC", "-pthread", "-I", &format!("{ROOT}/sdk/c"), "-o", name, "source.c"]);
    assert!(compiler.status().unwrap().success(), "{name} compiles");
}

/// What `check` says, which must be that the plugin cannot be used.
#[track_caller]
fn refused(sandbox: &Sandbox, path: &str, parts: &[&str]) {
    let checked = sandbox.pocket(&["plugin", "check", path]);
    assert_eq!(checked.code, 5, "{}{}", checked.stdout, checked.stderr);
    for part in [&["the plugin cannot be used"], parts].concat() {
        assert!(checked.stdout.contains(part), "{part} in\n{}", checked.stdout);
    }
}

#[test]
fn any_file_gets_an_answer() {
    let sandbox = Sandbox::new();
    let bytes = |name: &str, content: &[u8]| std::fs::write(sandbox.path(name), content).unwrap();
    bytes("empty.so", b"");
    refused(&sandbox, "empty.so", &["an empty file", "was it built"]);
    bytes("notes.txt", b"hello");
    refused(&sandbox, "notes.txt", &["a text is no plugin", "a folder with `manifest.yaml`"]);
    bytes("main.go", b"package main\n");
    refused(&sandbox, "main.go", &["a source text", "build it"]);
    bytes("tool.py", b"#!/usr/bin/python3\n");
    refused(&sandbox, "tool.py", &["another interpreter", "`exec`"]);
    bytes("x.zip", b"PK\x03\x04rest");
    refused(&sandbox, "x.zip", &["plugins' archives are `.tar.gz`"]);
    bytes("x.tar.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\x03");
    refused(&sandbox, "x.tar.gz", &["no plugin's archive", "pocket plugin pack"]);
    bytes("x.luac", b"\x1bLua\x54");
    refused(&sandbox, "x.luac", &["compiled scripts are not loaded", "give the source"]);
    bytes("x.wasm", b"\0asm\x01\0\0\0");
    refused(&sandbox, "x.wasm", &["a WebAssembly core module", "run"]);
    bytes("x.dll", b"MZ\x90\0");
    refused(&sandbox, "x.dll", &["a PE file", "cannot be read"]);
    bytes("noise", &[0xff, 0xfe, 0, 1]);
    refused(&sandbox, "noise", &["of a kind that is not known"]);
    refused(&sandbox, "/dev/null", &["a device, a pipe or a socket"]);
    std::fs::create_dir(sandbox.path("folder")).unwrap();
    refused(&sandbox, "folder", &["it has no `manifest.yaml`"]);
    sandbox.pocket(&["plugin", "check", "nothing-there"]).failure(1, &["cannot read `nothing-there`"]);
}

#[test]
fn no_prefix_of_a_library_or_module_is_a_surprise() {
    let sandbox = Sandbox::new();
    library(&sandbox, "whole.so", "int x(void) { return 0; }\n");
    let whole = std::fs::read(sandbox.path("whole.so")).unwrap();
    for length in [4, 16, 63, 64, 200, 1_000, whole.len() / 2, whole.len() - 1] {
        std::fs::write(sandbox.path("cut.so"), &whole[..length]).unwrap();
        refused(&sandbox, "cut.so", &["ELF"]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_library_is_told_what_it_misses() {
    let sandbox = Sandbox::new();
    let of = |functions: &str| format!("#define HIDDEN __attribute__((visibility(\"hidden\")))\n{functions}");
    library(&sandbox, "stranger.so", &of("int add(int a) { return a; }\n"));
    refused(&sandbox, "stranger.so", &["none of the functions of a plugin", "sdk/c/pocket_plugin.h"]);
    library(&sandbox, "python.so", &of("void *PyInit_x(void) { return 0; }\n"));
    refused(&sandbox, "python.so", &["it looks like a Python extension"]);
    library(
        &sandbox,
        "near.so",
        &of(
            "HIDDEN unsigned pocket_plugin_abi(void) { return 1; }\nint pocket_plugin_rnu(void) { return 0; }\nvoid pocket_plugin_free(void) {}\n",
        ),
    );
    refused(
        &sandbox,
        "near.so",
        &["it is there and hidden", "did you mean `pocket_plugin_rnu`?", "which nobody calls"],
    );
    library(
        &sandbox,
        "newer.so",
        &of(
            "unsigned pocket_plugin_abi(void) { return 7; }\nint pocket_plugin_run(void) { return 0; }\nvoid pocket_plugin_free(void) {}\n",
        ),
    );
    refused(&sandbox, "newer.so", &["version 7 of the plugin interface, this engine serves version 1"]);

    let mut other = std::fs::read(sandbox.path("stranger.so")).unwrap();
    other[18] = 0xb7; // e_machine: AArch64
    std::fs::write(sandbox.path("arm.so"), other).unwrap();
    refused(&sandbox, "arm.so", &["it is for aarch64, and this machine is", "build it for"]);
    sandbox.write("program.c", "int main(void) { return 0; }\n");
    for (arguments, parts) in [(["-c", "object.so"], "an object file"), (["-O0", "program.so"], "it is a program")] {
        let mut compiler = sandbox.command("gcc");
        assert!(compiler.args([arguments[0], "-o", arguments[1], "program.c"]).status().unwrap().success());
        refused(&sandbox, arguments[1], &[parts, "link it as a shared library"]);
    }
}

#[test]
fn what_is_fine_is_told_with_what_it_asks_for_and_what_is_misspelled() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "p/manifest.yaml",
        "name: teller\nversion: 1.0.0\nruntime: lua\nbinary: main.lua\ndescripton: Tells\nnodes:\n  - type: tell-all\n    configSchema: {type: object, properties: {n: {type: integer}}}\n    examples: [{name: one, config: {n: 1}, input: 1}]\npermissions: {env: [HOME]}\n",
    );
    sandbox.write("p/main.lua", "function tell_al() end\n");
    let checked = sandbox.pocket(&["plugin", "check", "./p"]).success().stdout;
    for part in [
        "it is `teller` 1.0.0, a lua plugin",
        "`descripton` is not known",
        "did you mean `description`?",
        "may read the environment variable HOME",
        "did you mean `tell_al`?",
        "it loads",
        "the plugin can be used",
    ] {
        assert!(checked.contains(part), "{part} in\n{checked}");
    }
    sandbox.pocket(&["plugin", "pack", "p"]).success();
    let archive = sandbox.pocket(&["plugin", "check", "teller-1.0.0.tar.gz", "-o", "json"]).success().json();
    assert_eq!((&archive["fine"], &archive["plugin"]["name"]), (&true.into(), &"teller".into()));

    let broken = sandbox.read("p/manifest.yaml").replace("config: {n: 1}", "config: {n: one}");
    sandbox.write("p/manifest.yaml", &broken);
    refused(&sandbox, "./p", &["the config of example `one` of `tell-all`"]);
    sandbox.write("p/manifest.yaml", "name: teller\nversion: one\n");
    refused(&sandbox, "./p", &["its manifest is broken: line 2"]);
}

/// A plugin whose one example says what must come out.
fn doubler(sandbox: &Sandbox, body: &str) {
    sandbox.write(
        "p/manifest.yaml",
        "name: doubler\nversion: 1.0.0\nruntime: lua\nbinary: main.lua\nnodes:\n  - type: double\n    inputSchema: {type: number}\n    examples: [{name: seven, input: 7, output: 14}]\n",
    );
    sandbox.write("p/main.lua", &format!("function double(x) {body} end\n"));
    sandbox.write("w.yaml", "name: w\nnodes: [{name: a, type: doubler/double}]\n");
}

#[test]
fn a_test_compares_with_the_examples_or_shows_what_comes_out() {
    let sandbox = Sandbox::new();
    doubler(&sandbox, "return x * 2");
    let passed = sandbox.pocket(&["plugin", "test", "./p"]).success().stdout;
    assert!(passed.contains("ok     double, `seven`") && passed.contains("1 call passed"), "{passed}");
    sandbox.write("data.json", "21");
    let given = sandbox.pocket(&["plugin", "test", "./p", "--input", "data.json", "-o", "json"]).success().json();
    assert_eq!(given["calls"][0]["output"], 42);
    sandbox
        .pocket(&["plugin", "test", "./p", "--node", "triple"])
        .failure(1, &["no node type `triple`, only `double`"]);
    sandbox.write("data.json", "\"x\"");
    let refused = sandbox.pocket(&["plugin", "test", "./p", "--input", "data.json"]);
    assert_eq!(refused.code, 5);
    assert!(refused.stdout.contains("the input does not fit its schema"), "{}", refused.stdout);

    doubler(&sandbox, "return x * 3");
    let failed = sandbox.pocket(&["plugin", "test", "./p"]);
    assert_eq!(failed.code, 5);
    assert!(
        failed.stdout.contains("expected 14, got 21") && failed.stdout.contains("1 of 1 call failed"),
        "{}",
        failed.stdout
    );
}

#[test]
fn a_bench_measures_and_a_call_that_fails_ends_it() {
    let sandbox = Sandbox::new();
    doubler(&sandbox, "return x * 2");
    let measured = sandbox.pocket(&["plugin", "bench", "./p", "--time", "50ms", "-o", "json"]).success().json();
    let node = &measured["nodes"][0];
    assert!(node["calls"].as_u64() >= Some(1) && node["p50_us"].as_u64() <= node["max_us"].as_u64(), "{node}");
    doubler(&sandbox, "error('no')");
    sandbox.pocket(&["plugin", "bench", "./p"]).failure(5, &["calling `double` with `seven` failed", "no"]);
    sandbox.write("q.lua", "function process(x) return x.a.b end");
    sandbox.pocket(&["plugin", "bench", "./q.lua"]).failure(1, &["`q` has no examples", "--input FILE"]);
    sandbox.write("r.lua", "function process(x) return x end");
    let measured = sandbox.pocket(&["plugin", "bench", "./r.lua", "--time", "50ms"]).success().stdout;
    assert!(measured.contains("an empty input"), "{measured}");
}

#[test]
fn a_profile_is_one_page_with_the_parts_of_the_run() {
    let sandbox = Sandbox::new();
    doubler(&sandbox, "local n = 0 for i = 1, 300000 do n += i % 7 end return x * 2");
    sandbox.pocket(&["plugin", "load", "./p"]).success();
    let profile = ["plugin", "profile", "doubler", "--workflow", "w.yaml", "--input", "7", "--runs", "3"];
    let said = sandbox.pocket(&[&profile[..], &["-o", "json"]].concat()).success().json();
    assert_eq!(said["file"], "profile-doubler.html");
    let call = &said["root"]["children"][0]["children"][0];
    assert_eq!((&call["label"], &call["count"]), (&"doubler/double".into(), &3.into()));
    let page = sandbox.read("profile-doubler.html");
    assert!(page.contains("node `a`") && page.contains("doubler/double"), "{page}");
    for foreign in ["<script", "http://", "https://", "url(", "@import"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    sandbox.write("other.yaml", "name: o\nnodes: [{name: a, type: echo}]\n");
    sandbox
        .pocket(&["plugin", "profile", "doubler", "--workflow", "other.yaml"])
        .failure(1, &["`other.yaml` does not use the plugin `doubler`"]);
}

#[test]
fn limits_come_from_the_configuration_and_a_project_cannot_raise_the_users() {
    let sandbox = Sandbox::new();
    doubler(&sandbox, "while true do end");
    sandbox.pocket(&["plugin", "load", "./p"]).success();
    let limited = |limits: &str| sandbox.write("pocket.yaml", &format!("plugins: {{limits: {{{limits}}}}}\n"));
    limited("timeout: 150ms");
    // What was loaded without a project was the user's own.
    sandbox.pocket(&["plugin", "load", "./p"]).success();
    sandbox
        .pocket(&["run", "w.yaml", "--input", "1"])
        .failure(5, &["time limit of 150ms", "plugins.limits.doubler.timeout"]);
    limited("timeout: 20s, doubler: {timeout: 120ms, memory: 8MB}");
    sandbox.pocket(&["run", "w.yaml", "--input", "1"]).failure(5, &["time limit of 120ms"]);
    let info = sandbox.pocket(&["plugin", "info", "doubler", "-v"]).success().stdout;
    assert!(
        info.contains("timeout: 120ms") && info.contains("memory: 8MB") && info.contains("log_lines: 1000"),
        "{info}"
    );
    std::fs::write(sandbox.home().join("pocket.yaml"), "plugins: {limits: {timeout: 100ms}}\n").unwrap();
    sandbox.pocket(&["run", "w.yaml", "--input", "1"]).failure(5, &["time limit of 100ms"]);

    limited("timeut: 1s");
    sandbox.pocket(&["run", "w.yaml"]).failure(1, &["`plugins.limits.timeut` is no limit: known are `timeout`"]);
    limited("timeout: soon");
    sandbox.pocket(&["run", "w.yaml"]).failure(1, &["`plugins.limits.timeout` in", "is no limit", "`soon`"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_native_plugins_time_and_restarts_are_counted() {
    let sandbox = Sandbox::new();
    let echo = std::fs::read_to_string(format!("{ROOT}/fixtures/plugins/c-echo/echo.c")).unwrap();
    library(&sandbox, "libthing.so", &echo);
    sandbox.pocket(&["plugin", "load", "./libthing.so"]).success();
    sandbox.write("w.yaml", "name: w\nnodes: [{name: a, type: c-echo/echo}]\n");
    let profile = ["plugin", "profile", "c-echo", "--workflow", "w.yaml", "-o", "json"];
    let said = sandbox.pocket(&profile).success().json();
    let call = &said["root"]["children"][0]["children"][0];
    assert_eq!(call["children"][0]["label"], "in its process, on the processor");
    let metrics = sandbox.pocket(&["plugin", "metrics", "-o", "json"]).success().json();
    assert!(metrics["nodes"][0]["memory_peak"].as_u64() > Some(0), "{metrics}");
    assert_eq!(metrics["nodes"][0]["restarts"], 0);
}
