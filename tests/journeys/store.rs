//! Where plugins are unpacked to: other file systems, full and read-only ones, links, files in the way, many at once.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;

use crate::support::{Outcome, Sandbox, TestRegistry};

/// What stands in a store that nothing was installed to: its lock and an empty staging folder at most.
fn leftovers(store: &Path) -> Vec<String> {
    let names = |folder: &Path| -> Vec<String> {
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let visible = names(store).into_iter().filter(|name| name != ".lock" && name != ".staging");
    visible.chain(names(&store.join(".staging"))).collect()
}

#[test]
fn a_folder_on_another_file_system_is_installed_to() {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "");
    let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
    let device = |path: &Path| fs::metadata(path).unwrap().dev();
    assert_ne!(device(elsewhere.path()), device(&sandbox.project()), "`/dev/shm` is a file system of its own");
    let folder = elsewhere.path().join("plugins");
    sandbox.pocket(&["plugin", "install", "ml-analyzer", "--dir", &folder.to_string_lossy()]).success();
    sandbox.pocket(&["plugin", "verify", "ml-analyzer"]).success();
    assert!(folder.join("ml-analyzer/0.5.0/manifest.yaml").exists());
    assert!(leftovers(&folder).iter().all(|name| name == "ml-analyzer" || name == "data-processor"));
}

#[test]
fn a_full_disk_is_told_and_nothing_is_left_on_it() {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "");
    let before = sandbox.snapshot();
    let outcome = in_tmpfs(&sandbox, "size=512k", "", &["plugin", "install", "ml-analyzer", "--dir", "small"]);
    let outcome = outcome.failure(1, &["No space left on device", "make room", "nothing was changed"]);
    assert_eq!(outcome.stdout.trim(), "small small/.lock small/.staging", "what is left on the small disk");
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn a_read_only_store_is_told() {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "");
    let before = sandbox.snapshot();
    let outcome = in_tmpfs(
        &sandbox,
        "size=64m",
        "mount -o remount,ro small",
        &["plugin", "install", "data-processor", "--dir", "small"],
    );
    outcome.failure(1, &["Read-only file system", "small", "--dir"]);
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn a_store_may_be_a_link_to_a_folder() {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "");
    fs::create_dir_all(sandbox.home()).unwrap();
    fs::create_dir(sandbox.path("real")).unwrap();
    symlink(sandbox.path("real"), sandbox.home().join("plugins")).unwrap();
    sandbox.pocket(&["plugin", "install", "data-processor"]).success();
    sandbox.pocket(&["plugin", "verify", "data-processor"]).success();
    assert!(sandbox.path("real/data-processor/1.0.0/main.lua").exists());
    assert!(fs::symlink_metadata(sandbox.home().join("plugins")).unwrap().is_symlink());
}

#[test]
fn what_is_in_the_stores_way_is_told_and_left() {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "");
    sandbox.write("taken", "mine");
    let before = sandbox.snapshot();
    symlink("nowhere", sandbox.path("dangling")).unwrap();
    let install = |folder: &str| sandbox.pocket(&["plugin", "install", "data-processor", "--dir", folder]);
    install("taken").failure(1, &["`taken` is a file, and plugins need a folder there", "move it away"]);
    install("dangling").failure(1, &["`dangling` is a link to nothing", "move it away"]);
    fs::remove_file(sandbox.path("dangling")).unwrap();
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn sixteen_installers_at_once_all_succeed() {
    let registry = TestRegistry::bundled();
    let sandbox = Sandbox::with_registry(registry.url());
    let configuration = sandbox.read("pocket.yaml");
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let installer = |number: usize| {
            let project = format!("project-{number}");
            sandbox.write(&format!("{project}/pocket.yaml"), &configuration);
            let sandbox = &sandbox;
            scope.spawn(move || {
                sandbox.pocket_in(&project, &["plugin", "install", "ml-analyzer", "redis-cache", "--yes"])
            })
        };
        let installers: Vec<_> = (0..16).map(installer).collect();
        installers.into_iter().map(|one| one.join().unwrap()).collect()
    });
    outcomes.into_iter().for_each(|outcome| drop(outcome.success()));
    for number in 0..16 {
        assert_eq!(sandbox.read(&format!("project-{number}/pocket.lock")), sandbox.read("project-0/pocket.lock"));
    }
    let mut left = leftovers(&sandbox.home().join("plugins"));
    left.sort();
    assert_eq!(left, ["data-processor", "ml-analyzer", "redis-cache"]);
    sandbox.pocket_in("project-0", &["plugin", "verify", "ml-analyzer"]).success();
}

#[test]
fn another_store_takes_what_the_users_has_without_the_registry() {
    let registry = TestRegistry::bundled();
    let sandbox = Sandbox::with_registry(registry.url());
    sandbox.pocket(&["plugin", "install", "data-processor"]).success();
    fs::remove_dir_all(sandbox.home().join("cache/archives")).unwrap();
    fs::remove_dir_all(registry.file("a")).unwrap();
    sandbox.pocket(&["plugin", "install", "data-processor", "--dir", "mine"]).success();
    let inode = |path: &Path| fs::metadata(path.join("data-processor/1.0.0/main.lua")).unwrap().ino();
    assert_ne!(inode(&sandbox.path("mine")), inode(&sandbox.home().join("plugins")), "an edit of one leaves the other");

    // Files that were changed are not passed on.
    fs::write(sandbox.home().join("plugins/data-processor/1.0.0/main.lua"), "changed").unwrap();
    sandbox.pocket(&["plugin", "install", "data-processor", "--dir", "mine"]).success();
    fs::remove_dir_all(sandbox.path("mine")).unwrap();
    sandbox.pocket(&["plugin", "install", "data-processor", "--dir", "mine"]).failure(1, &["404"]);
}

/// Runs `pocket` in a mount namespace of its own where `small` is a file system with these options; prints what is left in it.
fn in_tmpfs(sandbox: &Sandbox, options: &str, then: &str, arguments: &[&str]) -> Outcome {
    let script = format!(
        "set -e; mkdir -p small; mount -t tmpfs -o {options} tmpfs small; {then}\n\
         set +e; \"$@\" >&2; code=$?; find small | sort | tr '\\n' ' '; exit $code"
    );
    let outcome = sandbox
        .pocket_through(&["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", &script, "sh"], arguments);
    let _ = fs::remove_dir(sandbox.path("small"));
    outcome
}
