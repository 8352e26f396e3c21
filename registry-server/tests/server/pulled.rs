//! A registry that is fetched from another one as it is asked for.

use std::path::Path;
use std::process::Command;

use crate::accounts::{ask_with, run, token};
use crate::http::{ask, get, publish};
use crate::plugin::{author, release, yank};
use crate::program::{PROGRAM, Program, files_in, key_of};
use crate::tree::check;

struct Ground {
    folder: tempfile::TempDir,
    registry: Program,
}

impl Ground {
    /// A registry with this many plugins.
    fn new(plugins: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let registry = Program::on_folder(&folder.path().join("registry"), &[]);
        for number in 0..plugins {
            let body = release(&format!("plugin{number}"), "1.0.0", "return 1", &author(1));
            assert_eq!(publish(registry.address, &body).status, 201);
        }
        Self { folder, registry }
    }

    fn url(&self) -> String {
        format!("http://{}", self.registry.address)
    }

    fn kept(&self) -> std::path::PathBuf {
        self.folder.path().join("kept")
    }

    fn tree(&self) -> std::path::PathBuf {
        self.folder.path().join("registry/tree")
    }

    fn pull(&self) -> Program {
        Program::on_folder(&self.kept(), &["--upstream", &self.url()])
    }
}

/// Every file of a tree, as a server gives it.
fn everything(server: &Program, tree: &Path) -> crate::tree::Files {
    let paths = files_in(tree).into_keys().filter(|path| path != "stats/downloads.json");
    let body = |path: String| {
        let answer = get(server.address, &format!("/{path}"));
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        (path, answer.body)
    };
    paths.map(body).collect()
}

#[test]
fn what_is_asked_for_is_fetched_checked_kept_and_given_out_without_the_other_registry() {
    let mut ground = Ground::new(5);
    let key = key_of(&ground.folder.path().join("registry/registry.key"));
    let pulled = ground.pull();
    let fetched = everything(&pulled, &ground.tree());
    assert_eq!(check(&fetched, &key).len(), 5);
    let config = String::from_utf8(fetched["config.json"].clone()).unwrap();
    assert!(!config.contains("api/v1/"), "nobody publishes to a copy: {config}");
    assert_eq!(get(pulled.address, "/index/no/ne/none").status, 404);
    assert_eq!(get(pulled.address, "/readyz").text(), "ready\n");
    for (method, path) in [("PUT", "/api/v1/publish"), ("POST", "/config.json")] {
        let answer = ask(pulled.address, method, path, &[], b"").unwrap();
        assert!(matches!(answer.status, 404 | 405), "{method} {path}: {}", answer.status);
    }
    // Alone, and after a start of its own.
    ground.registry.kill();
    drop(pulled);
    let alone = ground.pull();
    assert_eq!(everything(&alone, &ground.kept().join("tree")), fetched);
    let missing = get(alone.address, "/index/ot/he/other");
    assert_eq!((missing.status, missing.code().as_str()), (503, "storage_unavailable"));
}

#[test]
fn every_file_of_a_log_of_several_tiles_is_proved() {
    // One leaf more than a tile: a tile of one hash at each level.
    let ground = Ground::new(257);
    let pulled = ground.pull();
    let begun = |path: &String| path.contains(".p/") && !path.ends_with(".p/1") && !path.ends_with(".p/200");
    let log: Vec<_> = files_in(&ground.tree()).into_iter().filter(|(path, _)| path.starts_with("log/tile/")).collect();
    for (path, bytes) in log.iter().filter(|(path, _)| !begun(path)) {
        let answer = get(pulled.address, &format!("/{path}"));
        assert_eq!((answer.status, &answer.body), (200, bytes), "{path}");
    }
    assert_eq!(get(pulled.address, "/log/tile/0/001.p/2").status, 404, "the log is not as long");
}

#[test]
fn what_does_not_fit_the_log_is_neither_given_out_nor_kept() {
    let ground = Ground::new(2);
    let pulled = ground.pull();
    let change = |path: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = std::fs::read(ground.tree().join(path)).unwrap();
        change(&mut bytes);
        std::fs::write(ground.tree().join(path), bytes).unwrap();
    };
    let archive = files_in(&ground.tree()).into_keys().find(|path| path.starts_with("a/")).unwrap();
    change(&archive, &|bytes| bytes[20] ^= 1);
    change("index/pl/ug/plugin0", &|bytes| {
        let place = bytes.windows(10).position(|window| window == b"For a test").unwrap();
        bytes[place] = b'B';
    });
    change("log/tile/0/000.p/2", &|bytes| bytes[5] ^= 1);
    change("log/tile/entries/000.p/2", &|bytes| {
        let place = bytes.iter().position(|byte| *byte == b'0').unwrap();
        bytes[place] = b'7';
    });
    for path in [archive.as_str(), "index/pl/ug/plugin0", "log/tile/0/000.p/2", "log/tile/entries/000.p/2"] {
        let answer = get(pulled.address, &format!("/{path}"));
        assert_eq!((answer.status, answer.code().as_str()), (503, "storage_unavailable"), "{path}");
        assert!(!ground.kept().join("tree").join(path).exists(), "{path}");
    }
}

