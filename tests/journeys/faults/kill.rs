//! Installing, upgrading and uninstalling, killed at every system call that changes or locks something: what is found
//! afterwards is the old state or the new one, and the next run finishes what was begun.

use std::fs;

use super::strace::{End, Point, kill_at, points};
use crate::support::{Outcome, Sandbox};

/// A command, and what stands when it starts.
struct Scenario {
    before: Sandbox,
    command: &'static [&'static str],
    /// Whether what the lock names must work after a kill.
    old: Old,
}

/// What a killed command leaves of the plugins that the old lock names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Old {
    /// They all work.
    Works,
    /// They may be gone, but never count as installed when they are not whole.
    MayBeGone,
}

/// A project with a registry in a folder, so that no network slows this down.
fn project() -> Sandbox {
    Sandbox::with_registry(concat!("file://", env!("CARGO_MANIFEST_DIR"), "/index/tree"))
}

fn with_installed(sandbox: Sandbox, plugins: &[&str]) -> Sandbox {
    sandbox.pocket(&[&["plugin", "install", "--yes"], plugins].concat()).success();
    sandbox
}

#[test]
fn a_killed_install_is_finished_by_the_next_one() {
    let command = &["plugin", "install", "ml-analyzer", "--yes"];
    let kills = kill_everywhere(&Scenario { before: project(), command, old: Old::Works });
    assert!(kills >= 60, "{kills} kills");
}

#[test]
fn a_killed_upgrade_leaves_the_old_version_working() {
    let before = with_installed(project(), &["data-processor@=0.9.0"]);
    let command = &["plugin", "install", "data-processor@^1.0", "--yes"];
    let kills = kill_everywhere(&Scenario { before, command, old: Old::Works });
    assert!(kills >= 50, "{kills} kills");
}

#[test]
fn a_killed_update_leaves_the_old_version_working() {
    let before = with_installed(project(), &["data-processor@=0.9.0"]);
    before.write("pocket.yaml", &before.read("pocket.yaml").replace("=0.9.0", "'>=0.9'"));
    before.pocket(&["plugin", "install"]).success();
    let kills = kill_everywhere(&Scenario { before, command: &["plugin", "update"], old: Old::Works });
    assert!(kills >= 40, "{kills} kills");
}

#[test]
fn a_killed_install_to_a_folder_is_finished_by_the_next_one() {
    let command = &["plugin", "install", "data-processor", "--dir", "custom"];
    let kills = kill_everywhere(&Scenario { before: project(), command, old: Old::Works });
    assert!(kills >= 50, "{kills} kills");
}

#[test]
fn a_killed_repair_never_passes_changed_files_for_installed_ones() {
    let before = with_installed(project(), &["data-processor"]);
    fs::write(before.home().join("plugins/data-processor/1.0.0/main.lua"), "changed").unwrap();
    let command = &["plugin", "install", "data-processor"];
    let kills = kill_everywhere(&Scenario { before, command, old: Old::MayBeGone });
    assert!(kills >= 30, "{kills} kills");
}

#[test]
fn a_killed_uninstall_is_finished_by_the_next_one() {
    let before = with_installed(project(), &["ml-analyzer", "redis-cache"]);
    let command = &["plugin", "uninstall", "ml-analyzer"];
    let kills = kill_everywhere(&Scenario { before, command, old: Old::Works });
    assert!(kills >= 15, "{kills} kills");
}

#[test]
fn a_killed_uninstall_of_the_users_own_plugin_is_finished_by_the_next_one() {
    let before = with_installed(Sandbox::new(), &["ml-analyzer"]);
    let command = &["plugin", "uninstall", "ml-analyzer"];
    let kills = kill_everywhere(&Scenario { before, command, old: Old::MayBeGone });
    assert!(kills >= 30, "{kills} kills");
}

/// Kills the command at each point, first to last, and looks at what is left each time. Returns at how many it was killed.
fn kill_everywhere(scenario: &Scenario) -> usize {
    let after = scenario.before.copy();
    let points = points(&after, scenario.command);
    let mut kills = 0;
    for point in points {
        let sandbox = scenario.before.copy();
        if kill_at(&sandbox, scenario.command, point) == End::Killed {
            kills += 1;
            check_state(scenario, &sandbox, &after, point);
            check_next_run(scenario, &sandbox, &after, point);
        }
    }
    kills
}

/// Manifest and lock are whole, and what counts as installed is.
fn check_state(scenario: &Scenario, sandbox: &Sandbox, after: &Sandbox, place: Point) {
    for file in ["project/pocket.yaml", "project/pocket.lock", "home/pocket.yaml", "home/pocket.lock"] {
        let content = |of: &Sandbox| fs::read_to_string(of.root().join(file)).ok();
        let found = content(sandbox);
        assert!(
            found == content(&scenario.before) || found == content(after),
            "{place:?}: {file} is neither the old nor the new one: {found:?}"
        );
    }
    let listed = sandbox.pocket(&["plugin", "list", "--output", "json"]);
    assert_eq!(listed.code, 0, "{place:?}: {}", listed.stderr);
    for plugin in listed.json().as_array().unwrap() {
        let works = plugin["status"] == "loaded";
        assert!(works || scenario.old == Old::MayBeGone, "{place:?}: {plugin}");
    }
}

/// The same command, or an install where it was done already, brings everything to where it would be without a kill.
fn check_next_run(scenario: &Scenario, sandbox: &Sandbox, after: &Sandbox, place: Point) {
    let succeeds = |outcome: Outcome| assert_eq!(outcome.code, 0, "{place:?}: {}", outcome.stderr);
    let again = sandbox.pocket(scenario.command);
    if again.code != 0 {
        assert!(again.stderr.contains("there is no plugin"), "{place:?}: {}", again.stderr);
        succeeds(sandbox.pocket(&["plugin", "install"]));
    }
    let (mut found, mut expected) = (sandbox.everything(), after.everything());
    // An empty staging folder is as good as none, and the lock of a project is named by the project's place.
    let counts = |path: &str| !path.ends_with("/.staging") && !path.starts_with("home/projects");
    found.retain(|path, _| counts(path));
    expected.retain(|path, _| counts(path));
    let differ = |key: &&String| found.get(*key) != expected.get(*key);
    let differences: Vec<_> = found.keys().chain(expected.keys()).filter(differ).collect();
    assert!(differences.is_empty(), "{place:?}: the next run left other files: {differences:?}");
}
