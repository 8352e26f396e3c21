//! How much of a server anybody gets.

use std::io::{Read as _, Write as _};

use crate::accounts::{ask_with, run, token};
use crate::http::{Answer, ask, connect, get, publish, read};
use crate::plugin::{author, release};
use crate::program::Program;

#[test]
fn a_thousand_idle_connections_keep_nobody_out_and_are_ended() {
    let folder = tempfile::tempdir().unwrap();
    let server = Program::on_folder(folder.path(), &["--patience", "2"]);
    let mut idle: Vec<_> = (0..1_000).map(|_| connect(server.address)).collect();
    // Most of them begin something and never end it.
    let begun: [&[u8]; 4] = [b"GET /config.json HTTP/1.1\r\nHost: x\r\n", b"P", b"PRI * HTTP/2.0\r\n\r\n", b"PUT"];
    for (stream, begun) in idle.iter_mut().skip(200).zip(begun.iter().cycle()) {
        stream.write_all(begun).unwrap();
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
fn all_connections_of_a_proxy_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let more = ["--max-connections-per-address", "2", "--behind-proxy", "--trusted-proxy", "127.0.0.1"];
    let server = Program::on_folder(folder.path(), &more);
    let _taken: Vec<_> = (0..20).map(|_| connect(server.address)).collect();
    assert_eq!(get(server.address, "/healthz").status, 200);
}

#[test]
fn who_sends_slowly_keeps_nobody_from_publishing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Program::on_folder(folder.path(), &["--max-publishes", "1"]);
    let body = release("slow", "1.0.0", "return 1", &author(1));
    let length = body.len();
    let head =
        format!("PUT /api/v1/publish HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    let mut slow: Vec<_> = (0..8).map(|_| connect(server.address)).collect();
    for (number, stream) in slow.iter_mut().enumerate() {
        stream.write_all(head.as_bytes()).unwrap();
        // Some begin, and some are nearly through.
        stream.write_all(&body[..if number < 4 { 2 } else { length - 1 }]).unwrap();
    }
    let answer = publish(server.address, &release("quick", "1.0.0", "return 2", &author(2)));
    assert_eq!(answer.status, 201, "{}", answer.text());
    for (number, stream) in slow.iter_mut().enumerate() {
        stream.set_nonblocking(true).unwrap();
        let waiting = stream.read(&mut [0; 1]).expect_err("it was not given up for that");
        assert_eq!(waiting.kind(), std::io::ErrorKind::WouldBlock);
        stream.set_nonblocking(false).unwrap();
        stream.write_all(&body[if number < 4 { 2 } else { length - 1 }..]).unwrap();
        let answer = read(stream).expect("an answer");
        assert_eq!(answer.status, if number == 0 { 201 } else { 200 }, "{}", answer.text());
    }
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
    // Nobody says for themselves that they are the machine that has no limit.
    for local in ["127.0.0.1", "::1", "unknown"] {
        assert!((0..20).any(|_| from(local).status == 429), "{local}");
    }
    // Who is not behind the proxy has it.
    assert!((0..20).all(|_| get(server.address, "/healthz").status == 200));
    assert!(get(server.address, "/metrics").text().contains("pocket_registry_requests_limited_total"));
}

fn is_limited(answer: &Answer) -> bool {
    let is_limited = answer.status == 429;
    if is_limited {
        assert_eq!((answer.code().as_str(), answer.header("retry-after")), ("token_too_many_requests", Some("1")));
        assert!(answer.text().contains("the token `ci` is used too often"), "{}", answer.text());
    }
    is_limited
}

#[test]
fn a_token_has_a_rate_of_its_own_from_wherever_it_is_used() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &["init", "--private"]);
    let [ci, other] = ["ci", "other"].map(|name| token(folder.path(), &[name, "--scope", "publish"]));
    let server = Program::on_folder(folder.path(), &["--behind-proxy", "--rate-per-token", "1"]);
    let from = |host: u8, token: &str, method: &str, path: &str, body: &[u8]| {
        let (address, bearer) = (format!("192.0.2.{host}"), format!("Bearer {token}"));
        let headers = [("X-Forwarded-For", address.as_str()), ("Authorization", &bearer)];
        ask(server.address, method, path, &headers, body).unwrap()
    };
    // Who knows a token's name and not its secret takes nothing from it.
    let forged = format!("{}{}", &ci[..ci.len() - 4], if ci.ends_with("0000") { "1111" } else { "0000" });
    assert!((0..20).all(|host| from(host, &forged, "GET", "/config.json", b"").code() == "token_unknown"));
    // A request counts once, however many look at its token.
    assert!((0..5).all(|host| from(host, &ci, "GET", "/api/v1/token", b"").status == 200));
    assert!((0..20).any(|host| is_limited(&from(host, &ci, "GET", "/config.json", b""))), "each from elsewhere");
    let body = release("geo", "1.0.0", "return 1", &author(1));
    assert!((0..20).any(|host| is_limited(&from(host, &ci, "PUT", "/api/v1/publish", &body))));
    assert_eq!(from(1, &other, "GET", "/config.json", b"").status, 200, "another token is not held up");
    assert!(from(1, &other, "GET", "/metrics", b"").text().contains("pocket_registry_requests_limited_by_token_total"));
}

#[test]
fn where_nobody_needs_a_token_none_is_counted_and_whoever_writes_is() {
    let folder = tempfile::tempdir().unwrap();
    let server = Program::on_folder(folder.path(), &["--tokens", "required", "--rate-per-token", "1"]);
    let ci = token(folder.path(), &["ci", "--scope", "publish"]);
    let asked = |method: &str, path: &str, body: &[u8]| ask_with(server.address, &ci, method, path, body);
    assert!((0..20).all(|_| asked("GET", "/config.json", b"").status == 200));
    let body = release("geo", "1.0.0", "return 1", &author(1));
    assert_eq!(asked("PUT", "/api/v1/publish", &body).status, 201);
    // This machine has no limit, its tokens have.
    assert!((0..20).any(|_| is_limited(&asked("PUT", "/api/v1/publish", &body))));
    assert!((0..20).any(|_| is_limited(&asked("GET", "/api/v1/staged", b""))));
}
