use super::*;
use crate::archive::{Entry, pack};
use crate::config::{Config, LogRequirement};
use crate::digest::TreeDigest;
use crate::manifest::Runtime;
use crate::record::{Event, Release};
use crate::testing::{TestIndex, key, name, version, withdrawal};

const MANIFEST: &str = "\
name: hello
version: 1.0.0
description: Says hello
runtime: lua
binary: main.lua
nodes:
  - type: hello
permissions:
  env: [NAME]
dependencies:
  json-tools: ^1.2
requirements:
  pocket: '>=0.1'
categories: [text]
keywords: [greeting]
";

fn archive_of(manifest: &str) -> Vec<u8> {
    let entry = |path: &str, content: &str| Entry {
        path: path.parse().expect("a valid path"),
        executable: false,
        content: content.as_bytes().to_vec(),
    };
    let entries = [entry("main.lua", "return function() end\n"), entry("manifest.yaml", manifest)];
    pack(&entries, &Limits::default()).expect("two small files")
}

/// The release that an honest publisher signs for these bytes.
fn honest(bytes: &[u8]) -> Release {
    let archive = archive::read(bytes, &Limits::default()).expect("just packed");
    let manifest = archive.manifest().expect("a good manifest");
    let record = ArchiveRecord::describe(&manifest, Target::any(), bytes, &archive);
    Release::describe(&manifest, vec![record])
}

/// An index with this release, in the log.
fn publish(release: Release) -> (TestIndex, VerifiedRelease) {
    let index = TestIndex::new();
    index.append(Event::from(release), &[&key(1)]);
    let verified = check(&index).expect("the release was just appended");
    (index, verified)
}

fn history(index: &TestIndex) -> History {
    History::replay(&name("hello"), &index.text("hello"), &index.policy).expect("the file holds")
}

fn check(index: &TestIndex) -> Result<VerifiedRelease, VerifyError> {
    VerifiedRelease::check(&history(index), &version("1.0.0"), &index.checkpoint(), &index.files)
}

fn verify(release: &VerifiedRelease, bytes: &[u8]) -> Result<VerifiedArchive, VerifyError> {
    let target = "x86_64-unknown-linux-gnu".parse().expect("a target");
    release.verify_archive(&target, bytes, &Limits::default())
}

/// What is said when the signed release differs from the honest one.
fn refused(change: impl FnOnce(&mut Release)) -> VerifyError {
    let bytes = archive_of(MANIFEST);
    let mut release = honest(&bytes);
    change(&mut release);
    verify(&publish(release).1, &bytes).expect_err("the release says something else")
}

#[test]
fn an_archive_that_keeps_every_promise_is_verified() {
    let bytes = archive_of(MANIFEST);
    let (index, release) = publish(honest(&bytes));
    let verified = verify(&release, &bytes).expect("honest");
    assert_eq!(verified.manifest().name.as_str(), "hello");
    assert_eq!((verified.digest(), verified.size()), (Digest::of(&bytes), bytes.len() as u64));
    assert_eq!(verified.tree(), release.entry().release().archives[0].tree);
    assert_eq!(release.log(), &LogEvidence::Included(index.checkpoint().head().clone()));
    assert_eq!(release.entry().signers(), [key(1).public()]);
}

#[test]
fn every_changed_byte_and_every_cut_of_an_archive_is_refused() {
    let bytes = archive_of(MANIFEST);
    let (_, release) = publish(honest(&bytes));
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(matches!(verify(&release, &changed), Err(VerifyError::Digest { .. })), "byte {at}");
        assert!(matches!(verify(&release, &bytes[..at]), Err(VerifyError::Size { .. })), "cut at {at}");
    }
}

#[test]
fn every_number_that_the_publisher_signed_must_be_the_archives() {
    assert!(matches!(refused(|r| r.archives[0].size += 1), VerifyError::Size { .. }));
    assert!(matches!(refused(|r| r.archives[0].sha256 = Digest::of(b"x")), VerifyError::Digest { .. }));
    assert!(matches!(refused(|r| r.archives[0].entries += 1), VerifyError::Entries { expected: 3, found: 2 }));
    assert!(matches!(refused(|r| r.archives[0].unpacked += 1), VerifyError::Unpacked { .. }));
    let tree = TreeDigest::from_bytes([0; 32]);
    assert!(matches!(refused(|r| r.archives[0].tree = tree), VerifyError::Tree { .. }));
}

