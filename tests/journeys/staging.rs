//! `plugin publish --stage`, `staged` and `approve`: a machine builds, people sign.

use crate::accounts::token;
use crate::support::{Author, Sandbox, TestRegistry};

/// `geo` 1.0.0, owned by two people who must both sign.
fn with_two_owners(registry: &TestRegistry) -> (Author, Author) {
    let (ada, ben) = (Author::of(registry), Author::of(registry));
    for author in [&ada, &ben] {
        author.login(registry.url(), &token(registry, &["person", "--scope", "admin"]));
    }
    ada.publish("geo", "1.0.0", "");
    let key = ben.pocket(&["key", "export", "default", "--public"]).success().stdout;
    ada.pocket(&["plugin", "owner", "add", "geo", key.trim()]).success();
    ada.pocket(&["plugin", "owner", "threshold", "geo", "2"]).success();
    (ada, ben)
}

/// A machine without a key, with a token.
fn machine(registry: &TestRegistry) -> Author {
    let ci = Author::without_key(registry.url());
    ci.login(registry.url(), &token(registry, &["ci", "--scope", "publish", "--plugin", "geo"]));
    ci
}

const ASKS: &str = "permissions: {http: ['api.example.com:443']}";

#[test]
fn a_machine_stages_and_two_people_approve() {
    let registry = TestRegistry::asking_for_tokens();
    let (ada, ben) = with_two_owners(&registry);
    let ci = machine(&registry);
    ada.try_publish("geo", "1.1.0", "").failure(1, &["not_allowed", "2 needed", "--stage"]);
    ci.prepare("geo", "1.1.0", ASKS);
    let staged = ci.pocket(&["plugin", "publish", "geo-1.1.0", "--stage", "-o", "json"]).success().json();
    assert_eq!(
        (&staged["log"], &staged["staged"]["needed"], &staged["staged"]["by"]),
        (&().into(), &2.into(), &"ci".into())
    );
    let listed = ada.pocket(&["plugin", "staged"]).success().stdout;
    assert!(listed.contains("geo") && listed.contains("0 of 2") && listed.contains("ci"), "{listed}");

    let user = Sandbox::with_registry(registry.url());
    user.pocket(&["plugin", "install", "geo"]).success();
    assert!(user.read("pocket.lock").contains("version = \"1.0.0\""), "what waits is not installed");

    ada.pocket(&["plugin", "approve", "geo@1.1.0"])
        .failure(1, &["+ may send HTTP requests to api.example.com:443", "not signed without a yes", "--yes"]);
    let first = ada.pocket(&["plugin", "approve", "geo", "1.1.0", "--yes", "-o", "json"]).success().json();
    assert_eq!((&first["log"], first["staged"]["signed"].as_array().unwrap().len()), (&().into(), 1));
    ben.prepare("geo", "1.1.0", ASKS);
    let second = ben.pocket(&["plugin", "approve", "geo@1.1.0", "--yes", "--source", "geo-1.1.0"]).success();
    assert!(second.stderr.contains("byte for byte") && second.stderr.contains("Published"), "{}", second.stderr);
    assert_eq!(ben.pocket(&["plugin", "staged", "-o", "json"]).success().json(), serde_json::json!([]));
    user.pocket(&["plugin", "update", "--yes"]).success();
    assert!(user.read("pocket.lock").contains("version = \"1.1.0\""));
    ada.pocket(&["plugin", "approve", "geo@1.1.0", "--yes"])
        .failure(1, &["`geo` 1.1.0 is not staged", "plugin staged"]);
}

