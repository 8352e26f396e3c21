//! `plugin update`, `outdated`, `tree`, `why`, `lock`, `vendor`, `cache`: what a project does with its packages over time.

use std::fs;

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Author, Sandbox, TestRegistry};

/// `app` 1.0 needs `base` ^1; there are newer versions of both, and one that asks for more.
fn registry() -> (TestRegistry, Author) {
    let registry = TestRegistry::empty();
    let author = Author::of(&registry);
    author.publish("base", "1.0.0", "");
    author.publish("app", "1.0.0", "dependencies: {base: ^1.0}");
    (registry, author)
}

fn project(registry: &TestRegistry) -> Sandbox {
    let sandbox = Sandbox::with_registry(registry.url());
    sandbox.pocket(&["plugin", "install", "app", "--yes"]).success();
    sandbox
}

#[test]
fn an_update_moves_what_fits_and_says_what_moved() {
    let (registry, author) = registry();
    let sandbox = project(&registry);
    author.publish("base", "1.3.0", "");
    author.publish("base", "2.0.0", "");
    author.publish("app", "1.1.0", "dependencies: {base: ^1.0}");

    let before = sandbox.snapshot();
    sandbox.pocket(&["plugin", "install"]).success();
    assert_eq!(sandbox.snapshot(), before, "an install keeps the lock's versions");
    let plan = sandbox.pocket(&["plugin", "update", "--dry-run"]).success().stdout;
    assert_snapshot!(plan, @r"
    Updating `app` 1.0.0 -> 1.1.0
    Updating `base` 1.0.0 -> 1.3.0
    ");
    assert_eq!(sandbox.snapshot(), before, "a plan writes nothing");

    let updated = sandbox.pocket(&["plugin", "update", "base", "-o", "json"]).success().json();
    assert_eq!(updated["changes"].as_array().unwrap().len(), 1, "only what is named moves: {updated}");
    assert_eq!(updated["changes"][0]["after"], "1.3.0");
    sandbox.pocket(&["plugin", "update", "base", "--precise", "1.0.0"]).success();
    assert!(sandbox.read("pocket.lock").contains("name = \"base\"\nversion = \"1.0.0\""));
    sandbox
        .pocket(&["plugin", "update", "base", "--precise", "2.0.0"])
        .failure(1, &["`base` cannot be 2.0.0: what needs it is met by 1.3.0", "pocket plugin why base"]);
    sandbox.pocket(&["plugin", "update", "bass"]).failure(1, &["did you mean `base`?"]);
    sandbox.pocket(&["plugin", "update", "--precise", "1.0.0"]).failure(1, &["one plugin must be named with it"]);
    sandbox.pocket(&["plugin", "update"]).success();
    let lock = sandbox.read("pocket.lock");
    assert!(lock.contains("name = \"app\"\nversion = \"1.1.0\"") && lock.contains("version = \"1.3.0\""), "{lock}");
}

#[test]
fn an_update_that_asks_for_more_stops_before_the_download_and_shows_it() {
    let (registry, author) = registry();
    let sandbox = project(&registry);
    author.publish("base", "1.1.0", "permissions: {env: [HOME]}");
    let before = sandbox.snapshot();
    let refused = sandbox.pocket(&["plugin", "update"]).failure(1, &["the permissions of `base` need a yes"]);
    assert!(refused.stderr.contains("+ may read the environment variable HOME"), "{}", refused.stderr);
    assert_eq!(sandbox.snapshot(), before);
    sandbox.pocket(&["plugin", "update", "--yes"]).success();
    assert!(sandbox.read("pocket.lock").contains("env HOME"));
}

#[test]
fn what_is_out_of_date_is_shown_with_what_holds_it() {
    let (registry, author) = registry();
    let sandbox = project(&registry);
    assert!(sandbox.pocket(&["plugin", "outdated", "--check"]).success().stdout.contains("at its latest version"));
    author.publish("base", "1.2.0", "");
    author.publish("base", "2.0.0", "");
    author.publish("app", "3.0.0", "");
    author.publish("app", "4.0.0-beta.1", "");
    let shown = sandbox.pocket(&["plugin", "outdated"]).success().stdout;
    assert_snapshot!(shown, @r"
    NAME  CURRENT  FITTING  LATEST  HELD BY
    app   1.0.0    1.0.0    3.0.0   pocket.yaml needs `^1.0.0`
    base  1.0.0    1.2.0    2.0.0   `app` 1.0.0 needs `^1.0`
    ");
    let checked = sandbox.pocket(&["plugin", "outdated", "--check", "-o", "json"]);
    assert_eq!((checked.code, checked.json()[1]["fitting"].as_str()), (1, Some("1.2.0")));
}

#[test]
fn the_tree_and_the_reasons_come_from_the_lock_alone() {
    let (registry, author) = registry();
    author.publish("top", "1.0.0", "dependencies: {app: ^1, base: ^1}");
    let sandbox = project(&registry);
    sandbox.pocket(&["plugin", "install", "top"]).success();
    drop(registry);
    assert_snapshot!(sandbox.pocket(&["plugin", "tree"]).success().stdout, @r"
    app 1.0.0
    └── base 1.0.0
    top 1.0.0
    ├── app 1.0.0 (*)
    └── base 1.0.0
    ");
    assert_snapshot!(sandbox.pocket(&["plugin", "tree", "base", "--invert"]).success().stdout, @r"
    base 1.0.0
    ├── app 1.0.0
    │   └── top 1.0.0
    └── top 1.0.0
    ");
    assert_snapshot!(sandbox.pocket(&["plugin", "tree", "--depth", "0"]).success().stdout, @r"
    app 1.0.0
    top 1.0.0
    ");
    assert_snapshot!(sandbox.pocket(&["plugin", "why", "base"]).success().stdout, @r"
    pocket.yaml needs `app` `^1.0.0`: 1.0.0
      `app` 1.0.0 needs `base` `^1.0`: 1.0.0
    pocket.yaml needs `top` `^1.0.0`: 1.0.0
      `top` 1.0.0 needs `base` `^1`: 1.0.0
    ");
    sandbox.pocket(&["plugin", "why", "bas"]).failure(1, &["did you mean `base`?"]);
}

#[test]
fn a_lock_is_checked_and_written_without_unpacking_anything() {
    let (registry, _author) = registry();
    let sandbox = Sandbox::with_registry(registry.url());
    sandbox.write("pocket.yaml", &(sandbox.read("pocket.yaml") + "plugins: {dependencies: {app: ^1}}\n"));
    sandbox.pocket(&["plugin", "lock", "--check"]).failure(1, &["there is no lock"]);
    sandbox.pocket(&["plugin", "lock"]).success();
    sandbox.pocket(&["plugin", "lock", "--check"]).success();
    assert!(!sandbox.home().join("plugins/app").exists());
    let lock = sandbox.read("pocket.lock");
    sandbox.pocket(&["plugin", "install", "--locked"]).success();
    assert_eq!(sandbox.read("pocket.lock"), lock);
}

#[test]
fn what_is_vendored_installs_with_no_registry_on_a_machine_that_never_saw_it() {
    let (registry, _author) = registry();
    let sandbox = project(&registry);
    sandbox.pocket(&["plugin", "vendor", "vendor"]).success();
    let yaml = sandbox.read("pocket.yaml").replace("plugins:\n", "plugins:\n  vendor: ./vendor\n");
    sandbox.write("pocket.yaml", &yaml);
    drop(registry);

    sandbox.pocket_elsewhere(&["plugin", "install", "--locked"]).success();
    sandbox.write("w.yaml", "name: w\nstart: a\nnodes: [{name: a, type: app}]\n");
    let result = sandbox.pocket_elsewhere(&["run", "w.yaml", "--output", "json"]).success();
    assert_eq!(result.json(), json!({"version": "1.0.0"}));
}

#[test]
fn a_vendored_file_that_was_changed_is_refused() {
    let (registry, _author) = registry();
    let sandbox = project(&registry);
    sandbox.pocket(&["plugin", "vendor", "vendor"]).success();
    let yaml = sandbox.read("pocket.yaml").replace("plugins:\n", "plugins:\n  vendor: ./vendor\n");
    sandbox.write("pocket.yaml", &yaml);
    let files: Vec<String> =
        sandbox.snapshot().into_keys().filter(|path| path.starts_with("project/vendor/default/")).collect();
    assert!(files.len() > 5, "{files:?}");
    for path in files.iter().map(|path| path.trim_start_matches("project/")) {
        let path = sandbox.path(path);
        let original = fs::read(&path).unwrap();
        let mut changed = original.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        fs::write(&path, &changed).unwrap();
        // What was verified before would be taken from the cache.
        let _ = fs::remove_dir_all(sandbox.other_home());
        let outcome = sandbox.pocket_elsewhere(&["plugin", "install", "--locked"]);
        assert!(matches!(outcome.code, 1 | 6), "{}: {outcome:?}", path.display());
        fs::write(&path, &original).unwrap();
    }
    sandbox.pocket_elsewhere(&["plugin", "install", "--locked"]).success();
}

#[test]
fn vendoring_tidies_its_own_folder_and_no_other() {
    let (registry, author) = registry();
    let sandbox = project(&registry);
    sandbox.pocket(&["plugin", "vendor", "vendor"]).success();
    author.publish("app", "1.1.0", "");
    sandbox.pocket(&["plugin", "update"]).success();
    sandbox.pocket(&["plugin", "vendor", "vendor"]).success();
    let archives = sandbox.snapshot().into_keys().filter(|path| path.ends_with(".tar.gz")).count();
    assert_eq!(archives, 1, "`base` is not needed any more, nor the old `app`");
    sandbox.write("mine/notes.txt", "keep me");
    sandbox.pocket(&["plugin", "vendor", "mine"]).failure(1, &["is not empty"]);
    assert_eq!(sandbox.read("mine/notes.txt"), "keep me");
}

#[test]
fn todays_rules_hold_for_yesterdays_lock() {
    let (registry, _author) = registry();
    let sandbox = project(&registry);
    let yaml = sandbox.read("pocket.yaml");
    sandbox.write("pocket.yaml", &yaml.replace("plugins:\n", "plugins:\n  security: {denied_runtimes: [lua]}\n"));
    let before = sandbox.snapshot();
    sandbox.pocket(&["plugin", "install", "--locked"]).failure(1, &["its runtime `lua` is denied"]);
    sandbox.write(
        "pocket.yaml",
        &yaml
            .replace("registries:\n  default: ", "registries:\n  default: {min_release_age: 7d, url: ")
            .replacen("/\n", "/}\n", 1),
    );
    sandbox.pocket(&["plugin", "install", "--locked"]).failure(1, &["`min_release_age` is 7d"]);
    sandbox.write("pocket.yaml", &yaml.replace("plugins:\n", "plugins:\n  security: {denied_runtimes: [lua]}\n"));
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn a_plugin_for_another_machine_goes_to_a_folder_of_its_own() {
    let (registry, _author) = registry();
    let sandbox = project(&registry);
    let target = ["plugin", "install", "--target", "aarch64-apple-darwin"];
    sandbox.pocket(&target).failure(1, &["need a folder of their own", "--dir FOLDER"]);
    sandbox.pocket(&[&target[..], &["--dir", "mac"]].concat()).success();
    assert!(sandbox.path("mac/app/1.0.0/manifest.yaml").exists());
    let bundled = Sandbox::new();
    bundled.write("pocket.yaml", "plugins: {targets: [aarch64-apple-darwin], dependencies: {redis-cache: ^1}}\n");
    bundled.pocket(&["plugin", "lock", "--yes"]).failure(1, &["not for `aarch64-apple-darwin`"]);
}

#[test]
fn a_damaged_cache_is_found_and_emptied() {
    let (registry, _author) = registry();
    let sandbox = project(&registry);
    let archives = || {
        let mut found = Vec::new();
        for folder in fs::read_dir(sandbox.home().join("cache/archives")).unwrap() {
            found.extend(fs::read_dir(folder.unwrap().path()).unwrap().map(|entry| entry.unwrap().path()));
        }
        found
    };
    let one = archives().pop().unwrap();
    fs::write(&one, "damaged").unwrap();
    let checked = sandbox.pocket(&["plugin", "cache", "verify", "-o", "json"]).success().json();
    assert_eq!(checked["damaged"], json!([one]));
    assert!(!one.exists());
    let folder = sandbox.pocket(&["plugin", "cache", "dir"]).success().stdout;
    assert_eq!(folder.trim(), sandbox.home().join("cache").to_string_lossy());
    sandbox.pocket(&["plugin", "cache", "clean"]).success();
    assert!(!sandbox.home().join("cache").exists());
    sandbox.pocket(&["plugin", "install", "--locked"]).success();
}
