//! A plugin in Rust that has the engine send HTTP requests.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::thread::{self, JoinHandle};

use pocket::engine::{CallErrorKind, GrantedWords};
use pocket_index::permissions::Permissions;
use serde_json::{Value, json};

use crate::support::{Held, Setup, root};

/// Built once for all tests of this binary.
static LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rust-fetcher");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root().join("fixtures/plugins-native/rust-fetcher")).env_remove("CARGO_BUILD_BUILD_DIR");
    cargo.args(["build", "--release", "--locked", "--quiet"]).env("CARGO_TARGET_DIR", &target);
    assert!(cargo.status().expect("cargo runs").success(), "the plugin builds");
    target.join("release/libfetcher.so")
});

/// A server that answers one request, and what it was sent.
fn server(answer: &'static str) -> (u16, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    let answering = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the engine connects");
        let (mut request, mut chunk) = (String::new(), [0; 1024]);
        while !request.contains("\r\n\r\n") || request.starts_with("POST") && !request.ends_with("ping") {
            let length = stream.read(&mut chunk).expect("the engine writes");
            request.push_str(&String::from_utf8_lossy(&chunk[..length]));
        }
        stream.write_all(answer.as_bytes()).expect("the engine reads");
        request
    });
    (port, answering)
}

fn fetcher(port: u16, granted: GrantedWords) -> Held {
    let asked = Permissions { http: vec![format!("127.0.0.1:{port}")], ..Permissions::default() };
    Setup { asked, granted, ..Setup::default() }.hold(&LIBRARY)
}

#[test]
fn a_request_of_a_rust_plugin_goes_through_the_engine() {
    let (port, answering) = server("HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\npong");
    let url = format!("http://127.0.0.1:{port}/path");
    let output = fetcher(port, GrantedWords::all()).output("fetch", json!({"url": url, "body": "ping"}));
    assert_eq!(output, json!({"status": 201, "url": url, "location": null, "body": "pong"}));
    let request = answering.join().expect("it does not panic");
    assert!(request.starts_with("POST /path HTTP/1.1\r\n") && request.contains("x-greeting: hello"), "{request}");
}

#[test]
fn a_redirect_is_the_answer_if_the_plugin_says_so() {
    let (port, answering) = server("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2:1/\r\nContent-Length: 0\r\n\r\n");
    let url = format!("http://127.0.0.1:{port}/");
    let output = fetcher(port, GrantedWords::all()).output("fetch", json!({"url": url, "keep_redirects": true}));
    assert_eq!((&output["status"], &output["location"]), (&json!(302), &json!("http://127.0.0.2:1/")));
    answering.join().expect("it does not panic");
}

#[test]
fn what_is_not_granted_or_does_not_answer_is_an_error_with_its_kind() {
    let plugin = fetcher(1, GrantedWords::all());
    let error = plugin.error("fetch", json!({"url": "http://127.0.0.2/"}));
    assert_eq!(error.kind, CallErrorKind::Denied);
    assert!(error.message.starts_with("not allowed: the plugin used http `127.0.0.2:80`"), "{error}");
    let error = plugin.error("fetch", json!({"url": "http://127.0.0.1:1/"}));
    assert!(error.message.starts_with("ConnectionRefused: "), "{error}");
    assert_eq!(fetcher(1, GrantedWords::none()).error("fetch", url_of(1)).kind, CallErrorKind::Denied);
}

fn url_of(port: u16) -> Value {
    json!({"url": format!("http://127.0.0.1:{port}/")})
}
