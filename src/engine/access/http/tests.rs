//! What a plugin's requests reach, and the ways round it that are closed. The "public" server stands on 127.0.0.1, the one that must
//! not be reached on 127.0.0.2; `private_networks` grants the first.

use std::time::Duration;

use pocket_index::permissions::Permissions;
use serde_json::Map;

use super::super::testing::{Server, answering, ok, redirect, soon};
use super::*;
use crate::engine::budget::Limit;
use crate::engine::grants::GrantedWords;

/// Grants for these hosts, all of which lead to 127.0.0.1 and nowhere else.
fn grants(hosts: &[String]) -> Grants {
    let asked = Permissions { http: hosts.to_vec(), ..Permissions::default() };
    let grants = Grants::new(&asked, &GrantedWords::all(), &Map::new()).expect("they are well-formed");
    grants.with_private_networks(vec!["127.0.0.1/32".parse().expect("it is a network")])
}

fn get(url: String) -> HttpRequest {
    HttpRequest { method: "get".into(), url, ..HttpRequest::default() }
}

fn send(client: &HttpClient, grants: &Grants, request: HttpRequest) -> Result<HttpResponse, CallError> {
    client.send(grants, Limits::default(), request, soon())
}

fn text(response: Result<HttpResponse, CallError>) -> String {
    String::from_utf8(response.expect("it is answered").body).expect("it is text")
}

fn denied(response: Result<HttpResponse, CallError>) -> String {
    let error = response.expect_err("it is refused");
    assert_eq!(error.kind, CallErrorKind::Denied, "{error}");
    error.message
}

#[test]
fn a_request_is_answered_with_status_headers_and_body() {
    let server = Server::start("127.0.0.1:0", |_| ok("hello"));
    let host = format!("api.example.com:{}", server.port());
    let request = HttpRequest {
        method: "post".into(),
        url: format!("http://API.example.com:{}/a?b=1#c", server.port()),
        headers: vec![("X-Key".into(), b"v".to_vec())],
        body: b"sent".to_vec(),
        ..HttpRequest::default()
    };
    let client = HttpClient::with_resolver(answering(&[&["127.0.0.1"]]));
    let response = send(&client, &grants(&[host]), request).expect("it is answered");
    assert_eq!((response.status, response.body.as_slice()), (200, b"hello".as_slice()));
    assert!(response.headers.contains(&("content-length".into(), b"5".to_vec())));
    let [seen] = &server.requests()[..] else { panic!("one request is made") };
    assert!(seen.starts_with("POST /a?b=1 HTTP/1.1\r\n") && seen.ends_with("\r\n\r\nsent"), "{seen}");
    assert!(
        seen.contains("x-key: v\r\n") && seen.contains(&format!("host: api.example.com:{}", server.port())),
        "{seen}"
    );
}

#[test]
fn a_request_needs_asking_and_granting() {
    let client = HttpClient::with_resolver(Resolver::new(|name| panic!("{name} is resolved")));
    let request = || get("http://api.example.com/".into());
    insta::assert_snapshot!(denied(send(&client, &grants(&[]), request())), @"the plugin used http `api.example.com:80`, which its manifest does not ask for under `permissions.http`");
    let asked = Permissions { http: vec!["api.example.com:80".into()], ..Permissions::default() };
    let none = Grants::new(&asked, &GrantedWords::none(), &Map::new()).expect("it is well-formed");
    insta::assert_snapshot!(denied(send(&client, &none, request())), @"the plugin used http `api.example.com:80`, which its manifest asks for but the permission `http_client` was not granted");
}

#[test]
fn a_name_that_is_bound_anew_is_refused_and_the_checked_address_is_the_one_that_is_used() {
    let server = Server::start("127.0.0.1:0", |_| ok("public"));
    let secret = Server::start(&format!("127.0.0.2:{}", server.port()), |_| ok("secret"));
    let grants = grants(&[format!("rebind.example.com:{}", server.port())]);
    // One answer for each request: a second look-up for the first would be told the private address.
    let client = HttpClient::with_resolver(answering(&[&["127.0.0.1"], &["127.0.0.2"]]));
    let request = || get(format!("http://rebind.example.com:{}/", server.port()));
    assert_eq!(text(send(&client, &grants, request())), "public");
    let message = denied(send(&client, &grants, request()));
    assert!(message.contains("leads to the private address 127.0.0.2"), "{message}");
    assert_eq!((server.requests().len(), secret.requests().len()), (1, 0));
}

