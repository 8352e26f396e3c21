//! Networks that cut, slow down, redirect and intercept: what is asked of servers, and what becomes of what they send.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{Nginx, Reply, Request, Sandbox, ScriptedServer, TestRegistry};

/// Answers like a server that knows ranges.
fn rest(request: &Request, file: &[u8]) -> Option<Reply> {
    let from: usize = request.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()?;
    if from >= file.len() {
        return Some(Reply { status: 416, ..Reply::default() });
    }
    let range = format!("Content-Range: bytes {from}-{}/{}", file.len() - 1, file.len());
    Some(Reply { status: 206, headers: vec![range], body: file[from..].to_vec(), cut: None })
}

fn cut_in_half(file: &[u8]) -> Option<Reply> {
    Some(Reply { status: 200, body: file.to_vec(), cut: Some(file.len() / 2), ..Reply::default() })
}

/// A bundled registry, and the path that `ml-analyzer`'s archive has in the cache of a sandbox.
fn registry() -> (TestRegistry, impl Fn(&Sandbox) -> PathBuf) {
    let registry = TestRegistry::bundled();
    let archive = registry.archive_of("index/ml/-a/ml-analyzer");
    let name = archive.strip_prefix(registry.tree().join("a")).unwrap().to_owned();
    (registry, move |sandbox: &Sandbox| sandbox.home().join("cache/archives").join(&name))
}

fn part_of(archive: &std::path::Path) -> PathBuf {
    archive.with_file_name(format!("{}.part", archive.file_name().unwrap().to_string_lossy()))
}

#[test]
fn a_cut_download_is_taken_up_where_it_was_cut() {
    let (registry, cached) = registry();
    let archive = registry.archive_of("index/ml/-a/ml-analyzer");
    let name = archive.file_name().unwrap().to_string_lossy().into_owned();
    let served = name.clone();
    let server = ScriptedServer::start(registry.tree(), move |request, file| {
        if !request.path().contains(&served) {
            return None;
        }
        rest(request, file).or_else(|| cut_in_half(file))
    });
    let sandbox = Sandbox::with_registry(&server.url());
    sandbox.pocket(&["plugin", "install", "ml-analyzer"]).success();
    let half = fs::metadata(&archive).unwrap().len() / 2;
    let ranges: Vec<_> = server.requests(&name).iter().map(|one| one.header("range").map(str::to_owned)).collect();
    assert_eq!(ranges, [None, Some(format!("bytes={half}-"))]);
    assert_eq!(fs::read(cached(&sandbox)).unwrap(), fs::read(&archive).unwrap());
    assert!(!part_of(&cached(&sandbox)).exists());
}

#[test]
fn what_a_killed_run_had_fetched_is_not_fetched_again() {
    let (registry, cached) = registry();
    let archive = fs::read(registry.archive_of("index/ml/-a/ml-analyzer")).unwrap();
    let server = ScriptedServer::start(registry.tree(), rest);
    let sandbox = Sandbox::with_registry(&server.url());
    let part = part_of(&cached(&sandbox));
    fs::create_dir_all(part.parent().unwrap()).unwrap();
    fs::write(&part, &archive[..1_000]).unwrap();
    sandbox.pocket(&["plugin", "install", "ml-analyzer"]).success();
    let name = cached(&sandbox).file_name().unwrap().to_string_lossy().into_owned();
    let requests = server.requests(&name);
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].header("range"), Some("bytes=1000-"));
}

#[test]
fn a_beginning_of_something_else_is_thrown_away() {
    let (registry, cached) = registry();
    let length = fs::metadata(registry.archive_of("index/ml/-a/ml-analyzer")).unwrap().len();
    for wrong in [1_000, length] {
        let server = ScriptedServer::start(registry.tree(), rest);
        let sandbox = Sandbox::with_registry(&server.url());
        let part = part_of(&cached(&sandbox));
        fs::create_dir_all(part.parent().unwrap()).unwrap();
        fs::write(&part, vec![0; usize::try_from(wrong).unwrap()]).unwrap();
        sandbox.pocket(&["plugin", "install", "ml-analyzer"]).success();
        assert!(!part.exists());
    }
}

#[test]
fn a_server_that_knows_no_ranges_sends_the_whole_again() {
    let (registry, cached) = registry();
    let archive = fs::read(registry.archive_of("index/ml/-a/ml-analyzer")).unwrap();
    let server = ScriptedServer::start(registry.tree(), |_, _| None);
    let sandbox = Sandbox::with_registry(&server.url());
    let part = part_of(&cached(&sandbox));
    fs::create_dir_all(part.parent().unwrap()).unwrap();
    fs::write(&part, &archive[..1_000]).unwrap();
    sandbox.pocket(&["plugin", "install", "ml-analyzer"]).success();
    assert_eq!(fs::read(cached(&sandbox)).unwrap(), archive);
}

