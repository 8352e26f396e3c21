//! `plugin verify`: every link from the installed bytes to the signed checkpoint, without the network too.

use std::fs;

use crate::support::{Author, Sandbox, TestRegistry};

/// A user who installed `greeting` from a registry that is gone meanwhile.
fn installed() -> Sandbox {
    let registry = TestRegistry::empty();
    let author = Author::of(&registry);
    author.publish("greeting", "1.0.0", "");
    author.publish("other", "1.0.0", "");
    let user = Sandbox::with_registry(registry.url());
    user.pocket(&["plugin", "install", "greeting"]).success();
    user
}

/// The only file in the cache whose path ends like this.
fn cached(user: &Sandbox, end: &str) -> std::path::PathBuf {
    let folder = fs::read_dir(user.home().join("cache/index")).unwrap().next().unwrap().unwrap().path();
    let path = folder.join(end);
    assert!(path.is_file(), "{}", path.display());
    path
}

#[test]
fn each_link_is_shown_without_the_network() {
    let user = installed();
    let outcome = user.pocket(&["plugin", "verify", "greeting", "--offline"]).success();
    let links = [
        "the installed files are t1:",
        "the lock names the event sha256:",
        "the event promises these files for `any`, in the archive sha256:",
        "the release is signed by SHA256:",
        "it is entry 0 of the log of",
        "the log's checkpoint has 2 entries and the root",
    ];
    let places: Vec<_> = links.iter().map(|link| outcome.stdout.find(link)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{}", outcome.stdout);
}

#[test]
fn each_link_that_is_missing_is_a_refusal_that_names_it() {
    for file in ["config.json", "log/checkpoint", "index/gr/ee/greeting", "log/tile/0/000.p/2"] {
        let user = installed();
        fs::remove_file(cached(&user, file)).unwrap();
        user.pocket(&["plugin", "verify", "greeting", "--offline"]).failure(
            6,
            &["the chain from `greeting` 1.0.0 to the registry's log has a gap", file, "once without --offline"],
        );
    }
}

#[test]
fn files_that_the_lock_was_edited_for_are_not_those_that_were_signed() {
    let user = installed();
    let lock = user.read("pocket.lock");
    let signed = lock.split('"').find(|text| text.starts_with("t1:")).unwrap();
    let installed = user.home().join("plugins/greeting/1.0.0");
    fs::write(installed.join("main.lua"), "function process() return {version = 'mine'} end\n").unwrap();
    let changed = user.pocket(&["plugin", "verify", "greeting", "--offline"]);
    let found = changed.stderr.split(' ').find(|word| word.starts_with("t1:")).unwrap().trim_end_matches(',');
    assert_ne!(found, signed);
    // The lock and the store's own note are made to fit the changed files.
    user.write("pocket.lock", &lock.replace(signed, found));
    fs::write(user.home().join("plugins/greeting/1.0.0.tree"), format!("{found}\n")).unwrap();
    user.pocket(&["plugin", "verify", "greeting", "--offline"])
        .failure(6, &["`greeting` 1.0.0: the lock says t1:", "the registry says t1:", found, signed]);
}

#[test]
fn an_archive_on_the_web_is_verified_like_a_file() {
    let registry = TestRegistry::empty();
    Author::of(&registry).publish("greeting", "1.0.0", "");
    let archive = registry.archive_of("index/gr/ee/greeting");
    let url = format!("{}{}", registry.url(), archive.strip_prefix(registry.tree()).unwrap().display());
    let user = Sandbox::with_registry(registry.url());
    let outcome = user.pocket(&["plugin", "verify", &url]).success();
    assert!(outcome.stdout.contains("the archive's bytes are sha256:"), "{}", outcome.stdout);
    fs::write(&archive, b"something else").unwrap();
    user.pocket(&["plugin", "verify", &url]).failure(6, &["is refused", &url]);
}