#[test]
fn a_redirect_to_a_private_address_is_refused() {
    let secret = Server::start("127.0.0.2:0", |_| ok("secret"));
    let port = secret.port();
    for (location, names) in [
        (format!("http://127.0.0.2:{port}/"), 1),
        (format!("http://2130706434:{port}/"), 1),
        (format!("http://0x7f.2:{port}/"), 1),
        (format!("http://0177.0.0.2:{port}/"), 1),
        (format!("http://[::ffff:127.0.0.2]:{port}/"), 1),
        (format!("http://other.example.com:{port}/"), 1),
        (format!("http://inner.example.com:{port}/"), 2),
        (format!("//inner.example.com:{port}/"), 2),
    ] {
        let target = location.clone();
        let server = Server::start("127.0.0.1:0", move |_| redirect(302, &target));
        let answers: &[&[&str]] = &[&["127.0.0.1"], &["127.0.0.2"]];
        let client = HttpClient::with_resolver(answering(&answers[..names]));
        let grants = grants(&[format!("api.example.com:{}", server.port()), format!("inner.example.com:{port}")]);
        let message = denied(send(&client, &grants, get(format!("http://api.example.com:{}/", server.port()))));
        assert!(
            message.ends_with(&format!("`http://api.example.com:{}/` redirected to it", server.port())),
            "{message}"
        );
    }
    assert!(secret.requests().is_empty());
}

#[test]
fn every_spelling_of_an_ungranted_place_is_refused() {
    let secret = Server::start("127.0.0.2:0", |_| ok("secret"));
    let port = secret.port();
    let resolver = || Resolver::new(|_| Ok(vec!["127.0.0.2".parse().expect("it is an address")]));
    let grants = grants(&[format!("api.example.com:{port}"), format!("xn--bcher-kva.example:{port}")]);
    for host in [
        "127.0.0.2",
        "2130706434",
        "0x7f000002",
        "0x7f.2",
        "0177.0.0.2",
        "127.2",
        "127.0.0.2.",
        "[::ffff:127.0.0.2]",
        "[::ffff:7f00:2]",
        "localhost",
        "api.example.com.",
        "API.EXAMPLE.COM",
        "api%2eexample.com",
        "api。example。com",
        "ａｐｉ.example.com",
        "Bücher.example",
        "api.example.com.evil.example",
        "evil-api.example.com",
    ] {
        denied(send(&HttpClient::with_resolver(resolver()), &grants, get(format!("http://{host}:{port}/"))));
    }
    assert!(secret.requests().is_empty());
}

#[test]
fn a_name_is_the_same_in_capitals_with_a_final_dot_and_in_another_script() {
    let server = Server::start("127.0.0.1:0", |_| ok("hello"));
    let port = server.port();
    let grants = grants(&[format!("api.example.com:{port}"), format!("xn--bcher-kva.example:{port}")]);
    for host in ["api.example.com.", "API.Example.Com", "ａｐｉ。example。com", "bücher.example", "BÜCHER.example"]
    {
        let client = HttpClient::with_resolver(answering(&[&["127.0.0.1"]]));
        assert_eq!(text(send(&client, &grants, get(format!("http://{host}:{port}/")))), "hello", "{host}");
    }
}

