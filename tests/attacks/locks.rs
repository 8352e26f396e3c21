//! A `pocket.lock` that somebody edited: what it says must be what the registry's signed events say.

use insta::assert_snapshot;

use crate::index::{ALICE, Index, MALLORY, key, lua};
use crate::scene::{Refusal, Scene};

/// A project with `geo` 1.0.0, as somebody else's machine first sees it.
fn cloned() -> Scene {
    let mut index = Index::honest();
    index.publish(&[lua("asks", "1.0.0", "permissions: {env: [HOME]}\n")], &[ALICE]);
    let scene = Scene::installed(index, &["geo@=1.0.0", "asks"]);
    std::fs::remove_dir_all(scene.user.home()).unwrap();
    scene
}

/// Somebody edits the lock before it is installed from, with `--locked` and without; both say the same.
#[track_caller]
fn edited(change: impl FnOnce(String) -> String) -> Refusal {
    let scene = cloned();
    let honest = scene.user.read("pocket.lock");
    let changed = change(honest.clone());
    assert_ne!(changed, honest, "the edit changed nothing in:\n{honest}");
    scene.user.write("pocket.lock", &changed);
    let locked = scene.refused(&["plugin", "install", "--locked"]);
    let free = scene.refused(&["plugin", "install", "--yes"]);
    assert_eq!(locked.to_string(), free.to_string());
    scene.user.write("pocket.lock", &honest);
    scene.user.pocket(&["plugin", "install", "--locked"]).success();
    locked
}

/// The value of the first such key behind `after`.
fn value<'l>(lock: &'l str, after: &str, name: &str) -> &'l str {
    let rest = &lock[lock.find(after).unwrap()..];
    let rest = &rest[rest.find(&format!("\n{name} = ")).unwrap() + name.len() + 4..];
    rest.lines().next().unwrap()
}

fn other_digest(value: &str) -> String {
    let start = value.find(':').unwrap() + 1;
    let first = if value[start..].starts_with('0') { "1" } else { "0" };
    format!("{}{first}{}", &value[..start], &value[start + 1..])
}

/// Changes one value of `geo`.
fn change(lock: &str, name: &str, to: impl FnOnce(&str) -> String) -> String {
    let at = lock.find("name = \"geo\"").unwrap();
    let old = value(lock, "name = \"geo\"", name);
    let changed = lock[at..].replacen(&format!("{name} = {old}"), &format!("{name} = {}", to(old)), 1);
    format!("{}{changed}", &lock[..at])
}

