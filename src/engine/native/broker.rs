//! Does for a plugin what it cannot do itself, having no sockets: connections and HTTP requests, under its grants and limits.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use serde::Deserialize;
use serde_json::json;

use crate::engine::access::{HttpClient, HttpRequest, HttpResponse, Purpose, Redirects};
use crate::engine::error::{CallError, CallErrorKind};
use crate::engine::plugin::Border;

/// Why something was not done, as the plugin is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of refusal it is.
    pub code: RefusalCode,
    /// Why.
    pub reason: String,
}

/// The header's `POCKET_CONNECT_` codes without their sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalCode {
    /// Not asked for or not granted.
    Denied = 1,
    /// Unknown host, refused, unreachable, too large.
    Failed = 2,
    /// The deadline passed first.
    Timeout = 3,
}

/// A request as the header describes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    #[serde(default = "get")]
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    redirects: RedirectWord,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum RedirectWord {
    #[default]
    Follow,
    Return,
}

/// What a plugin's process gets done for it.
pub struct Broker<'a> {
    /// What the plugin may do and use.
    pub border: &'a Border,
    /// The plugin's connections to web servers.
    pub http: &'a HttpClient,
    /// When the call that is running must have ended.
    pub deadline: Instant,
}

impl Broker<'_> {
    /// Connects to `host`:`port`.
    pub fn connect(&self, host: &str, port: u16) -> Result<TcpStream, Refusal> {
        let ends = self.deadline.min(Instant::now() + self.border.limits.host_call);
        let addresses = self.border.resolver.resolve(&self.border.grants, Purpose::Stream, host, port, ends);
        let connected = addresses.and_then(|addresses| {
            connect_to_one(&addresses, ends).map_err(|error| self.no_connection(host, port, &error, ends))
        });
        connected.map_err(|error| self.refusal(error))
    }

    /// Sends an HTTP request; returns the head of the answer as JSON, and its body.
    pub fn send(&self, request: &str, body: &[u8]) -> Result<(String, Vec<u8>), Refusal> {
        let Border { grants, limits, .. } = self.border;
        let request: Request = serde_json::from_str(request).map_err(|error| Refusal {
            code: RefusalCode::Failed,
            reason: format!("the request is not as `pocket_plugin.h` describes it: {error}"),
        })?;
        let request = HttpRequest {
            method: request.method,
            url: request.url,
            headers: request.headers.into_iter().map(|(name, value)| (name, value.into_bytes())).collect(),
            body: body.to_owned(),
            redirects: match request.redirects {
                RedirectWord::Follow => Redirects::Follow,
                RedirectWord::Return => Redirects::Return,
            },
        };
        let answer = self.http.send(grants, *limits, request, self.deadline).map_err(|error| self.refusal(error))?;
        Ok((head(&answer), answer.body))
    }

    fn no_connection(&self, host: &str, port: u16, error: &io::Error, ends: Instant) -> CallError {
        let what = format!("the connection to `{host}:{port}`");
        let (kind, reason) = match error.kind() {
            ErrorKind::TimedOut if ends < self.deadline => {
                return CallError::host_call_timeout(&what, self.border.limits.host_call);
            }
            ErrorKind::TimedOut => (CallErrorKind::Timeout, "the deadline passed first".to_owned()),
            ErrorKind::ConnectionRefused => (CallErrorKind::Retryable, "connection refused".to_owned()),
            _ => (CallErrorKind::Retryable, error.to_string()),
        };
        CallError::new(kind, format!("cannot connect to `{host}:{port}`: {reason}"))
    }

    /// The plugin's author and its user read the reason, so a limit says how it is raised.
    fn refusal(&self, error: CallError) -> Refusal {
        let code = match error.kind {
            CallErrorKind::Denied => RefusalCode::Denied,
            CallErrorKind::Timeout => RefusalCode::Timeout,
            _ => RefusalCode::Failed,
        };
        let error = match error.limit {
            Some(limit) => error.advised(&limit.advice(&self.border.identity.plugin)),
            None => error,
        };
        Refusal { code, reason: error.message }
    }
}

fn get() -> String {
    "GET".to_owned()
}

fn head(answer: &HttpResponse) -> String {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers: Vec<_> = answer.headers.iter().map(|(name, value)| json!([name, text(value)])).collect();
    json!({"status": answer.status, "url": answer.url, "headers": headers}).to_string()
}

fn connect_to_one(addresses: &[SocketAddr], deadline: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        match TcpStream::connect_timeout(address, left) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Duration;

    use pocket_index::permissions::Permissions;
    use serde_json::Map;

    use super::*;
    use crate::engine::access::Resolver;
    use crate::engine::budget::Limits;
    use crate::engine::envelope::Identity;
    use crate::engine::grants::{GrantedWords, Grants};
    use crate::engine::log::PluginLog;

    fn connect(network: &str, words: &GrantedWords, port: u16, deadline: Instant) -> Result<TcpStream, Refusal> {
        let asked = Permissions { network: vec![network.to_owned()], ..Permissions::default() };
        let grants = Grants::new(&asked, words, &Map::new()).expect("it is well-formed");
        let identity = Identity { plugin: "p".to_owned(), version: "1.0.0".to_owned(), settings: Map::new() };
        let (limits, log, resolver) = (Limits::default(), PluginLog::default(), Resolver::default());
        let border = Border { identity, grants, limits, log, sampler: None, resolver };
        Broker { border: &border, http: &HttpClient::default(), deadline }.connect("127.0.0.1", port)
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[test]
    fn only_what_was_asked_for_and_granted_is_connected() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let here = format!("127.0.0.1:{port}");
        assert!(connect(&here, &GrantedWords::all(), port, soon()).is_ok());
        for (network, words) in [(&*here, GrantedWords::none()), ("example.com:443", GrantedWords::all())] {
            let refusal = connect(network, &words, port, soon()).expect_err("it is not allowed");
            assert_eq!(refusal.code, RefusalCode::Denied);
        }
    }

    #[test]
    fn a_closed_port_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        drop(listener);
        let refusal = connect(&format!("127.0.0.1:{port}"), &GrantedWords::all(), port, soon());
        let reason = format!("cannot connect to `127.0.0.1:{port}`: connection refused");
        assert_eq!(refusal.expect_err("nobody listens"), Refusal { code: RefusalCode::Failed, reason });
    }

    #[test]
    fn a_deadline_in_the_past_is_a_timeout() {
        let refusal = connect("127.0.0.1:9", &GrantedWords::all(), 9, Instant::now()).expect_err("there is no time");
        assert_eq!(refusal.code, RefusalCode::Timeout);
    }
}
