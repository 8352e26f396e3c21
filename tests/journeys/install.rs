//! `plugin install`, `uninstall`, `list`, `info`, `search`.

use crate::support::{Nginx, Sandbox, TestRegistry};

#[test]
fn bundled_plugins_install_without_a_network() {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "# ours\nlog_level: info\n");
    sandbox.pocket(&["plugin", "install", "redis-cache", "ml-analyzer", "--yes", "--offline"]).success();
    let list = sandbox.pocket(&["plugin", "list"]).success().stdout;
    insta::assert_snapshot!(list, @r"
    NAME            TYPE    VERSION  STATUS  NODES
    data-processor  lua     1.0.0    loaded  process-data
    ml-analyzer     wasm    0.5.0    loaded  sentiment-analyzer, analyze-sentiment
    redis-cache     native  1.2.0    loaded  redis-get, redis-set, redis-del
    ");
    insta::assert_snapshot!(sandbox.read("pocket.yaml"), @r"
    # ours
    log_level: info
    plugins:
      dependencies:
        ml-analyzer: ^0.5.0
        redis-cache: ^1.2.0
    ");
}

#[test]
fn without_a_project_plugins_are_the_users_own() {
    let sandbox = Sandbox::new();
    sandbox.pocket(&["plugin", "install", "data-processor"]).success();
    assert!(sandbox.home().join("pocket.lock").exists());
    sandbox.write("pocket.yaml", "");
    assert!(sandbox.pocket(&["plugin", "list", "--global"]).success().stdout.contains("data-processor"));
    assert!(sandbox.pocket(&["plugin", "tree", "--global"]).success().stdout.contains("data-processor"));
    std::fs::remove_file(sandbox.path("pocket.yaml")).unwrap();
    assert!(!sandbox.path("pocket.lock").exists());
    sandbox.pocket(&["plugin", "uninstall", "data-processor"]).success();
    assert!(!sandbox.home().join("plugins/data-processor").exists());
}

#[test]
fn the_same_plugins_give_the_same_lock_in_any_order() {
    let lock = |plugins: &[&str]| {
        let sandbox = Sandbox::new();
        sandbox.write("pocket.yaml", "");
        let mut arguments = vec!["plugin", "install", "--yes"];
        arguments.extend(plugins);
        sandbox.pocket(&arguments).success();
        sandbox.read("pocket.lock")
    };
    assert_eq!(lock(&["redis-cache", "ml-analyzer"]), lock(&["ml-analyzer", "redis-cache"]));
}

#[test]
fn a_second_install_changes_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "");
    sandbox.pocket(&["plugin", "install", "redis-cache", "--yes"]).success();
    let before = sandbox.snapshot();
    sandbox.pocket(&["plugin", "install"]).success();
    sandbox.pocket(&["plugin", "install", "--locked"]).success();
    sandbox.pocket(&["plugin", "install", "redis-cache"]).success();
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn another_machine_installs_what_the_lock_says() {
    let registry = TestRegistry::bundled();
    let sandbox = Sandbox::with_registry(registry.url());
    sandbox.pocket(&["plugin", "install", "redis-cache@=1.1.0", "--yes"]).success();
    let lock = sandbox.read("pocket.lock");
    let installed = sandbox.pocket_elsewhere(&["plugin", "install", "--locked"]).success();
    assert!(installed.stderr.contains("Installed `redis-cache` 1.1.0"), "{}", installed.stderr);
    assert_eq!(sandbox.read("pocket.lock"), lock);
}

#[test]
fn a_locked_install_refuses_a_lock_that_does_not_fit() {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "");
    sandbox.pocket(&["plugin", "install", "data-processor@^1.0"]).success();
    sandbox.write("pocket.yaml", "plugins: {dependencies: {data-processor: '=0.9.0'}}\n");
    let before = sandbox.snapshot();
    sandbox
        .pocket(&["plugin", "install", "--locked"])
        .failure(1, &["--locked allows no change", "hint: run `pocket plugin install`"]);
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn a_yanked_version_is_not_picked_anew() {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "");
    sandbox.pocket(&["plugin", "install", "redis-cache@^1.2", "--yes"]).success();
    assert!(sandbox.read("pocket.lock").contains("version = \"1.2.0\""));
    sandbox.pocket(&["plugin", "install", "redis-cache@1.2.1", "--yes"]).failure(1, &["1.2.1", "yanked"]);
}

