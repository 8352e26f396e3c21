//! Keys that may not sign any more, or not yet, or not alone.

use insta::assert_snapshot;
use pocket_index::package::release_of;
use pocket_index::record::Event;
use pocket_index::signature::Signature;

use crate::index::{ALICE, BOB, Index, MALLORY, REGISTRY, lua, owner_keys, sign};
use crate::scene::{Refusal, Scene};

/// The registry takes this event of `plugin` into file and log, and a user who has an older version updates.
#[track_caller]
fn logged(plugin: &str, event: &Event, signatures: &[Signature]) -> Refusal {
    let scene = Scene::installed(Index::honest(), &[&format!("{plugin}@=1.0.0")]);
    scene
        .refused_from_the_registry(|index| index.log_event(plugin, &event.to_text(), signatures), &["plugin", "update"])
}

fn release(plugin: &str, version: &str) -> Event {
    release_of(&[lua(plugin, version, "")]).unwrap().into()
}

#[test]
fn the_old_key_after_a_rotation() {
    let event = release("moved", "1.2.0");
    assert_snapshot!(logged("moved", &event, &sign(&event, &[ALICE])), @"
    error: the events of `moved` in the registry `REGISTRY/` are refused
      cause: line 4 of the index file of `moved` is refused
      cause: the `release` event is signed by 0 of the owner keys [SHA256:ajgD1f…], 1 needed; it is signed by [SHA256:NHUPmL…]
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn the_old_key_hands_the_name_on_once_more() {
    let event = owner_keys("moved", &[MALLORY], 1);
    assert_snapshot!(logged("moved", &event, &sign(&event, &[ALICE])), @"
    error: the events of `moved` in the registry `REGISTRY/` are refused
      cause: line 4 of the index file of `moved` is refused
      cause: the `owner-keys` event is signed by 0 of the owner keys [SHA256:ajgD1f…], 1 needed; it is signed by [SHA256:NHUPmL…]
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_new_key_without_a_rotation() {
    let event = release("geo", "1.2.0");
    assert_snapshot!(logged("geo", &event, &sign(&event, &[BOB])), @"
    error: the events of `geo` in the registry `REGISTRY/` are refused
      cause: line 3 of the index file of `geo` is refused
      cause: the `release` event is signed by 0 of the owner keys [SHA256:NHUPmL…], 1 needed; it is signed by [SHA256:ajgD1f…]
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_rotation_that_was_left_out() {
    let mut index = Index::empty();
    index.publish(&[lua("moved", "1.0.0", "")], &[ALICE]);
    let scene = Scene::new(index);
    let event = release("moved", "1.1.0");
    let attack = |index: &mut Index| index.log_event("moved", &event.to_text(), &sign(&event, &[BOB]));
    assert_snapshot!(scene.refused_from_the_registry(attack, &["plugin", "install", "moved"]), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `moved` in the registry `REGISTRY/` are refused
      cause: line 2 of the index file of `moved` is refused
      cause: the `release` event is signed by 0 of the owner keys [SHA256:NHUPmL…], 1 needed; it is signed by [SHA256:ajgD1f…]
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_rotation_that_a_mirror_takes_out() {
    let scene = Scene::new(Index::honest());
    let attack = |index: &mut Index| {
        let mut lines = index.lines("moved");
        lines.remove(1);
        index.replace("moved", &lines);
    };
    assert_snapshot!(scene.refused_from_a_mirror(attack, &["plugin", "install", "moved"]), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `moved` in the registry `REGISTRY/` are refused
      cause: line 2 of the index file of `moved` is refused
      cause: `seq` is 2, expected 1
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_rotation_that_the_registry_signed() {
    let event = owner_keys("geo", &[MALLORY], 1);
    assert_snapshot!(logged("geo", &event, &sign(&event, &[REGISTRY])), @"
    error: the events of `geo` in the registry `REGISTRY/` are refused
      cause: line 3 of the index file of `geo` is refused
      cause: the `owner-keys` event is signed by 0 of the owner keys [SHA256:NHUPmL…], 1 needed; it is signed by [SHA256:CukONg…]
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn one_signature_where_two_are_needed() {
    let event = release("pair", "1.2.0");
    assert_snapshot!(logged("pair", &event, &sign(&event, &[ALICE])), @"
    error: the events of `pair` in the registry `REGISTRY/` are refused
      cause: line 4 of the index file of `pair` is refused
      cause: the `release` event is signed by 1 of the owner keys [SHA256:ajgD1f…, SHA256:NHUPmL…], 2 needed; it is signed by [SHA256:NHUPmL…]
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn one_key_that_signs_twice_where_two_are_needed() {
    let event = release("pair", "1.2.0");
    assert_snapshot!(logged("pair", &event, &sign(&event, &[ALICE, ALICE])), @"
    error: the events of `pair` in the registry `REGISTRY/` are refused
      cause: line 4 of the index file of `pair` is refused
      cause: the `release` event is signed by 1 of the owner keys [SHA256:ajgD1f…, SHA256:NHUPmL…], 2 needed; it is signed by [SHA256:NHUPmL…]
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn one_owner_and_a_stranger_where_two_owners_are_needed() {
    let event = release("pair", "1.2.0");
    assert_snapshot!(logged("pair", &event, &sign(&event, &[ALICE, MALLORY])), @"
    error: the events of `pair` in the registry `REGISTRY/` are refused
      cause: line 4 of the index file of `pair` is refused
      cause: the `release` event is signed by 1 of the owner keys [SHA256:ajgD1f…, SHA256:NHUPmL…], 2 needed; it is signed by [SHA256:MJfi3u…, SHA256:NHUPmL…]
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_threshold_that_one_of_two_owners_lowers() {
    let event = owner_keys("pair", &[ALICE, BOB], 1);
    assert_snapshot!(logged("pair", &event, &sign(&event, &[ALICE])), @"
    error: the events of `pair` in the registry `REGISTRY/` are refused
      cause: line 4 of the index file of `pair` is refused
      cause: the `owner-keys` event is signed by 1 of the owner keys [SHA256:ajgD1f…, SHA256:NHUPmL…], 2 needed; it is signed by [SHA256:NHUPmL…]
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_key_that_is_listed_twice_to_reach_a_threshold() {
    let event = owner_keys("geo", &[ALICE, ALICE], 2);
    assert_snapshot!(logged("geo", &event, &sign(&event, &[ALICE])), @"
    error: the events of `geo` in the registry `REGISTRY/` are refused
      cause: line 3 of the index file of `geo` is refused
      cause: the `owner-keys` event is refused
      cause: the owner key ed25519:8a88e3… stands twice
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_threshold_of_nobody() {
    let event = owner_keys("geo", &[ALICE], 0);
    assert_snapshot!(logged("geo", &event, &sign(&event, &[ALICE])), @"
    error: the events of `geo` in the registry `REGISTRY/` are refused
      cause: line 3 of the index file of `geo` is refused
      cause: the `owner-keys` event is refused
      cause: the threshold is 0, expected 1 to 1, the number of keys
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_name_that_begins_anew_with_other_owners() {
    let scene = Scene::installed(Index::honest(), &["geo@=1.0.0"]);
    let attack = |index: &mut Index| {
        // The registry forgets Alice's file; the log still has her leaves, and grows.
        index.files.remove(&crate::index::path("geo"));
        let event = release("geo", "1.2.0");
        index.log_event("geo", &event.to_text(), &sign(&event, &[MALLORY]));
    };
    assert_snapshot!(scene.refused_from_the_registry(attack, &["plugin", "update"]), @"
    error: the registry `REGISTRY/` shows another history than before; both sides are kept in `SANDBO…-1.txt`
      cause: event 2 of `geo` was sha256:694a86… when it was seen before, now it is gone: the file ends after 1
      hint: ask others who use the registry what it shows them, and send them what is kept; nothing was changed
    exit code 6
    ");
}