#[test]
fn a_manifest_that_differs_from_what_was_signed_is_refused_by_its_field() {
    let field = |change: fn(&mut Release)| match refused(change) {
        VerifyError::ManifestDiffers { field, .. } => field,
        other => panic!("refused for another reason: {other}"),
    };
    assert_eq!(field(|r| r.description.push('!')), "description");
    assert_eq!(field(|r| r.runtime = Runtime::Wasm), "runtime");
    assert_eq!(field(|r| r.engine = None), "engine");
    assert_eq!(field(|r| r.dependencies.clear()), "dependencies");
    assert_eq!(field(|r| r.permissions.env.clear()), "permissions");
    assert_eq!(field(|r| r.nodes.clear()), "nodes");
    assert_eq!(field(|r| r.categories.clear()), "categories");
    assert_eq!(field(|r| r.keywords.clear()), "keywords");
}

#[test]
fn another_plugins_archive_under_this_name_is_refused() {
    for (from, to, field) in [("name: hello", "name: other", "name"), ("1.0.0", "1.0.1", "version")] {
        let bytes = archive_of(&MANIFEST.replace(from, to));
        let mut release = honest(&bytes);
        (release.name, release.version) = (name("hello"), version("1.0.0"));
        release.archives[0].file = "hello-1.0.0.tar.gz".to_owned();
        let error = verify(&publish(release).1, &bytes).expect_err("the archive is another plugin's");
        assert!(matches!(error, VerifyError::ManifestDiffers { field: found, .. } if found == field), "{error}");
    }
}

#[test]
fn a_difference_is_told_with_both_values() {
    let error = refused(|r| r.permissions.env.clear());
    let expected = "the archive's manifest and the index differ in `permissions`: {\"env\":[\"NAME\"]} in the manifest, {} in the index";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_target_without_an_archive_is_told_what_there_is() {
    let bytes = archive_of(MANIFEST);
    let mut release = honest(&bytes);
    release.archives[0].target = "aarch64-apple-darwin".parse().expect("a target");
    release.archives[0].file = "hello-1.0.0-aarch64-apple-darwin.tar.gz".to_owned();
    let error = verify(&publish(release).1, &bytes).expect_err("nothing for this target");
    let expected = "`hello` 1.0.0 has no archive for `x86_64-unknown-linux-gnu`, only for `aarch64-apple-darwin`";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_revoked_version_is_refused_and_a_yanked_one_is_not() {
    let (index, _) = publish(honest(&archive_of(MANIFEST)));
    index.append(Event::Yank(withdrawal("hello", "1.0.0")), &[&key(1)]);
    let yanked = check(&index).expect("whether it is locked is not known here");
    assert!(matches!(yanked.entry().status(), Status::Yanked { .. }));

    index.append(Event::Revoke(withdrawal("hello", "1.0.0")), &[&key(101)]);
    let error = check(&index).expect_err("revoked");
    assert_eq!(error.to_string(), "`hello` 1.0.0 is revoked: it breaks");
}

#[test]
fn a_release_that_the_log_does_not_hold_is_refused() {
    let (index, _) = publish(honest(&archive_of(MANIFEST)));
    // The same file, with a later time of arrival: every signature holds, but it is not the line that was logged.
    let text = index.text("hello").replace("1790000000", "1790000001");
    let history = History::replay(&name("hello"), &text, &index.policy).expect("signatures do not cover the time");
    let error = VerifiedRelease::check(&history, &version("1.0.0"), &index.checkpoint(), &index.files);
    assert!(matches!(error, Err(VerifyError::Log(crate::log::LogError::NotIncluded { index: 0, size: 1, .. }))));
}

#[test]
fn a_registry_without_a_log_needs_the_users_waiver() {
    let (index, _) = publish(honest(&archive_of(MANIFEST)));
    let config = Config::parse(r#"{"version":1,"name":"plain"}"#, LogRequirement::WaivedByUser).expect("waived");
    let waiver = config.log_waiver().expect("there is no log");
    let release = VerifiedRelease::check_without_log(&history(&index), &version("1.0.0"), &waiver).expect("waived");
    assert_eq!(release.log(), &LogEvidence::WaivedByUser);
    let missing = VerifiedRelease::check_without_log(&history(&index), &version("2.0.0"), &waiver);
    assert!(matches!(missing, Err(VerifyError::UnknownVersion { .. })));
}

#[test]
fn a_pinned_digest_vouches_for_its_bytes_alone() {
    let bytes = archive_of(MANIFEST);
    let verified = VerifiedArchive::from_pinned_digest(&bytes, Digest::of(&bytes), &Limits::default()).expect("pinned");
    assert!(verified.release().is_none());
    let error = VerifiedArchive::from_pinned_digest(&bytes, Digest::of(b"other"), &Limits::default());
    assert!(matches!(error, Err(VerifyError::Digest { .. })));
    let nothing = VerifiedArchive::from_pinned_digest(b"no archive", Digest::of(b"no archive"), &Limits::default());
    assert!(matches!(nothing, Err(VerifyError::Archive(_))));
}
