//! HTTP requests, by way of WASI and by way of the engine's own interface.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use pocket::engine::{CallErrorKind, GrantedWords};
use serde_json::{Value, json};

use crate::support::Setup;

/// A server that answers every request with its body, and those below `/away` with a redirect to another place.
struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(away: Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let sink = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let sink = Arc::clone(&sink);
                std::thread::spawn(move || serve(stream, &sink, away));
            }
        });
        Self { address, seen }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("the server does not panic").clone()
    }

    fn host(&self) -> String {
        format!("localhost:{}", self.address.port())
    }
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<String>>, away: Option<SocketAddr>) {
    let (mut text, mut chunk) = (String::new(), [0; 4096]);
    while !text.ends_with("\r\n\r\nping") {
        match stream.read(&mut chunk) {
            Ok(length) if length > 0 => text.push_str(&String::from_utf8_lossy(&chunk[..length])),
            _ => return,
        }
    }
    seen.lock().expect("no other thread panics").push(text.split("\r\n").next().unwrap_or_default().to_owned());
    let head = match away {
        Some(away) => format!("302 Found\r\nLocation: http://localhost:{}/", away.port()),
        None => "200 OK".to_owned(),
    };
    let answer = format!("HTTP/1.1 {head}\r\nConnection: close\r\nContent-Length: 4\r\n\r\nping");
    // A client that read enough may be gone.
    let _ = stream.write_all(answer.as_bytes());
}

/// A language, and what its node `request` takes to send `ping` to a place.
type Way = (&'static str, fn(&str) -> Value);

const WASI: Way = ("rust-wasi", |host| json!(host));
const OWN: Way = ("c", |host| json!({"method": "POST", "url": format!("http://{host}/a?b"), "body": "ping"}));

fn asks_for(language: &'static str, hosts: &[String]) -> Setup {
    Setup { manifest: format!("permissions: {{http: {}}}\n", json!(hosts)), ..Setup::of(language) }
}

#[test]
fn a_request_goes_to_the_host_and_port_that_were_granted_and_nowhere_else() {
    for (language, input) in [WASI, OWN] {
        let (server, other) = (Server::start(None), Server::start(None));
        let guest = asks_for(language, &[server.host()]).load().expect("it loads");
        let answer = guest.output("request", input(&server.host()));
        assert_eq!((&answer["status"], &answer["body"]), (&json!(200), &json!("ping")), "{language}");
        assert_eq!(server.seen(), ["POST /a?b HTTP/1.1"], "{language}");
        for refused in [other.host(), format!("127.0.0.1:{}", server.address.port()), "example.com:80".to_owned()] {
            let error = guest.error("request", input(&refused));
            assert_eq!(error.kind, CallErrorKind::Denied, "{language}: {refused}: {error}");
        }
        assert_eq!((server.seen().len(), other.seen().len()), (1, 0), "{language}");
    }
}

#[test]
fn a_request_that_was_not_granted_or_not_asked_for_is_denied() {
    for (language, input) in [WASI, OWN] {
        let server = Server::start(None);
        let host = server.host();
        let setup = Setup { granted: GrantedWords::none(), ..asks_for(language, std::slice::from_ref(&host)) };
        let error = setup.load().expect("it loads").error("request", input(&host));
        assert_eq!(error.kind, CallErrorKind::Denied, "{language}: {error}");
        assert!(error.message.contains("was not granted"), "{language}: {error}");
        let error = Setup::of(language).load().expect("it loads").error("request", input(&host));
        assert_eq!(error.kind, CallErrorKind::Denied, "{language}: {error}");
        assert!(error.message.contains("does not ask for"), "{language}: {error}");
        assert!(server.seen().is_empty(), "{language}");
    }
}

#[test]
fn a_redirect_leads_no_further_than_what_was_granted() {
    let secret = Server::start(None);
    let server = Server::start(Some(secret.address));
    let load = |language| asks_for(language, &[server.host()]).load().expect("it loads");
    let answer = load(WASI.0).output("request", WASI.1(&server.host()));
    assert_eq!(answer["status"], 302, "WASI leaves it to the plugin where to go next");
    let error = load(OWN.0).error("request", OWN.1(&server.host()));
    assert_eq!(error.kind, CallErrorKind::Denied, "{error}");
    assert!(error.message.contains("redirected to it"), "{error}");
    assert!(secret.seen().is_empty());
}

#[test]
fn a_server_that_nobody_runs_is_an_error_that_the_plugin_can_tell() {
    let gone = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port was free");
    let host = format!("localhost:{}", gone.port());
    for (language, input) in [WASI, OWN] {
        let error =
            asks_for(language, std::slice::from_ref(&host)).load().expect("it loads").error("request", input(&host));
        assert!(error.message.contains("cannot connect"), "{language}: {error}");
    }
}
