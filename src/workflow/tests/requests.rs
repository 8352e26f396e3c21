//! `http` against servers of this machine. Data may lead to 127.0.0.1 here and to no other private address; the workflow's own file
//! may name any.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::{FakePlugins, run};
use crate::engine::CallErrorKind;
use crate::engine::access::testing::{Server, ok, redirect};
use crate::nodes::Stop;
use crate::workflow::{Document, Plan, RunError, RunErrorKind, RunOptions, SourceText};

/// A workflow of one request.
fn node(config: Value) -> String {
    json!({"nodes": [{"name": "get", "type": "http", "config": config}]}).to_string()
}

fn get(config: Value) -> Result<Value, RunError> {
    run(&node(config), json!({}))
}

fn kind(error: &RunError) -> CallErrorKind {
    match &error.kind {
        RunErrorKind::Node(kind) => *kind,
        other => panic!("{other:?}"),
    }
}

fn url(server: &Server) -> String {
    format!("http://{}/", server.address)
}

/// Gives every connection to `answer`, on threads of their own.
fn listen(answer: impl Fn(TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || answer(stream));
        }
    });
    address
}

fn status(status: &str, headers: &str) -> String {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: 0\r\n\r\n")
}

#[test]
fn an_http_answer_chooses_its_connection() {
    let missing = Server::start("127.0.0.1:0", |_| status("404 Not Found", ""));
    let text = r#"
nodes:
  - {name: get, type: http, config: {url: "{{.url}}", query: {q: "a b"}}}
  - {name: lost, type: echo, config: {value: "{{.status}}"}}
connections: [{from: get, to: lost, when: failure}]
"#;
    assert_eq!(run(text, json!({"url": url(&missing)})).unwrap(), 404);
    assert_eq!(run(text, json!({"url": "http://127.0.0.1:1/"})).unwrap(), 0);
    let error = get(json!({"url": url(&missing), "fail_on_status": true})).unwrap_err();
    assert_eq!(kind(&error), CallErrorKind::Failed);
    assert!(error.message.ends_with("status 404 Not Found"), "{error}");
    let error = get(json!({"url": "http://127.0.0.1:1/?key=secret"})).unwrap_err();
    assert!(error.message.starts_with("GET http://127.0.0.1:1/: cannot connect"), "{error}");
}

