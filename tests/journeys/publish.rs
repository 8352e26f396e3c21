//! `key`, `plugin pack`, `publish` and `verify`.

use crate::support::{Sandbox, TestRegistry};

const MANIFEST: &str = "\
name: greeting
version: 1.0.0
description: Says hello
runtime: lua
binary: main.lua
nodes: [{type: greet}]
";
const SCRIPT: &str = "function greet(input) return {text = 'hello ' .. input.name} end\n";

/// A sandbox with a key and a plugin's source in `greeting/`, that uses the registry.
fn author(registry: &TestRegistry) -> Sandbox {
    let sandbox = Sandbox::with_registry(registry.url());
    sandbox.write("greeting/manifest.yaml", MANIFEST);
    sandbox.write("greeting/main.lua", SCRIPT);
    sandbox.pocket(&["key", "new"]).success();
    sandbox
}

#[test]
fn a_published_plugin_can_be_found_installed_and_run() {
    let registry = TestRegistry::empty();
    let author = author(&registry);
    author.pocket(&["plugin", "publish", "greeting"]).success();

    let user = Sandbox::with_registry(registry.url());
    assert!(user.pocket(&["plugin", "search", "hello"]).success().stdout.contains("greeting"));
    user.pocket(&["plugin", "install", "greeting"]).success();
    user.write("w.yaml", "name: w\nstart: a\nnodes: [{name: a, type: greet}]\n");
    let result = user.pocket(&["run", "w.yaml", "--input", "{\"name\": \"you\"}", "--output", "json"]).success();
    assert_eq!(result.json()["text"], "hello you");
}

#[test]
fn a_single_file_is_published_with_the_version_that_is_said() {
    let registry = TestRegistry::empty();
    let author = author(&registry);
    author.write("shout.lua", "-- @name: shout\n-- @node: shout\nfunction shout(x) return x:upper() end\n");
    author.pocket(&["plugin", "publish", "./shout.lua", "--version", "1.2.0"]).success();
    let user = Sandbox::with_registry(registry.url());
    user.pocket(&["plugin", "install", "shout@1.2.0"]).success();
    user.write("w.yaml", "name: w\nstart: a\nnodes: [{name: a, type: shout}]\n");
    assert_eq!(user.pocket(&["run", "w.yaml", "--input", "\"hi\""]).success().stdout, "HI\n");
    author.pocket(&["plugin", "publish", "greeting", "--version", "1.2.0"]).failure(
        1,
        &[
            "`greeting` is version 1.0.0 by its manifest, and `--version` says 1.2.0",
            "change `version` in its manifest",
        ],
    );
}

#[test]
fn a_version_never_changes() {
    let registry = TestRegistry::empty();
    let author = author(&registry);
    author.pocket(&["plugin", "publish", "greeting"]).success();
    // The same bytes again: the first answer may have been lost.
    author.pocket(&["plugin", "publish", "greeting"]).success();
    author.write("greeting/main.lua", "function greet() return {} end\n");
    author.pocket(&["plugin", "publish", "greeting"]).failure(1, &["version_exists", "a version never changes"]);
    author.write("greeting/manifest.yaml", &MANIFEST.replace("1.0.0", "1.1.0"));
    author.pocket(&["plugin", "publish", "greeting"]).success();
}

#[test]
fn only_the_first_publisher_may_publish_the_next_version() {
    let registry = TestRegistry::empty();
    author(&registry).pocket(&["plugin", "publish", "greeting"]).success();
    let other = author(&registry);
    other.write("greeting/manifest.yaml", &MANIFEST.replace("1.0.0", "2.0.0"));
    let index = std::fs::read(registry.file("index/gr/ee/greeting")).unwrap();
    other.pocket(&["plugin", "publish", "greeting"]).failure(1, &["not_allowed"]);
    assert_eq!(std::fs::read(registry.file("index/gr/ee/greeting")).unwrap(), index);
}

#[test]
fn publishing_needs_a_key_and_a_registry_that_takes_it() {
    let sandbox = Sandbox::new();
    sandbox.write("greeting/manifest.yaml", MANIFEST);
    sandbox.write("greeting/main.lua", SCRIPT);
    sandbox
        .pocket(&["plugin", "publish", "greeting"])
        .failure(1, &["there is no key `default`", "pocket key new default"]);
    sandbox.pocket(&["key", "new"]).success();
    sandbox.pocket(&["plugin", "publish", "greeting"]).failure(1, &["takes no publishes", "pocket registry serve"]);
    sandbox.pocket(&["plugin", "publish", "greeting", "--dry-run"]).success();
}

#[test]
fn a_key_is_made_once_and_listed() {
    let sandbox = Sandbox::new();
    let made = sandbox.pocket(&["key", "new", "--output", "json"]).success().json();
    assert!(made["public"].as_str().unwrap().starts_with("ed25519:"));
    sandbox.pocket(&["key", "new"]).failure(1, &["exists already"]);
    let listed = sandbox.pocket(&["key", "list", "--output", "json"]).success().json();
    assert_eq!(listed[0]["fingerprint"], made["fingerprint"]);
}

