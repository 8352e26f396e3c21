//! Owners who lost their keys: what the operator types, what everybody is told, and who must say yes.

use pocket_index::record::{Event, OwnerKeys, OwnerRecovery};
use pocket_index::signature::{PublicKey, SecretKey};
use serde_json::Value;

use crate::support::{Author, HandMadeIndex, Sandbox, TestRegistry, now};

const DAY: u64 = 86_400;
const OLD: u8 = 11;
const NEW: u8 = 12;
const REGISTRY: u8 = 13;

fn key(seed: u8) -> PublicKey {
    SecretKey::from_seed(&[seed; 32]).public()
}

fn fingerprint(seed: u8) -> String {
    key(seed).fingerprint().to_string()
}

fn recovery(effective: u64) -> Event {
    let (name, keys, reason) = ("geo".parse().unwrap(), vec![key(NEW)], "a burnt laptop".to_owned());
    Event::OwnerRecovery(OwnerRecovery { name, keys, threshold: 1, effective, reason })
}

/// A project that uses the index, however long ago that was signed: the times of these tests are past.
fn user_of(index: &HandMadeIndex) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", &format!("registries: {{default: {{url: '{}', max_age: 400d}}}}\n", index.url()));
    sandbox
}

/// `geo` 1.0.0 by its first owner, and somebody who has it.
fn locked() -> (HandMadeIndex, Sandbox) {
    let index = HandMadeIndex::with_keys(vec![key(REGISTRY)]);
    index.plugin(now() - 30 * DAY, "geo", "1.0.0", OLD);
    let user = user_of(&index);
    user.pocket(&["plugin", "install", "geo"]).success();
    (index, user)
}

/// The same after a recovery that took effect, and a release by the new owner.
fn recovered() -> (HandMadeIndex, Sandbox) {
    let (index, user) = locked();
    index.append(now() - 20 * DAY, &recovery(now() - 13 * DAY), REGISTRY);
    index.plugin(now() - 10 * DAY, "geo", "1.1.0", NEW);
    (index, user)
}

#[track_caller]
fn says_all(text: &str, stage: &str) {
    for said in [stage, "`geo`", &fingerprint(OLD), &fingerprint(NEW), &fingerprint(REGISTRY), "a burnt laptop"] {
        assert!(text.contains(said), "{said} is missing in:\n{text}");
    }
}

#[test]
fn a_pending_recovery_is_told_by_every_command_that_asks_the_registry() {
    let (index, user) = locked();
    index.append(now() - DAY, &recovery(now() + 6 * DAY), REGISTRY);
    let elsewhere = user_of(&index);
    for (sandbox, command) in [
        (&user, &["plugin", "update"][..]),
        (&user, &["plugin", "outdated"]),
        (&user, &["plugin", "lock"]),
        (&user, &["plugin", "owner", "list", "geo"]),
        (&elsewhere, &["plugin", "info", "geo"]),
        (&elsewhere, &["plugin", "install", "geo"]),
    ] {
        let outcome = sandbox.pocket(command).success();
        says_all(&outcome.stderr, "are to be replaced");
        assert!(outcome.stderr.contains("pocket plugin owner keep geo"), "{command:?}: {}", outcome.stderr);
    }
    let fresh = user.pocket_elsewhere(&["plugin", "install", "--locked", "--quiet"]).success();
    says_all(&fresh.stderr, "are to be replaced");
    let audit = user.pocket(&["plugin", "audit", "--min-age", "0", "-o", "json"]).success().json();
    let finding = &audit["findings"][0];
    assert_eq!((finding["found"].as_str(), finding["severity"].as_str()), (Some("owner-recovery"), Some("medium")));
    says_all(finding["message"].as_str().unwrap(), "are to be replaced");
    user.pocket(&["plugin", "audit", "--deny", "medium"]).failure(1, &[]);
}