#[test]
fn permissions_need_a_yes_and_nothing_changes_without_one() {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "");
    let before = sandbox.snapshot();
    sandbox
        .pocket(&["plugin", "install", "redis-cache"])
        .failure(1, &["may connect to {host}:{port}", "the permissions of `redis-cache` need a yes", "--yes"]);
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn uninstalling_takes_what_only_that_plugin_needed() {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "");
    sandbox.pocket(&["plugin", "install", "redis-cache", "ml-analyzer", "--yes"]).success();
    sandbox.pocket(&["plugin", "uninstall", "ml-analyzer"]).success();
    let lock = sandbox.read("pocket.lock");
    assert!(!lock.contains("ml-analyzer") && !lock.contains("data-processor"), "{lock}");
    assert!(lock.contains("redis-cache"), "{lock}");
    sandbox.pocket(&["plugin", "install", "--locked"]).success();
    sandbox.pocket(&["plugin", "uninstall", "redis-cahce"]).failure(1, &["did you mean `redis-cache`?"]);
}

#[test]
fn a_registry_is_read_from_a_folder() {
    let registry = TestRegistry::bundled();
    let sandbox = Sandbox::with_registry(&format!("file://{}", registry.tree().display()));
    sandbox.pocket(&["plugin", "install", "ml-analyzer"]).success();
    sandbox.pocket(&["plugin", "verify", "ml-analyzer"]).success();
}

#[test]
fn a_registry_is_read_from_any_static_web_server() {
    let registry = TestRegistry::bundled();
    let nginx = Nginx::serve(registry.tree());
    let sandbox = Sandbox::with_registry(&nginx.url);
    sandbox.pocket(&["plugin", "install", "ml-analyzer"]).success();
    sandbox.pocket(&["plugin", "publish", "x", "--registry", &nginx.url]).failure(1, &["x"]);
}

#[test]
fn what_was_fetched_once_installs_offline() {
    let registry = TestRegistry::bundled();
    let sandbox = Sandbox::with_registry(registry.url());
    sandbox
        .pocket(&["plugin", "install", "data-processor", "--offline"])
        .failure(1, &["is not on this machine", "without --offline"]);
    sandbox.pocket(&["plugin", "install", "data-processor"]).success();
    std::fs::remove_dir_all(sandbox.home().join("plugins")).unwrap();
    std::fs::remove_file(sandbox.path("pocket.lock")).unwrap();
    drop(registry);
    sandbox.pocket(&["plugin", "install", "--offline"]).success();
}

#[test]
fn an_archive_installs_from_a_file_and_from_a_url_with_its_digest() {
    let registry = TestRegistry::bundled();
    let archive = registry.archive_of("index/da/ta/data-processor");
    let digest = archive.file_name().unwrap().to_string_lossy().trim_end_matches(".tar.gz").to_owned();
    let url = format!("{}a/{}/{digest}.tar.gz", registry.url(), &digest[..2]);

    let by_url = Sandbox::new();
    by_url.write("pocket.yaml", "");
    let without = by_url.pocket(&["plugin", "install", &url]).failure(6, &["comes without evidence"]);
    assert!(without.stderr.contains(&format!("#sha256={digest}")), "{}", without.stderr);
    by_url.pocket(&["plugin", "install", &format!("{url}#sha256={digest}")]).success();
    by_url.pocket(&["plugin", "install", "--locked"]).success();
    let wrong = "0".repeat(64);
    by_url
        .pocket(&["plugin", "install", &format!("{url}#sha256={wrong}")])
        .failure(6, &["is refused", &wrong, &digest]);

    let by_file = Sandbox::new();
    by_file.write("pocket.yaml", "");
    std::fs::copy(&archive, by_file.path("mine.tar.gz")).unwrap();
    by_file.pocket(&["plugin", "install", "./mine.tar.gz"]).success();
    assert!(by_file.read("pocket.yaml").contains("./mine.tar.gz"));
    by_file.pocket(&["plugin", "list"]).success();
}

#[test]
fn plugins_in_a_folder_of_ones_own_are_found_by_runs() {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "");
    sandbox.pocket(&["plugin", "install", "data-processor", "--dir", "custom"]).success();
    assert!(sandbox.path("custom/data-processor/1.0.0/main.lua").exists());
    sandbox.write("w.yaml", "name: w\nstart: a\nnodes: [{name: a, type: process-data}]\n");
    sandbox.pocket(&["run", "w.yaml", "--input", "{\"items\": []}"]).success();
}

