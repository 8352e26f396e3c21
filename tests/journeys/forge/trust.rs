//! What vouches for a release: a signature, digests that are typed, a yes at a terminal; and what does not.

use std::path::PathBuf;

use serde_json::json;

use super::{GITHUB, Place, REPOSITORY, archive_of, host};

#[test]
fn an_update_asks_no_new_trust_for_what_is_locked() {
    let place = Place::new();
    place.release("v1.0.0", &place.pack("geo", "1.0.0", &[]));
    let command = place.suggested(GITHUB);
    place.sandbox.pocket(&["plugin", "install", &command]).success();
    place.sandbox.write("pocket.yaml", &place.sandbox.read("pocket.yaml").replace("=1.0.0", "^1"));
    let lock = place.lock();
    place.sandbox.pocket(&["plugin", "update"]).success();
    assert_eq!(place.lock(), lock);
    place.release("v1.1.0", &place.pack("geo", "1.1.0", &[]));
    place
        .sandbox
        .pocket(&["plugin", "update"])
        .failure(6, &["`github.com/example/pocket-plugin-geo` 1.1.0 comes without"]);
    assert_eq!(place.lock(), lock);
}

#[test]
fn an_unsigned_release_needs_its_digests_and_the_refusal_says_them() {
    let place = Place::new();
    place.release("v1.0.0", &place.pack_native("1.0.0", &[]));
    let before = place.sandbox.snapshot();
    let command = place.suggested(GITHUB);
    assert_eq!(place.sandbox.snapshot(), before);
    assert!(command.starts_with(&format!("{GITHUB}@1.0.0#sha256=")) && command.contains(','), "{command}");
    place.sandbox.pocket(&["plugin", "install", "--yes", GITHUB]).failure(6, &["comes without evidence"]);
    place.sandbox.pocket(&["plugin", "install", &command]).success();
    let lock = place.lock();
    assert!(lock.contains("trust = \"digest\"") && lock.contains("aarch64-apple-darwin.tar.gz"), "{lock}");
    place.sandbox.pocket_elsewhere(&["plugin", "install", "--locked"]).success();
}

#[test]
fn an_archive_whose_digest_was_not_given_does_not_get_into_the_lock() {
    let place = Place::new();
    let files = place.pack_native("1.0.0", &[]);
    place.release("v1.0.0", &files);
    let command = place.suggested(GITHUB);
    let (start, digests) = command.split_once('=').unwrap();
    let digests: Vec<&str> = digests.split(',').collect();
    let position = files.iter().position(|file| file.to_string_lossy().contains(host())).unwrap();
    let own = format!("{start}={}", digests[position]);
    let installed = place.sandbox.pocket(&["plugin", "install", &own]).success();
    assert!(installed.stderr.contains("aarch64-apple-darwin.tar.gz` is not locked"), "{}", installed.stderr);
    assert!(!place.lock().contains("aarch64-apple-darwin"));
    let wrong = format!("{start}={}", "0".repeat(64));
    std::fs::remove_file(place.sandbox.path("pocket.lock")).unwrap();
    place
        .sandbox
        .pocket(&["plugin", "install", &wrong])
        .failure(6, &["is refused", &"0".repeat(64), digests[position]]);
}

#[test]
fn a_yes_at_a_terminal_trusts_once_and_the_lock_says_so() {
    let place = Place::new();
    place.release("v1.0.0", &place.pack("geo", "1.0.0", &[]));
    let said = place.sandbox.pocket_at_a_terminal(&["plugin", "install", GITHUB], "n\n");
    assert!(said.code != 0 && said.stdout.contains("was not trusted"), "{}", said.stdout);
    assert!(!place.sandbox.path("pocket.lock").exists());
    let said = place.sandbox.pocket_at_a_terminal(&["plugin", "install", GITHUB], "y\n").success();
    assert!(
        said.stdout.contains("Trust these bytes, this once?") && said.stdout.contains("sha256:"),
        "{}",
        said.stdout
    );
    assert!(place.lock().contains("trust = \"once\""));
    place.sandbox.pocket_elsewhere(&["plugin", "install", "--locked"]).success();
    place.forge.replace("geo-1.0.0.tar.gz", b"other bytes");
    std::fs::remove_dir_all(place.sandbox.home()).unwrap();
    place.sandbox.pocket(&["plugin", "install", "--locked"]).failure(6, &["is refused", "sha256:"]);
}

