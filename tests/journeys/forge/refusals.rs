//! What a forge can lack or refuse has its own message each time.

use std::path::PathBuf;

use serde_json::json;

use super::{GITHUB, Place, REPOSITORY, host, paths};

#[test]
fn each_thing_that_is_missing_has_its_own_message() {
    let place = Place::new();
    let install = |what: &str| place.sandbox.pocket(&["plugin", "install", what]);
    install("github.com/example/nothing")
        .failure(1, &["knows no repository `github.com/example/nothing`", "hint: check the spelling"]);
    place.forge.create("example/empty");
    install("github.com/example/empty")
        .failure(1, &["has no release", "hint: a repository is installed by its releases"]);

    let archive = place.pack("geo", "1.0.0-rc.1", &[]);
    place.forge.release_with(REPOSITORY, "v1.0.0-rc.1", &paths(&archive), &json!({ "prerelease": true }));
    place.forge.release_with(REPOSITORY, "v2.0.0", &paths(&archive), &json!({ "draft": true }));
    install(GITHUB).failure(1, &["has only pre-releases: `v1.0.0-rc.1`", "hint: name one"]);
    install(&format!("{GITHUB}@^1")).failure(1, &["has only pre-releases"]);
    install(&format!("{GITHUB}@2.0.0")).failure(1, &["pre-releases: `v1.0.0-rc.1`"]);
    install(&format!("{GITHUB}@1.0.0-rc.1")).failure(6, &["comes without evidence"]);

    place.release("v1.5.0", &place.pack("geo", "1.5.0", &[]));
    install(&format!("{GITHUB}@^3")).failure(1, &["has no release that matches `^3`, only `1.5.0`"]);
    install(&format!("https://{GITHUB}/releases/tag/v9.9.9"))
        .failure(1, &["no release with the tag `v9.9.9`, only `v1.5.0`"]);
    place.forge.release(REPOSITORY, "stable", &[]);
    install(&format!("https://{GITHUB}/releases/tag/stable")).failure(1, &["the tag `stable`", "names no version"]);
}

#[test]
fn a_missing_archive_is_told_with_what_was_expected_and_what_is_there() {
    let place = Place::new();
    let files = place.pack_native("1.0.0", &[]);
    let others: Vec<PathBuf> = files.iter().filter(|file| !file.to_string_lossy().contains(host())).cloned().collect();
    place.release("v1.0.0", &others);
    let expected =
        format!("has no archive `geo-1.0.0-{}.tar.gz`, only `geo-1.0.0-aarch64-apple-darwin.tar.gz`", host());
    place.sandbox.pocket(&["plugin", "install", GITHUB]).failure(1, &[&expected]);

    let notes = place.sandbox.path("notes.txt");
    std::fs::write(&notes, "nothing").unwrap();
    place.forge.release("example/pocket-plugin-docs", "v1.0.0", &[&notes]);
    place
        .sandbox
        .pocket(&["plugin", "install", "github.com/example/pocket-plugin-docs"])
        .failure(1, &["no archive `docs-1.0.0.tar.gz` or `docs-1.0.0-", "only `notes.txt`"]);
}

#[test]
fn of_several_plugins_in_a_release_the_one_that_is_named_is_taken() {
    let place = Place::new();
    let both = [place.pack("alpha", "1.0.0", &[]), place.pack("beta", "1.0.0", &[])].concat();
    place.forge.release("example/plugins", "v1.0.0", &paths(&both));
    place
        .sandbox
        .pocket(&["plugin", "install", "github.com/example/plugins"])
        .failure(1, &["archives of several plugins: `alpha`, `beta`", "name one in pocket.yaml: `alpha: {release:"]);
    place
        .sandbox
        .write("pocket.yaml", "plugins: {dependencies: {beta: {release: github.com/example/plugins, version: '*'}}}\n");
    let refused = place.sandbox.pocket(&["plugin", "install"]).failure(6, &["beta-1.0.0.tar.gz"]);
    assert!(!refused.stderr.contains("alpha"), "{}", refused.stderr);
}

#[test]
fn a_used_up_limit_is_told_with_its_end_and_the_way_out() {
    let place = Place::new();
    let soon = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 1_790;
    let headers = [("x-ratelimit-remaining", "0".to_owned()), ("x-ratelimit-reset", soon.to_string())];
    place.forge.answer_all(403, &headers);
    place
        .sandbox
        .pocket(&["plugin", "install", GITHUB])
        .failure(1, &["takes no more requests for 30 minutes", "hint: wait, or set a token in POCKET_FORGE_TOKEN"]);
    place.forge.answer_all(429, &[("retry-after", "60".to_owned())]);
    place.sandbox.pocket(&["plugin", "install", GITHUB]).failure(1, &["takes no more requests for 60 seconds"]);
    place.forge.answer_all(401, &[]);
    place.sandbox.pocket(&["plugin", "install", GITHUB]).failure(1, &["refused the request with 401"]);
    place.forge.answer_all(200, &[]);
    place.sandbox.pocket(&["plugin", "install", GITHUB]).failure(1, &["does not answer as a release API does"]);
}
