//! Every hostile archive of `fixtures/archives/`, on each way into an install: as a file, by URL with its digest, and from a
//! registry whose signed record is right about its bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use pocket_index::archive::fixture::Fixture;
use pocket_index::digest::Digest;
use pocket_index::limits::Limits;

use crate::support::{HandMadeIndex, Outcome, Sandbox, TestRegistry};

/// A good version of the plugin that the hostile archives say they are.
const GOOD: &str = "folder path=./\nfile path=manifest.yaml content=\"name: x\\nversion: 0.1.0\\nruntime: lua\\nbinary: x.lua\\n\"\n\
    file path=x.lua content=\"return 1\\n\"\nexpect: accepted\n";

/// The fixtures that are refused under the limits that users have, by name.
fn hostile() -> BTreeMap<String, Fixture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/archives");
    let fixtures = fs::read_dir(folder).unwrap().map(|file| {
        let path = file.unwrap().path();
        let fixture = Fixture::parse(&fs::read_to_string(&path).unwrap()).unwrap();
        (path.file_stem().unwrap().to_str().unwrap().to_owned(), fixture)
    });
    let hostile: BTreeMap<_, _> =
        fixtures.filter(|(_, fixture)| fixture.refusal.is_some() && fixture.limits == Limits::default()).collect();
    assert!(hostile.len() >= 90, "{} fixtures", hostile.len());
    hostile
}

/// A project in which the good version is installed.
fn with_good_version() -> Sandbox {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("good.tar.gz"), Fixture::parse(GOOD).unwrap().archive).unwrap();
    sandbox.write("pocket.yaml", "");
    sandbox.pocket(&["plugin", "install", "./good.tar.gz"]).success();
    sandbox
}

/// Refused in the library's words, no control character reaches the terminal, and nothing changed but what is cached.
#[track_caller]
fn check(name: &str, fixture: &Fixture, sandbox: &Sandbox, before: &BTreeMap<String, String>, outcome: &Outcome) {
    assert_eq!(outcome.code, 6, "{name}: {}", outcome.stderr);
    let refusal = fixture.refusal.as_deref().unwrap();
    assert!(outcome.stderr.contains(refusal), "{name}: expected `{refusal}` in:\n{}", outcome.stderr);
    let is_hidden = |letter: char| letter.is_control() && letter != '\n' || "\u{202e}\u{2028}\u{200f}".contains(letter);
    assert!(!outcome.stderr.contains(is_hidden), "{name}: {:?}", outcome.stderr);
    assert_eq!(&everything_but_what_is_cached(sandbox), before, "{name}");
}

fn everything_but_what_is_cached(sandbox: &Sandbox) -> BTreeMap<String, String> {
    let mut files = sandbox.everything();
    files.retain(|path, _| !path.starts_with("home/cache") && !path.starts_with("home/trust"));
    files
}

#[test]
fn no_hostile_file_is_installed() {
    let sandbox = with_good_version();
    let outside = tempfile::tempdir().unwrap();
    let before = everything_but_what_is_cached(&sandbox);
    for (name, fixture) in hostile() {
        let path = outside.path().join(format!("{name}.tar.gz"));
        fs::write(&path, &fixture.archive).unwrap();
        let outcome = sandbox.pocket(&["plugin", "install", path.to_str().unwrap()]);
        check(&name, &fixture, &sandbox, &before, &outcome);
    }
    sandbox.pocket(&["plugin", "install", "--locked"]).success();
}

#[test]
fn no_hostile_url_is_installed_though_its_digest_is_right() {
    let sandbox = with_good_version();
    let server = TestRegistry::empty();
    fs::create_dir_all(server.file("a")).unwrap();
    let before = everything_but_what_is_cached(&sandbox);
    for (name, fixture) in hostile() {
        fs::write(server.file(&format!("a/{name}.tar.gz")), &fixture.archive).unwrap();
        let url = format!("{}a/{name}.tar.gz#sha256={}", server.url(), Digest::of(&fixture.archive).hex());
        let outcome = sandbox.pocket(&["plugin", "install", &url]);
        check(&name, &fixture, &sandbox, &before, &outcome);
    }
}

#[test]
fn no_hostile_release_is_installed_though_its_record_is_right() {
    let index = HandMadeIndex::new();
    let hostile = hostile();
    let versions: Vec<_> = hostile.iter().zip(0..).map(|(one, number)| (one, format!("1.0.{number}"))).collect();
    for ((_, fixture), version) in &versions {
        index.release("x", version, &fixture.archive);
    }
    let sandbox = with_good_version();
    let registry = index.url();
    let before = everything_but_what_is_cached(&sandbox);
    for ((name, fixture), version) in versions {
        let outcome = sandbox.pocket(&["plugin", "install", &format!("x@={version}"), "--registry", &registry]);
        check(name, fixture, &sandbox, &before, &outcome);
    }
}

#[test]
fn the_limit_on_unpacked_bytes_is_moved_by_flag_and_by_registry() {
    let index = HandMadeIndex::new();
    let archive = Fixture::parse(GOOD).unwrap().archive;
    index.release("x", "0.1.0", &archive);
    let sandbox = Sandbox::with_registry(&index.url());
    let path = sandbox.path("good.tar.gz");
    fs::write(&path, &archive).unwrap();
    let too_large = ["at most 20 are allowed", "hint: if you expect that much, `--max-unpacked SIZE`"];
    let install = |plugin: &str, limit: &str| sandbox.pocket(&["plugin", "install", plugin, "--max-unpacked", limit]);
    install("x", "20B").failure(6, &too_large);
    install("./good.tar.gz", "20B").failure(6, &too_large);
    install("x", "20").failure(2, &["--max-unpacked", "64MB"]);
    sandbox.write("pocket.yaml", &format!("registries:\n  default: {{url: \"{}\", max_unpacked: 20B}}\n", index.url()));
    sandbox.pocket(&["plugin", "install", "x"]).failure(6, &too_large);
    install("./good.tar.gz", "1KiB").success();
}
