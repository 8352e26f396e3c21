//! Many installers at once: all succeed, and nothing of what one did is lost by another.

use std::fs;
use std::process::{Child, Stdio};

use crate::support::{Author, POCKET, Sandbox, TestRegistry};

/// As many as a monorepo's pipeline starts on one machine.
const CROWD: usize = 16;

fn start(sandbox: &Sandbox, folder: &str, arguments: &[&str]) -> Child {
    let mut command = sandbox.command(POCKET);
    command.current_dir(sandbox.path(folder)).args(arguments).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn all_succeed(crowd: Vec<Child>) {
    for child in crowd {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Nothing that is temporary is left.
fn check_leftovers(sandbox: &Sandbox) {
    let left: Vec<_> = sandbox
        .everything()
        .into_keys()
        .filter(|path| path.ends_with(".tmp") || path.contains("/.staging/") || path.ends_with(".part"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn sixteen_projects_of_one_home_install_the_same_plugins_at_once() {
    let registry = TestRegistry::bundled();
    let sandbox = Sandbox::new();
    let project = |number: usize| format!("{number}");
    for number in 0..CROWD {
        sandbox.write(&format!("{number}/pocket.yaml"), &format!("registries:\n  default: {}\n", registry.url()));
    }
    let install = ["plugin", "install", "ml-analyzer", "redis-cache", "--yes"];
    all_succeed((0..CROWD).map(|number| start(&sandbox, &project(number), &install)).collect());
    let locks: Vec<_> = (0..CROWD).map(|number| sandbox.read(&format!("{number}/pocket.lock"))).collect();
    assert!(locks.iter().all(|lock| *lock == locks[0]), "all projects lock the same");
    check_leftovers(&sandbox);
    fs::copy(sandbox.path("0/pocket.yaml"), sandbox.path("pocket.yaml")).unwrap();
    fs::copy(sandbox.path("0/pocket.lock"), sandbox.path("pocket.lock")).unwrap();
    let listed = sandbox.pocket(&["plugin", "list", "--output", "json"]).success().json();
    let listed = listed.as_array().unwrap();
    assert!(listed.len() == 3 && listed.iter().all(|plugin| plugin["status"] == "loaded"), "{listed:?}");
}

#[test]
fn sixteen_installers_of_one_project_each_add_their_plugin() {
    let registry = TestRegistry::empty();
    let author = Author::of(&registry);
    let names: Vec<_> = (0..CROWD).map(|number| format!("plugin-{number}")).collect();
    for name in &names {
        author.publish(name, "1.0.0", "");
    }
    let sandbox = Sandbox::with_registry(registry.url());
    all_succeed(names.iter().map(|name| start(&sandbox, ".", &["plugin", "install", name, "--yes"])).collect());
    let (manifest, lock) = (sandbox.read("pocket.yaml"), sandbox.read("pocket.lock"));
    for name in &names {
        assert!(
            manifest.contains(&format!("{name}: ")) && lock.contains(&format!("\"{name}\"")),
            "{name}:\n{manifest}\n{lock}"
        );
    }
    sandbox.pocket(&["plugin", "install", "--locked"]).success();
    let listed = sandbox.pocket(&["plugin", "list", "--output", "json"]).success().json();
    assert!(listed.as_array().unwrap().iter().all(|plugin| plugin["status"] == "loaded"), "{listed}");
    check_leftovers(&sandbox);

    all_succeed(names.iter().map(|name| start(&sandbox, ".", &["plugin", "uninstall", name])).collect());
    assert!(!sandbox.read("pocket.lock").contains("[[plugin]]"));
}
