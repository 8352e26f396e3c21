//! Plugins in C, C++ and Go, built with the compilers that their authors use. Rust's is `redis_cache`.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use pocket::engine::native::describe;
use pocket::engine::{CallErrorKind, GrantedWords, Limits};
use pocket_index::permissions::Permissions;
use serde_json::{Value, json};

use crate::support::{Held, Setup, built, c_library, compiler, options, root};

/// The shared library of a C++ file under `fixtures`.
fn cpp_library(source: &str) -> PathBuf {
    built(source, |library| {
        let mut gcc = compiler("g++", library);
        gcc.arg(root().join("fixtures").join(source));
        gcc
    })
}

/// The shared library of a Go package under `fixtures/plugins-native`.
fn go_library(package: &str) -> PathBuf {
    built(package, |library| {
        let mut go = Command::new(toolchain("go/bin/go"));
        go.current_dir(root().join("fixtures/plugins-native").join(package)).env("CGO_ENABLED", "1");
        go.args(["build", "-trimpath", "-buildmode=c-shared", "-o"]).arg(library).arg(".");
        go
    })
}

/// A compiler's program, as `fixtures/toolchains/install` puts it down.
fn toolchain(program: &str) -> PathBuf {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let caches = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    let folder = variable("POCKET_TOOLCHAINS").or_else(|| Some(caches?.join("pocket-toolchains")));
    let program = folder.expect("there is a home").join(program);
    assert!(program.exists(), "`{}` is missing: run fixtures/toolchains/install", program.display());
    program
}

#[test]
fn the_header_and_the_example_are_c89_for_every_compiler() {
    let zig = toolchain("zig/bin/zig").display().to_string();
    let [c, cpp] =
        [(&["c89", "c17"], "fixtures/plugins/c-echo/echo.c"), (&["c++98", "c++20"], "sdk/c/pocket_plugin.h")];
    for (compiler, (standards, source)) in [
        (vec!["gcc"], c),
        (vec!["clang"], c),
        (vec![zig.as_str(), "cc"], c),
        (vec!["g++", "-x", "c++"], cpp),
        (vec!["clang++", "-x", "c++"], cpp),
        (vec![zig.as_str(), "c++", "-x", "c++"], cpp),
    ] {
        for standard in standards {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let mut command = Command::new(compiler[0]);
            command.args(&compiler[1..]).arg(format!("-std={standard}"));
            command.args(["-pedantic", "-Wall", "-Wextra", "-Werror", "-I"]).arg(root().join("sdk/c"));
            command.arg("-c").arg(root().join(source)).arg("-o").arg(folder.path().join("object"));
            assert!(command.status().expect("the compiler is installed").success(), "{compiler:?} {standard}");
        }
    }
}

#[test]
fn the_header_of_the_go_package_is_the_header() {
    let [c, go] = ["sdk/c", "sdk/go"].map(|folder| std::fs::read(root().join(folder).join("pocket_plugin.h")));
    assert!(c.expect("it is there") == go.expect("it is there"), "copy sdk/c/pocket_plugin.h to sdk/go");
}

#[test]
fn a_plugin_in_c_plus_plus_throws_and_catches() {
    let plugin = Setup::default().hold(&cpp_library("plugins-native/cpp/plugin.cpp"));
    assert_eq!(plugin.output("join", json!("a")), json!(["a"]));
    assert_eq!(plugin.output("join", json!("b")), json!(["a", "b"]));
    assert_eq!(plugin.error("join", json!(null)).message, "there is nothing to join");
    let error = plugin.error("throw", json!(null));
    assert_eq!(error.kind, CallErrorKind::Crashed);
    assert!(error.message.starts_with("`throw` crashed with SIGABRT (it gave up by itself)"), "{error}");
    assert!(error.message.ends_with("; its last words: what():  nobody catches this"), "{error}");
    let said = &error.details.expect("it has some")["last_lines"];
    assert_eq!(said[0], "terminate called after throwing an instance of 'std::runtime_error'");
    assert_eq!(plugin.output("join", json!("c")), json!(["c"]));
}

