//! Mirrors, exports, backups and clearing up, as commands.

use std::path::Path;
use std::process::Command;

use crate::http::publish;
use crate::plugin::{author, release, yank};
use crate::program::{PROGRAM, Program, files_in, key_of};
use crate::tree::check;

fn run(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(PROGRAM).args(arguments).output().expect("it starts");
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

fn done(arguments: &[&str]) -> String {
    let (done, told) = run(arguments);
    assert!(done, "{arguments:?}: {told}");
    told
}

/// A registry with three events about two plugins.
fn served(folder: &Path) -> Program {
    let server = Program::on_folder(folder, &[]);
    for body in [
        release("greeting", "1.0.0", "return 1", &author(1)),
        release("other", "1.0.0", "return 2", &author(2)),
        yank("greeting", "1.0.0", "old", &author(1)),
    ] {
        assert_eq!(publish(server.address, &body).status, 201);
    }
    server
}

#[test]
fn a_mirror_is_whole_grows_and_takes_nothing_that_was_changed() {
    let folder = tempfile::tempdir().unwrap();
    let server = served(&folder.path().join("registry"));
    let key = key_of(&folder.path().join("registry/registry.key"));
    let (url, to) = (format!("http://{}", server.address), folder.path().join("mirror"));
    let path = to.to_str().unwrap();
    let told = done(&["mirror", "--from", &url, path, "--log-key", &key.to_string()]);
    assert!(told.contains("3 events, 2 of its 2 plugins, 2 new archives"), "{told}");
    assert_eq!(check(&files_in(&to), &key).len(), 3);
    let config = String::from_utf8(files_in(&to)["config.json"].clone()).unwrap();
    assert!(!config.contains("api/v1/"), "nobody publishes to a mirror: {config}");
    assert_eq!(publish(server.address, &release("third", "1.0.0", "return 3", &author(3))).status, 201);
    let told = done(&["mirror", "--from", &url, path]);
    assert!(told.contains("4 events, 3 of its 3 plugins, 1 new archives"), "{told}");
    assert_eq!(check(&files_in(&to), &key).len(), 4);
    let before = files_in(&to);
    // A registry that was set back, or changed a line, is not followed.
    let tree = folder.path().join("registry/tree");
    let file = tree.join("index/gr/ee/greeting");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("For a test", "For a rest")).unwrap();
    let (followed, told) = run(&["mirror", "--from", &url, path]);
    assert!(!followed && told.contains("2 of its 3 plugins"), "{told}");
    assert!(told.contains("`greeting` stays in the copy as it was") && told.contains("the log says"), "{told}");
    assert_eq!(files_in(&to), before);
    let other = tempfile::tempdir().unwrap();
    let stranger = served(other.path());
    let (followed, told) = run(&["mirror", "--from", &format!("http://{}", stranger.address), path]);
    assert!(!followed && told.contains("is no registry"), "{told}");
}

#[test]
fn a_mirror_of_some_plugins_has_every_proof() {
    let folder = tempfile::tempdir().unwrap();
    let _server = served(&folder.path().join("registry"));
    let to = folder.path().join("mirror");
    let from = folder.path().join("registry");
    done(&["mirror", "--dir", from.to_str().unwrap(), to.to_str().unwrap(), "--plugin", "other"]);
    let (all, some) = (files_in(&from.join("tree")), files_in(&to));
    let names: Vec<_> = some.keys().filter(|path| path.starts_with("index/")).collect();
    assert_eq!(names, ["index/ot/he/other"]);
    for (path, bytes) in some.iter().filter(|(path, _)| path.starts_with("log/")) {
        assert_eq!(all.get(path), Some(bytes), "{path}");
    }
    assert_eq!(some.keys().filter(|path| path.starts_with("a/")).count(), 1);
    let (made, told) = run(&["mirror", "--dir", from.to_str().unwrap(), to.to_str().unwrap(), "--plugin", "none"]);
    assert!(!made && told.contains("no plugin `none`"), "{told}");
}