#[test]
fn pockets_own_server_sends_the_rest_of_an_archive() {
    let (registry, cached) = registry();
    let archive = fs::read(registry.archive_of("index/ml/-a/ml-analyzer")).unwrap();
    let sandbox = Sandbox::with_registry(registry.url());
    let name = cached(&sandbox).strip_prefix(sandbox.home().join("cache/archives")).unwrap().display().to_string();
    let ask = |headers: &[&str]| {
        let mut command = std::process::Command::new("curl");
        command.args(["-s", "-o", "-", "-w", "%{stderr}%{http_code} %header{content-range}"]);
        command.args(headers.iter().flat_map(|header| ["-H", header]));
        let output = command.arg(format!("{}a/{name}", registry.url())).output().unwrap();
        (String::from_utf8(output.stderr).unwrap().trim().to_owned(), output.stdout)
    };
    let length = archive.len();
    let (status, body) = ask(&["Range: bytes=1000-"]);
    assert_eq!((status, &body[..]), (format!("206 bytes 1000-{}/{length}", length - 1), &archive[1_000..]));
    let (status, body) = ask(&["Range: bytes=1000-", "If-Range: \"another\""]);
    assert_eq!((status.as_str(), &body), ("200", &archive));
    let (status, _) = ask(&[&format!("Range: bytes={length}-")]);
    assert_eq!(status, format!("416 bytes */{length}"));
}

#[test]
fn a_busy_server_is_asked_again_when_it_says() {
    let registry = TestRegistry::bundled();
    for after in ["0", "Thu, 01 Jan 1970 00:00:00 GMT"] {
        let refused = AtomicUsize::new(0);
        let server = ScriptedServer::start(registry.tree(), move |request, _| {
            let is_first = request.path().contains("/a/") && refused.fetch_add(1, Ordering::SeqCst) == 0;
            let headers = vec![format!("Retry-After: {after}")];
            is_first.then(|| Reply { status: 429, headers, ..Reply::default() })
        });
        let sandbox = Sandbox::with_registry(&server.url());
        sandbox.pocket(&["plugin", "install", "data-processor"]).success();
        assert_eq!(server.requests("/a/").len(), 2);
    }
}

#[test]
fn a_proxy_is_used_and_left_out_as_the_environment_says() {
    let registry = TestRegistry::bundled();
    let proxy = ScriptedServer::start(registry.tree(), |_, _| None);
    let mut sandbox = Sandbox::with_registry("http://plugins.invalid/");
    sandbox.set("http_proxy", format!("http://somebody:secret@{}", proxy.address()));
    sandbox.set("no_proxy", "127.0.0.1");
    sandbox.pocket(&["plugin", "install", "data-processor"]).success();
    let requests = proxy.requests("/config.json");
    assert_eq!(requests[0].target, "http://plugins.invalid/config.json");
    assert!(requests[0].header("proxy-authorization").unwrap().starts_with("Basic "));

    let before = proxy.requests("").len();
    sandbox.pocket(&["plugin", "search", "redis", "--registry", registry.url()]).success();
    assert_eq!(proxy.requests("").len(), before, "`no_proxy` names that host");
}

#[test]
fn a_proxy_that_is_down_is_an_error_without_its_password() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut sandbox = Sandbox::with_registry("http://somebody:secret@plugins.invalid/");
    sandbox.set("http_proxy", format!("http://somebody:secret@127.0.0.1:{port}"));
    sandbox.set("no_proxy", "");
    let outcome = sandbox.pocket(&["plugin", "install", "data-processor"]).failure(1, &["cannot reach", "HTTP_PROXY"]);
    assert!(!outcome.stderr.contains("secret"), "{}", outcome.stderr);
}

#[test]
fn an_authority_of_ones_own_is_trusted_by_name_and_http_2_is_spoken() {
    let registry = TestRegistry::bundled();
    let nginx = Nginx::serve_tls(registry.tree());
    let mut sandbox = Sandbox::with_registry(&nginx.url);
    sandbox.pocket(&["plugin", "install", "ml-analyzer"]).failure(1, &["cannot reach", "certificate", "SSL_CERT_FILE"]);
    sandbox.set("SSL_CERT_FILE", nginx.authority().display());
    sandbox.pocket(&["plugin", "install", "ml-analyzer"]).success();
    let log = nginx.access_log();
    assert!(log.lines().any(|line| line.contains("HTTP/2.0 200 /a/")), "{log}");
    assert!(!log.contains("HTTP/1"), "{log}");
}

#[test]
fn an_install_goes_on_without_a_cache_and_says_so_once() {
    let registry = TestRegistry::bundled();
    let sandbox = Sandbox::with_registry(registry.url());
    fs::create_dir_all(sandbox.home()).unwrap();
    fs::write(sandbox.home().join("cache"), "not a folder").unwrap();
    let outcome = sandbox.pocket(&["plugin", "install", "ml-analyzer", "data-processor"]).success();
    assert_eq!(outcome.stderr.matches("will be fetched again").count(), 1, "{}", outcome.stderr);
    sandbox.pocket(&["plugin", "verify", "ml-analyzer"]).success();
}