#[test]
fn what_the_old_owners_signed_is_left_for_the_new_ones_only_with_a_yes() {
    let (_index, user) = recovered();
    let before = user.snapshot();
    for command in [&["plugin", "update"][..], &["plugin", "update", "--yes"], &["plugin", "install", "geo@1.1"]] {
        let refused = user.pocket(command).failure(6, &["nobody accepted that", "--accept-recovery geo"]);
        says_all(&refused.stderr, "were replaced");
        assert!(user.snapshot() == before, "{command:?} changed something");
    }
    // Another plugin's acceptance is none of this one's.
    user.pocket(&["plugin", "update", "--accept-recovery", "other"]).failure(6, &["nobody accepted that"]);
    let planned = user.pocket(&["plugin", "update", "--dry-run", "-o", "json"]).success();
    says_all(&planned.stderr, "were replaced");
    let told = &planned.json()["recoveries"][0];
    assert_eq!((told["name"].as_str(), told["state"].as_str()), (Some("geo"), Some("done")));
    assert_eq!(told["old"]["keys"][0]["key"], Value::String(key(OLD).to_string()));
    assert_eq!(told["new"]["keys"][0]["key"], Value::String(key(NEW).to_string()));
    // What is locked stays, with the same warning and without a question.
    says_all(&user.pocket_elsewhere(&["plugin", "install", "--locked"]).success().stderr, "were replaced");

    user.pocket(&["plugin", "update", "--accept-recovery", "geo"]).success();
    let lock = user.read("pocket.lock");
    assert!(lock.contains("version = \"1.1.0\"") && lock.contains(&key(NEW).to_string()), "{lock}");
}

#[test]
fn the_person_at_the_terminal_is_asked_even_with_yes() {
    let (_index, user) = recovered();
    let before = user.snapshot();
    let refused = user.pocket_at_a_terminal(&["plugin", "update", "--yes"], "n\n");
    assert_eq!(refused.code, 6, "{}", refused.stdout);
    assert!(refused.stdout.contains("Take `geo` from its new owners? [y/N]"), "{}", refused.stdout);
    assert!(user.snapshot() == before);
    assert_eq!(user.pocket_at_a_terminal(&["plugin", "update"], "y\n").code, 0);
    assert!(user.read("pocket.lock").contains("version = \"1.1.0\""));
}

#[test]
fn who_accepted_is_asked_no_more_and_who_comes_new_is_warned() {
    let (index, user) = recovered();
    user.pocket(&["plugin", "update", "--accept-recovery", "geo"]).success();
    index.plugin(now() - 9 * DAY, "geo", "1.2.0", NEW);
    let moved = user.pocket(&["plugin", "update"]).success();
    assert!(!moved.stderr.contains("warning"), "{}", moved.stderr);
    let audit = user.pocket(&["plugin", "audit", "--min-age", "0", "-o", "json"]).success().json();
    let finding = &audit["findings"][0];
    assert_eq!((finding["found"].as_str(), finding["severity"].as_str()), (Some("recovered"), Some("low")));
    assert!(!user.pocket_elsewhere(&["plugin", "install", "--locked"]).success().stderr.contains("warning"));

    let fresh = user_of(&index);
    says_all(&fresh.pocket(&["plugin", "info", "geo"]).success().stderr, "were replaced");
    says_all(&fresh.pocket(&["plugin", "install", "geo"]).success().stderr, "were replaced");
    assert!(fresh.read("pocket.lock").contains("version = \"1.2.0\""));
}

#[test]
fn nothing_is_told_of_a_recovery_that_the_owners_cancelled() {
    let (index, user) = locked();
    index.append(now() - 20 * DAY, &recovery(now() - 13 * DAY), REGISTRY);
    let kept = OwnerKeys { name: "geo".parse().unwrap(), keys: vec![key(OLD)], threshold: 1 };
    index.append(now() - 19 * DAY, &Event::OwnerKeys(kept), OLD);
    index.plugin(now() - 10 * DAY, "geo", "1.1.0", OLD);
    let moved = user.pocket(&["plugin", "update"]).success();
    assert!(!moved.stderr.contains("replaced"), "{}", moved.stderr);
    assert!(user.read("pocket.lock").contains("version = \"1.1.0\""));
    let watched = user.pocket(&["registry", "verify", &index.url()]).stdout;
    assert!(watched.contains("owner-recovery of `geo`, cancelled"), "{watched}");
}

#[test]
fn a_registry_that_sets_its_clock_forward_is_refused() {
    let (index, user) = locked();
    index.append(now() - DAY, &recovery(now() + 6 * DAY), REGISTRY);
    index.plugin(now() + 7 * DAY, "geo", "1.1.0", NEW);
    let before = user.snapshot();
    let verbs =
        [&["plugin", "update", "--accept-recovery", "geo"][..], &["plugin", "info", "geo"], &["plugin", "lock"]];
    let refused = |said: &str| {
        for command in verbs {
            let sandbox = if command[1] == "info" { user_of(&index) } else { user.copy() };
            sandbox.pocket(command).failure(6, &[said]);
        }
    };
    refused("is ahead of this machine's clock");
    // With a checkpoint of now, the line says that it came later than what publishes it.
    index.sign_at(Some(now()));
    refused("but the checkpoint that publishes it was signed at ");
    // Without any time of the log's, there is this machine's clock.
    index.sign_at(None);
    let said = "by the clock of this machine it is";
    user_of(&index).pocket(&["plugin", "info", "geo"]).failure(6, &["line 3 of the index file of `geo`", said]);
    assert!(user.snapshot() == before);
    let watched = user.pocket(&["registry", "verify", &index.url()]);
    assert_eq!(watched.code, 6, "{}", watched.stderr);
    assert!(watched.stdout.contains(said), "{}", watched.stdout);
}