#[test]
fn another_key_later_is_an_error_with_both_fingerprints() {
    let place = Place::new();
    place.release_signed("1.0.0", "first");
    place.release_signed("1.1.0", "second");
    place.sandbox.pocket(&["plugin", "install", &format!("{GITHUB}@1.0.0")]).success();
    let before = place.sandbox.snapshot();
    let refused = place.sandbox.pocket(&["plugin", "install", &format!("{GITHUB}@1.1.0")]);
    let refused = refused.failure(6, &["is signed by SHA256:", "before it was SHA256:", "hint: ask its publisher"]);
    assert_eq!(refused.stderr.matches("SHA256:").count(), 2);
    assert_eq!(place.sandbox.snapshot(), before);
    // A machine that never saw the first key has it from the lock that the team reviewed.
    place
        .sandbox
        .pocket_elsewhere(&["plugin", "install", &format!("{GITHUB}@1.1.0")])
        .failure(6, &["is signed by", "before it was"]);
}

#[test]
fn a_signature_that_is_gone_is_not_passed_over() {
    let place = Place::new();
    place.release_signed("1.0.0", "default");
    place.sandbox.pocket(&["plugin", "install", GITHUB]).success();
    place.release("v1.1.0", &place.pack("geo", "1.1.0", &[]));
    place
        .sandbox
        .pocket(&["plugin", "install", &format!("{GITHUB}@1.1.0")])
        .failure(6, &["has no signature, before they were signed by SHA256:"]);
}

#[test]
fn a_signature_counts_for_its_own_release_alone() {
    let place = Place::new();
    place.sandbox.pocket(&["key", "new"]).success();
    let old = place.pack("geo", "1.0.0", &["--sign"]);
    let new = place.pack("geo", "1.1.0", &["--sign"]);
    let signature =
        |files: &[PathBuf]| files.iter().find(|file| file.to_string_lossy().ends_with(".json")).unwrap().clone();
    std::fs::copy(signature(&old), signature(&new)).unwrap();
    place.release("v1.1.0", &new);
    place.sandbox.pocket(&["plugin", "install", GITHUB]).failure(6, &["it signs `geo` 1.0.0"]);

    place.forge.replace("geo-1.1.0.release.json", b"{\"event\":\"{}\",\"signatures\":[]}");
    place
        .sandbox
        .pocket(&["plugin", "install", GITHUB])
        .failure(6, &["the signature `geo-1.1.0.release.json` is refused"]);

    let other = Place::new();
    other.sandbox.pocket(&["key", "new"]).success();
    other.release("v1.0.0", &other.pack("geo", "1.0.0", &["--sign"]));
    let mut bytes = std::fs::read(archive_of(&old)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    other.forge.replace("geo-1.0.0.tar.gz", &bytes);
    other
        .sandbox
        .pocket(&["plugin", "install", GITHUB])
        .failure(6, &["the archive geo-1.0.0.tar.gz is refused", "sha256:"]);
    bytes.resize(1 << 20, 0);
    other.forge.replace("geo-1.0.0.tar.gz", &bytes);
    other.sandbox.pocket(&["plugin", "install", GITHUB]).failure(1, &["is larger than"]);
    assert!(!other.sandbox.path("pocket.lock").exists());
}

#[test]
fn the_forges_own_digest_is_checked_but_is_no_evidence() {
    let place = Place::new();
    let files = place.pack("geo", "1.0.0", &[]);
    place.release("v1.0.0", &files);
    let asset = "geo-1.0.0.tar.gz";
    let command = place.suggested(GITHUB);
    let right = command.split('=').next_back().unwrap();
    place.forge.change_asset(REPOSITORY, asset, "digest", json!(format!("sha256:{right}")));
    place.sandbox.pocket(&["plugin", "install", GITHUB]).failure(6, &["comes without evidence"]);
    let wrong = "0".repeat(64);
    place.forge.change_asset(REPOSITORY, asset, "digest", json!(format!("sha256:{wrong}")));
    place.sandbox.pocket(&["plugin", "install", &command]).failure(6, &["the forge says", &wrong, right]);
}

#[test]
fn an_archive_must_be_what_its_name_says() {
    let place = Place::new();
    let files = place.pack("geo", "1.0.0", &[]);
    let renamed = files[0].with_file_name("geo-1.1.0.tar.gz");
    std::fs::copy(&files[0], &renamed).unwrap();
    place.release("v1.1.0", &[renamed]);
    place
        .sandbox
        .pocket(&["plugin", "install", GITHUB])
        .failure(6, &["`geo-1.1.0.tar.gz` is not the archive", "it is `geo` 1.0.0"]);
}