#[test]
fn a_plugin_cannot_set_what_belongs_to_the_connection_or_hide_a_host_behind_a_user() {
    let client = HttpClient::with_resolver(Resolver::new(|name| panic!("{name} is resolved")));
    let grants = grants(&["api.example.com:80".into()]);
    let refused = |request| {
        let error = send(&client, &grants, request).expect_err("it is refused");
        assert_eq!(error.kind, CallErrorKind::InvalidInput, "{error}");
        error.message
    };
    let with = |name: &str, value: &[u8]| HttpRequest {
        headers: vec![(name.into(), value.to_vec())],
        ..get("http://api.example.com/".into())
    };
    for name in ["Host", "host", "Transfer-Encoding", "Content-Length", "Connection", "Upgrade", "Proxy-Authorization"]
    {
        assert!(refused(with(name, b"x")).contains("belongs to the connection"));
    }
    insta::assert_snapshot!(refused(with("x-a", b"1\r\nHost: evil.example")), @"the value of the header `x-a` has characters that headers cannot hold");
    insta::assert_snapshot!(refused(with("x-a: 1\r\nhost", b"x")), @r"`x-a: 1\r\nhost` is no header name");
    insta::assert_snapshot!(refused(get("http://api.example.com@evil.example/".into())), @"`http://evil.example/` had a user before its host; send the header `authorization` instead");
    insta::assert_snapshot!(refused(get("file:///etc/passwd".into())), @"`file:` is no scheme for a request: expected `http:` or `https:`");
    insta::assert_snapshot!(refused(get("api.example.com/a".into())), @"`api.example.com/a` is no URL: relative URL without a base");
    let connect = HttpRequest { method: "CONNECT".into(), ..get("http://api.example.com/".into()) };
    insta::assert_snapshot!(refused(connect), @"`CONNECT` is no method of a request");
}

#[test]
fn redirects_are_followed_ten_times_or_returned() {
    let server = Server::start("127.0.0.1:0", |_| redirect(302, "/again?key=secret"));
    let grants = grants(&[format!("api.example.com:{}", server.port())]);
    let resolver = || Resolver::new(|_| Ok(vec!["127.0.0.1".parse().expect("it is an address")]));
    let request = || get(format!("http://api.example.com:{}/", server.port()));
    let error = send(&HttpClient::with_resolver(resolver()), &grants, request()).expect_err("it never ends");
    assert!(error.message.ends_with("/again leads through more than 10 redirects"), "{error}");
    assert_eq!(server.requests().len(), 11);
    let returned = HttpRequest { redirects: Redirects::Return, ..request() };
    let response = send(&HttpClient::with_resolver(resolver()), &grants, returned).expect("it is answered");
    assert_eq!(response.status, 302);
}

#[test]
fn an_answer_that_is_too_large_or_too_slow_names_its_limit() {
    let server = Server::start("127.0.0.1:0", |request| {
        if request.starts_with("GET /slow") {
            std::thread::sleep(Duration::from_secs(60));
        }
        // No length is told before.
        format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", "x".repeat(2000))
    });
    let grants = grants(&[format!("api.example.com:{}", server.port())]);
    let send = |path: &str, limits| {
        let client = HttpClient::with_resolver(answering(&[&["127.0.0.1"]]));
        let request = get(format!("http://api.example.com:{}{path}", server.port()));
        let error = client.send(&grants, limits, request, soon()).expect_err("a limit is reached");
        (error.limit, error.message.replace(&format!(":{}", server.port()), ""))
    };
    let (limit, message) = send("/", Limits { transfer: 1000, ..Limits::default() });
    assert_eq!(limit, Some(Limit::Transfer));
    insta::assert_snapshot!(message, @"the answer to the request GET http://api.example.com/ is larger than the limit of 1KB for one call of the host");
    let (limit, message) = send("/slow", Limits { host_call: Duration::from_millis(100), ..Limits::default() });
    assert_eq!(limit, Some(Limit::HostCall));
    insta::assert_snapshot!(message, @"the request GET http://api.example.com/slow did not finish within the limit of 100ms for one call of the host");
}

#[test]
fn nobody_there_is_worth_another_try() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = server.local_addr().expect("it is bound").port();
    drop(server);
    let client = HttpClient::with_resolver(answering(&[&["127.0.0.1"]]));
    let request = get(format!("http://api.example.com:{port}/?key=secret"));
    let error = send(&client, &grants(&[format!("api.example.com:{port}")]), request).expect_err("nobody listens");
    assert_eq!(error.kind, CallErrorKind::Retryable);
    assert!(error.message.starts_with(&format!("GET http://api.example.com:{port}/: cannot connect: ")), "{error}");
}

#[test]
fn a_caller_that_does_not_wait_gets_the_same() {
    let server = Server::start("127.0.0.1:0", |_| ok("hello"));
    let client = HttpClient::with_resolver(answering(&[&["127.0.0.1"]]));
    let grants = grants(&[format!("api.example.com:{}", server.port())]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("it can be built");
    let request = get(format!("http://api.example.com:{}/", server.port()));
    let response = runtime.block_on(client.send_async(&grants, Limits::default(), request, soon()));
    assert_eq!(text(response), "hello");
}
