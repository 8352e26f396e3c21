//! Releases that wait for signatures.

use std::net::SocketAddr;

use pocket_index::publish::PublishHeader;
use pocket_index::signature::SecretKey;

use crate::accounts::{ask_with, token};
use crate::http::{Answer, ask, get, publish};
use crate::owners::{owner_keys, unsigned};
use crate::plugin::{author, release, yank};
use crate::program::{Program, files_in, key_of};
use crate::tree::check;

const GEO: &str = "/api/v1/staged/geo/1.1.0";

fn stage(address: SocketAddr, body: &[u8]) -> Answer {
    ask(address, "PUT", "/api/v1/staged", &[], body).expect("an answer")
}

/// Signs the event of a body.
fn sign(address: SocketAddr, body: &[u8], key: &SecretKey) -> Answer {
    let (header, _) = PublishHeader::decode(body).expect("a body");
    let signature = serde_json::to_vec(&key.sign_event("release", &header.event)).unwrap();
    ask(address, "PUT", &format!("{GEO}/signatures"), &[], &signature).expect("an answer")
}

/// A plugin `geo` of two owners, both of whom must sign.
fn with_two_owners(more: &[&str]) -> (tempfile::TempDir, Program) {
    let folder = tempfile::tempdir().unwrap();
    let server = Program::on_folder(folder.path(), more);
    assert_eq!(publish(server.address, &release("geo", "1.0.0", "return 1", &author(1))).status, 201);
    let owners = owner_keys("geo", &[&author(1), &author(2)], 2, &author(1));
    assert_eq!(publish(server.address, &owners).status, 201);
    (folder, server)
}

#[test]
fn a_release_waits_unseen_until_the_last_signature_publishes_it() {
    let (folder, server) = with_two_owners(&[]);
    let address = server.address;
    let body = release("geo", "1.1.0", "return 2", &author(1));
    assert_eq!(publish(address, &body).code(), "not_allowed");
    let before = files_in(&folder.path().join("tree"));
    let waits = stage(address, &body);
    assert_eq!((waits.status, &waits.json()["needed"]), (201, &2.into()), "{}", waits.text());
    assert_eq!(files_in(&folder.path().join("tree")), before, "nothing of it is in the tree");
    let archive = waits.json()["event"].as_str().unwrap().split("sha256:").nth(1).unwrap()[..64].to_owned();
    assert_eq!(get(address, &format!("/a/{}/{archive}.tar.gz", &archive[..2])).status, 404);
    assert_eq!(get(address, "/staged/geo/1.1.0.json").status, 404);

    assert_eq!(get(address, "/api/v1/staged").json()[0]["version"], "1.1.0");
    let bytes = get(address, &format!("{GEO}/archives/{archive}"));
    assert_eq!((bytes.status, bytes.body.as_slice()), (200, &body[body.len() - bytes.body.len()..]));
    let same = sign(address, &body, &author(1));
    assert_eq!(same.status, 202, "the same owner twice is one: {}", same.text());
    let published = sign(address, &body, &author(2));
    assert_eq!(published.status, 201, "{}", published.text());
    assert_eq!(sign(address, &body, &author(2)).json(), published.json(), "an answer that got lost comes again");
    assert_eq!((get(address, GEO).status, get(address, "/api/v1/staged").text().as_str()), (404, "[]"));
    assert_eq!(check(&files_in(&folder.path().join("tree")), &key_of(&folder.path().join("registry.key"))).len(), 3);
    assert!(!files_in(folder.path()).keys().any(|path| path.starts_with("staged/")));
}

