//! What a publish is answered.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::Command;

use data_encoding::BASE64;
use pocket_index::digest::Digest;
use pocket_index::publish::PublishHeader;

use crate::http::{ask, connect, get, publish, read};
use crate::plugin::{author, release, yank};
use crate::program::{PROGRAM, Program, files_in, key_of};
use crate::tree::check;

#[test]
fn a_release_is_published_once_and_never_changes() {
    let folder = tempfile::tempdir().unwrap();
    let server = Program::on_folder(folder.path(), &[]);
    let body = release("greeting", "1.0.0", "return 1", &author(1));
    let first = publish(server.address, &body);
    let again = publish(server.address, &body);
    assert_eq!((first.status, again.status), (201, 200), "{first:?} {again:?}");
    assert_eq!(first.json(), again.json());
    let other = publish(server.address, &release("greeting", "1.0.0", "return 2", &author(1)));
    assert_eq!((other.status, other.code().as_str()), (409, "version_exists"));
    assert_eq!(other.text().matches("sha256:").count(), 2, "both digests: {}", other.text());
    let foreign = publish(server.address, &release("greeting", "1.1.0", "return 3", &author(2)));
    assert_eq!((foreign.status, foreign.code().as_str()), (403, "not_allowed"));
    let yanked = yank("greeting", "1.0.0", "old", &author(1));
    let more = publish(server.address, &[yanked.as_slice(), b"archive"].concat());
    assert_eq!((more.status, more.code().as_str()), (422, "unexpected_archive"));
    assert_eq!(publish(server.address, &yanked).status, 201);
    assert_eq!(check(&files_in(&folder.path().join("tree")), &key_of(&folder.path().join("registry.key"))).len(), 2);
}

#[test]
fn a_body_that_is_not_what_it_should_be_is_refused_for_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let server = Program::on_folder(folder.path(), &[]);
    let good = release("greeting", "1.0.0", "return 1", &author(1));
    let header = 4 + u32::from_be_bytes(*good.first_chunk().unwrap()) as usize;
    let framed = |json: &str| [&u32::try_from(json.len()).unwrap().to_be_bytes(), json.as_bytes()].concat();
    let mut changed = good.clone();
    changed[header + 100] ^= 1;
    let body = |body: &[u8], status: u16, code: &str| {
        let answer = publish(server.address, body);
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", answer.text());
    };
    body(b"x", 400, "malformed");
    body(&[0xff; 100], 400, "malformed");
    body(&framed("{"), 400, "malformed");
    body(&framed("{\"event\":\"\\u0000\",\"signatures\":[]}"), 400, "malformed");
    body(&framed("{\"event\":\"{}\",\"signatures\":[]}"), 400, "malformed");
    body(&good[..header - 1], 400, "malformed");
    body(&good[..header], 422, "truncated");
    body(&good[..good.len() - 1], 422, "truncated");
    body(&[good.as_slice(), b"x"].concat(), 422, "trailing_bytes");
    body(&changed, 422, "archive");
    body(&yank("greeting", "1.0.0", "", &author(1)), 403, "not_allowed");
    let files = files_in(&folder.path().join("tree"));
    assert!(!files.keys().any(|path| path.starts_with("a/") || path.starts_with("index/")), "nothing is left of them");
}

#[test]
fn a_body_is_held_to_the_digest_that_was_sent_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Program::on_folder(folder.path(), &[]);
    let body = release("greeting", "1.0.0", "return 1", &author(1));
    let send =
        |digest: &str| ask(server.address, "PUT", "/api/v1/publish", &[("Content-Digest", digest)], &body).unwrap();
    let of = |bytes: &[u8]| format!("sha-256=:{}:", BASE64.encode(Digest::of(bytes).as_bytes()));
    let wrong = send(&of(b"something else"));
    assert_eq!((wrong.status, wrong.code().as_str()), (400, "digest_mismatch"));
    for malformed in ["sha-256=abc", "sha-256=:abc:", "sha-256=::"] {
        let answer = send(malformed);
        assert_eq!((answer.status, answer.code().as_str()), (400, "malformed"), "{malformed}");
    }
    assert_eq!(send(&format!("sha-512=:AAAA:, {}", of(&body))).status, 201);
}

/// Sends a request's head, then pieces until the server has enough; what it says then.
fn send_without_end(address: SocketAddr, head: &[u8], piece: &[u8]) -> (Option<crate::http::Answer>, usize) {
    let mut stream = connect(address);
    stream.write_all(head).unwrap();
    let mut sent = 0;
    while sent < 2 << 30 && stream.write_all(piece).is_ok() {
        sent += piece.len();
    }
    (read(&mut stream), sent)
}

#[test]
fn endless_bodies_are_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let server = Program::on_folder(folder.path(), &[]);
    // It says so itself: 10 GB.
    let mut stream = connect(server.address);
    stream.write_all(b"PUT /api/v1/publish HTTP/1.1\r\nHost: x\r\nContent-Length: 10737418240\r\n\r\n").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let answer = read(&mut stream).expect("it is told before it sends anything");
    assert_eq!((answer.status, answer.code().as_str()), (413, "too_large"));
    // It does not say, and goes on after the archives: some bytes, or without end.
    let body = release("greeting", "1.0.0", "return 1", &author(1));
    let begun = [CHUNKED.as_bytes(), &chunk(&body)].concat();
    let mut stream = connect(server.address);
    stream.write_all(&[begun.as_slice(), &chunk(b"more")].concat()).unwrap();
    let answer = read(&mut stream).expect("it is told");
    assert_eq!((answer.status, answer.code().as_str()), (422, "trailing_bytes"), "{}", answer.text());
    let (answer, sent) = send_without_end(server.address, &begun, &chunk(&[0x7b; 1 << 16]));
    assert!(sent < 64 << 20, "{sent} bytes were taken");
    assert!(answer.is_none_or(|answer| answer.code() == "trailing_bytes"));
    assert_eq!(get(server.address, "/healthz").status, 200);
    assert!(!files_in(&folder.path().join("tree")).keys().any(|path| path.starts_with("a/")));
}

