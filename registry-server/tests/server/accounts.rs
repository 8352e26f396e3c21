//! Tokens: who may do what, and that nothing of a private registry is seen without one.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use data_encoding::BASE64;

use crate::http::{Answer, ask, get, publish};
use crate::owners::owner_keys;
use crate::plugin::{author, release, yank};
use crate::program::{PROGRAM, Program, files_in};

/// Runs a command of the program on a registry's folder, and gives what it printed.
pub fn run(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(PROGRAM).args(arguments).arg("--dir").arg(folder).output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it is text")
}

/// A new token.
pub fn token(folder: &Path, arguments: &[&str]) -> String {
    run(folder, &[&["token", "new"], arguments].concat()).trim().to_owned()
}

/// Asks with a token.
pub fn ask_with(address: SocketAddr, token: &str, method: &str, path: &str, body: &[u8]) -> Answer {
    let bearer = format!("Bearer {token}");
    ask(address, method, path, &[("Authorization", &bearer)], body).unwrap_or_else(|| panic!("no answer to {path}"))
}

fn publish_with(address: SocketAddr, token: &str, body: &[u8]) -> Answer {
    ask_with(address, token, "PUT", "/api/v1/publish", body)
}

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", answer.text());
    assert_eq!(answer.header("www-authenticate").is_some(), status == 401);
}

#[test]
fn a_token_allows_what_its_scopes_and_patterns_say_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let server = Program::on_folder(folder.path(), &["--tokens", "required"]);
    let address = server.address;
    let body = release("acme-geo", "1.0.0", "return 1", &author(1));
    refused(&publish(address, &body), 401, "token_needed");
    let yanking = token(folder.path(), &["yanking", "--scope", "yank"]);
    refused(&publish_with(address, &yanking, &body), 403, "token_scope");
    let other = token(folder.path(), &["other", "--scope", "publish,yank,owner", "--plugin", "other-*"]);
    refused(&publish_with(address, &other, &body), 403, "token_plugin");
    let reading = token(folder.path(), &["reading", "--scope", "read"]);
    refused(&publish_with(address, &reading, &body), 403, "token_scope");

    let publishing = token(folder.path(), &["ci", "--scope", "publish", "--plugin", "acme-*"]);
    assert_eq!(publish_with(address, &publishing, &body).status, 201);
    let withdrawn = yank("acme-geo", "1.0.0", "old", &author(1));
    refused(&publish_with(address, &publishing, &withdrawn), 403, "token_scope");
    assert_eq!(publish_with(address, &yanking, &withdrawn).status, 201);
    let owners = owner_keys("acme-geo", &[&author(1), &author(2)], 1, &author(1));
    refused(&publish_with(address, &yanking, &owners), 403, "token_scope");
    let admin = token(folder.path(), &["admin", "--scope", "admin"]);
    assert_eq!(publish_with(address, &admin, &owners).status, 201);
    // A token is no signature.
    refused(&publish_with(address, &admin, &release("acme-geo", "2.0.0", "return 2", &author(9))), 403, "not_allowed");
    // Whoever reads needs none.
    assert_eq!(get(address, "/index/ac/me/acme-geo").status, 200);
}

#[test]
fn what_is_no_token_any_more_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Program::on_folder(folder.path(), &[]);
    let address = server.address;
    let body = release("geo", "1.0.0", "return 1", &author(1));
    let good = token(folder.path(), &["ci", "--scope", "publish"]);
    let told = ask_with(address, &good, "GET", "/api/v1/token", b"").json();
    assert_eq!(
        (&told["name"], &told["scopes"][0], &told["plugins"][0]),
        (&"ci".into(), &"publish".into(), &"*".into())
    );
    let id = good.split('_').nth(1).unwrap();
    let forged = format!("{}{}", &good[..good.len() - 4], if good.ends_with("0000") { "1111" } else { "0000" });
    refused(&publish_with(address, &forged, &body), 401, "token_unknown");
    refused(&publish_with(address, "hunter2", &body), 401, "token_unknown");
    let basic = format!("Basic {}", BASE64.encode(format!("me:{good}").as_bytes()));
    let by_browser = ask(address, "PUT", "/api/v1/publish", &[("Authorization", &basic)], &body).unwrap();
    refused(&by_browser, 401, "token_malformed");

    assert!(run(folder.path(), &["token", "revoke", id]).contains("revoked `ci`"));
    refused(&publish_with(address, &good, &body), 401, "token_revoked");
    refused(&ask_with(address, &good, "GET", "/api/v1/token", b""), 401, "token_revoked");
    let brief = token(folder.path(), &["brief", "--scope", "publish", "--expires", "1s"]);
    let give_up = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while ask_with(address, &brief, "GET", "/api/v1/token", b"").status == 200 {
        assert!(std::time::Instant::now() < give_up, "it lasts for ever");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    refused(&publish_with(address, &brief, &body), 401, "token_expired");
    refused(&get(address, "/api/v1/token"), 401, "token_needed");
    let listed = run(folder.path(), &["token", "list"]);
    assert!(listed.contains(&format!("{id}  publish  *  revoked ")) && listed.contains("expired "), "{listed}");
}

#[test]
fn no_file_of_the_registry_holds_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let made = token_of_new(folder.path());
    let secret = made.rsplit('_').next().unwrap().as_bytes();
    let files = files_in(folder.path());
    assert!(files.keys().any(|path| path.starts_with("tokens/")), "{:?}", files.keys());
    for (path, content) in files {
        assert!(!content.windows(16).any(|part| secret.windows(16).any(|known| known == part)), "{path}");
    }
    let server = Program::on_folder(folder.path(), &[]);
    let path = format!("/tokens/{}.json", made.split('_').nth(1).unwrap());
    assert_eq!(get(server.address, &path).status, 404);
}