#[test]
fn a_request_carries_what_the_node_says() {
    let server = Server::start("127.0.0.1:0", |_| ok("done"));
    let config = json!({
        "url": format!("{}a?b=1", url(&server)), "method": "put", "query": {"q": "ä b", "many": [1, true], "none": null},
        "headers": {"X-Key": "k", "x-number": 7, "x-none": null}, "body": {"a": [1]}
    });
    assert_eq!(get(config).unwrap()["body"], "done");
    let [seen] = &server.requests()[..] else { panic!("one request is made") };
    assert!(seen.starts_with("PUT /a?b=1&many=1&many=true&q=%C3%A4+b HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains("x-key: k\r\n") && seen.contains("x-number: 7\r\n") && !seen.contains("x-none"), "{seen}");
    assert!(seen.contains("content-type: application/json\r\n") && seen.ends_with("\r\n\r\n{\"a\":[1]}"), "{seen}");
    let wrong =
        super::plan(&node(json!({"url": "ftp://a/", "method": "NO WAY", "timeout": "soon", "retry": {"delay": "x"}})));
    let wrong = wrong.err().unwrap().to_string();
    for part in ["`ftp:` is no scheme", "`NO WAY` is no method", "soon", "`x`"] {
        assert!(wrong.contains(part), "{part}: {wrong}");
    }
}

#[test]
fn redirects_are_followed_ten_times_or_given_as_they_are() {
    let end = Server::start("127.0.0.1:0", |_| ok("arrived"));
    let target = url(&end);
    let hops = Server::start("127.0.0.1:0", move |request| {
        let number: usize = request.split(['/', ' ']).nth(2).unwrap().parse().unwrap();
        if number == 0 { redirect(302, &target) } else { redirect(307, &format!("/{}", number - 1)) }
    });
    assert_eq!(get(json!({"url": format!("{}8", url(&hops))})).unwrap()["body"], "arrived");
    let error = get(json!({"url": format!("{}10", url(&hops))})).unwrap_err();
    assert!(error.message.ends_with("leads through more than 10 redirects"), "{error}");
    let kept = get(json!({"url": format!("{}1", url(&hops)), "follow_redirects": false})).unwrap();
    assert_eq!((&kept["status"], &kept["headers"]["location"]), (&json!(307), &json!("/0")));
}

#[test]
fn a_server_that_says_nothing_is_given_up_at_the_timeout() {
    let silent = listen(|stream| {
        let _ = (&stream).read(&mut [0; 4096]);
        std::thread::sleep(Duration::from_secs(600));
    });
    let error = get(json!({"url": silent, "timeout": "30ms"})).unwrap_err();
    assert_eq!(kind(&error), CallErrorKind::Timeout);
    assert_eq!(error.message, format!("GET {silent}: no answer within 30ms (`timeout`)"));
    let stop = Stop::default();
    let plan = Arc::new(super::plan(&node(json!({"url": silent}))).unwrap());
    let options = RunOptions { stop: stop.clone(), ..RunOptions::default() };
    let stopper = std::thread::spawn(move || stop.stop());
    let error = crate::workflow::run(&plan, json!({}), &options).unwrap_err();
    stopper.join().unwrap();
    assert_eq!(error.kind, RunErrorKind::Stopped);
}

#[test]
fn a_busy_server_is_asked_again_when_it_says_so() {
    let count = AtomicUsize::new(0);
    let server = Server::start("127.0.0.1:0", move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => status("503 Service Unavailable", "Retry-After: 0\r\n"),
        1 => status("429 Too Many Requests", "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n"),
        2 => ok("at last"),
        _ => status("503 Service Unavailable", "Retry-After: 3600\r\n"),
    });
    // Without `Retry-After` the pause would be an hour, which is more than the test can take.
    let config =
        json!({"url": url(&server), "method": "POST", "retry": {"delay": "1h", "max_delay": "1h", "max_attempts": 3}});
    assert_eq!(get(config).unwrap()["body"], "at last");
    assert_eq!(server.requests().len(), 3);
    // It asks for an hour, and the node waits for half a minute at most: the answer is taken as it is.
    assert_eq!(get(json!({"url": url(&server), "retry": {}})).unwrap()["status"], 503);
    assert_eq!(get(json!({"url": url(&server)})).unwrap()["status"], 503);
    assert_eq!(server.requests().len(), 5);
}

#[test]
fn without_an_answer_only_what_does_no_harm_is_sent_again() {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    let rude = listen(move |stream| {
        let _ = (&stream).read(&mut [0; 4096]);
        seen.fetch_add(1, Ordering::SeqCst);
    });
    let config = |method: &str| json!({"url": rude, "method": method, "retry": {"max_attempts": 3, "delay": "1ms"}});
    assert_eq!(kind(&get(config("GET")).unwrap_err()), CallErrorKind::Retryable);
    let gets = count.swap(0, Ordering::SeqCst);
    assert_eq!(kind(&get(config("POST")).unwrap_err()), CallErrorKind::Retryable);
    assert_eq!((gets, count.load(Ordering::SeqCst)), (3, 1));
}

#[test]
fn a_body_beyond_its_limit_is_refused_and_not_read() {
    let server = Server::start("127.0.0.1:0", |_| ok("0123456789"));
    let error = get(json!({"url": url(&server), "max_bytes": 9})).unwrap_err();
    assert_eq!(error.message, format!("GET {}: the body has more than `max_bytes` (9) bytes", url(&server)));
    assert_eq!(get(json!({"url": url(&server), "max_bytes": 10})).unwrap()["body"], "0123456789");
    for head in ["Content-Length: 1073741824\r\n", ""] {
        let written = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&written);
        let endless = listen(move |mut stream| {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n").as_bytes());
            while count.load(Ordering::SeqCst) < 1 << 30 && stream.write_all(&[b'x'; 65536]).is_ok() {
                count.fetch_add(65536, Ordering::SeqCst);
            }
        });
        let error = get(json!({"url": endless})).unwrap_err();
        assert!(error.message.ends_with("the body has more than `max_bytes` (10485760) bytes"), "{error}");
        // What the system's buffers took besides the limit is a few megabytes.
        assert!(written.load(Ordering::SeqCst) < 100 << 20);
    }
}

