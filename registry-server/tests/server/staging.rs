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

/// Withdraws what waits, with a signature of this key.
fn withdraw(address: SocketAddr, key: Option<&SecretKey>) -> Answer {
    let waits = get(address, GEO).json();
    let body = key.map(|key| {
        let text = format!("{}\n{}", waits["staged"], waits["event"].as_str().unwrap());
        serde_json::to_vec(&key.sign_event("withdrawal", &text)).unwrap()
    });
    ask(address, "PUT", &format!("{GEO}/withdrawal"), &[], &body.unwrap_or_default()).expect("an answer")
}

#[test]
fn an_owner_withdraws_what_waits_and_its_signatures_count_no_more() {
    let (folder, server) = with_two_owners(&[]);
    let address = server.address;
    let body = release("geo", "1.1.0", "return 2", &author(1));
    assert_eq!(stage(address, &body).status, 201);
    for (key, told) in [(None, "needs a token"), (Some(author(9)), "none of the keys that may")] {
        let refused = withdraw(address, key.as_ref());
        assert_eq!((refused.status, refused.code().as_str()), (403, "not_allowed"), "{}", refused.text());
        assert!(refused.text().contains(told), "{}", refused.text());
    }
    // Neither the signature of a release nor that of another moment is one.
    let (header, _) = PublishHeader::decode(&body).unwrap();
    for text in [header.event.clone(), format!("1\n{}", header.event)] {
        for kind in ["release", "withdrawal"] {
            let signature = serde_json::to_vec(&author(2).sign_event(kind, &text)).unwrap();
            let refused = ask(address, "PUT", &format!("{GEO}/withdrawal"), &[], &signature).unwrap();
            assert!(refused.text().contains("not of the withdrawal"), "{}", refused.text());
        }
    }
    let withdrawn = withdraw(address, Some(&author(2)));
    assert_eq!((withdrawn.status, &withdrawn.json()["version"]), (200, &"1.1.0".into()), "{}", withdrawn.text());
    assert_eq!(
        (get(address, GEO).code().as_str(), get(address, "/api/v1/staged").text().as_str()),
        ("not_found", "[]")
    );
    assert_eq!(sign(address, &body, &author(2)).code(), "not_found");
    let again = ask(address, "PUT", &format!("{GEO}/withdrawal"), &[], b"").unwrap();
    assert_eq!((again.status, again.code().as_str()), (404, "not_found"));
    let kept = std::fs::read_to_string(folder.path().join("staged/geo/1.1.0.json")).unwrap();
    assert!(!kept.contains("geo"), "{kept}");
    // Brought again, it waits for all signatures anew, and comes out.
    assert_eq!(stage(address, &body).status, 201);
    assert_eq!(sign(address, &body, &author(2)).status, 201);
    assert_eq!(ask(address, "PUT", &format!("{GEO}/withdrawal"), &[], b"").unwrap().code(), "version_exists");
}

#[test]
fn a_token_withdraws_what_it_may_publish() {
    let (folder, server) = with_two_owners(&[]);
    drop(server);
    let server = Program::on_folder(folder.path(), &["--tokens", "required"]);
    let [geo, other] =
        ["geo", "other"].map(|name| token(folder.path(), &[name, "--scope", "publish", "--plugin", name]));
    let reading = token(folder.path(), &["reading", "--scope", "read"]);
    let body = unsigned(&release("geo", "1.1.0", "return 2", &author(1)));
    assert_eq!(ask_with(server.address, &geo, "PUT", "/api/v1/staged", &body).status, 201);
    let path = format!("{GEO}/withdrawal");
    assert_eq!(ask(server.address, "PUT", &path, &[], b"").unwrap().code(), "token_needed");
    assert_eq!(ask_with(server.address, &other, "PUT", &path, b"").code(), "token_plugin");
    assert_eq!(ask_with(server.address, &reading, "PUT", &path, b"").code(), "token_scope");
    assert_eq!(ask_with(server.address, &geo, "GET", GEO, b"").status, 200, "it waits still");
    assert_eq!(ask_with(server.address, &geo, "PUT", &path, b"").status, 200);
    assert_eq!(ask_with(server.address, &geo, "GET", GEO, b"").code(), "not_found");
}

#[test]
fn what_is_withdrawn_while_it_is_signed_is_published_or_gone_as_each_is_told() {
    for _ in 0..10 {
        let (_folder, server) = with_two_owners(&[]);
        let address = server.address;
        let body = release("geo", "1.1.0", "return 2", &author(1));
        assert_eq!(stage(address, &body).status, 201);
        let waits = get(address, GEO).json();
        let text = format!("{}\n{}", waits["staged"], waits["event"].as_str().unwrap());
        let signature = serde_json::to_vec(&author(2).sign_event("withdrawal", &text)).unwrap();
        let signing = std::thread::spawn(move || sign(address, &body, &author(2)));
        let withdrawn = ask(address, "PUT", &format!("{GEO}/withdrawal"), &[], &signature).unwrap();
        let signed = signing.join().unwrap();
        let is_published = get(address, "/index/3/g/geo").text().contains("1.1.0");
        match withdrawn.status {
            200 => assert!(signed.status == 404 && !is_published, "{} {is_published}", signed.text()),
            status => {
                assert!(matches!(status, 404 | 409) && signed.status == 201 && is_published, "{}", withdrawn.text())
            }
        }
    }
}

#[test]
fn what_was_withdrawn_takes_no_place_from_what_waits() {
    let (_folder, server) = with_two_owners(&[]);
    for number in 0..25 {
        let body = release("geo", &format!("2.{number}.0"), "return 2", &author(1));
        let waits = stage(server.address, &body);
        assert_eq!(waits.status, 201, "{}", waits.text());
        let text = format!("{}\n{}", waits.json()["staged"], waits.json()["event"].as_str().unwrap());
        let signature = serde_json::to_vec(&author(1).sign_event("withdrawal", &text)).unwrap();
        let path = format!("/api/v1/staged/geo/2.{number}.0/withdrawal");
        assert_eq!(ask(server.address, "PUT", &path, &[], &signature).unwrap().status, 200);
    }
}