#[test]
fn what_is_not_ones_own_or_not_ones_own_build_is_not_approved() {
    let registry = TestRegistry::asking_for_tokens();
    let (ada, ben) = with_two_owners(&registry);
    let ci = machine(&registry);
    ci.prepare("geo", "1.1.0", ASKS);
    ci.pocket(&["plugin", "publish", "geo-1.1.0", "--stage"]).success();
    let stranger = Author::of(&registry);
    stranger.login(registry.url(), &token(&registry, &["stranger", "--scope", "publish"]));
    stranger.pocket(&["plugin", "approve", "geo@1.1.0", "--yes"]).failure(1, &["none of the owner keys"]);
    let without = Author::of(&registry);
    without.pocket(&["plugin", "approve", "geo@1.1.0", "--yes"]).failure(1, &["token_needed"]);
    ada.prepare("geo", "1.1.0", "");
    ada.pocket(&["plugin", "approve", "geo@1.1.0", "--yes", "--source", "geo-1.1.0"])
        .failure(1, &["the staged `geo-1.1.0.tar.gz` is sha256:", "one's own is sha256:"]);
    let at_a_terminal = ben.at_a_terminal(&["plugin", "approve", "geo@1.1.0"], "n\n");
    assert!(at_a_terminal.stdout.contains("was not approved; nothing was signed"), "{}", at_a_terminal.stdout);
    assert!(ci.pocket(&["plugin", "staged"]).success().stdout.contains("0 of 2"));
    // A token is not enough for a publish, and a machine without a key publishes nothing.
    ci.pocket(&["plugin", "publish", "geo-1.1.0"]).failure(1, &["there is no key `default`"]);
}

#[test]
fn a_staged_archive_that_was_changed_is_not_signed() {
    let registry = TestRegistry::asking_for_tokens();
    let (ada, _ben) = with_two_owners(&registry);
    let ci = machine(&registry);
    ci.prepare("geo", "1.1.0", "");
    ci.pocket(&["plugin", "publish", "geo-1.1.0", "--stage"]).success();
    let folder = registry.folder().join("staged/geo/1.1.0");
    let archive = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&archive).unwrap();
    bytes[40] ^= 1;
    std::fs::write(&archive, bytes).unwrap();
    ada.pocket(&["plugin", "approve", "geo@1.1.0", "--yes"])
        .failure(1, &["the staged archive `geo-1.1.0.tar.gz` is refused", "sign nothing of it"]);
}

#[test]
fn who_brought_a_release_takes_it_back_and_so_does_an_owner() {
    let registry = TestRegistry::asking_for_tokens();
    let (ada, ben) = with_two_owners(&registry);
    let ci = machine(&registry);
    ci.prepare("geo", "1.1.0", ASKS);
    for person in [&ci, &ben] {
        ci.pocket(&["plugin", "publish", "geo-1.1.0", "--stage"]).success();
        ada.pocket(&["plugin", "approve", "geo@1.1.0", "--yes"]).success();
        let stranger = Author::of(&registry);
        stranger.login(registry.url(), &token(&registry, &["stranger", "--scope", "publish", "--plugin", "other"]));
        stranger.pocket(&["plugin", "reject", "geo@1.1.0"]).failure(1, &["token_plugin"]);
        let rejected = person.pocket(&["plugin", "reject", "geo@1.1.0", "-o", "json"]).success().json();
        assert_eq!((&rejected["version"], &rejected["withdrawn"]["by"]), (&"1.1.0".into(), &"ci".into()));
        assert_eq!(rejected["withdrawn"]["signed"].as_array().unwrap().len(), 1);
        assert_eq!(ada.pocket(&["plugin", "staged", "-o", "json"]).success().json(), serde_json::json!([]));
        ben.pocket(&["plugin", "approve", "geo@1.1.0", "--yes"]).failure(1, &["is not staged"]);
        person
            .pocket(&["plugin", "reject", "geo", "1.1.0"])
            .failure(1, &["`geo` 1.1.0 is not staged", "plugin staged"]);
    }
}

#[test]
fn where_no_token_is_asked_for_an_owners_key_takes_a_release_back() {
    let registry = TestRegistry::empty();
    let (ada, stranger) = (Author::of(&registry), Author::of(&registry));
    ada.publish("geo", "1.0.0", "");
    ada.prepare("geo", "1.1.0", "");
    ada.pocket(&["plugin", "publish", "geo-1.1.0", "--stage"]).success();
    stranger.pocket(&["plugin", "reject", "geo@1.1.0"]).failure(1, &["none of the keys that may"]);
    let rejected = ada.pocket(&["plugin", "reject", "geo@1.1.0"]).success();
    assert!(rejected.stderr.contains("Signed") && rejected.stderr.contains("Withdrawn"), "{}", rejected.stderr);
    assert!(!ada.pocket(&["plugin", "staged"]).success().stdout.contains("geo"));
}
