//! A web server that serves a registry's static files, except where its script says otherwise; it remembers every request.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// What a client asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The target as it was sent: a path, or a whole URL where the client takes this server for a proxy.
    pub target: String,
    /// The head's other lines, in lower case.
    pub headers: Vec<String>,
}

impl Request {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
    }

    /// The path of the target.
    pub fn path(&self) -> &str {
        let after_host = |rest: &'_ str| rest.find('/').map(|at| self.target.len() - rest.len() + at);
        match self.target.strip_prefix("http://").and_then(after_host) {
            Some(at) => &self.target[at..],
            None => &self.target,
        }
    }
}

/// What the server answers.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    pub status: u16,
    /// Lines like `Retry-After: 1`.
    pub headers: Vec<String>,
    pub body: Vec<u8>,
    /// How much of the body is sent before the connection is closed; none is all of it.
    pub cut: Option<usize>,
}

type Script = dyn Fn(&Request, &[u8]) -> Option<Reply> + Send + Sync;

/// A running server; its threads end with the test's process.
pub struct ScriptedServer {
    address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl ScriptedServer {
    /// Serves `tree`. The script sees each request with the file's bytes, and may answer in the server's place.
    pub fn start(tree: &Path, script: impl Fn(&Request, &[u8]) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (tree, seen, script) = (tree.to_owned(), Arc::clone(&requests), Arc::new(script));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (tree, seen, script) = (tree.clone(), Arc::clone(&seen), Arc::clone(&script));
                std::thread::spawn(move || answer(client, &tree, &seen, &*script));
            }
        });
        Self { address, requests }
    }

    /// The URL of the registry.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What was asked for so far and whose path contains `text`.
    pub fn requests(&self, text: &str) -> Vec<Request> {
        self.requests.lock().unwrap().iter().filter(|request| request.path().contains(text)).cloned().collect()
    }
}

/// One request a connection.
fn answer(mut client: TcpStream, tree: &Path, seen: &Mutex<Vec<Request>>, script: &Script) -> Option<()> {
    let request = read_request(&client)?;
    let file = std::fs::read(tree.join(request.path().trim_start_matches('/'))).ok();
    seen.lock().unwrap().push(request.clone());
    let reply = script(&request, file.as_deref().unwrap_or_default()).unwrap_or_else(|| match file {
        Some(body) => Reply { status: 200, body, ..Reply::default() },
        None => Reply { status: 404, ..Reply::default() },
    });
    let Reply { status, headers, body, cut } = reply;
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let length = body.len();
    write!(client, "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\n{headers}connection: close\r\n\r\n").ok()?;
    client.write_all(&body[..cut.unwrap_or(length)]).ok()
}

fn read_request(client: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(client.try_clone().ok()?).lines();
    let first = lines.next()?.ok()?;
    let target = first.split_whitespace().nth(1)?.to_owned();
    let headers = lines.map_while(Result::ok).take_while(|line| !line.is_empty());
    let headers = headers.map(|line| match line.split_once(':') {
        Some((name, value)) => format!("{}:{value}", name.to_lowercase()),
        None => line,
    });
    Some(Request { target, headers: headers.collect() })
}