#[test]
fn info_shows_nodes_settings_and_permissions() {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "plugins: {config: {redis-cache: {host: cache.internal, password: hunter2}}}\n");
    sandbox.pocket(&["plugin", "install", "redis-cache", "--yes"]).success();
    let info = sandbox.pocket(&["plugin", "info", "redis-cache"]).success().stdout;
    insta::assert_snapshot!(info, @r"
    Plugin: redis-cache
    Type: native
    Version: 1.2.0
    Author: Example Corp
    Description: Redis integration for Pocket workflows

    Provided Nodes:
      - redis-get: Retrieve value from Redis
      - redis-set: Store value in Redis
      - redis-del: Delete key from Redis

    Configuration:
      host: Redis server host (default: localhost)
      port: Redis server port (default: 6379)
      password: Redis password (optional)
      database: Redis database number (default: 0)
    ");
    let all = sandbox.pocket(&["plugin", "info", "redis-cache", "-v"]).success().stdout;
    for part in [
        "Source: bundled",
        "Status: loaded",
        "host: Redis server host (default: localhost) = cache.internal, from project/pocket.yaml",
        "password: Redis password (optional) = ********, from project/pocket.yaml",
        "may connect to {host}:{port}, as its settings say",
        "timeout: 10s",
    ] {
        assert!(all.contains(part), "{part} in\n{all}");
    }
    let document = sandbox.pocket(&["plugin", "info", "redis-cache", "--output", "json"]).success();
    assert!(!document.stdout.contains("hunter2"));
    assert_eq!(document.json()["version"], "1.2.0");
}

#[test]
fn a_search_is_narrowed_down_sorted_and_cut() {
    let sandbox = Sandbox::new();
    let shown = |arguments: &[&str]| {
        let output = sandbox.pocket(&[&["plugin", "search"], arguments].concat()).success().stdout;
        let first = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
        output.lines().skip(1).map(first).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(shown(&["--category", "data", "--sort", "name"]), "data-processor redis-cache");
    assert_eq!(shown(&["--runtime", "wasm"]), "ml-analyzer");
    assert_eq!(shown(&["--sort", "updated", "--limit", "1"]), "ml-analyzer 1");
    sandbox.pocket(&["plugin", "search", "--runtime", "java"]).failure(2, &["expected `native`, `lua` or `wasm`"]);
    sandbox.pocket(&["plugin", "search", "--sort", "best"]).failure(2, &["expected `relevance`"]);
    let categories = sandbox.pocket(&["plugin", "categories"]).success().stdout;
    assert!(categories.contains("data      2"), "{categories}");
    let popular = sandbox.pocket(&["plugin", "popular", "--limit", "2"]).success().stdout;
    assert!(popular.contains("2 of 3"), "{popular}");
}

#[test]
fn info_of_a_published_plugin_shows_what_its_manifest_says() {
    let sandbox = Sandbox::new();
    let info = sandbox.pocket(&["plugin", "info", "redis-cache"]).success().stdout;
    for part in ["Author: Example Corp", "Status: not installed", "  - redis-set: Store value in Redis"] {
        assert!(info.contains(part), "{part} in\n{info}");
    }
    assert!(!sandbox.home().join("plugins/redis-cache").exists(), "nothing is installed");
}

#[test]
fn search_finds_by_name_node_and_description() {
    let sandbox = Sandbox::new();
    let names = |word: &str| {
        let found = sandbox.pocket(&["plugin", "search", word, "--output", "json"]).success().json();
        found.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("redis"), ["redis-cache"]);
    assert_eq!(names("process-data"), ["data-processor"]);
    assert_eq!(names("POSITIVE"), ["ml-analyzer"]);
    assert!(names("nothing-like-it").is_empty());
    assert_eq!(names("sentimnt"), ["ml-analyzer"], "a typing error is forgiven");
    sandbox.pocket(&["plugin", "search", "?!"]).failure(1, &["`?!` has no letter and no digit to look for"]);
    sandbox.pocket(&["plugin", "info", "redis-cahce"]).failure(1, &["did you mean `redis-cache`?"]);
}

#[test]
fn a_file_that_stands_alone_is_verified_if_an_installed_plugin_has_it() {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "");
    sandbox.pocket(&["plugin", "install", "data-processor"]).success();
    let script = "home/plugins/data-processor";
    let folder = std::fs::read_dir(sandbox.root().join(script)).unwrap();
    let unpacked = folder.map(|entry| entry.unwrap().path()).find(|path| path.is_dir()).unwrap();
    std::fs::copy(unpacked.join("main.lua"), sandbox.path("copy.lua")).unwrap();
    let verified = sandbox.pocket(&["plugin", "verify", "./copy.lua"]).success();
    for part in ["`./copy.lua` is `main.lua` of the installed plugin, sha256:", "its inclusion proof leads to the root"]
    {
        assert!(verified.stdout.contains(part), "{part} in\n{}", verified.stdout);
    }
    sandbox.write("copy.lua", "function process() return 1 end");
    sandbox.pocket(&["plugin", "verify", "./copy.lua"]).failure(
        6,
        &["nothing vouches for `./copy.lua`: signatures are made for archives, and no plugin that is installed here has this code"],
    );
}
