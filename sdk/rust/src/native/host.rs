//! What the engine does for a native plugin.

use std::ffi::{c_char, c_int, c_uint};
use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::os::fd::FromRawFd;
use std::ptr;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::json;

use super::{Buffer, Text};

/// The longest reason for a refused connection that is taken.
const MAX_REASON_BYTES: usize = 1024;

/// `pocket_host` as it was first.
#[repr(C)]
pub struct HostTable {
    size: usize,
    log: unsafe extern "C" fn(level: c_int, text: Text),
    connect: unsafe extern "C" fn(host: Text, port: c_uint, error: *mut c_char, error_capacity: usize) -> c_int,
}

/// The same with what was added.
#[repr(C)]
struct HttpTable {
    first: HostTable,
    http: unsafe extern "C" fn(request: Text, body: Text, head: *mut Buffer, answer: *mut Buffer) -> c_int,
    release: unsafe extern "C" fn(buffer: Buffer),
}

/// The table that the engine gave at the start.
struct Given(*const HostTable);

// SAFETY: the engine keeps the table valid and unchanged until the process ends, and its functions may be called from any thread.
unsafe impl Send for Given {}
// SAFETY: as above.
unsafe impl Sync for Given {}

static HOST: OnceLock<Given> = OnceLock::new();

/// Keeps the engine's table, unless it is null.
pub(super) fn remember(table: *const HostTable) {
    if !table.is_null() {
        let _ = HOST.set(Given(table)); // the engine starts a plugin once
    }
}

fn table() -> Option<&'static HostTable> {
    // SAFETY: the engine keeps the table, which is at least that long, valid until the process ends.
    HOST.get().map(|given| unsafe { &*given.0 })
}

/// The longer table, if the engine has it.
fn http_table() -> Option<&'static HttpTable> {
    table().filter(|table| table.size >= size_of::<HttpTable>())?;
    // SAFETY: as above; `size` says that the table reaches so far.
    HOST.get().map(|given| unsafe { &*given.0.cast::<HttpTable>() })
}

/// How important a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For the plugin's author.
    Debug,
    /// For whoever wonders what happens.
    Info,
    /// Something that should be looked at.
    Warn,
    /// Something that went wrong.
    Error,
}

/// Writes a line to the plugin's log. Without an engine, as in tests, it goes to standard error.
pub fn log(level: Level, text: &str) {
    match table() {
        // SAFETY: the text lives as long as the call.
        Some(table) => unsafe { (table.log)(level as i32, Text::of(text)) },
        None => eprintln!("{level:?}: {text}"),
    }
}

/// Connects to a host and port for which the manifest asks under `permissions: network`, and which the user granted. The
/// engine resolves the name and connects, within the deadline of the call that is running.
///
/// `PermissionDenied` means not asked for or not granted, `ConnectionRefused` that nobody answers there, `TimedOut` that the
/// deadline came first. The message says the rest. Without an engine, as in tests, the plugin connects by itself.
pub fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let Some(table) = table() else { return TcpStream::connect((host, port)) };
    let mut reason = [0_u8; MAX_REASON_BYTES];
    // SAFETY: the text and the buffer live as long as the call.
    let result = unsafe { (table.connect)(Text::of(host), u32::from(port), reason.as_mut_ptr().cast(), reason.len()) };
    if result >= 0 {
        // SAFETY: the engine made this connected descriptor for this call, and nobody else owns it.
        return Ok(unsafe { TcpStream::from_raw_fd(result) });
    }
    let end = reason.iter().position(|byte| *byte == 0).unwrap_or(reason.len());
    Err(refused(result, &reason[..end]))
}

/// An HTTP request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST` …; `GET` if it is empty.
    pub method: String,
    /// `http:` or `https:`.
    pub url: String,
    /// Names and values, each name once. What belongs to the connection (`Host`, `Content-Length` …) cannot be set.
    pub headers: Vec<(String, String)>,
    /// What is sent after them.
    pub body: Vec<u8>,
    /// What an answer that leads elsewhere does.
    pub redirects: Redirects,
}

/// What an answer that leads elsewhere does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Redirects {
    /// It is followed, ten times at most; each step is checked like the request.
    #[default]
    Follow,
    /// It is the answer.
    Return,
}

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Response {
    /// Such as 200.
    pub status: u16,
    /// Where it came from, after all redirects.
    pub url: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// What followed them.
    #[serde(skip)]
    pub body: Vec<u8>,
}