#[test]
fn packing_gives_the_same_bytes_whatever_the_times_and_owners_are() {
    let sandbox = Sandbox::new();
    sandbox.write("greeting/manifest.yaml", MANIFEST);
    sandbox.write("greeting/main.lua", SCRIPT);
    sandbox.pocket(&["plugin", "pack", "greeting", "--out", "one"]).success();
    let touched = std::fs::File::open(sandbox.path("greeting/main.lua")).unwrap();
    touched.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    sandbox.pocket(&["plugin", "pack", "greeting", "--out", "two"]).success();
    let read = |folder: &str| std::fs::read(sandbox.path(&format!("{folder}/greeting-1.0.0.tar.gz"))).unwrap();
    assert_eq!(read("one"), read("two"));
}

#[test]
fn verify_tells_a_published_archive_from_any_other() {
    let registry = TestRegistry::empty();
    let author = author(&registry);
    author.pocket(&["plugin", "pack", "greeting"]).success();
    author
        .pocket(&["plugin", "verify", "./greeting-1.0.0.tar.gz"])
        .failure(6, &["nothing vouches for `greeting` 1.0.0"]);
    author.pocket(&["plugin", "publish", "./greeting-1.0.0.tar.gz"]).success();
    let verified = author.pocket(&["plugin", "verify", "./greeting-1.0.0.tar.gz"]).success();
    assert!(verified.stdout.contains("signed by SHA256:"), "{}", verified.stdout);

    author.write("greeting/main.lua", "function greet() return {} end\n");
    author.pocket(&["plugin", "pack", "greeting", "--out", "other"]).success();
    author.pocket(&["plugin", "verify", "other/greeting-1.0.0.tar.gz"]).failure(6, &["is refused"]);
}

#[test]
fn an_installed_file_that_changed_is_noticed() {
    let registry = TestRegistry::empty();
    let author = author(&registry);
    author.pocket(&["plugin", "publish", "greeting"]).success();
    author.pocket(&["plugin", "install", "greeting"]).success();
    author.pocket(&["plugin", "verify", "greeting"]).success();
    std::fs::write(author.home().join("plugins/greeting/1.0.0/main.lua"), "function greet() return {} end").unwrap();
    author.pocket(&["plugin", "verify", "greeting"]).failure(6, &["the installed files of `greeting` 1.0.0 are t1:"]);
    author.write("w.yaml", "name: w\nstart: a\nnodes: [{name: a, type: greet}]\n");
    author.pocket(&["run", "w.yaml"]).failure(6, &["the installed files of `greeting` 1.0.0 are t1:"]);
    assert!(author.pocket(&["plugin", "list"]).success().stdout.contains("failed"));
}

/// What the manual has about registries, typed as it stands there.
#[cfg(target_os = "linux")]
#[test]
fn what_the_manual_says_of_registries_can_be_typed() {
    let registry = TestRegistry::asking_for_tokens_with_bundled();
    let token = crate::accounts::token(&registry, &["me", "--scope", "publish"]);
    let author = Sandbox::with_registry(registry.url());
    author.pocket(&["key", "new"]).success();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut compiler = author.command("gcc");
    compiler.args(["-shared", "-fPIC", "-pthread", "-o", "my-plugin.so", "-I"]).arg(root.join("sdk/c"));
    assert!(compiler.arg(root.join("fixtures/plugins/c-echo/echo.c")).status().unwrap().success());

    assert!(author.pocket(&["plugin", "search", "redis"]).success().stdout.contains("redis-cache"));
    assert!(author.pocket(&["plugin", "categories"]).success().stdout.contains("ai"));
    assert!(author.pocket(&["plugin", "popular"]).success().stdout.contains("redis-cache"));
    author.pocket(&["plugin", "publish", "./my-plugin.so"]).failure(1, &["token_needed", "plugin login"]);
    let asked = author.pocket_that_asks(&["plugin", "login"], "(it is not shown): ", &format!("{token}\n"));
    assert!(asked.success().stdout.contains("as `me`"));
    author.pocket(&["plugin", "publish", "./my-plugin.so"]).success();
    author.pocket(&["plugin", "publish", "./my-plugin.so", "--version", "1.2.0"]).success();

    let user = Sandbox::with_registry(registry.url());
    user.pocket(&["plugin", "install", "c-echo@1.2.0"]).success();
    user.write("w.yaml", "name: w\nstart: a\nnodes: [{name: a, type: c-echo/echo}]\n");
    let said = user.pocket(&["run", "w.yaml", "--input", "{\"name\": \"Ada\"}"]).success();
    assert!(said.stdout.contains("Ada"), "{}", said.stdout);
}
