//! Plugins in C, C++ and Go, built with the compilers that their authors use. Rust's is `redis_cache`.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use pocket::engine::native::describe;
use pocket::engine::{CallErrorKind, GrantedWords, Limits};
use pocket_index::permissions::Permissions;
use serde_json::{Value, json};

use crate::support::{Setup, c_library, cpp_library, go_library, options, root, toolchain};

#[test]
fn the_header_and_the_example_are_c89_for_every_compiler() {
    let zig = toolchain("zig/bin/zig").display().to_string();
    let [c, cpp] = [(&["c89", "c17"], "fixtures/plugins/c-echo/echo.c"), (&["c++98", "c++20"], "sdk/c/pocket_plugin.h")];
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
    let expected =
        "`throw` crashed with SIGABRT (it gave up by itself); its last words:   what():  nobody catches this";
    assert_eq!(error.message, expected);
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