impl Request {
    /// A `GET` of `url`.
    pub fn get(url: impl Into<String>) -> Self {
        Self { method: "GET".to_owned(), url: url.into(), ..Self::default() }
    }

    /// A `POST` of `body` to `url`.
    pub fn post(url: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self { method: "POST".to_owned(), url: url.into(), body: body.into(), ..Self::default() }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// As the engine reads it.
    fn head(&self) -> String {
        let method = if self.method.is_empty() { "GET" } else { &self.method };
        let headers: serde_json::Map<_, _> =
            self.headers.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        let redirects = match self.redirects {
            Redirects::Follow => "follow",
            Redirects::Return => "return",
        };
        json!({"method": method, "url": self.url, "headers": headers, "redirects": redirects}).to_string()
    }
}

/// Sends an HTTP request to a host and port for which the manifest asks under `permissions: http`, and which the user granted. The
/// engine sends it, within the deadline of the call that is running, and waits for the whole answer.
///
/// `PermissionDenied` means not asked for or not granted, `TimedOut` that the deadline came first, `ConnectionRefused` any other
/// failure; the message says which. An answer of any status is no error. Without an engine, as in tests, or with one that is older
/// than this function, the error is `Unsupported`.
pub fn http(request: &Request) -> io::Result<Response> {
    let Some(table) = http_table() else {
        return Err(io::Error::new(ErrorKind::Unsupported, "there is no engine here that sends HTTP requests"));
    };
    let body = Text { data: request.body.as_ptr().cast(), size: request.body.len() };
    let (mut head, mut answer) = (Buffer::EMPTY, Buffer::EMPTY);
    // SAFETY: the texts and the buffers live as long as the call.
    let code = unsafe { (table.http)(Text::of(&request.head()), body, &mut head, &mut answer) };
    // SAFETY: the engine filled both buffers, and each is taken once.
    let (head, answer) = unsafe { (take(table, head), take(table, answer)) };
    if code != 0 {
        return Err(refused(code, &head));
    }
    let response: Response = serde_json::from_slice(&head).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
    Ok(Response { body: answer, ..response })
}

/// A copy of what the engine filled a buffer with, which is given back.
///
/// # Safety
/// The buffer is empty or was filled by `http` of the table, and is taken once.
unsafe fn take(table: &HttpTable, buffer: Buffer) -> Vec<u8> {
    let bytes = match buffer.data.is_null() || buffer.size == 0 {
        true => Vec::new(),
        // SAFETY: the engine filled it with as many bytes, and keeps them until it is released.
        false => unsafe { std::slice::from_raw_parts(buffer.data.cast::<u8>().cast_const(), buffer.size) }.to_vec(),
    };
    // SAFETY: the caller promises it.
    unsafe { (table.release)(buffer) };
    bytes
}

/// The error of one of `POCKET_CONNECT_`.
fn refused(code: c_int, reason: &[u8]) -> io::Error {
    let kind = match code {
        -1 => ErrorKind::PermissionDenied,
        -2 => ErrorKind::ConnectionRefused,
        -3 => ErrorKind::TimedOut,
        _ => ErrorKind::NotConnected,
    };
    io::Error::new(kind, String::from_utf8_lossy(reason))
}

impl Buffer {
    /// Nothing yet.
    const EMPTY: Self = Self { data: ptr::null_mut(), size: 0 };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_written_as_the_header_describes_it() {
        let request = Request::post("https://api.example.com/", "text").with_header("accept", "text/plain");
        let expected = json!({
            "method": "POST",
            "url": "https://api.example.com/",
            "headers": {"accept": "text/plain"},
            "redirects": "follow",
        });
        assert_eq!(serde_json::from_str::<serde_json::Value>(&request.head()).expect("it is JSON"), expected);
        let request = Request { url: "http://a/".into(), redirects: Redirects::Return, ..Request::default() };
        assert!(request.head().contains("\"GET\"") && request.head().contains("\"return\""));
    }

    #[test]
    fn without_an_engine_a_request_says_so() {
        let error = http(&Request::get("http://127.0.0.1/")).expect_err("there is no engine");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
}
