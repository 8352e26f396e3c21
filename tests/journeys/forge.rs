//! Releases on a forge: found, checked, locked, and everything that can be wrong with them.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::{Sandbox, TestForge};

const REPOSITORY: &str = "example/pocket-plugin-geo";
const GITHUB: &str = "github.com/example/pocket-plugin-geo";

/// A forge that stands in for github.com, and a project that has its packed plugins in `dist`.
struct Place {
    forge: TestForge,
    sandbox: Sandbox,
}

impl Place {
    fn new() -> Self {
        let forge = TestForge::start();
        let mut sandbox = Sandbox::new();
        sandbox.set("POCKET_FORGE_API", forge.api());
        sandbox.set("POCKET_FORGE_TOKEN", "");
        sandbox.set("GITHUB_TOKEN", "");
        sandbox.write("pocket.yaml", "# ours\n");
        Self { forge, sandbox }
    }

    /// Packs a script of the plugin `name`; `options` go to `plugin pack`.
    fn pack(&self, name: &str, version: &str, options: &[&str]) -> Vec<PathBuf> {
        let manifest =
            format!("name: {name}\nversion: {version}\nruntime: lua\nbinary: main.lua\nnodes: [{{type: {name}}}]\n");
        self.sandbox.write(&format!("{name}/manifest.yaml"), &manifest);
        self.sandbox.write(&format!("{name}/main.lua"), &format!("return {{version = \"{version}\"}}"));
        self.pack_folder(name, options)
    }

    /// Packs a library for this machine and one for another.
    fn pack_native(&self, version: &str, options: &[&str]) -> Vec<PathBuf> {
        let host = host();
        let manifest = format!(
            "name: geo\nversion: {version}\nruntime: native\nbinary: {{{host}: here.so, aarch64-apple-darwin: there.dylib}}\nnodes: [{{type: geo}}]\n"
        );
        self.sandbox.write("geo/manifest.yaml", &manifest);
        self.sandbox.write("geo/here.so", &format!("here {version}"));
        self.sandbox.write("geo/there.dylib", &format!("there {version}"));
        self.pack_folder("geo", options)
    }

    fn pack_folder(&self, name: &str, options: &[&str]) -> Vec<PathBuf> {
        let out = tempfile::tempdir().unwrap().keep();
        let mut arguments = vec!["plugin", "pack", name, "--out", out.to_str().unwrap()];
        arguments.extend(options);
        self.sandbox.pocket(&arguments).success();
        std::fs::remove_dir_all(self.sandbox.path(name)).unwrap();
        let mut files: Vec<PathBuf> = std::fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    fn release(&self, tag: &str, files: &[PathBuf]) {
        self.forge.release(REPOSITORY, tag, &paths(files));
    }

    /// Releases a version that its publisher signed with `key`.
    fn release_signed(&self, version: &str, key: &str) {
        if !self.sandbox.home().join(format!("keys/{key}.key")).exists() {
            self.sandbox.pocket(&["key", "new", key]).success();
        }
        self.release(&format!("v{version}"), &self.pack("geo", version, &["--sign", "--key", key]));
    }

    fn lock(&self) -> String {
        self.sandbox.read("pocket.lock")
    }

    /// The command in the refusal's hint, without `pocket`.
    #[track_caller]
    fn suggested(&self, what: &str) -> String {
        let refused = self.sandbox.pocket(&["plugin", "install", what]).failure(6, &["comes without evidence"]);
        let (_, command) = refused.stderr.split_once("type `pocket plugin install ").unwrap();
        command.split('`').next().unwrap().to_owned()
    }
}

fn archive_of(files: &[PathBuf]) -> &PathBuf {
    files.iter().find(|file| file.to_string_lossy().ends_with(".tar.gz")).unwrap()
}

fn paths(files: &[PathBuf]) -> Vec<&Path> {
    files.iter().map(PathBuf::as_path).collect()
}

fn host() -> &'static str {
    if cfg!(target_arch = "aarch64") { "aarch64-unknown-linux-gnu" } else { "x86_64-unknown-linux-gnu" }
}

