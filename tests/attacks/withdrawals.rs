//! Versions that were taken back.

use insta::assert_snapshot;
use pocket_index::record::Event;

use crate::index::{ALICE, Index, REGISTRY, withdrawal};
use crate::scene::Scene;

/// Takes `geo` 1.1.0 back, honestly.
fn withdraw(scene: &mut Scene, event: Event, signer: u8) {
    scene.index.event(event, &[signer]);
    scene.heal();
}

#[test]
fn a_yanked_version_is_not_picked_anew() {
    let mut scene = Scene::new(Index::honest());
    withdraw(&mut scene, Event::Yank(withdrawal("geo", "1.1.0")), ALICE);
    assert_snapshot!(scene.refused(&["plugin", "install", "geo@=1.1.0"]), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: cannot choose versions
      cause: no choice of versions meets every need
    the project needs `geo` `=1.1.0`
    `geo` 1.1.0 cannot be picked: yanked
    `geo` 1.1.0 would fit if it were not yanked
    it would work with `geo` 1.0.0 in place of `=1.1.0`
    exit code 1
    ");
    scene.user.pocket(&["plugin", "install", "geo"]).success();
    assert!(scene.user.read("pocket.lock").contains("version = \"1.0.0\""));
}

#[test]
fn a_yanked_version_stays_where_it_is_locked_with_a_warning() {
    let mut scene = Scene::installed(Index::honest(), &["geo"]);
    withdraw(&mut scene, Event::Yank(withdrawal("geo", "1.1.0")), ALICE);
    std::fs::remove_dir_all(scene.user.home()).unwrap();
    let outcome = scene.user.pocket(&["plugin", "install", "--locked"]).success();
    assert_snapshot!(scene.refusal(&outcome), @"
        Resolved 1 plugin
    warning: `geo` 1.1.0 was yanked: steals keys; it stays because it is locked
        Verified `geo` 1.1.0
       Installed `geo` 1.1.0
        Finished 1 plugin, 1 new
    exit code 0
    ");
}

#[test]
fn a_version_that_its_owner_revoked_is_not_installed() {
    let mut scene = Scene::new(Index::honest());
    withdraw(&mut scene, Event::Revoke(withdrawal("geo", "1.1.0")), ALICE);
    assert_snapshot!(scene.refused(&["plugin", "install", "geo@=1.1.0"]), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: `geo` 1.1.0 was revoked: steals keys
      cause: no choice of versions meets every need
    the project needs `geo` `=1.1.0`
    `geo` 1.1.0 cannot be picked: revoked
    it would work with `geo` 1.0.0 in place of `=1.1.0`
      hint: install another version, and find out why this one was revoked
    exit code 6
    ");
}

#[test]
fn a_version_that_the_registry_revoked_is_not_installed() {
    let mut scene = Scene::new(Index::honest());
    withdraw(&mut scene, Event::Revoke(withdrawal("geo", "1.1.0")), REGISTRY);
    assert_snapshot!(scene.refused(&["plugin", "install", "geo@=1.1.0"]), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: `geo` 1.1.0 was revoked: steals keys
      cause: no choice of versions meets every need
    the project needs `geo` `=1.1.0`
    `geo` 1.1.0 cannot be picked: revoked
    it would work with `geo` 1.0.0 in place of `=1.1.0`
      hint: install another version, and find out why this one was revoked
    exit code 6
    ");
}

#[test]
fn a_revoked_version_is_not_installed_where_it_is_locked() {
    let mut scene = Scene::installed(Index::honest(), &["geo"]);
    withdraw(&mut scene, Event::Revoke(withdrawal("geo", "1.1.0")), REGISTRY);
    std::fs::remove_dir_all(scene.user.home()).unwrap();
    assert_snapshot!(scene.refused(&["plugin", "install", "--locked"]), @"
    error: `geo` 1.1.0 was revoked: steals keys
      cause: no choice of versions meets every need
    the project needs `geo` `^1.1.0`
    `geo` 1.1.0 cannot be picked: revoked
    it would work with `geo` 1.0.0 in place of `^1.1.0`
      hint: install another version, and find out why this one was revoked
    exit code 6
    ");
}

#[test]
fn a_revoked_version_does_not_run_once_this_machine_heard_of_it() {
    let mut scene = Scene::installed(Index::honest(), &["geo@=1.1.0"]);
    scene.user.pocket(&["run", "flow.yaml"]).success();
    withdraw(&mut scene, Event::Revoke(withdrawal("geo", "1.1.0")), ALICE);
    assert_snapshot!(scene.refused(&["plugin", "update"]), @"
    error: `geo` 1.1.0 was revoked: steals keys
      cause: no choice of versions meets every need
    the project needs `geo` `=1.1.0`
    `geo` 1.1.0 cannot be picked: revoked
    it would work with `geo` 1.0.0 in place of `=1.1.0`
      hint: install another version, and find out why this one was revoked
    exit code 6
    ");
    assert_snapshot!(scene.refused(&["run", "flow.yaml"]), @"
    error: `geo` 1.1.0 was revoked: steals keys
      hint: install another version, and find out why this one was revoked
    exit code 6
    ");
}

#[test]
fn a_revoked_version_is_refused_by_verify() {
    let mut scene = Scene::installed(Index::honest(), &["geo"]);
    withdraw(&mut scene, Event::Revoke(withdrawal("geo", "1.1.0")), REGISTRY);
    assert_snapshot!(scene.refused(&["plugin", "verify", "geo"]), @"
    error: `geo` 1.1.0 was revoked: steals keys
      hint: install another version, and find out why this one was revoked
    exit code 6
    ");
}

#[test]
fn a_revocation_is_not_taken_back() {
    let mut scene = Scene::new(Index::honest());
    withdraw(&mut scene, Event::Revoke(withdrawal("geo", "1.1.0")), ALICE);
    withdraw(&mut scene, Event::Unyank(withdrawal("geo", "1.1.0")), ALICE);
    assert_snapshot!(scene.refused(&["plugin", "install", "geo@=1.1.0"]), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: `geo` 1.1.0 was revoked: steals keys
      cause: no choice of versions meets every need
    the project needs `geo` `=1.1.0`
    `geo` 1.1.0 cannot be picked: revoked
    it would work with `geo` 1.0.0 in place of `=1.1.0`
      hint: install another version, and find out why this one was revoked
    exit code 6
    ");
}

#[test]
fn a_revocation_that_was_seen_is_not_hidden() {
    let honest = Index::honest();
    let mut scene = Scene::installed(honest.clone(), &["geo@=1.0.0"]);
    withdraw(&mut scene, Event::Revoke(withdrawal("geo", "1.1.0")), ALICE);
    scene.user.pocket(&["plugin", "update"]).success();
    let attack = |index: &mut Index| {
        let path = crate::index::path("geo");
        index.put(&path, honest.files[&path].clone());
    };
    assert_snapshot!(scene.refused_from_a_mirror(attack, &["plugin", "install", "geo"]), @"
    error: the registry `REGISTRY/` shows another history than before; both sides are kept in `SANDBO…-1.txt`
      cause: event 3 of `geo` was sha256:9b0fc6… when it was seen before, now it is gone: the file ends after 2
      hint: ask others who use the registry what it shows them, and send them what is kept; nothing was changed
    exit code 6
    ");
}
