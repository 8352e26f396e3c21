//! Archives that are others than what was signed, and installed files that are others than what was unpacked.

use std::{fs, slice};

use insta::assert_snapshot;
use pocket_index::archive::fixture::Fixture;
use pocket_index::digest::Digest;
use pocket_index::layout;
use pocket_index::package::release_of;
use pocket_index::record::Release;

use crate::index::{ALICE, Index, lua, native};
use crate::scene::{Fault, Refusal, Scene};

const INSTALL: &[&str] = &["plugin", "install", "geo"];

/// A mirror changes the bytes of the newest archive of `geo`.
#[track_caller]
fn swapped(change: impl FnOnce(&mut Vec<u8>)) -> Refusal {
    let scene = Scene::new(Index::honest());
    let attack = |index: &mut Index| {
        let path = index.archive_of("geo");
        change(index.files.get_mut(&path).unwrap());
    };
    scene.refused_from_a_mirror(attack, INSTALL)
}

#[test]
fn an_archive_of_the_same_size() {
    assert_snapshot!(swapped(|bytes| bytes[40] ^= 1), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
        Resolved 1 plugin
    error: cannot install `geo` 1.1.0
      cause: the archive's digest is sha256:fd33b2…, expected sha256:bbcd60…
      hint: the file changed after it was published; report it to the registry before using it
    exit code 6
    ");
}

#[test]
fn another_archive() {
    assert_snapshot!(swapped(|bytes| *bytes = lua("geo", "1.1.0", "keywords: [evil]\n").bytes), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
        Resolved 1 plugin
    error: cannot install `geo` 1.1.0
      cause: the archive has more than 217 bytes, the index says 217
      hint: the file changed after it was published; report it to the registry before using it
    exit code 6
    ");
}

#[test]
fn an_archive_that_is_longer() {
    assert_snapshot!(swapped(|bytes| bytes.push(0)), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
        Resolved 1 plugin
    error: cannot install `geo` 1.1.0
      cause: the archive has 218 bytes, the index says 217
      hint: the file changed after it was published; report it to the registry before using it
    exit code 6
    ");
}

#[test]
fn an_archive_that_never_ends() {
    assert_snapshot!(swapped(|bytes| bytes.extend(vec![0; 8 << 20])), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
        Resolved 1 plugin
    error: cannot install `geo` 1.1.0
      cause: the archive has more than 217 bytes, the index says 217
      hint: the file changed after it was published; report it to the registry before using it
    exit code 6
    ");
}

#[test]
fn an_archive_that_is_shorter() {
    assert_snapshot!(swapped(|bytes| bytes.truncate(bytes.len() - 1)), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
        Resolved 1 plugin
    error: cannot install `geo` 1.1.0
      cause: the archive has 216 bytes, the index says 217
      hint: the file changed after it was published; report it to the registry before using it
    exit code 6
    ");
}

#[test]
fn an_archive_that_is_gone() {
    let scene = Scene::new(Index::honest());
    scene.fail("a/", Fault::Status(404));
    assert_snapshot!(scene.refused(INSTALL), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
        Resolved 1 plugin
    error: cannot download `geo` 1.1.0
      cause: there is nothing at REGIST….tar.gz (404)
      hint: check the address; a registry has a `config.json` at its root
    exit code 1
    ");
}

#[test]
fn an_archive_of_an_older_version() {
    let old = lua("geo", "1.0.0", "").bytes;
    assert_snapshot!(swapped(|bytes| *bytes = old), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
        Resolved 1 plugin
    error: cannot install `geo` 1.1.0
      cause: the archive has 218 bytes, the index says 217
      hint: the file changed after it was published; report it to the registry before using it
    exit code 6
    ");
}

#[test]
fn the_archive_of_the_other_target() {
    let scene = Scene::new(Index::honest());
    let [linux, mac] = native("ships", "1.0.0");
    let attack = |index: &mut Index| index.put(&layout::archive(&Digest::of(&linux.bytes)), mac.bytes);
    assert_snapshot!(scene.refused_from_a_mirror(attack, &["plugin", "install", "ships"]), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
        Resolved 1 plugin
    error: cannot install `ships` 1.0.0
      cause: the archive has more than 235 bytes, the index says 235
      hint: the file changed after it was published; report it to the registry before using it
    exit code 6
    ");
}

/// A publisher signs a release that says something else than the archive it names. What it says is what is resolved, shown
/// and approved; what the archive says would run.
#[track_caller]
fn signed_otherwise(manifest: &str, change: impl FnOnce(&mut Release)) -> Refusal {
    let package = lua("sly", "1.0.0", manifest);
    let mut release = release_of(slice::from_ref(&package)).unwrap();
    change(&mut release);
    let mut index = Index::honest();
    index.publish_as(&release, &[package], &[ALICE]);
    Scene::new(index).refused(&["plugin", "install", "sly", "--yes"])
}

#[test]
fn a_permission_in_the_archive_that_the_event_does_not_have() {
    let manifest = "permissions: {env: [HOME], http: [\"evil.example.com:443\"]}\n";
    assert_snapshot!(signed_otherwise(manifest, |release| release.permissions.http.clear()), @r#"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
        Resolved 1 plugin
         Granted `sly` 1.0.0 may read the environment variable HOME
    error: cannot install `sly` 1.0.0
      cause: the archive's manifest and the index differ in `permissions`: {"env":["HOME"],"http":["evil.example.com:443"]} in the manifest, {"env":["HOME"]} in the index
      hint: its publisher signed what cannot be used; choose another version, and tell publisher and registry
    exit code 6
    "#);
}

#[test]
fn a_dependency_in_the_archive_that_the_event_does_not_have() {
    assert_snapshot!(signed_otherwise("dependencies: {geo: ^1}\n", |release| release.dependencies.clear()), @r#"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
        Resolved 1 plugin
    error: cannot install `sly` 1.0.0
      cause: the archive's manifest and the index differ in `dependencies`: {"geo":{"version":"^1"}} in the manifest, {} in the index
      hint: its publisher signed what cannot be used; choose another version, and tell publisher and registry
    exit code 6
    "#);
}

#[test]
fn files_that_unpack_to_more_than_was_signed() {
    assert_snapshot!(signed_otherwise("", |release| release.archives[0].unpacked -= 1), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
        Resolved 1 plugin
    error: cannot install `sly` 1.0.0
      cause: the archive's files have 126 bytes together, the index says 125
      hint: its publisher signed what cannot be used; choose another version, and tell publisher and registry
    exit code 6
    ");
}

#[test]
fn other_files_than_the_tree_digest_that_was_signed() {
    let other = lua("sly", "1.0.0", "keywords: [other]\n").archive().tree();
    assert_snapshot!(signed_otherwise("", |release| release.archives[0].tree = other), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
        Resolved 1 plugin
    error: cannot install `sly` 1.0.0
      cause: the archive's files have the digest t1:24d8c9…, the index says t1:9b77c3…
      hint: its publisher signed what cannot be used; choose another version, and tell publisher and registry
    exit code 6
    ");
}

/// A publisher signs these bytes, whatever they are, with the true size and digest.
#[track_caller]
fn signed_bytes(bytes: &[u8]) -> Refusal {
    let package = lua("sly", "1.0.0", "");
    let mut release = release_of(&[package]).unwrap();
    (release.archives[0].size, release.archives[0].sha256) = (bytes.len() as u64, Digest::of(bytes));
    let mut index = Index::honest();
    index.publish_as(&release, &[], &[ALICE]);
    index.put(&layout::archive(&Digest::of(bytes)), bytes);
    Scene::new(index).refused(&["plugin", "install", "sly"])
}

#[test]
fn a_bomb_with_a_true_digest() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/archives/bomb-ratio.txt")).unwrap();
    assert_snapshot!(signed_bytes(&Fixture::parse(&text).unwrap().archive), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
        Resolved 1 plugin
    error: cannot install `sly` 1.0.0
      cause: the archive unpacks to more than 200 times its 2207 bytes
      hint: its publisher signed what cannot be used; choose another version, and tell publisher and registry
    exit code 6
    ");
}

#[test]
fn bytes_that_are_no_archive_with_a_true_digest() {
    assert_snapshot!(signed_bytes(b"#!/bin/sh\n"), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
        Resolved 1 plugin
    error: cannot install `sly` 1.0.0
      cause: the file is not a gzip archive (`.tar.gz`)
      hint: its publisher signed what cannot be used; choose another version, and tell publisher and registry
    exit code 6
    ");
}

fn installed() -> Scene {
    Scene::installed(Index::honest(), &["geo"])
}

/// Changes the installed script.
fn overwrite(scene: &Scene) {
    let script = scene.user.home().join("plugins/geo/1.1.0/main.lua");
    fs::write(script, "function process() return {version = 'mine'} end\n").unwrap();
}

#[test]
fn an_installed_file_that_was_changed_does_not_run() {
    let scene = installed();
    overwrite(&scene);
    assert_snapshot!(scene.refused(&["run", "flow.yaml"]), @"
    error: the installed files of `geo` 1.1.0 are t1:60972b…, expected t1:4c47b2…
      hint: the files were changed after they were installed; `pocket plugin install geo@=1.1.0` restores them
    exit code 6
    ");
}

#[test]
fn an_installed_file_that_was_changed_does_not_verify() {
    let scene = installed();
    overwrite(&scene);
    assert_snapshot!(scene.refused(&["plugin", "verify", "geo"]), @"
    error: the installed files of `geo` 1.1.0 are t1:60972b…, expected t1:4c47b2…
      hint: the files were changed after they were installed; `pocket plugin install geo@=1.1.0` restores them
    exit code 6
    ");
}

#[test]
fn a_file_that_was_added_to_an_installed_plugin() {
    let scene = installed();
    fs::write(scene.user.home().join("plugins/geo/1.1.0/init.lua"), "os.exit()\n").unwrap();
    assert_snapshot!(scene.refused(&["run", "flow.yaml"]), @"
    error: the installed files of `geo` 1.1.0 are t1:e3f559…, expected t1:4c47b2…
      hint: the files were changed after they were installed; `pocket plugin install geo@=1.1.0` restores them
    exit code 6
    ");
}

#[cfg(unix)]
#[test]
fn an_installed_file_that_became_a_link() {
    let scene = installed();
    let script = scene.user.home().join("plugins/geo/1.1.0/main.lua");
    fs::rename(&script, scene.user.path("elsewhere.lua")).unwrap();
    std::os::unix::fs::symlink(scene.user.path("elsewhere.lua"), &script).unwrap();
    assert_snapshot!(scene.refused(&["run", "flow.yaml"]), @"
    error: the installed files of `geo` 1.1.0 cannot be verified
      cause: `SANDBOX/home/plugins/geo/1.1.0/main.lua` is a symbolic link; only files and folders are allowed
    exit code 6
    ");
}

#[test]
fn a_cached_archive_that_was_changed_is_fetched_again() {
    let scene = installed();
    let archive = scene.index.archive_of("geo").replacen("a/", "cache/archives/", 1);
    let cached = scene.user.home().join(archive);
    let honest = fs::read(&cached).unwrap();
    let mut changed = honest.clone();
    changed[40] ^= 1;
    fs::write(&cached, changed).unwrap();
    fs::remove_dir_all(scene.user.home().join("plugins")).unwrap();
    scene.user.pocket(&["plugin", "install"]).success();
    assert_eq!((scene.requests("/a/"), fs::read(&cached).unwrap()), (2, honest));
}

#[test]
fn everything_in_the_lock_is_verified_at_once() {
    let scene = Scene::installed(Index::honest(), &["geo", "pair", "moved"]);
    let all = scene.user.pocket(&["plugin", "verify", "--offline"]).success();
    assert_snapshot!(all.stdout, @"
    `geo` 1.1.0 is verified
    `moved` 1.1.0 is verified
    `pair` 1.1.0 is verified
    3 plugins of the lock verified, from the installed files on
    ");
    for plugin in ["moved", "pair"] {
        let script = scene.user.home().join(format!("plugins/{plugin}/1.1.0/main.lua"));
        fs::write(script, "function process() return {version = 'mine'} end\n").unwrap();
    }
    assert_snapshot!(scene.refused(&["plugin", "verify", "--offline"]), @"
    warning: the installed files of `pair` 1.1.0 are t1:bdfecd…, expected t1:8786f7…
    error: the installed files of `moved` 1.1.0 are t1:92131d…, expected t1:f2202f…
      hint: the files were changed after they were installed; `pocket plugin install moved@=1.1.0` restores them
    exit code 6
    ");
    fs::remove_file(scene.user.path("pocket.lock")).unwrap();
    assert_snapshot!(scene.refused(&["plugin", "verify"]), @"
    error: nothing vouches for what is installed: there is no `SANDBOX/project/pocket.lock`
    exit code 6
    ");
}