#[test]
fn a_signed_release_installs_from_the_repositorys_name() {
    let place = Place::new();
    place.release_signed("1.0.0", "default");
    let installed = place.sandbox.pocket(&["plugin", "install", GITHUB]).success();
    assert!(installed.stderr.contains(&format!("Trusting {GITHUB} on first use, key SHA256:")), "{}", installed.stderr);
    insta::assert_snapshot!(place.sandbox.read("pocket.yaml"), @r#"
    # ours
    plugins:
      dependencies:
        geo: { release: "github.com/example/pocket-plugin-geo", version: "^1.0.0" }
    "#);
    let lock = place.lock();
    for part in [
        "source = \"github.com/example/pocket-plugin-geo\"",
        "trust = \"signature\"",
        "signers = [\n    \"ed25519:",
        &format!("url = \"{}/{REPOSITORY}/releases/download/v1.0.0/geo-1.0.0.tar.gz\"", place.forge.api()),
    ] {
        assert!(lock.contains(part), "{part} in\n{lock}");
    }
    place.sandbox.pocket(&["plugin", "install", "--locked"]).success();
    place.sandbox.pocket(&["plugin", "verify", "geo"]).success();
    assert_eq!(place.lock(), lock);
}

#[test]
fn every_way_to_name_a_release_leads_to_it() {
    let place = Place::new();
    place.release_signed("1.0.0", "default");
    place.release_signed("1.2.0", "default");
    place.release_signed("2.0.0", "default");
    let install = |what: &str| {
        place.sandbox.write("pocket.yaml", "");
        let _ = std::fs::remove_file(place.sandbox.path("pocket.lock"));
        place.sandbox.pocket(&["plugin", "install", what]).success();
        let yaml = place.sandbox.read("pocket.yaml");
        let version = place.lock().lines().find(|line| line.starts_with("version = \"")).unwrap().to_owned();
        (version, yaml.split("version: ").nth(1).unwrap().trim_end().trim_end_matches(" }").to_owned())
    };
    let is = |version: &str, requirement: &str| (format!("version = \"{version}\""), format!("\"{requirement}\""));
    assert_eq!(install(GITHUB), is("2.0.0", "^2.0.0"));
    assert_eq!(install(&format!("https://{GITHUB}/releases/latest")), is("2.0.0", "^2.0.0"));
    assert_eq!(install(&format!("{GITHUB}@1.0.0")), is("1.0.0", "=1.0.0"));
    assert_eq!(install(&format!("{GITHUB}@^1")), is("1.2.0", "^1"));
    assert_eq!(install(&format!("https://{GITHUB}/releases/tag/v1.2.0")), is("1.2.0", "=1.2.0"));
    assert_eq!(install(&format!("https://{GITHUB}")), is("2.0.0", "^2.0.0"));
}

#[test]
fn a_forge_of_ones_own_is_configured_by_its_host() {
    let forge = TestForge::start();
    let place = Place { sandbox: Sandbox::new(), forge };
    place.sandbox.write("pocket.yaml", "");
    place.release_signed("1.0.0", "default");
    let repository = format!("{}/{REPOSITORY}", place.forge.host());
    place
        .sandbox
        .pocket(&["plugin", "install", &repository])
        .failure(1, &["is no forge that is known", "hint: say where its API is"]);
    place.sandbox.write("pocket.yaml", &format!("forges:\n  {}: {{api: {}}}\n", place.forge.host(), place.forge.api()));
    place.sandbox.pocket(&["plugin", "install", &format!("http://{repository}")]).success();
    assert!(place.lock().contains(&format!("source = \"{repository}\"")));
}

#[test]
fn what_is_locked_installs_without_asking_the_forge_again() {
    let place = Place::new();
    place.release_signed("1.0.0", "default");
    place.sandbox.pocket(&["plugin", "install", GITHUB]).success();
    place.release_signed("1.1.0", "default");
    let lock = place.lock();
    place.forge.forget_requests();
    place.sandbox.pocket_elsewhere(&["plugin", "install", "--locked"]).success();
    place.sandbox.pocket(&["plugin", "install", GITHUB]).success();
    assert_eq!(place.lock(), lock);
    let asked: Vec<String> = place.forge.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(asked, [format!("/{REPOSITORY}/releases/download/v1.0.0/geo-1.0.0.tar.gz")]);
    place.forge.answer_all(500, &[]);
    place.sandbox.pocket(&["plugin", "install", "--frozen"]).success();
    std::fs::remove_dir_all(place.sandbox.home().join("plugins")).unwrap();
    place.sandbox.pocket(&["plugin", "install", "--offline"]).success();
}

#[test]
fn a_pages_latest_asks_anew_where_a_name_keeps_what_is_locked() {
    let place = Place::new();
    place.release_signed("1.0.0", "default");
    place.sandbox.pocket(&["plugin", "install", GITHUB]).success();
    place.release_signed("1.1.0", "default");
    place.sandbox.pocket(&["plugin", "install", &format!("https://{GITHUB}/releases/latest")]).success();
    assert!(place.lock().contains("version = \"1.1.0\""));
}

#[test]
fn an_update_asks_the_forge_and_keeps_to_the_requirement() {
    let place = Place::new();
    let has = |version: &str| place.lock().contains(&format!("version = \"{version}\""));
    place.release_signed("1.0.0", "default");
    place.sandbox.pocket(&["plugin", "install", GITHUB]).success();
    for version in ["1.1.0", "1.2.0", "2.0.0"] {
        place.release_signed(version, "default");
    }
    let outdated = place.sandbox.pocket(&["plugin", "outdated", "--output", "json"]).success().json();
    assert!(has("1.0.0"), "nothing was changed");
    assert_eq!((&outdated[0]["fitting"], &outdated[0]["latest"]), (&json!("1.2.0"), &json!("2.0.0")), "{outdated}");
    let plan = place.sandbox.pocket(&["plugin", "update", "--dry-run"]).success().stdout;
    assert!(plan.contains("`geo` 1.0.0 -> 1.2.0"), "{plan}");
    place.sandbox.pocket(&["plugin", "update", "geo", "--precise", "1.1.0"]).success();
    assert!(has("1.1.0"));
    place.sandbox.pocket(&["plugin", "update"]).success();
    assert!(has("1.2.0"));
}

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
fn a_vendored_release_installs_without_the_forge() {
    let place = Place::new();
    place.release_signed("1.0.0", "default");
    place.sandbox.pocket(&["plugin", "install", GITHUB]).success();
    place.sandbox.pocket(&["plugin", "vendor", "vendor"]).success();
    let yaml = place.sandbox.read("pocket.yaml").replace("plugins:", "plugins:\n  vendor: ./vendor");
    place.sandbox.write("pocket.yaml", &yaml);
    place.forge.answer_all(500, &[]);
    place.sandbox.pocket_elsewhere(&["plugin", "install", "--locked", "--offline"]).success();
}

#[test]
fn one_signature_locks_the_archives_of_all_targets() {
    let place = Place::new();
    place.sandbox.pocket(&["key", "new"]).success();
    place.release("v1.0.0", &place.pack_native("1.0.0", &["--sign"]));
    place.sandbox.pocket(&["plugin", "install", GITHUB]).success();
    let lock = place.lock();
    assert!(lock.contains("target = \"aarch64-apple-darwin\"") && lock.contains(&format!("target = \"{}\"", host())));
    let fetched = place.forge.requests().iter().filter(|request| request.path.contains("aarch64-apple")).count();
    assert_eq!(fetched, 0, "only this machine's archive is fetched");
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

#[test]
fn old_releases_are_found_on_later_pages() {
    let place = Place::new();
    place.forge.set_page(2);
    for minor in 0..7 {
        place.release_signed(&format!("1.{minor}.0"), "default");
    }
    place.sandbox.pocket(&["plugin", "install", &format!("{GITHUB}@~1.1")]).success();
    assert!(place.lock().contains("version = \"1.1.0\""));
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

#[test]
fn a_token_opens_private_repositories_and_goes_to_the_api_alone() {
    let mut place = Place::new();
    place.release_signed("1.0.0", "default");
    place.forge.require_token("hunter2");
    place.sandbox.pocket(&["plugin", "install", GITHUB]).failure(1, &["knows no repository", "POCKET_FORGE_TOKEN"]);
    place.sandbox.set("GITHUB_TOKEN", "hunter2");
    place.forge.forget_requests();
    let installed = place.sandbox.pocket(&["plugin", "install", GITHUB]).success();
    let requests = place.forge.requests();
    for request in &requests {
        let is_api = request.path.starts_with("/repos/") || request.path.starts_with("/api-assets/");
        assert_eq!(request.authorization.is_some(), is_api, "{request:?}");
    }
    assert!(requests.iter().any(|request| request.path.starts_with("/storage/")));
    place.sandbox.pocket_elsewhere(&["plugin", "install", "--locked"]).success();
    assert!(!installed.stderr.contains("hunter2") && !place.lock().contains("hunter2"));
}

#[test]
fn a_token_does_not_follow_a_redirect() {
    let mut place = Place::new();
    place.sandbox.set("POCKET_FORGE_TOKEN", "hunter2");
    let elsewhere = TestForge::start();
    place.forge.move_to(&elsewhere);
    let refused = place.sandbox.pocket(&["plugin", "install", GITHUB]).failure(1, &["knows no repository"]);
    assert!(!refused.stderr.contains("hunter2"));
    assert!(place.forge.requests().iter().all(|request| request.authorization.is_some()));
    let arrived = elsewhere.requests();
    assert!(!arrived.is_empty() && arrived.iter().all(|request| request.authorization.is_none()), "{arrived:?}");
}

#[test]
fn a_project_cannot_send_the_users_token_to_its_own_server() {
    let mut place = Place::new();
    place.release_signed("1.0.0", "default");
    place.sandbox.set("POCKET_FORGE_API", "");
    place.sandbox.set("POCKET_FORGE_TOKEN", "hunter2");
    place.sandbox.write("pocket.yaml", &format!("forges: {{github.com: {{api: {}}}}}\n", place.forge.api()));
    place.sandbox.pocket(&["plugin", "install", GITHUB]).success();
    assert!(place.forge.requests().iter().all(|request| request.authorization.is_none()));
}
