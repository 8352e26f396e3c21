//! What a plugin reads and writes, and the ways out of its folders that are closed.

use std::fs;

use pocket_index::permissions::Permissions;
use serde_json::Map;

use super::*;
use crate::engine::grants::{GrantedWords, Word};

/// A project folder with `data/a.txt`, `out/` and `secret.txt`.
struct Project {
    folder: tempfile::TempDir,
    grants: Grants,
}

impl Project {
    fn new(filesystem: &[&str]) -> Self {
        Self::granting(filesystem, &GrantedWords::all())
    }

    fn granting(filesystem: &[&str], words: &GrantedWords) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |path: &str, text: &str| fs::write(folder.path().join(path), text).expect("it can be written");
        for name in ["data", "out", "out/inner"] {
            fs::create_dir(folder.path().join(name)).expect("it can be made");
        }
        write("data/a.txt", "hello");
        write("secret.txt", "secret");
        let filesystem = filesystem.iter().map(|&entry| entry.to_owned()).collect();
        let asked = Permissions { filesystem, ..Permissions::default() };
        let grants = Grants::new(&asked, words, &Map::new()).expect("it is well-formed");
        let grants = grants.with_base(folder.path().to_owned());
        Self { folder, grants }
    }

    fn files(&self) -> Files<'_> {
        Files::new(&self.grants, Limits { transfer: 100, ..Limits::default() })
    }

    fn read(&self, path: &str) -> Result<String, CallError> {
        self.files().read(path).map(|content| String::from_utf8(content).expect("it is text"))
    }

    fn host(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }
}

fn denied(result: Result<impl std::fmt::Debug, CallError>) -> String {
    let error = result.expect_err("it is refused");
    assert_eq!(error.kind, CallErrorKind::Denied, "{error}");
    error.message
}

#[test]
fn files_are_written_listed_found_read_and_removed() {
    let project = Project::new(&["read:./out", "write:./out"]);
    let files = project.files();
    files.write("out/deep/er/x.txt", b"one", Placing::Replace).expect("it is granted");
    files.write("./out/deep/er/x.txt", b" two", Placing::Append).expect("it is granted");
    assert_eq!(project.read("out//deep/./er/x.txt"), Ok("one two".into()));
    let entry = |name: &str, kind, bytes| Entry { name: name.into(), kind, bytes };
    assert_eq!(files.list("out/deep/er"), Ok(vec![entry("x.txt", "file", 7)]));
    assert_eq!(files.find("out/deep/er/x.txt"), Ok(Some(entry("x.txt", "file", 7))));
    assert_eq!(files.find("out/gone"), Ok(None));
    files.remove("out/deep/er/x.txt").expect("it is granted");
    files.remove("out/deep/er").expect("it is empty");
    assert!(!project.host("out/deep/er").exists());
    let error = files.remove("out").expect_err("the granted folder stays");
    assert_eq!(error.kind, CallErrorKind::Failed);
}

#[test]
fn each_direction_is_asked_for_and_granted_by_itself() {
    let project = Project::new(&["read:./data", "write:./out"]);
    assert!(project.read("data/a.txt").is_ok());
    insta::assert_snapshot!(denied(project.files().write("data/a.txt", b"x", Placing::Replace)), @"the plugin used filesystem `write:data/a.txt`, which its manifest does not ask for under `permissions.filesystem`");
    insta::assert_snapshot!(denied(project.files().find("out/x")), @"the plugin used filesystem `read:out/x`, which its manifest does not ask for under `permissions.filesystem`");
    denied(project.files().remove("data/a.txt"));
    let project = Project::granting(&["read:./data"], &GrantedWords::of([Word::WriteFiles]));
    insta::assert_snapshot!(denied(project.read("data/a.txt")), @"the plugin used filesystem `read:data/a.txt`, which its manifest asks for but the permission `read_files` was not granted");
}

