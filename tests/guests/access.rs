//! What plugins can reach of the world, asked and granted.

use std::io::{Read as _, Write as _};
use std::path::Path;

use pocket::engine::grants::Word;
use pocket::engine::{CallErrorKind, GrantedWords};
use serde_json::{Value, json};

use crate::support::Setup;

/// Cargo sets it for every test, and no test changes it.
const VARIABLE: &str = "CARGO_PKG_NAME";

fn asks_for_a_variable(language: &'static str) -> Setup {
    Setup { manifest: format!("permissions: {{env: [{VARIABLE}, NOT_SET_ANYWHERE]}}\n"), ..Setup::of(language) }
}

#[test]
fn there_are_the_variables_that_were_granted_and_no_others() {
    for language in ["rust-wasi", "go"] {
        let granted = asks_for_a_variable(language).load().expect("it loads");
        assert_eq!(granted.output("environment", Value::Null), json!(["CARGO_PKG_NAME=pocket"]), "{language}");
        let refused = Setup { granted: GrantedWords::none(), ..asks_for_a_variable(language) };
        let found = refused.load().expect("it loads").output("environment", Value::Null);
        assert_eq!(found, json!([]), "{language}");
    }
}

fn asks_for_folders(folder: &Path, accesses: &[&str]) -> Setup {
    let entries: Vec<_> = accesses.iter().map(|access| format!("\"{access}:{}\"", folder.display())).collect();
    let manifest = format!("permissions: {{filesystem: [{}]}}\n", entries.join(", "));
    Setup { manifest, ..Setup::of("rust-wasi") }
}

#[test]
fn a_folder_is_read_and_not_written_unless_both_were_granted() {
    let outside = tempfile::tempdir().expect("a temporary folder");
    let folder = outside.path().join("data");
    std::fs::create_dir(&folder).expect("it can be made");
    std::fs::write(folder.join("in.txt"), "inside").expect("it can be written");
    std::fs::write(outside.path().join("secret.txt"), "outside").expect("it can be written");
    std::os::unix::fs::symlink(outside.path(), folder.join("link")).expect("a link can be made");
    let input = |path: &str| json!({"path": folder.join(path)});
    let output = json!({"path": folder.join("out.txt"), "text": "written"});

    let reads = asks_for_folders(&folder, &["read"]).load().expect("it loads");
    assert_eq!(reads.output("file", input("in.txt")), "inside");
    reads.error("file", output.clone());
    for path in ["../secret.txt", "link/secret.txt", "/etc/passwd"] {
        reads.error("file", input(path));
    }

    let both = asks_for_folders(&folder, &["read", "write"]);
    both.load().expect("it loads").output("file", output.clone());
    assert_eq!(std::fs::read_to_string(folder.join("out.txt")).expect("it was written"), "written");
    let reads_only = Setup { granted: GrantedWords::of([Word::ReadFiles]), ..both };
    reads_only.load().expect("it loads").error("file", output);
    let neither = Setup { granted: GrantedWords::none(), ..asks_for_folders(&folder, &["read"]) };
    neither.load().expect("it loads").error("file", input("in.txt"));
}

#[test]
fn what_wasi_cannot_hold_apart_is_refused_when_the_plugin_is_loaded() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let load = |setup: Setup| setup.load().err().expect("it is refused").message;
    let message = load(asks_for_folders(folder.path(), &["write"]));
    assert!(message.contains("can write to a folder only if it may also read it"), "{message}");
    let message = load(asks_for_folders(&folder.path().join("gone"), &["read"]));
    assert!(message.contains("gone`, which cannot be opened: No such file"), "{message}");
}

/// A server that answers one connection with what it was sent.
fn echo_server() -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the plugin connects");
        let mut line = [0; 5];
        stream.read_exact(&mut line).expect("the plugin sends five bytes");
        stream.write_all(&line).expect("the plugin reads them");
    });
    address
}

#[test]
fn a_connection_goes_to_the_host_and_port_that_were_granted_and_nowhere_else() {
    let (address, other) = (echo_server(), echo_server());
    let manifest = format!("permissions: {{network: [\"localhost:{}\"]}}\n", address.port());
    let guest = Setup { manifest, ..Setup::of("rust-wasi") }.load().expect("it loads");
    assert_eq!(guest.output("connect", format!("localhost:{}", address.port())), "ping\n");
    for refused in [format!("localhost:{}", other.port()), "example.com:80".to_owned()] {
        let error = guest.error("connect", refused.clone());
        assert_eq!(error.kind, CallErrorKind::Denied, "{refused}: {error}");
    }
}

#[test]
fn a_connection_that_the_manifest_does_not_ask_for_is_denied() {
    let guest = Setup::of("rust-wasi").load().expect("it loads");
    let error = guest.error("connect", "127.0.0.1:9");
    insta::assert_snapshot!(error.kind, @"denied");
    assert!(error.message.contains("which its manifest does not ask for under `permissions.network`"), "{error}");
}