#[test]
fn the_digest_of_an_archive() {
    assert_snapshot!(edited(|lock| change(&lock, "sha256", other_digest)), @"
        Resolved 2 plugins
    error: `geo` 1.0.0: the lock says sha256:0f8a21…, the registry says sha256:8f8a21…
      hint: somebody edited pocket.lock, or the registry began another history; go back to a lock that was reviewed
    exit code 6
    ");
}

#[test]
fn the_digest_of_the_files() {
    assert_snapshot!(edited(|lock| change(&lock, "tree", other_digest)), @"
        Resolved 2 plugins
    error: `geo` 1.0.0: the lock says t1:00f083…, the registry says t1:b0f083…
      hint: somebody edited pocket.lock, or the registry began another history; go back to a lock that was reviewed
    exit code 6
    ");
}

#[test]
fn the_size_of_an_archive() {
    assert_snapshot!(edited(|lock| change(&lock, "size", |_| "1".to_owned())), @"
        Resolved 2 plugins
    error: `geo` 1.0.0: the lock says the archive has 1 bytes, the registry says the archive has 218 bytes
      hint: somebody edited pocket.lock, or the registry began another history; go back to a lock that was reviewed
    exit code 6
    ");
}

#[test]
fn the_digest_of_an_event() {
    assert_snapshot!(edited(|lock| change(&lock, "event", other_digest)), @"
        Resolved 2 plugins
    error: `geo` 1.0.0: the lock says sha256:07c972…, the registry says sha256:e7c972…
      hint: somebody edited pocket.lock, or the registry began another history; go back to a lock that was reviewed
    exit code 6
    ");
}

#[test]
fn the_place_of_an_event_in_the_log() {
    assert_snapshot!(edited(|lock| change(&lock, "log", |_| "5".to_owned())), @"
        Resolved 2 plugins
    error: `geo` 1.0.0: the lock says entry 5 of the log, the registry says entry 0 of the log
      hint: somebody edited pocket.lock, or the registry began another history; go back to a lock that was reviewed
    exit code 6
    ");
}

#[test]
fn a_version() {
    let other = |lock: String| change(&lock, "version", |_| "\"1.1.0\"".to_owned());
    assert_snapshot!(edited(other), @"
        Resolved 2 plugins
    error: `geo` 1.1.0: the lock says sha256:e7c972…, the registry says sha256:694a86…
      hint: somebody edited pocket.lock, or the registry began another history; go back to a lock that was reviewed
    exit code 6
    ");
}

#[test]
fn a_signer() {
    let (alice, mallory) = (key(ALICE).public().to_string(), key(MALLORY).public().to_string());
    assert_snapshot!(edited(|lock| lock.replace(&alice, &mallory)), @"
        Resolved 2 plugins
    error: `asks` 1.0.0: the lock says it is signed by SHA256:MJfi3u…, the registry says it is signed by SHA256:NHUPmL…
      hint: somebody edited pocket.lock, or the registry began another history; go back to a lock that was reviewed
    exit code 6
    ");
}

#[test]
fn a_runtime() {
    assert_snapshot!(edited(|lock| change(&lock, "runtime", |_| "\"wasm\"".to_owned())), @"
        Resolved 2 plugins
    error: `geo` 1.0.0: the lock says its runtime is `wasm`, the registry says its runtime is `lua`
      hint: somebody edited pocket.lock, or the registry began another history; go back to a lock that was reviewed
    exit code 6
    ");
}

#[test]
fn a_permission_that_no_release_asks_for() {
    let more = |lock: String| lock.replace("    \"env HOME\",\n", "    \"env HOME\",\n    \"filesystem write:/\",\n");
    assert_snapshot!(edited(more), @"
        Resolved 2 plugins
    error: `asks` 1.0.0: the lock says it may write files in /, the registry says it does not ask for that
      hint: somebody edited pocket.lock, or the registry began another history; go back to a lock that was reviewed
    exit code 6
    ");
}

#[test]
fn a_permission_that_the_release_asks_for_is_asked_again_when_it_is_gone() {
    let scene = cloned();
    let lock = scene.user.read("pocket.lock");
    scene.user.write("pocket.lock", &lock.replace("permissions = [\n    \"env HOME\",\n]\n", ""));
    assert_snapshot!(scene.refused(&["plugin", "install"]), @"
        Resolved 2 plugins
        Changing `asks` 1.0.0
                   + may read the environment variable HOME
    `asks` 1.0.0 may read the environment variable HOME
    error: the permissions of `asks` need a yes
      hint: read what they ask for above, then repeat the command with --yes
    exit code 1
    ");
}

#[test]
fn the_root_of_the_tree() {
    let root = |lock: String| {
        let old = value(&lock, "[[registry]]", "log_root").to_owned();
        lock.replace(&old, &other_digest(&old))
    };
    assert_snapshot!(edited(root), @"
    error: the registry `REGISTRY/` shows another history than before; both sides are kept in `SANDBO…-1.txt`
      cause: the log has two roots for 10 leaves: CujYjW…= was seen before, now it is 2ujYjW…=
      hint: ask others who use the registry what it shows them, and send them what is kept; nothing was changed
    exit code 6
    ");
}

#[test]
fn the_size_of_the_tree() {
    let size = |lock: String| lock.replace("log_size = 10", "log_size = 11");
    assert_snapshot!(edited(size), @"
    error: the registry `REGISTRY/` shows another history than before; both sides are kept in `SANDBO…-1.txt`
      cause: the log shrank: 10 leaves, but 11 were seen before
      hint: ask others who use the registry what it shows them, and send them what is kept; nothing was changed
    exit code 6
    ");
    let smaller = |lock: String| lock.replace("log_size = 10", "log_size = 9");
    assert_snapshot!(edited(smaller), @"
    error: the registry `REGISTRY/` shows another history than before; both sides are kept in `SANDBO…-1.txt`
      cause: the log of 10 leaves did not grow out of the one of 9 leaves seen before: the roots are 2ujYjW…= and 2ujYjW…=, the proof leads to TsF1X4…= and 2ujYjW…=
      hint: ask others who use the registry what it shows them, and send them what is kept; nothing was changed
    exit code 6
    ");
}

#[test]
fn the_name_of_the_log() {
    let name = |lock: String| lock.replace("log = \"plugins.test\"", "log = \"elsewhere.test\"");
    assert_snapshot!(edited(name), @"
    error: the registry `REGISTRY/` shows another history than before; both sides are kept in `SANDBO…-1.txt`
      cause: the checkpoint is of the log `plugins.test`, the one seen before was of `elsewhere.test`
      hint: ask others who use the registry what it shows them, and send them what is kept; nothing was changed
    exit code 6
    ");
}

#[test]
fn the_key_of_the_log() {
    let other = Index::with_log(crate::index::ORIGIN, 7).signer().key().to_string();
    let key = |lock: String| {
        let old = value(&lock, "[[registry]]", "log_key").to_owned();
        lock.replace(&old, &format!("\"{other}\""))
    };
    assert_snapshot!(edited(key), @"
    error: the registry `REGISTRY/` signs with the key plugins.test+3…, before it was plugins.test+e…
      hint: if the registry was set up anew and you trust it, put the new key into pocket.lock and pocket.yaml, wherever the old one stands
    exit code 6
    ");
}

#[test]
fn the_registrys_event_keys() {
    // The log states which they are, and they may change with it: nothing hangs on the lock's, but a difference is told.
    let (old, new) = (key(crate::index::REGISTRY).public(), key(7).public());
    let scene = cloned();
    let lock = scene.user.read("pocket.lock").replace(&old.to_string(), &new.to_string());
    scene.user.write("pocket.lock", &lock);
    let installed = scene.user.pocket(&["plugin", "install", "--locked"]).success();
    let told = format!("other keys: {} now, {} before", old.fingerprint(), new.fingerprint());
    assert!(installed.stderr.contains(&told), "{}", installed.stderr);
}

#[test]
fn a_registry_without_keys() {
    let unsigned = |lock: String| {
        let start = lock.find("keys = [").unwrap();
        let end = lock.find("[[plugin]]").unwrap();
        format!("{}unsigned = true\n\n{}", &lock[..start], &lock[end..])
    };
    assert_snapshot!(edited(unsigned), @"
    error: `SANDBOX/project/pocket.lock` says that the registry `default` is used without keys, which nobody configured
      hint: go back to a pocket.lock that was reviewed
    exit code 6
    ");
}

#[test]
fn a_plugin_without_signatures() {
    let unsigned = |lock: String| {
        let lock = change(&lock, "trust", |_| "\"unsigned\"".to_owned());
        let event = value(&lock, "name = \"geo\"", "event").to_owned();
        let log = value(&lock, "name = \"geo\"", "log").to_owned();
        lock.replace(&format!("event = {event}\nlog = {log}\n"), "")
    };
    assert_snapshot!(edited(unsigned), @r#"
        Resolved 2 plugins
    error: `geo` 1.0.0: the lock says `trust = "unsigned"`, the registry says `trust = "log"`
      hint: somebody edited pocket.lock, or the registry began another history; go back to a lock that was reviewed
    exit code 6
    "#);
}

#[test]
fn an_unsigned_flag_beside_the_keys() {
    assert_snapshot!(edited(|lock| lock.replace("keys = [", "unsigned = true\nkeys = [")), @"
    error: `SANDBOX/project/pocket.lock` says that the registry `default` is used without keys, which nobody configured
      hint: go back to a pocket.lock that was reviewed
    exit code 6
    ");
}

#[test]
fn an_edit_where_everything_is_installed_already() {
    let scene = Scene::installed(Index::honest(), &["geo"]);
    let lock = scene.user.read("pocket.lock");
    let (alice, mallory) = (key(ALICE).public().to_string(), key(MALLORY).public().to_string());
    scene.user.write("pocket.lock", &lock.replace(&alice, &mallory));
    assert_snapshot!(scene.refused(&["plugin", "verify", "--offline"]), @"
    error: `geo` 1.1.0: the lock says it is signed by SHA256:MJfi3u…, the registry says it is signed by SHA256:NHUPmL…
      hint: somebody edited pocket.lock, or the registry began another history; go back to a lock that was reviewed
    exit code 6
    ");
}
