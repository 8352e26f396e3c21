//! The registry's other files, and the way to them.

use insta::assert_snapshot;
use pocket_index::layout;

use crate::index::{Index, ORIGIN, key, path};
use crate::scene::{Fault, Scene};

const INSTALL: &[&str] = &["plugin", "install", "geo"];
/// What a user does who saw the registry before.
const UPDATE: &[&str] = &["plugin", "update"];

fn seen() -> Scene {
    Scene::installed(Index::honest(), &["geo@=1.0.0"])
}

#[test]
fn another_log_key() {
    let other = Index::with_log(ORIGIN, 7);
    let attack = |index: &mut Index| index.put(layout::CONFIG, other.files[layout::CONFIG].clone());
    assert_snapshot!(seen().refused_from_a_mirror(attack, UPDATE), @"
    error: the registry `REGISTRY/` signs with the key plugins.test+e…, before it was plugins.test+3…
      hint: if the registry was set up anew and you trust it, put the new key into pocket.lock and pocket.yaml, wherever the old one stands
    exit code 6
    ");
}

#[test]
fn another_registrys_whole_tree() {
    let scene = seen();
    let other = Index::with_log("elsewhere.test", 7);
    assert_snapshot!(scene.refused_from_a_mirror(|index| *index = other.clone(), UPDATE), @"
    error: the registry `REGISTRY/` signs with the key elsewhere.test+8…, before it was plugins.test+3…
      hint: if the registry was set up anew and you trust it, put the new key into pocket.lock and pocket.yaml, wherever the old one stands
    exit code 6
    ");
}

#[test]
fn another_registrys_whole_tree_for_somebody_who_only_has_the_lock() {
    let scene = seen();
    let mut other = Index::with_log(ORIGIN, 7);
    other.publish(&[crate::index::lua("geo", "1.0.0", "")], &[crate::index::MALLORY]);
    std::fs::remove_dir_all(scene.user.home()).unwrap();
    assert_snapshot!(scene.refused_from_a_mirror(|index| *index = other.clone(), &["plugin", "install"]), @"
    error: the registry `REGISTRY/` signs with the key plugins.test+e…, before it was plugins.test+3…
      hint: if the registry was set up anew and you trust it, put the new key into pocket.lock and pocket.yaml, wherever the old one stands
    exit code 6
    ");
}

#[test]
fn other_event_keys() {
    let attack = |index: &mut Index| {
        let (old, new) = (key(crate::index::REGISTRY).public(), key(7).public());
        index.edit_file(layout::CONFIG, &old.to_string(), &new.to_string());
    };
    assert_snapshot!(seen().refused_from_a_mirror(attack, UPDATE), @"
    error: the registry `REGISTRY/` is refused
      cause: `keys` of `config.json` have the digest sha256:5d55cc… (SHA256:/oEsEv…), the checkpoint says sha256:ef27c9…
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn one_more_event_key() {
    let attack = |index: &mut Index| {
        let new = format!(r#""keys":["{}","#, key(7).public());
        index.edit_file(layout::CONFIG, r#""keys":["#, &new);
    };
    assert_snapshot!(seen().refused_from_a_mirror(attack, UPDATE), @"
    error: the registry `REGISTRY/` is refused
      cause: `keys` of `config.json` have the digest sha256:55e52b… (SHA256:/oEsEv…, SHA256:CukONg…), the checkpoint says sha256:ef27c9…
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn no_log_at_all() {
    let attack = |index: &mut Index| {
        let text = format!(r#"{{"version":1,"name":"plugins","keys":["{}"]}}"#, key(7).public());
        index.put(layout::CONFIG, text);
    };
    assert_snapshot!(seen().refused_from_a_mirror(attack, UPDATE), @"
    error: the registry `REGISTRY/` is refused
      cause: `config.json` of the registry `plugins` has no log key (`log.key`)
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_log_key_that_does_not_fit_its_name() {
    let attack = |index: &mut Index| index.edit_file(layout::CONFIG, "plugins.test", "plugins.best");
    assert_snapshot!(Scene::new(Index::honest()).refused_from_a_mirror(attack, INSTALL), @"
    error: the registry `REGISTRY/` is refused
      cause: the log key of the registry `plugins` is refused
      cause: the key of `plugins.best` has ID 353e0d71, but its name and bytes give 849641f4
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_huge_configuration() {
    let attack = |index: &mut Index| {
        let padding = format!(r#"{{"padding":"{}","version""#, "x".repeat(1 << 20));
        index.edit_file(layout::CONFIG, r#"{"version""#, &padding);
    };
    assert_snapshot!(Scene::new(Index::honest()).refused_from_a_mirror(attack, INSTALL), @"
    error: the registry `REGISTRY/` cannot be read
      cause: REGISTRY/config.json is larger than 65536 bytes
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_configuration_that_nests_without_end() {
    let attack = |index: &mut Index| {
        let nested = format!(r#"{{"x":{}{},"version""#, "[".repeat(30_000), "]".repeat(30_000));
        index.edit_file(layout::CONFIG, r#"{"version""#, &nested);
    };
    assert_snapshot!(Scene::new(Index::honest()).refused_from_a_mirror(attack, INSTALL), @"
    error: the registry `REGISTRY/` is refused
      cause: `config.json` is malformed
      cause: nested more than 64 deep at line 1 column 69
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_redirect_to_another_registry() {
    let scene = seen();
    let mut other = Index::with_log(ORIGIN, 7);
    other.publish(&[crate::index::lua("geo", "1.2.0", "")], &[crate::index::MALLORY]);
    let elsewhere = Scene::new(other);
    let to = elsewhere.user.read("pocket.yaml").split_whitespace().last().unwrap().to_owned();
    scene.fail("", Fault::Redirect(to));
    assert_snapshot!(scene.refused(UPDATE), @"
    error: the registry `REGISTRY/` signs with the key plugins.test+e…, before it was plugins.test+3…
      hint: if the registry was set up anew and you trust it, put the new key into pocket.lock and pocket.yaml, wherever the old one stands
    exit code 6
    ");
}

#[test]
fn a_plugins_file_is_hidden() {
    let attack = |index: &mut Index| drop(index.files.remove(&path("geo")));
    assert_snapshot!(seen().refused_from_a_mirror(attack, UPDATE), @"
    error: the registry `REGISTRY/` shows another history than before; both sides are kept in `SANDBO…-1.txt`
      cause: event 2 of `geo` was sha256:694a86… when it was seen before, now it is gone: the file ends after 0
      hint: ask others who use the registry what it shows them, and send them what is kept; nothing was changed
    exit code 6
    ");
}

#[test]
fn a_plugins_file_fails() {
    let scene = seen();
    scene.fail("index/", Fault::Status(500));
    assert_snapshot!(scene.refused(UPDATE), @"
    error: the registry `REGISTRY/` cannot be read
      cause: REGISTRY/index/3/g/geo answered 500
      hint: the server has a trouble of its own; try again later
    exit code 1
    ");
}

#[test]
fn a_server_that_never_answers() {
    let mut scene = seen();
    scene.stall("config.json");
    assert_snapshot!(scene.refused(UPDATE), @"
    error: the registry `REGISTRY/` cannot be read
      cause: REGISTRY/config.json did not answer in time
      cause: error sending request
      cause: operation timed out
      hint: try again; nothing was changed
    exit code 1
    ");
}
