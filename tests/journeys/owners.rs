//! `plugin yank`, `unyank`, `revoke`, `deprecate`, `owner`, and the keys that do it.

use std::process::Command;

use crate::support::{Author, Sandbox, TestRegistry};

fn published() -> (TestRegistry, Author) {
    let registry = TestRegistry::empty();
    let author = Author::of(&registry);
    author.publish("geo", "1.0.0", "");
    author.publish("geo", "1.1.0", "");
    (registry, author)
}

#[test]
fn a_yank_hides_a_version_from_all_but_those_who_have_it() {
    let (registry, author) = published();
    let has_it = Sandbox::with_registry(registry.url());
    has_it.pocket(&["plugin", "install", "geo"]).success();
    author.pocket(&["plugin", "yank", "geo@1.1.0", "--reason", "wrong by a mile"]).success();

    let new = Sandbox::with_registry(registry.url());
    new.pocket(&["plugin", "install", "geo"]).success();
    assert!(new.read("pocket.lock").contains("version = \"1.0.0\""));
    let kept = has_it.pocket_elsewhere(&["plugin", "install", "--locked"]).success();
    assert!(kept.stderr.contains("wrong by a mile"), "{}", kept.stderr);

    author.pocket(&["plugin", "unyank", "geo@1.1.0"]).success();
    new.pocket(&["plugin", "update"]).success();
    assert!(new.read("pocket.lock").contains("version = \"1.1.0\""));
}

#[test]
fn a_revoked_version_is_refused_even_where_it_is_locked() {
    let (registry, author) = published();
    let sandbox = Sandbox::with_registry(registry.url());
    sandbox.pocket(&["plugin", "install", "geo"]).success();
    author.pocket(&["plugin", "revoke", "geo@1.1.0", "--reason", "steals keys"]).success();
    sandbox.pocket_elsewhere(&["plugin", "install", "--locked"]).failure(6, &["`geo` 1.1.0 was revoked: steals keys"]);
}

#[test]
fn with_a_threshold_of_two_one_key_publishes_nothing() {
    let (registry, author) = published();
    author.pocket(&["key", "new", "second"]).success();
    let second = author.pocket(&["key", "export", "second", "--public"]).success().stdout;
    author.pocket(&["plugin", "owner", "add", "geo", second.trim()]).success();
    author.pocket(&["plugin", "owner", "threshold", "geo", "2"]).success();
    let owners = author.pocket(&["plugin", "owner", "list", "geo"]).success().stdout;
    assert!(owners.contains(second.trim()) && owners.contains("2 of them must sign"), "{owners}");

    author.pocket(&["plugin", "yank", "geo@1.0.0"]).failure(1, &["not_allowed", "1 of the owner keys", "2 needed"]);
    author.pocket(&["plugin", "yank", "geo@1.0.0", "--key", "default", "--key", "second"]).success();
    // A key that signs twice is one key.
    author.pocket(&["plugin", "yank", "geo@1.1.0", "--key", "second", "--key", "second"]).failure(1, &["2 needed"]);
    author.pocket(&["plugin", "owner", "threshold", "geo", "3"]).failure(1, &["3 of 2 keys would have to sign"]);
    drop(registry);
}

#[test]
fn keys_go_to_openssl_and_come_back() {
    let mut sandbox = Sandbox::new();
    sandbox.set("POCKET_KEY_PASSPHRASE", "correct horse");
    let made = sandbox.pocket(&["key", "new", "work", "--passphrase", "-o", "json"]).success().json();
    assert_eq!(made["protected_by"], "passphrase");
    let pem = sandbox.pocket(&["key", "export", "work", "--passphrase"]).success().stdout;
    sandbox.write("work.pem", &pem);
    let read = Command::new("openssl")
        .args(["pkey", "-in", "work.pem", "-passin", "pass:correct horse", "-noout", "-text_pub"])
        .current_dir(sandbox.project())
        .output()
        .unwrap();
    let shown: String = String::from_utf8(read.stdout).unwrap().replace([':', '\n', ' '], "");
    assert!(shown.contains(&made["public"].as_str().unwrap()["ed25519:".len()..]), "{shown}");

    let imported = sandbox.pocket(&["key", "import", "again", "work.pem", "-o", "json"]).success().json();
    assert_eq!(imported["public"], made["public"]);
    sandbox.set("POCKET_KEY_PASSPHRASE", "battery staple");
    sandbox.pocket(&["key", "export", "work"]).failure(1, &["the passphrase does not open the key"]);
    assert!(sandbox.pocket(&["key", "list"]).success().stdout.contains("passphrase"));
}
