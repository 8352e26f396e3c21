//! Releases on a forge: found by every name they have, locked, updated, vendored.

mod refusals;
mod tokens;
mod trust;

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::{Sandbox, TestForge};

const REPOSITORY: &str = "example/pocket-plugin-geo";
const GITHUB: &str = "github.com/example/pocket-plugin-geo";

/// A forge that stands in for github.com, and a project whose plugins are packed and released there.
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
        // Beside home and project, and gone with them.
        let out = tempfile::tempdir_in(self.sandbox.project().parent().unwrap()).unwrap().keep();
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
fn old_releases_are_found_on_later_pages() {
    let place = Place::new();
    place.forge.set_page(2);
    for minor in 0..7 {
        place.release_signed(&format!("1.{minor}.0"), "default");
    }
    place.sandbox.pocket(&["plugin", "install", &format!("{GITHUB}@~1.1")]).success();
    assert!(place.lock().contains("version = \"1.1.0\""));
}