#[test]
fn a_log_that_was_set_back_is_not_followed() {
    let ground = Ground::new(2);
    let old = std::fs::read(ground.tree().join("log/checkpoint")).unwrap();
    assert_eq!(publish(ground.registry.address, &release("third", "1.0.0", "return 1", &author(1))).status, 201);
    let pulled = ground.pull();
    let before = get(pulled.address, "/log/checkpoint");
    drop(pulled);
    std::fs::write(ground.tree().join("log/checkpoint"), old).unwrap();
    let pulled = ground.pull();
    assert_eq!(get(pulled.address, "/log/checkpoint").body, before.body);
    // Another registry at the same place is another log.
    drop(pulled);
    let other = Ground::new(1);
    let mut command = Command::new(PROGRAM);
    command.args(["--addr", "127.0.0.1:0", "--upstream", &other.url(), "--dir"]).arg(ground.kept());
    let pulled = Program::start(&mut command).expect("what is there is served");
    assert_eq!(get(pulled.address, "/log/checkpoint").body, before.body);
}

#[test]
fn a_copy_of_another_log_than_was_named_is_not_begun() {
    let (ground, other) = (Ground::new(0), Ground::new(0));
    let key = key_of(&other.folder.path().join("registry/registry.key")).to_string();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.args(["--addr", "127.0.0.1:0", "--upstream", &ground.url()]).args(arguments);
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let kept = ground.kept();
    let (begun, told) = run(&["--dir", kept.to_str().unwrap(), "--log-key", &key]);
    assert!(!begun && told.contains(&format!("expected {key}")), "{told}");
    let (begun, told) = run(&[]);
    assert!(!begun && told.contains("--dir FOLDER"), "{told}");
}

#[test]
fn a_private_registry_is_fetched_with_a_token_and_given_out_for_one() {
    let folder = tempfile::tempdir().unwrap();
    let (there, here) = (folder.path().join("registry"), folder.path().join("kept"));
    run(&there, &["init", "--with-bundled", "--private"]);
    let theirs = token(&there, &["cache", "--scope", "read"]);
    let registry = Program::on_folder(&there, &[]);
    let url = format!("http://{}", registry.address);
    let pull = |token: &str| {
        let mut command = Command::new(PROGRAM);
        command.args(["--addr", "127.0.0.1:0", "--upstream", &url, "--dir"]).arg(&here);
        Program::start(command.env("POCKET_REGISTRY_UPSTREAM_TOKEN", token))
    };
    for bad in ["", "pocket_0123456789abcdef_00", "two\nlines"] {
        assert!(pull(bad).is_none(), "`{bad}` opens nothing");
    }
    let pulled = pull(&theirs).expect("it serves");
    let path = "/index/re/di/redis-cache";
    for path in ["/config.json", "/log/checkpoint", path, "/search.json", "/metrics", "/none"] {
        let answer = get(pulled.address, path);
        assert_eq!((answer.status, answer.code().as_str()), (401, "token_needed"), "{path}");
        // Only the copy's own tokens are known to it.
        assert_eq!(ask_with(pulled.address, &theirs, "GET", path, b"").code(), "token_unknown", "{path}");
    }
    assert_eq!((get(pulled.address, "/healthz").status, get(pulled.address, "/readyz").status), (200, 200));
    let own = token(&here, &["reader", "--scope", "read"]);
    let answer = ask_with(pulled.address, &own, "GET", path, b"");
    assert_eq!(answer.body, ask_with(registry.address, &theirs, "GET", path, b"").body);
    assert!(answer.header("cache-control").unwrap().starts_with("private, "), "{answer:?}");
    let everything = files_in(&here).into_iter().filter(|(path, _)| !path.starts_with("tokens/"));
    let secret = theirs.rsplit('_').next().unwrap().as_bytes().to_vec();
    for (path, content) in everything {
        assert!(!content.windows(secret.len()).any(|part| part == secret), "{path}");
    }
}

#[test]
fn what_becomes_private_is_given_to_nobody_without_a_token_from_then_on() {
    let mut ground = Ground::new(1);
    let pulled = ground.pull();
    assert_eq!(get(pulled.address, "/index/pl/ug/plugin0").status, 200);
    drop(pulled);
    ground.registry.kill();
    run(&ground.folder.path().join("registry"), &["init", "--private"]);
    let token = token(&ground.folder.path().join("registry"), &["cache", "--scope", "read"]);
    ground.registry = Program::on_folder(&ground.folder.path().join("registry"), &[]);
    let mut command = Command::new(PROGRAM);
    command.args(["--addr", "127.0.0.1:0", "--upstream", &ground.url(), "--dir"]).arg(ground.kept());
    let pulled = Program::start(command.env("POCKET_REGISTRY_UPSTREAM_TOKEN", token)).expect("it serves");
    assert_eq!(get(pulled.address, "/index/pl/ug/plugin0").code(), "token_needed");
}

#[test]
fn what_a_cache_shows_a_little_late_is_not_taken_out_of_a_mirror() {
    let ground = Ground::new(2);
    let pulled = ground.pull();
    let to = ground.folder.path().join("mirror");
    let mirror = || {
        let url = format!("http://{}/", pulled.address);
        let mut command = Command::new(PROGRAM);
        command.args(["mirror", "--plugin", "plugin0", "--from", &url]).arg(&to).output().unwrap()
    };
    assert!(mirror().status.success());
    let withdrawn = yank("plugin0", "1.0.0", "it leaks", &author(1));
    assert_eq!(publish(ground.registry.address, &withdrawn).status, 201);
    // Whoever asks for another plugin has the cache read the newest checkpoint, beside which the file of the first is old.
    assert_eq!(get(pulled.address, "/index/pl/ug/plugin1").status, 200);
    let output = mirror();
    assert!(output.status.success(), "{output:?}");
    let text = std::fs::read_to_string(to.join("index/pl/ug/plugin0")).unwrap();
    assert!(text.contains("it leaks"), "{text}");
}
