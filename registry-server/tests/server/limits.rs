//! How much of a server anybody gets.

use std::io::{Read as _, Write as _};

use crate::http::{ask, connect, get};
use crate::program::Program;

#[test]
fn a_thousand_idle_connections_keep_nobody_out_and_are_ended() {
    let folder = tempfile::tempdir().unwrap();
    let server = Program::on_folder(folder.path(), &["--patience", "2"]);
    let mut idle: Vec<_> = (0..1_000).map(|_| connect(server.address)).collect();
    // Half of them begin a request and never end it.
    for stream in idle.iter_mut().skip(500) {
        stream.write_all(b"GET /config.json HTTP/1.1\r\nHost: x\r\n").unwrap();
    }
    assert_eq!(get(server.address, "/config.json").status, 200);
    for mut stream in idle {
        let mut rest = Vec::new();
        // Closed or reset, but not waited for.
        let ended = stream.read_to_end(&mut rest);
        assert!(ended.is_ok() || ended.is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock));
    }
    assert!(get(server.address, "/metrics").text().contains("pocket_registry_connections 1\n"));
}

#[test]
fn connections_beyond_the_limit_are_told_to_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let server = Program::on_folder(folder.path(), &["--max-connections", "5"]);
    let mut taken: Vec<_> = (0..5).map(|_| connect(server.address)).collect();
    for stream in &mut taken {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        stream.read_exact(&mut [0; 12]).unwrap();
    }
    let beyond = get(server.address, "/healthz");
    assert_eq!((beyond.status, beyond.code().as_str(), beyond.header("retry-after")), (503, "busy", Some("1")));
    drop(taken);
    let again = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        get(server.address, "/healthz").status == 200
    });
    assert!(again, "their places are free again");
}

#[test]
fn behind_a_proxy_each_address_has_a_rate_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let server = Program::on_folder(folder.path(), &["--behind-proxy", "--rate", "1"]);
    let from = |address: &str| ask(server.address, "GET", "/healthz", &[("X-Forwarded-For", address)], b"").unwrap();
    let answers: Vec<_> = (0..20).map(|_| from("192.0.2.1")).collect();
    let limited = answers.iter().find(|answer| answer.status == 429).expect("it asks too often");
    assert_eq!((limited.code().as_str(), limited.header("retry-after")), ("too_many_requests", Some("1")));
    assert_eq!(from("192.0.2.2").status, 200);
    // Whoever writes the header themselves stands further left in it.
    assert_eq!(from("198.51.100.7, 192.0.2.1").status, 429);
    assert!(get(server.address, "/metrics").text().contains("pocket_registry_requests_limited_total"));
}