#[test]
fn a_body_that_does_not_say_its_length_has_the_same_limit() {
    let folder = tempfile::tempdir().unwrap();
    let server = Program::on_folder(folder.path(), &["--max-body", "1"]);
    // The archive alone would fit, and the header makes it too much.
    let header = header_of_size(&release("greeting", "1.0.0", "return 1", &author(1)), (1 << 20) - 100);
    let archive = vec![0; (1 << 20) - 100];
    let mut stream = connect(server.address);
    stream.write_all(&[CHUNKED.as_bytes(), &chunk(&header), &chunk(&archive)].concat()).unwrap();
    let answer = read(&mut stream).expect("it is told");
    assert_eq!((answer.status, answer.code().as_str()), (413, "too_large"), "{}", answer.text());
}

const CHUNKED: &str = "PUT /api/v1/publish HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// The header of a publish by author 1, which says that its archive has another size.
fn header_of_size(body: &[u8], size: usize) -> Vec<u8> {
    let (header, archive) = PublishHeader::decode(body).unwrap();
    let event = header.event.replace(&format!("\"size\":{}", archive.len()), &format!("\"size\":{size}"));
    assert_ne!(event, header.event);
    let signatures = vec![author(1).sign_event("release", &event)];
    PublishHeader { event, signatures }.encode()
}

#[test]
fn who_may_not_publish_hears_so_before_the_archives_are_sent() {
    let folder = tempfile::tempdir().unwrap();
    let server = Program::on_folder(folder.path(), &[]);
    let body = |version: &str, seed| release("greeting", version, "return 1", &author(seed));
    assert_eq!(publish(server.address, &body("1.0.0", 1)).status, 201);
    let (own, foreign) = (body("1.1.0", 1), body("1.1.0", 2));
    let (mut forged, _) = PublishHeader::decode(&own).unwrap();
    forged.event = forged.event.replace("For a test", "For a rest");
    let header = |body: &[u8]| PublishHeader::decode(body).unwrap().0.encode();
    for (header, status, code, said) in [
        (header(&foreign), 403, "not_allowed", "owner keys"),
        (forged.encode(), 403, "not_allowed", "signature"),
        (header_of_size(&own, 200_000_000), 422, "archive", "at most 134217728"),
        (PublishHeader { signatures: Vec::new(), ..forged }.encode(), 400, "malformed", "no signature"),
    ] {
        let mut stream = connect(server.address);
        let head = format!("PUT /api/v1/publish HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", 250_000_000);
        stream.write_all(&[head.as_bytes(), &header].concat()).unwrap();
        // Nothing more is sent, and the connection stays open.
        let answer = read(&mut stream).expect("an answer");
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", answer.text());
        assert!(answer.text().contains(said), "{}", answer.text());
    }
}

#[test]
fn a_sender_of_a_byte_a_second_is_told_and_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let server = Program::on_folder(folder.path(), &["--patience", "1"]);
    let body = release("greeting", "1.0.0", "return 1", &author(1));
    let mut stream = connect(server.address);
    let head = format!("PUT /api/v1/publish HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).unwrap();
    let mut sent = 0;
    while sent < 20 && stream.write_all(&body[sent..=sent]).is_ok() {
        sent += 1;
        std::thread::sleep(std::time::Duration::from_millis(250));
    }
    let answer = read(&mut stream);
    // The answer may be lost where the sender goes on after it; the connection is gone in any case.
    assert!(answer.is_none_or(|answer| answer.status == 408 && answer.code() == "too_slow"));
    assert!(sent < 20, "it was heard for 5 s");
}

/// Runs the server where the disk has 1 MiB.
fn on_a_small_disk(folder: &std::path::Path) -> Program {
    let script =
        format!("mount -t tmpfs -o size=1m tmpfs {0} && exec {PROGRAM} --addr 127.0.0.1:0 --dir {0}", folder.display());
    Program::start(Command::new("unshare").args(["-Urm", "sh", "-c", &script])).expect("it serves")
}

#[test]
fn a_full_disk_is_said_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let server = on_a_small_disk(folder.path());
    let noise: String = (0..4_000).map(|number| Digest::of(format!("{number}").as_bytes()).hex()).collect();
    let mut published = Vec::new();
    let refused = loop {
        let name = format!("plugin{}", published.len());
        let answer = publish(server.address, &release(&name, "1.0.0", &format!("-- {noise}"), &author(1)));
        match answer.status {
            201 => published.push(name),
            _ => break answer,
        }
        assert!(published.len() < 50, "the disk is small");
    };
    assert_eq!((refused.status, refused.code().as_str()), (507, "storage_full"));
    assert!(!published.is_empty());
    for name in &published {
        assert_eq!(get(server.address, &format!("/index/pl/ug/{name}")).status, 200, "{name}");
    }
    let checkpoint = get(server.address, "/log/checkpoint").text();
    assert_eq!(checkpoint.lines().nth(1).unwrap(), published.len().to_string(), "{checkpoint}");
    assert_eq!(get(server.address, "/readyz").status, 200);
    // What is small still fits, or is refused for the same reason.
    let small = publish(server.address, &yank(&published[0], "1.0.0", "too large", &author(1)));
    assert!(matches!(small.status, 201 | 507), "{}", small.text());
}