#[test]
fn a_body_is_read_as_the_node_says_and_nothing_of_it_is_changed_in_silence() {
    let answer = |kind: &'static str, body: &'static [u8]| {
        listen(move |mut stream| {
            let _ = stream.read(&mut [0; 4096]);
            let head = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(&[head.as_bytes(), body].concat());
        })
    };
    let read =
        |url: &str, format: &str| get(json!({"url": url, "format": format})).map(|output| output["body"].clone());
    let json_body = answer("application/problem+json; charset=utf-8", br#"{"n": 9007199254740993}"#);
    assert_eq!(read(&json_body, "auto").unwrap(), json!({"n": 9_007_199_254_740_993_u64}));
    assert_eq!(read(&json_body, "text").unwrap(), r#"{"n": 9007199254740993}"#);
    let page = answer("application/json", b"<html>busy</html>");
    assert_eq!(read(&page, "auto").unwrap(), "<html>busy</html>");
    assert!(
        read(&page, "json").unwrap_err().message.contains("the body is no JSON: expected value at line 1 column 1")
    );
    let wide = answer("application/json", b"[123456789012345678901234567890]");
    let error = read(&wide, "auto").unwrap_err();
    assert!(error.message.contains("`123456789012345678901234567890` has more than 64 bits"), "{error}");
    let picture = answer("image/png", b"\x89PNG\xff");
    let error = read(&picture, "auto").unwrap_err();
    assert!(
        error.message.ends_with("the body is no UTF-8 text from byte 1; `format: base64` gives its bytes"),
        "{error}"
    );
    assert_eq!(read(&picture, "base64").unwrap(), "iVBOR/8=");
}

#[test]
fn what_the_file_names_is_reached_and_what_data_brings_must_not_be_private() {
    let secret = Server::start("127.0.0.2:0", |_| ok("secret"));
    let target = url(&secret);
    assert_eq!(get(json!({"url": target})).unwrap()["body"], "secret");
    let from_vars =
        format!("vars: {{base: \"{target}\"}}\nnodes: [{{name: g, type: http, config: {{url: \"{{{{.base}}}}x\"}}}}]");
    assert_eq!(run(&from_vars, json!({})).unwrap()["body"], "secret");
    let by_data = |address: &str| run(&node(json!({"url": "{{.url}}"})), json!({ "url": address })).unwrap_err();
    let port = secret.port();
    for address in [target.clone(), format!("http://2130706434:{port}/"), format!("http://[::ffff:127.0.0.2]:{port}/")]
    {
        let error = by_data(&address);
        assert_eq!(kind(&error), CallErrorKind::Denied, "{address}");
        assert!(error.message.contains("leads to the private address 127.0.0.2; `plugins.security.private_networks: [127.0.0.2/32]` in pocket.yaml allows it"), "{error}");
    }
    let led = target.clone();
    let server = Server::start("127.0.0.1:0", move |_| redirect(302, &led));
    for url in [json!({"url": url(&server)}), json!({"url": "{{.url}}"})] {
        let error = run(&node(url), json!({"url": format!("http://{}/", server.address)})).unwrap_err();
        assert_eq!(kind(&error), CallErrorKind::Denied);
        assert!(error.message.ends_with(&format!("`http://{}/` redirected to it", server.address)), "{error}");
    }
    assert_eq!(secret.requests().len(), 2);
}

/// An HTTPS server for 127.0.0.1, and its certificate as PEM.
fn encrypted() -> (String, String) {
    let certified = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key.into())
        .unwrap();
    let config = Arc::new(config);
    let address = listen(move |stream| {
        let mut stream = rustls::StreamOwned::new(rustls::ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
        // A client that refuses the certificate goes away.
        if stream.read(&mut [0; 4096]).is_ok() {
            let _ = stream.write_all(ok("private").as_bytes());
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    (address.replace("http:", "https:"), certified.cert.pem())
}

fn run_in(folder: &Path, config: Value) -> Result<Value, String> {
    let document =
        Document::parse(SourceText::new("w.json", node(config)), folder).map_err(|error| error.to_string())?;
    let plan = Plan::new(&document, &FakePlugins).map_err(|error| error.to_string())?;
    let report = crate::workflow::run(&plan.into(), json!({}), &RunOptions::default());
    report.map(|report| Value::clone(&report.output)).map_err(|error| error.to_string())
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused_unless_the_node_names_its_authority() {
    let folder = tempfile::tempdir().unwrap();
    let (url, certificate) = encrypted();
    let refused = run_in(folder.path(), json!({ "url": url })).unwrap_err();
    assert!(refused.contains("cannot connect: invalid peer certificate"), "{refused}");
    std::fs::write(folder.path().join("ca.pem"), certificate).unwrap();
    let output = run_in(folder.path(), json!({"url": url, "ca_file": "ca.pem"})).unwrap();
    assert_eq!(output["body"], "private");
    std::fs::write(folder.path().join("none.pem"), "nothing").unwrap();
    for (file, reason) in [("none.pem", "no certificate in PEM form is in it"), ("missing.pem", "No such file")] {
        let refused = run_in(folder.path(), json!({"url": url, "ca_file": file})).unwrap_err();
        assert!(refused.contains(reason), "{refused}");
    }
}