/// A registry with `geo` 1.0.0, its author, and the public key of somebody else.
fn served() -> (TestRegistry, Author, Author, String) {
    let registry = TestRegistry::empty();
    let author = Author::of(&registry);
    author.publish("geo", "1.0.0", "");
    let heir = Author::of(&registry);
    let public = heir.pocket(&["key", "export", "default", "--public"]).success().stdout.trim().to_owned();
    (registry, author, heir, public)
}

#[test]
fn an_operator_announces_a_recovery_and_the_owner_can_cancel_it() {
    let (registry, author, heir, public) = served();
    let operator = Sandbox::new();
    let folder = registry.folder().to_str().unwrap().to_owned();
    let recover = ["registry", "recover", "geo", "--owner", &public, "--reason", "lost", "--dir", &folder];
    operator.pocket(&recover).failure(1, &["another server uses", "stop that server"]);
    let registry = registry.while_stopped(|_| {
        let announced = operator.pocket(&[&recover[..], &["--delay", "14d", "-o", "json"]].concat()).success();
        assert!(announced.stderr.contains("Announced"), "{}", announced.stderr);
        let document = announced.json();
        assert_eq!((document["state"].as_str(), document["log"].as_u64()), (Some("pending"), Some(1)));
        assert_eq!(document["new"]["keys"][0]["key"].as_str(), Some(public.as_str()));
    });
    let watched = operator.pocket(&["registry", "verify", registry.url()]).success();
    assert!(watched.stdout.contains("owner-recovery of `geo`, pending"), "{}", watched.stdout);
    // The old owner publishes as before, the new one not yet.
    heir.pocket(&["plugin", "yank", "geo@1.0.0"]).failure(1, &["not_allowed", "0 of the owner keys"]);
    author.publish("geo", "1.1.0", "");

    heir.pocket(&["plugin", "owner", "keep", "geo"]).failure(1, &["not_allowed"]);
    author.pocket(&["plugin", "owner", "keep", "geo"]).success();
    let listed = author.pocket(&["plugin", "owner", "list", "geo", "-o", "json"]).success();
    assert_eq!(listed.json()["recoveries"], Value::Array(Vec::new()));
    assert!(!listed.stderr.contains("warning"), "{}", listed.stderr);
    author.pocket(&["plugin", "owner", "keep", "geo"]).failure(1, &["no recovery is pending"]);
    let watched = operator.pocket(&["registry", "verify", registry.url(), "-o", "json"]).success().json();
    assert_eq!(watched["recoveries"][0]["state"].as_str(), Some("cancelled"));
}

#[test]
fn a_recovery_that_cannot_hold_is_not_written() {
    let (registry, _author, _heir, public) = served();
    let operator = Sandbox::new();
    let folder = registry.folder().to_str().unwrap().to_owned();
    let recover = |name: &str, folder: &str, more: &[&str]| {
        let arguments = ["registry", "recover", name, "--owner", &public, "--reason", "lost", "--dir", folder];
        operator.pocket(&[&arguments[..], more].concat())
    };
    let registry = registry.while_stopped(|registry| {
        let index_file = registry.file("index/3/g/geo");
        let before = std::fs::read_to_string(&index_file).unwrap();
        recover("geo", &folder, &["--delay", "2d"]).failure(2, &["every client demands 3 days at least"]);
        recover("geo", &folder, &["--threshold", "2"]).failure(1, &["the event is refused", "the threshold is 2"]);
        recover("other", &folder, &[]).failure(1, &["the registry has no plugin `other`"]);
        recover("geo", "nowhere", &[]).failure(1, &["there is no registry in `nowhere`"]);
        assert!(!operator.path("nowhere").exists());

        let config = registry.file("config.json");
        let text = std::fs::read_to_string(&config).unwrap();
        let keys = text.split_once("\"keys\":[").unwrap().1.split_once(']').unwrap().0;
        std::fs::write(&config, text.replace(&format!("\"keys\":[{keys}]"), "\"keys\":[]")).unwrap();
        recover("geo", &folder, &[]).failure(1, &["which is none of the `keys` in `config.json`"]);
        std::fs::write(&config, text).unwrap();
        assert_eq!(std::fs::read_to_string(&index_file).unwrap(), before);
    });
    operator.pocket(&["registry", "verify", registry.url()]).success();
}