/// A registry that is made, and a token of it.
fn token_of_new(folder: &Path) -> String {
    run(folder, &["init"]);
    token(folder, &["ci", "--scope", "publish", "--expires", "never"])
}

#[test]
fn nothing_of_a_private_registry_is_seen_without_a_token() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &["init", "--with-bundled", "--private"]);
    let reading = token(folder.path(), &["reading", "--scope", "read"]);
    let server = Program::on_folder(folder.path(), &[]);
    let address = server.address;
    let index = ask_with(address, &reading, "GET", "/index/re/di/redis-cache", b"");
    let line: serde_json::Value = serde_json::from_str(index.text().lines().next().unwrap()).unwrap();
    let digest = line["event"]["archives"][0]["sha256"].as_str().unwrap().trim_start_matches("sha256:").to_owned();
    let archive = format!("/a/{}/{digest}.tar.gz", &digest[..2]);
    for path in [
        "/config.json",
        "/log/checkpoint",
        "/index/re/di/redis-cache",
        &archive,
        "/search.json",
        "/stats/downloads.json",
        "/",
        "/plugins/redis-cache",
        "/categories",
        "/verify",
        "/api/v1/search?q=redis",
        "/api/v1/plugins/redis-cache",
        "/api/v1/openapi.json",
        "/api/v1/token",
        "/api/v1/staged",
        "/metrics",
        "/no-such-path",
        "/registry.key",
    ] {
        let answer = get(address, path);
        refused(&answer, 401, "token_needed");
        assert!(!answer.text().contains("redis"), "{path}");
        refused(&ask_with(address, "pocket_0123456789abcdef_00", "GET", path, b""), 401, "token_unknown");
    }
    for path in ["/config.json", &archive, "/", "/plugins/redis-cache", "/api/v1/search?q=redis"] {
        let answer = ask_with(address, &reading, "GET", path, b"");
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.header("cache-control").unwrap().starts_with("private, "), "{path} {answer:?}");
    }
    assert_eq!(ask_with(address, &reading, "GET", "/config.json", b"").json()["auth_required"], true);
    // A publish is refused before its body is read, and whoever watches the server needs no token.
    refused(&publish(address, &release("geo", "1.0.0", "return 1", &author(1))), 401, "token_needed");
    assert_eq!((get(address, "/healthz").status, get(address, "/readyz").status), (200, 200));
}

#[test]
fn a_browser_asks_for_the_token_and_shows_the_pages_then() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &["init", "--with-bundled", "--private"]);
    let reading = token(folder.path(), &["reading", "--scope", "read"]);
    let server = Program::on_folder(folder.path(), &[]);
    let look = |more: &[(&str, &str)]| {
        let headers = [&[("Accept", "text/html,*/*;q=0.8")], more].concat();
        ask(server.address, "GET", "/plugins/redis-cache", &headers, b"").unwrap()
    };
    let page = look(&[]);
    let asked: Vec<_> = page.headers.iter().filter(|(name, _)| name == "www-authenticate").collect();
    assert!(page.status == 401 && asked.iter().any(|(_, value)| value.starts_with("Basic ")), "{asked:?}");
    assert!(page.text().contains("This registry is private") && !page.text().contains("redis"), "{}", page.text());
    let style = page.text().split("href=\"").find(|part| part.starts_with("/assets/")).unwrap().to_owned();
    assert_eq!(get(server.address, style.split('"').next().unwrap()).status, 200);
    let basic = |password: &str| format!("Basic {}", BASE64.encode(format!("anybody:{password}").as_bytes()));
    assert!(look(&[("Authorization", &basic(&reading))]).text().contains("redis-get"));
    assert_eq!(look(&[("Authorization", &basic("hunter2"))]).status, 401);
}

#[test]
fn where_others_reach_the_server_whoever_writes_needs_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let body = release("geo", "1.0.0", "return 1", &author(1));
    let behind_proxy = Program::on_folder(folder.path(), &["--behind-proxy"]);
    refused(&publish(behind_proxy.address, &body), 401, "token_needed");
    drop(behind_proxy);
    let told_not_to = Program::on_folder(folder.path(), &["--behind-proxy", "--tokens", "optional"]);
    assert_eq!(publish(told_not_to.address, &body).status, 201);
}

#[test]
fn a_private_registry_is_mirrored_with_a_token_and_backed_up_with_its_tokens() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &["init", "--with-bundled", "--private"]);
    let reading = token(folder.path(), &["reading", "--scope", "read"]);
    let server = Program::on_folder(folder.path(), &[]);
    let to = tempfile::tempdir().unwrap();
    let mirror = |token: &str| {
        let mut command = Command::new(PROGRAM);
        command.args(["mirror", "--from", &format!("http://{}/", server.address)]).arg(to.path());
        command.env("POCKET_TOKEN", token).output().expect("it starts")
    };
    let refused = mirror("");
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("401"), "{refused:?}");
    let done = mirror(&reading);
    assert!(done.status.success(), "{done:?}");
    assert!(std::fs::read_to_string(to.path().join("config.json")).unwrap().contains("\"auth_required\":true"));
    assert!(!to.path().join("tokens").exists());
    let backup = tempfile::tempdir().unwrap();
    run(folder.path(), &["backup", backup.path().to_str().unwrap()]);
    let restored = Program::on_folder(backup.path(), &[]);
    assert_eq!(ask_with(restored.address, &reading, "GET", "/config.json", b"").status, 200);
}