#[test]
fn only_owners_sign_and_only_what_waits() {
    let (_folder, server) = with_two_owners(&[]);
    let address = server.address;
    let body = release("geo", "1.1.0", "return 2", &author(1));
    let refused = |answer: &Answer, status: u16, code: &str| {
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", answer.text());
    };
    refused(&sign(address, &body, &author(2)), 404, "not_found");
    refused(&stage(address, &unsigned(&body)), 403, "not_allowed");
    refused(&stage(address, &release("geo", "1.1.0", "return 2", &author(9))), 403, "not_allowed");
    refused(&stage(address, &release("geo", "1.0.0", "return 2", &author(1))), 409, "version_exists");
    refused(&stage(address, &yank("geo", "1.0.0", "", &author(1))), 422, "not_a_release");
    refused(&stage(address, &body[..body.len() - 1]), 422, "truncated");
    let mut changed = body.clone();
    *changed.last_mut().unwrap() ^= 1;
    refused(&stage(address, &changed), 422, "archive");
    assert_eq!(stage(address, &body).status, 201);
    refused(&sign(address, &body, &author(9)), 403, "not_allowed");
    let other = release("geo", "1.1.0", "return 3", &author(1));
    refused(&sign(address, &other, &author(2)), 403, "not_allowed");
    // Another release in its place: what was signed of the first counts no more.
    assert_eq!(stage(address, &other).status, 201);
    refused(&sign(address, &body, &author(2)), 403, "not_allowed");
    assert_eq!(sign(address, &other, &author(2)).status, 201);
    for malformed in [&b"{}"[..], b"[\"a\",\"b\"]", b"x", &[b' '; 5_000]] {
        let answer = ask(address, "PUT", &format!("{GEO}/signatures"), &[], malformed).unwrap();
        assert!(matches!(answer.code().as_str(), "malformed" | "too_large"), "{}", answer.text());
    }
}

#[test]
fn a_token_brings_what_nobody_signed_yet() {
    let (folder, server) = with_two_owners(&[]);
    drop(server);
    let server = Program::on_folder(folder.path(), &["--tokens", "required"]);
    let ci = token(folder.path(), &["ci", "--scope", "publish", "--plugin", "geo"]);
    let other = token(folder.path(), &["other", "--scope", "publish", "--plugin", "other"]);
    let body = unsigned(&release("geo", "1.1.0", "return 2", &author(1)));
    assert_eq!(stage(server.address, &body).code(), "token_needed");
    let put = |token: &str, path: &str, body: &[u8]| ask_with(server.address, token, "PUT", path, body);
    assert_eq!(put(&other, "/api/v1/staged", &body).code(), "token_plugin");
    let waits = put(&ci, "/api/v1/staged", &body);
    assert_eq!((waits.status, &waits.json()["by"]), (201, &"ci".into()), "{}", waits.text());
    assert_eq!(get(server.address, GEO).code(), "token_needed");
    assert_eq!(ask_with(server.address, &other, "GET", GEO, b"").code(), "token_plugin");
    assert_eq!(ask_with(server.address, &other, "GET", "/api/v1/staged", b"").text(), "[]");
    let event = ask_with(server.address, &ci, "GET", GEO, b"").json()["event"].as_str().unwrap().to_owned();
    for (seed, status) in [(1, 202), (2, 201)] {
        let signature = serde_json::to_vec(&author(seed).sign_event("release", &event)).unwrap();
        assert_eq!(put(&ci, &format!("{GEO}/signatures"), &signature).status, status);
    }
}

#[test]
fn what_waited_too_long_is_gone() {
    let (folder, server) = with_two_owners(&[]);
    let body = release("geo", "1.1.0", "return 2", &author(1));
    assert_eq!(stage(server.address, &body).status, 201);
    let record = folder.path().join("staged/geo/1.1.0.json");
    let text = std::fs::read_to_string(&record).unwrap();
    let (before, _) = text.rsplit_once("\"staged\":").unwrap();
    std::fs::write(&record, format!("{before}\"staged\":1}}")).unwrap();
    assert_eq!(get(server.address, GEO).code(), "not_found");
    assert_eq!(sign(server.address, &body, &author(2)).code(), "not_found");
    assert_eq!(get(server.address, "/api/v1/staged").text(), "[]");
    // It may be brought again.
    assert_eq!(stage(server.address, &body).status, 201);
}

#[test]
fn owners_who_sign_at_the_same_moment_publish_it_once() {
    for _ in 0..5 {
        let (folder, server) = with_two_owners(&[]);
        let address = server.address;
        let body = unsigned(&release("geo", "1.1.0", "return 2", &author(1)));
        let brought = release("geo", "1.1.0", "return 2", &author(1));
        assert_eq!(stage(address, &brought).status, 201);
        let sign_with = |seed: u8| {
            let body = body.clone();
            std::thread::spawn(move || sign(address, &body, &author(seed)).status)
        };
        let mut answers = [2, 1, 2, 1].map(sign_with).map(|thread| thread.join().unwrap());
        answers.sort_unstable();
        assert!(answers.iter().all(|status| matches!(status, 200..=202)), "{answers:?}");
        assert_eq!(answers.iter().filter(|status| **status == 201).count(), 1, "{answers:?}");
        assert_eq!(
            check(&files_in(&folder.path().join("tree")), &key_of(&folder.path().join("registry.key"))).len(),
            3
        );
    }
}