#[test]
fn a_plugin_in_go_is_called_with_its_context_and_settings() {
    let settings = json!({"colour": "red"}).as_object().expect("it is an object").clone();
    let plugin = Setup { settings, ..Setup::default() }.hold(&go_library("go-greeter"));
    let reply = plugin.call_with("greet", json!({"greeting": "Hello"}), "Ada").expect("it greets");
    assert_eq!((reply.output, reply.action.as_deref()), (json!("Hello, Ada!"), Some("greeted")));
    let config = json!({});
    let expected = json!({"run": "run", "node": "node", "deadline": true});
    assert_eq!(plugin.call_with("where", config, 1).expect("it answers").output, expected);
    plugin.unload();
    assert_eq!(plugin.log(), [r#"started with {"colour":"red"}"#, "stopped"]);
}

#[test]
fn what_does_not_fit_a_go_node_is_an_invalid_input() {
    let plugin = Setup::default().hold(&go_library("go-greeter"));
    for (config, input, expected) in [
        (json!({"greeting": 1}), json!("Ada"), "the config of `greet` does not fit: json: "),
        (json!({"greting": "Hi"}), json!("Ada"), "the config of `greet` does not fit: json: unknown field"),
        (json!({}), json!([]), "the input of `greet` does not fit: json: "),
        (json!({}), json!(""), "the name is empty"),
    ] {
        let error = plugin.call_with("greet", config, input).expect_err("it does not fit");
        assert_eq!(error.kind, CallErrorKind::InvalidInput);
        assert!(error.message.starts_with(expected), "{}", error.message);
    }
    assert!(plugin.error("nothing", 1).message.contains("no node type `nothing`"));
}

#[test]
fn a_panic_in_go_is_a_crash_with_its_message() {
    let plugin = Setup::default().hold(&go_library("go-greeter"));
    for (node, message) in [("panic", "the shelf is empty"), ("panic-elsewhere", "nobody is watching")] {
        let error = plugin.call_with(node, json!({}), Value::Null).expect_err("it panics");
        assert_eq!(error.kind, CallErrorKind::Crashed);
        assert!(error.message.starts_with(&format!("`{node}` crashed: panic: {message}")), "{}", error.message);
        assert_eq!(plugin.call_with("collect", json!({}), 1).expect("it works anew").output, true);
    }
}

#[test]
fn goroutines_that_stay_behind_and_calls_without_end_cost_their_own_plugin() {
    let limits = Limits { timeout: Duration::from_secs(5), ..Limits::default() };
    let plugin = Setup { limits, ..Setup::default() }.hold(&go_library("go-greeter"));
    let call = |node| plugin.call_with(node, json!({}), Value::Null);
    assert_eq!(call("leak").expect("it leaks").output, true);
    assert_eq!(call("leak").expect("it leaks").output, true);
    assert_eq!(call("sleep").expect_err("it sleeps").kind, CallErrorKind::Timeout);
    assert_eq!(call("wait").expect_err("it waits").kind, CallErrorKind::Timeout);
    assert_eq!(call("collect").expect("it works").output, true);
}

#[test]
fn a_plugin_in_go_is_confined_like_any_other() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    let asked = Permissions { network: vec![format!("127.0.0.1:{port}")], ..Permissions::default() };
    let plugin = Setup { asked, granted: GrantedWords::all(), ..Setup::default() }.hold(&go_library("go-greeter"));
    let call = |node, input: Value| plugin.call_with(node, json!({}), input);
    let error = call("read", json!("/etc/passwd")).expect_err("it is not granted");
    assert_eq!(error.message, "open /etc/passwd: permission denied");
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the plugin connects");
        let mut ping = [0; 4];
        stream.read_exact(&mut ping).expect("the plugin writes");
        stream.write_all(b"pong").expect("the plugin reads");
    });
    assert_eq!(call("ask", json!(port)).expect("it is granted").output, "pong");
    answering.join().expect("it does not panic");
    assert_eq!(call("ask", json!(1)).expect_err("it is not granted").kind, CallErrorKind::Denied);
}

#[test]
fn an_http_request_goes_through_the_engine_where_it_was_granted() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    let asked = Permissions { http: vec![format!("127.0.0.1:{port}")], ..Permissions::default() };
    let held = |granted| {
        let asked = asked.clone();
        Setup { asked, granted, ..Setup::default() }.hold(&go_library("go-greeter"))
    };
    let fetch = |plugin: &Held, url: String| plugin.call_with("fetch", json!({}), url);
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the engine connects");
        let mut request = Vec::new();
        while !request.ends_with(b"\0ping") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("the engine writes");
            request.push(byte[0]);
        }
        stream.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\npong").expect("the engine reads");
        String::from_utf8(request).expect("it is UTF-8")
    });
    let plugin = held(GrantedWords::all());
    let reply = fetch(&plugin, format!("http://127.0.0.1:{port}/path")).expect("it is granted");
    assert_eq!(reply.output, json!({"status": 201, "body": "pong"}));
    let request = answering.join().expect("it does not panic");
    assert!(request.starts_with("POST /path HTTP/1.1\r\n") && request.contains("x-greeting: hello"), "{request}");

    let error = fetch(&plugin, "http://127.0.0.1:1/".to_owned()).expect_err("it is not asked for");
    assert_eq!(error.kind, CallErrorKind::Denied);
    let ungranted = held(GrantedWords::none());
    let error = fetch(&ungranted, format!("http://127.0.0.1:{port}/")).expect_err("it is not granted");
    assert_eq!(error.kind, CallErrorKind::Denied);
    assert!(error.message.contains("`http_client` was not granted"), "{error}");
}

#[test]
fn two_plugins_in_go_live_side_by_side_and_one_is_unloaded() {
    let greeter = Setup::default().hold(&go_library("go-greeter"));
    let counter = Setup::default().hold(&go_library("go-counter"));
    for count in 1..=3 {
        assert_eq!(counter.output("count", 1), count);
        let reply = greeter.call_with("greet", json!({"greeting": "Hi"}), "Bo").expect("it greets");
        assert_eq!(reply.output, "Hi, Bo!");
    }
    greeter.unload();
    assert_eq!(counter.output("count", 1), 4);
}

#[test]
fn a_library_in_go_or_c_without_a_manifest_describes_itself() {
    let manifest = describe(&go_library("go-greeter"), &options()).expect("it loads").expect("it has a manifest");
    let manifest: Value = serde_json::from_str(&manifest).expect("it is JSON");
    assert_eq!((&manifest["name"], &manifest["version"]), (&json!("go-greeter"), &json!("1.0.0")));
    assert_eq!(manifest["nodes"][0], json!({"type": "greet", "description": "Greets whom it is given"}));
    let manifest = describe(&c_library("c-echo/echo.c"), &options()).expect("it loads").expect("it has a manifest");
    assert!(manifest.contains("echo"), "{manifest}");
}
