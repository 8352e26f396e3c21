//! What a broken or hostile registry or network sends is refused, each thing with its own message, and nothing changes.

use std::sync::Arc;

use crate::support::{Fault, FaultyProxy, Outcome, Sandbox, TestRegistry};

/// Installs an older version from the healthy registry, then the newest one with the fault, and sees that plugins, lock
/// and `pocket.yaml` are byte for byte as before.
#[track_caller]
fn install_with(path: &str, fault: Fault) -> Outcome {
    let registry = TestRegistry::bundled();
    let proxy = FaultyProxy::start(registry.url(), path, fault);
    let sandbox = Sandbox::with_registry(proxy.url());
    proxy.heal();
    sandbox.pocket(&["plugin", "install", "data-processor@=0.9.0"]).success();
    proxy.break_again();
    let before = sandbox.snapshot();
    let outcome = sandbox.pocket(&["plugin", "install", "ml-analyzer"]);
    assert_ne!(outcome.code, 0, "it was installed:\n{}", outcome.stderr);
    assert_eq!(sandbox.snapshot(), before);
    outcome
}

fn change(edit: impl Fn(String) -> String + Send + Sync + 'static) -> Fault {
    Fault::Change(Arc::new(move |body| edit(String::from_utf8(body).unwrap()).into_bytes()))
}

#[test]
fn an_archive_with_another_digest_is_refused() {
    let flip = Fault::Change(Arc::new(|mut body: Vec<u8>| {
        let middle = body.len() / 2;
        body[middle] ^= 1;
        body
    }));
    install_with("/a/", flip).failure(6, &["cannot install", "sha256:", "the file changed after it was published"]);
}

#[test]
fn a_cut_download_is_not_taken_for_the_whole() {
    install_with("/a/", Fault::Truncate).failure(1, &["cannot download", "was cut after", "try again"]);
}

#[test]
fn a_missing_archive_is_an_error() {
    install_with("/a/", Fault::Status(404)).failure(1, &["cannot download", "404"]);
}

#[test]
fn a_failing_server_is_an_error() {
    install_with("/index/", Fault::Status(500)).failure(1, &["cannot be read", "answered 500"]);
}