#[test]
fn no_path_leads_out_of_a_granted_folder() {
    let project = Project::new(&["read:./data", "write:./out", "read:./out/inner"]);
    let absolute = project.host("secret.txt");
    for path in [
        "secret.txt",
        "data/../secret.txt",
        "data/../../../../../../etc/passwd",
        "data/x/../../secret.txt",
        "data/../data/a.txt",
        "database/a.txt",
        "/etc/passwd",
        "/proc/self/root/etc/passwd",
        "/proc/self/environ",
        "",
        absolute.to_str().expect("it is text"),
    ] {
        denied(project.read(path));
    }
    assert_eq!(project.read(project.host("data/a.txt").to_str().expect("it is text")), Ok("hello".into()));
    assert!(project.files().write("out/../secret.txt", b"x", Placing::Replace).is_err());
    assert_eq!(fs::read(project.host("secret.txt")).expect("it is there"), b"secret");
}

#[cfg(unix)]
#[test]
fn no_link_leads_out_of_a_granted_folder() {
    use std::os::unix::fs::symlink;
    let project = Project::new(&["read:./data", "write:./out", "read:./out/inner"]);
    let link = |target: &str, path: &str| symlink(target, project.host(path)).expect("it can be made");
    link("../secret.txt", "data/up");
    link(project.host("secret.txt").to_str().expect("it is text"), "data/absolute");
    link("/proc/self/root", "data/root");
    link("..", "data/parent");
    link("a.txt", "data/inside");
    for path in ["data/up", "data/absolute", "data/root/etc/passwd", "data/parent/secret.txt"] {
        denied(project.read(path));
    }
    assert_eq!(project.read("data/inside"), Ok("hello".into()));
    link("../secret.txt", "out/up");
    denied(project.files().write("out/up", b"x", Placing::Replace));
    assert_eq!(fs::read(project.host("secret.txt")).expect("it is there"), b"secret");
    // A granted folder inside one that the plugin writes is what the plugin could replace.
    fs::remove_dir(project.host("out/inner")).expect("it is empty");
    link("..", "out/inner");
    denied(project.read("out/inner/secret.txt"));
    fs::hard_link(project.host("secret.txt"), project.host("data/hard")).expect("it can be made");
    assert_eq!(project.read("data/hard"), Ok("secret".into()));
}

#[cfg(unix)]
#[test]
fn a_pipe_is_not_waited_for() {
    let project = Project::new(&["read:./data", "write:./data"]);
    let made = std::process::Command::new("mkfifo").arg(project.host("data/pipe")).status();
    assert!(made.expect("mkfifo is part of every Unix").success());
    let error = project.read("data/pipe").expect_err("nobody writes into it");
    insta::assert_snapshot!(error, @"cannot read `data/pipe`: it is a special file");
    assert!(project.files().write("data/pipe", b"x", Placing::Replace).is_err());
}

#[test]
fn a_single_file_can_be_granted() {
    let project = Project::new(&["read:./secret.txt", "write:./new.txt"]);
    assert_eq!(project.read("secret.txt"), Ok("secret".into()));
    denied(project.read("secret.txt.bak"));
    project.files().write("new.txt", b"x", Placing::Replace).expect("it is granted");
    denied(project.files().write("new.text", b"x", Placing::Replace));
}

#[test]
fn what_is_too_large_is_neither_read_nor_written() {
    let project = Project::new(&["read:./data", "write:./data"]);
    fs::write(project.host("data/big"), [b'x'; 101]).expect("it can be written");
    let error = project.read("data/big").expect_err("it is too large");
    insta::assert_snapshot!(error, @"`data/big` is larger than the limit of 100 bytes for one call of the host");
    let error = project.files().write("data/b", &[b'x'; 101], Placing::Append).expect_err("it is too large");
    assert_eq!(error.limit, Some(crate::engine::Limit::Transfer));
    assert!(!project.host("data/b").exists());
}