#[test]
fn what_does_not_fit_together_is_left_out_of_a_mirror_and_of_an_export_and_ends_a_backup() {
    let folder = tempfile::tempdir().unwrap();
    let server = served(&folder.path().join("registry"));
    drop(server);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let from = path("registry");
    let file = folder.path().join("registry/tree/index/gr/ee/greeting");
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap().replace("For a test", "For a rest")).unwrap();
    for (verb, to) in [("mirror", path("mirror")), ("export", path("registry.tar"))] {
        let (whole, told) = run(&[verb, "--dir", &from, &to]);
        assert!(!whole && told.contains("3 events, 1 of its 2 plugins"), "{verb}: {told}");
        assert!(told.contains("`greeting` is not in the copy: ") && told.contains("index/gr/ee/greeting"), "{told}");
    }
    done(&["import", &path("registry.tar"), &path("imported")]);
    for copy in ["mirror", "imported"] {
        let files = files_in(&folder.path().join(copy));
        assert!(files.contains_key("index/ot/he/other") && !files.contains_key("index/gr/ee/greeting"), "{copy}");
        assert!(!String::from_utf8_lossy(&files["search.json"]).contains("greeting"), "{copy}");
        assert_eq!(files["log/checkpoint"], files_in(&folder.path().join("registry/tree"))["log/checkpoint"]);
    }
    let (whole, told) = run(&["backup", "--dir", &from, &path("backup")]);
    assert!(!whole && told.contains("the log says"), "{told}");
    assert!(!folder.path().join("backup/tree/log/checkpoint").exists(), "nobody takes it for a backup");
}

#[test]
fn what_was_exported_is_imported_elsewhere_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let _server = served(&folder.path().join("registry"));
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (from, file) = (path("registry"), path("registry.tar"));
    let key = key_of(&folder.path().join("registry/registry.key"));
    done(&["export", "--dir", &from, &file]);
    let (again, told) = run(&["export", "--dir", &from, &file]);
    assert!(!again && told.contains("exists already"), "{told}");
    done(&["import", &file, &path("imported"), "--log-key", &key.to_string()]);
    assert_eq!(check(&files_in(&folder.path().join("imported")), &key).len(), 3);
    done(&["export", "--dir", &from, &path("some.tar"), "--plugin", "other"]);
    let told = done(&["import", &path("some.tar"), &path("some")]);
    assert!(told.contains("1 of its 2 plugins"), "{told}");
    let mut bytes = std::fs::read(&file).unwrap();
    let place = bytes.windows(10).position(|window| window == b"For a test").unwrap();
    bytes[place] = b'B';
    std::fs::write(path("changed.tar"), bytes).unwrap();
    let (taken, told) = run(&["import", &path("changed.tar"), &path("changed")]);
    assert!(!taken && told.contains("the log says"), "{told}");
    assert!(!folder.path().join("changed").exists(), "nothing is left of it");
}

#[test]
fn a_backup_of_a_running_registry_is_served_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = served(&folder.path().join("registry"));
    let to = folder.path().join("backup");
    let counts = "[{\"name\":\"greeting\",\"total\":3,\"days\":{}}]\n";
    std::fs::create_dir_all(folder.path().join("registry/tree/stats")).unwrap();
    std::fs::write(folder.path().join("registry/tree/stats/downloads.json"), counts).unwrap();
    done(&["backup", "--dir", folder.path().join("registry").to_str().unwrap(), to.to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(to.join("tree/stats/downloads.json")).unwrap(), counts);
    drop(server);
    let restored = Program::on_folder(&to, &[]);
    assert_eq!(publish(restored.address, &release("third", "1.0.0", "return 3", &author(3))).status, 201);
    let key = key_of(&to.join("registry.key"));
    assert_eq!(key, key_of(&folder.path().join("registry/registry.key")));
    assert_eq!(check(&files_in(&to.join("tree")), &key).len(), 4);
}

#[test]
fn clearing_up_takes_what_is_old_and_named_by_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = served(folder.path());
    let tree = folder.path().join("tree");
    let orphan = tree.join("a/00/orphan.tar.gz");
    std::fs::create_dir_all(orphan.parent().unwrap()).unwrap();
    for path in [&orphan, &tree.join("log/.tmpAbCdEf")] {
        std::fs::write(path, "x").unwrap();
        assert!(Command::new("touch").args(["-d", "3 days ago"]).arg(path).status().unwrap().success());
    }
    let dir = folder.path().to_str().unwrap();
    let told = done(&["gc", "--dir", dir, "--dry-run"]);
    let removed = "would remove 1 archives, 0 begun tiles and bundles, 0 old search lists, 1 temporary files, 0 files of staged releases: 2 bytes";
    assert!(told.contains(removed), "{told}");
    assert!(orphan.exists());
    done(&["gc", "--dir", dir]);
    assert!(!orphan.exists() && !tree.join("log/.tmpAbCdEf").exists());
    assert_eq!(check(&files_in(&tree), &key_of(&folder.path().join("registry.key"))).len(), 3);
    drop(server);
}