#[test]
fn a_missing_proof_is_an_error_and_no_pass() {
    let registry = TestRegistry::bundled();
    let proxy = FaultyProxy::start(registry.url(), "/log/tile/", Fault::Status(404));
    let sandbox = Sandbox::with_registry(proxy.url());
    let before = sandbox.snapshot();
    sandbox.pocket(&["plugin", "install", "data-processor"]).failure(6, &["does not show", "/log/tile/", "404"]);
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn an_event_without_signatures_is_refused() {
    let unsigned = change(|text| {
        text.lines()
            .map(|line| {
                let start = line.find("\"signatures\":[").unwrap();
                format!("{}\"signatures\":[]}}\n", &line[..start])
            })
            .collect()
    });
    install_with("/index/ml", unsigned).failure(6, &["the events of `ml-analyzer`", "are refused"]);
}

#[test]
fn an_event_that_was_changed_after_it_was_signed_is_refused() {
    let changed = change(|text| text.replace("positive", "Positive"));
    install_with("/index/ml", changed).failure(6, &["the events of `ml-analyzer`", "are refused"]);
}

#[test]
fn a_change_to_a_release_that_is_not_installed_is_refused_as_well() {
    let registry = TestRegistry::bundled();
    // The last line is the release of 0.5.0; no line after it has its digest.
    let changed = change(|text| {
        let at = text.rfind("positive").expect("the newest release names its node");
        format!("{}Positive{}", &text[..at], &text[at + "positive".len()..])
    });
    let proxy = FaultyProxy::start(registry.url(), "/index/ml", changed);
    let sandbox = Sandbox::with_registry(proxy.url());
    let before = sandbox.snapshot();
    let outcome = sandbox.pocket(&["plugin", "install", "ml-analyzer@=0.4.0"]);
    outcome.failure(6, &["the events of `ml-analyzer`", "are refused"]);
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn a_forged_checkpoint_is_refused() {
    let forged = change(|text| text.replacen("\n8\n", "\n9\n", 1));
    install_with("/log/checkpoint", forged).failure(6, &["is refused"]);
}

#[test]
fn a_newer_index_format_is_refused_with_the_next_step() {
    let newer = change(|text| text.replacen("\"version\":1", "\"version\":2", 1));
    install_with("/config.json", newer).failure(6, &["format version 2", "newer program"]);
}

#[test]
fn a_registry_that_is_down_is_an_error() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let sandbox = Sandbox::with_registry(&format!("http://127.0.0.1:{port}/"));
    let before = sandbox.snapshot();
    sandbox.pocket(&["plugin", "install", "redis-cache"]).failure(1, &["cannot reach", "is the server running"]);
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn a_registry_with_another_key_than_before_is_refused() {
    let first = TestRegistry::bundled();
    let second = TestRegistry::bundled();
    let proxy = FaultyProxy::start(first.url(), "", Fault::Elsewhere(second.url().to_owned()));
    proxy.heal();
    let sandbox = Sandbox::with_registry(proxy.url());
    sandbox.pocket(&["plugin", "install", "data-processor"]).success();
    proxy.break_again();
    sandbox
        .pocket(&["plugin", "install", "ml-analyzer"])
        .failure(6, &["signs with the key", "before it was", "set up anew"]);
    // Another machine has never seen the registry, but it has the lock.
    sandbox.pocket_elsewhere(&["plugin", "install", "ml-analyzer"]).failure(6, &["signs with the key"]);
}

#[test]
fn a_log_that_got_smaller_is_refused() {
    let registry = TestRegistry::bundled();
    let sandbox = Sandbox::with_registry(registry.url());
    let old = std::fs::read_to_string(registry.file("log/checkpoint")).unwrap();
    sandbox.write(
        "greeting/manifest.yaml",
        "name: greeting\nversion: 1.0.0\nruntime: lua\nbinary: m.lua\nnodes: [{type: greet}]\n",
    );
    sandbox.write("greeting/m.lua", "function greet() end\n");
    sandbox.pocket(&["key", "new"]).success();
    sandbox.pocket(&["plugin", "publish", "greeting"]).success();
    std::fs::write(registry.file("log/checkpoint"), old).unwrap();
    sandbox.pocket(&["plugin", "install", "data-processor"]).failure(6, &["shows another history", "9", "8"]);
}

#[test]
fn a_history_that_began_anew_under_the_same_name_is_refused() {
    let registry = TestRegistry::empty();
    let author = |version: &str, script: &str| {
        let sandbox = Sandbox::with_registry(registry.url());
        let manifest =
            format!("name: greeting\nversion: {version}\nruntime: lua\nbinary: m.lua\nnodes: [{{type: greet}}]\n");
        sandbox.write("greeting/manifest.yaml", &manifest);
        sandbox.write("greeting/m.lua", script);
        sandbox.pocket(&["key", "new"]).success();
        sandbox.pocket(&["plugin", "publish", "greeting"]).success();
    };
    author("1.0.0", "function greet() end\n");
    let user = Sandbox::with_registry(registry.url());
    user.pocket(&["plugin", "install", "greeting"]).success();
    // The registry forgets the first publisher and logs somebody else's plugin under the name.
    std::fs::remove_file(registry.file("index/gr/ee/greeting")).unwrap();
    author("1.1.0", "function greet() return 'mine now' end\n");
    let before = user.snapshot();
    user.pocket(&["plugin", "install", "greeting@1.1.0"])
        .failure(6, &["shows another history", "event 1 of `greeting` was sha256:", "now it is sha256:"]);
    assert_eq!(user.snapshot(), before);
    // Another machine has never seen the registry, but it has the lock.
    user.pocket_elsewhere(&["plugin", "install", "greeting@1.1.0"])
        .failure(6, &["`greeting` 1.0.0: the lock says sha256:", "the registry says nothing"]);
}

#[test]
fn development_keys_are_worthless_in_another_registry() {
    let registry = TestRegistry::empty();
    let sandbox = Sandbox::with_registry(registry.url());
    let key = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/keys/development-publisher.key"))
        .unwrap();
    let path = sandbox.home().join("keys/default.key");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, key.lines().last().unwrap()).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    sandbox.write(
        "greeting/manifest.yaml",
        "name: greeting\nversion: 1.0.0\nruntime: lua\nbinary: m.lua\nnodes: [{type: greet}]\n",
    );
    sandbox.write("greeting/m.lua", "function greet() end\n");
    sandbox.pocket(&["plugin", "publish", "greeting"]).failure(1, &["not_allowed", "development key"]);
}
