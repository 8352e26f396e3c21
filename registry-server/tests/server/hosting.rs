//! What `docs/hosting.md` says, done.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::accounts::{ask_with, token};
use crate::http::{ask, get, publish};
use crate::plugin::{author, release};
use crate::program::Program;

const PAGE: &str = include_str!("../../../docs/hosting.md");

/// nginx with the page's configuration; ended when dropped.
struct Nginx(Child, SocketAddr);

impl Nginx {
    fn start(folder: &Path, registry: &Path, server: SocketAddr) -> Self {
        Self::start_with(folder, registry, server, "")
    }

    /// The same with more lines in the server's block.
    fn start_with(folder: &Path, registry: &Path, server: SocketAddr, more: &str) -> Self {
        let page = block(1).replace("    etag on;", &format!("    etag on;\n{more}"));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let kept = page.lines().filter(|line| !line.contains("ssl_certificate")).collect::<Vec<_>>().join("\n");
        let site = kept
            .replace("listen 443 ssl http2", &format!("listen 127.0.0.1:{port}"))
            .replace("/var/lib/pocket-registry", registry.to_str().unwrap())
            .replace("127.0.0.1:7878", &server.to_string());
        let configuration = format!(
            "daemon off; user root; pid nginx.pid; error_log stderr error; events {{}}\nhttp {{ access_log off;\n\
             client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;\n{site} }}\n"
        );
        std::fs::write(folder.join("nginx.conf"), configuration).unwrap();
        let child = Command::new("nginx").arg("-p").arg(folder).args(["-c", "nginx.conf"]).spawn();
        let address = ([127, 0, 0, 1], port).into();
        let nginx = Self(child.expect("nginx is installed: ./test installs it"), address);
        let give_up = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < give_up, "nginx does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        nginx
    }
}

/// A configuration of nginx on the page.
fn block(number: usize) -> &'static str {
    PAGE.split("```nginx\n").nth(number).expect("the page has it").split("```").next().expect("it ends")
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let pid = self.0.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let _ = self.0.wait();
    }
}

#[test]
fn nginx_serves_the_files_and_hands_publishes_on() {
    let (folder, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Program::on_folder(folder.path(), &["--behind-proxy"]);
    // Other users may look into the folder, as into one below /var/lib.
    assert!(Command::new("chmod").arg("755").arg(folder.path()).status().unwrap().success());
    let nginx = Nginx::start(scratch.path(), folder.path(), server.address);
    let body = release("greeting", "1.0.0", "return 1", &author(1));
    assert_eq!(publish(nginx.1, &body).code(), "token_needed");
    let token = token(folder.path(), &["ci", "--scope", "publish"]);
    let answer = ask_with(nginx.1, &token, "PUT", "/api/v1/publish", &body);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let index = get(nginx.1, "/index/gr/ee/greeting");
    assert_eq!((index.status, index.header("cache-control")), (200, Some("no-cache")));
    let etag = index.header("etag").expect("it has a tag").to_owned();
    let fresh = ask(nginx.1, "GET", "/index/gr/ee/greeting", &[("If-None-Match", &etag)], b"").unwrap();
    assert_eq!(fresh.status, 304);
    let line: serde_json::Value = serde_json::from_slice(index.body.trim_ascii_end()).unwrap();
    let digest = line["event"]["archives"][0]["sha256"].as_str().unwrap().trim_start_matches("sha256:").to_owned();
    for path in [format!("/a/{}/{digest}.tar.gz", &digest[..2]), "/log/tile/0/000.p/1".to_owned()] {
        let file = get(nginx.1, &path);
        assert_eq!(file.status, 200, "{path}");
        assert_eq!(file.header("cache-control"), Some("public, max-age=31536000, immutable"));
    }
    for private in ["/registry.key", "/head.json", "/metrics", "/../registry.key"] {
        assert_ne!(get(nginx.1, private).status, 200, "{private}");
    }
}

#[test]
fn nginx_asks_the_server_who_may_read_a_private_registry() {
    let (folder, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    crate::accounts::run(folder.path(), &["init", "--with-bundled", "--private"]);
    let reading = token(folder.path(), &["reading", "--scope", "read"]);
    let server = Program::on_folder(folder.path(), &["--behind-proxy"]);
    assert!(Command::new("chmod").arg("755").arg(folder.path()).status().unwrap().success());
    let nginx = Nginx::start_with(scratch.path(), folder.path(), server.address, block(2));
    let index = ask_with(nginx.1, &reading, "GET", "/index/re/di/redis-cache", b"");
    assert_eq!(index.status, 200, "{index:?}");
    let line: serde_json::Value = serde_json::from_str(index.text().lines().next().unwrap()).unwrap();
    let digest = line["event"]["archives"][0]["sha256"].as_str().unwrap().trim_start_matches("sha256:").to_owned();
    let archive = format!("/a/{}/{digest}.tar.gz", &digest[..2]);
    for path in
        ["/config.json", "/index/re/di/redis-cache", &archive, "/log/checkpoint", "/api/v1/search", "/api/v1/token"]
    {
        assert_eq!(get(nginx.1, path).status, 401, "{path}");
        assert_eq!(ask_with(nginx.1, "hunter2", "GET", path, b"").status, 401, "{path}");
        assert_eq!(ask_with(nginx.1, &reading, "GET", path, b"").status, 200, "{path}");
    }
    let body = release("greeting", "1.0.0", "return 1", &author(1));
    assert_eq!(publish(nginx.1, &body).status, 401);
    assert_eq!(ask_with(nginx.1, &reading, "PUT", "/api/v1/publish", &body).code(), "token_scope");
}
