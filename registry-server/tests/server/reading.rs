//! What readers get, whatever they ask for.

use std::io::Write as _;

use crate::http::{ask, connect, get, publish, read};
use crate::plugin::{author, release};
use crate::program::{Program, files_in};

#[test]
fn files_are_served_whole_in_part_and_only_if_they_changed() {
    let folder = tempfile::tempdir().unwrap();
    let server = Program::on_folder(folder.path(), &[]);
    // Larger than what is kept in memory: it is read in pieces.
    let noise: String =
        (0..50_000).map(|number| pocket_index::digest::Digest::of(format!("{number}").as_bytes()).hex()).collect();
    for (name, source) in [("small", "return 1".to_owned()), ("large", format!("-- {noise}"))] {
        assert_eq!(publish(server.address, &release(name, "1.0.0", &source, &author(1))).status, 201);
    }
    let files = files_in(&folder.path().join("tree"));
    assert!(files.iter().any(|(path, bytes)| path.starts_with("a/") && bytes.len() > 1 << 20));
    for (path, bytes) in &files {
        let url = format!("/{path}");
        let ask = |method, headers: &[(&str, &str)]| ask(server.address, method, &url, headers, b"").unwrap();
        let whole = ask("GET", &[]);
        assert_eq!((whole.status, &whole.body), (200, bytes), "{path}");
        assert_eq!(whole.header("x-content-type-options"), Some("nosniff"), "{path}");
        let etag = whole.header("etag").unwrap().to_owned();
        let head = ask("HEAD", &[]);
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(head.header("content-length"), Some(bytes.len().to_string().as_str()));
        assert_eq!(head.header("etag"), Some(etag.as_str()));
        for known in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()] {
            let fresh = ask("GET", &[("If-None-Match", &known)]);
            assert_eq!((fresh.status, fresh.body.len()), (304, 0), "{path} {known}");
        }
        assert_eq!(ask("GET", &[("If-None-Match", "\"x\"")]).status, 200);
        let last = bytes.len() - 1;
        let part = ask("GET", &[("Range", &format!("bytes=1-{last}"))]);
        assert_eq!((part.status, part.body.as_slice()), (206, &bytes[1..]), "{path}");
        assert_eq!(part.header("content-range"), Some(format!("bytes 1-{last}/{}", bytes.len()).as_str()));
        assert_eq!(ask("GET", &[("Range", "bytes=-1")]).body, &bytes[last..]);
        assert_eq!(ask("GET", &[("Range", "bytes=1-"), ("If-Range", "\"x\"")]).status, 200);
        assert_eq!(ask("GET", &[("Range", &format!("bytes={}-", bytes.len()))]).status, 416);
        let immutable = path.starts_with("a/") || path.starts_with("log/tile/");
        assert_eq!(whole.header("cache-control").unwrap().contains("immutable"), immutable, "{path}");
    }
}

#[test]
fn what_was_replaced_is_served_anew_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Program::on_folder(folder.path(), &[]);
    for version in 1..20 {
        let version = format!("1.{version}.0");
        assert_eq!(publish(server.address, &release("greeting", &version, "return 1", &author(1))).status, 201);
        assert!(get(server.address, "/index/gr/ee/greeting").text().contains(&version), "{version}");
    }
}

#[test]
fn paths_lead_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "secret").unwrap();
    let server = Program::on_folder(folder.path(), &[]);
    std::os::unix::fs::symlink(folder.path().join("tree"), folder.path().join("tree/a")).unwrap();
    for path in [
        "/registry.key",
        "/head.json",
        "/tree/config.json",
        "/../registry.key",
        "/index/../../registry.key",
        "/index/%2e%2e/%2e%2e/registry.key",
        "/index/..%2f..%2fregistry.key",
        "/index/..\\..\\registry.key",
        "/a/../../secret",
        "/log/./../../secret",
        "/log//checkpoint",
        "/log/checkpoint/",
        "/log/checkpoint%00",
        "/index/.lock",
        "/log",
        "//",
        "/api/v1/",
        "/api/v1/nothing",
        "/CONFIG.JSON",
        // Longer than the name of a file, and than a path, can be.
        &format!("/index/{}", "a".repeat(300)),
        &format!("/index{}", "/aaaa".repeat(1_000)),
    ] {
        let answer = get(server.address, path);
        assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(!answer.text().contains("SECRET KEY"), "{path}");
    }
}

#[test]
fn methods_that_are_not_answered_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let server = Program::on_folder(folder.path(), &[]);
    for (method, path) in [
        ("POST", "/config.json"),
        ("DELETE", "/log/checkpoint"),
        ("PUT", "/index/gr/ee/greeting"),
        ("GET", "/api/v1/publish"),
        ("POST", "/api/v1/publish"),
        ("BREW", "/healthz"),
    ] {
        let answer = ask(server.address, method, path, &[], b"").unwrap();
        assert_eq!((answer.status, answer.code().as_str()), (405, "method_not_allowed"), "{method} {path}");
        assert!(answer.header("allow").is_some(), "{method} {path}");
    }
}

#[test]
fn requests_that_are_too_long_or_no_text_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Program::on_folder(folder.path(), &[]);
    let long = get(server.address, &format!("/config.json?{}", "q".repeat(20_000)));
    assert_eq!((long.status, long.code().as_str()), (414, "uri_too_long"));
    for request in [
        format!("GET /config.json?{} HTTP/1.1\r\nHost: x\r\n\r\n", "q".repeat(1 << 20)),
        format!("GET /config.json HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "q".repeat(1 << 20)),
        "GET /config\u{7}.json HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET /config.json HTTP/1.1\r\nHost: x\r\nX: a\u{0}b\r\n\r\n".to_owned(),
        "\u{1}\u{2}\u{3}\r\n\r\n".to_owned(),
    ] {
        let mut stream = connect(server.address);
        // It may be refused before all of it is read.
        let _ = stream.write_all(request.as_bytes());
        let answer = read(&mut stream);
        assert!(answer.as_ref().is_none_or(|answer| (400..500).contains(&answer.status)), "{answer:?}");
    }
    assert_eq!(get(server.address, "/config.json").status, 200);
}
