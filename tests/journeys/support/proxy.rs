//! A proxy in front of a registry that spoils answers: what a broken or hostile network does.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What happens to answers whose path contains a text.
#[derive(Clone)]
pub enum Fault {
    /// The connection is closed after half of the body.
    Truncate,
    /// Another status, without a body.
    Status(u16),
    /// Another server answers.
    Elsewhere(String),
    /// The body is changed.
    Change(Arc<dyn Fn(Vec<u8>) -> Vec<u8> + Send + Sync>),
}

/// A running proxy; its thread ends with the test's process.
pub struct FaultyProxy {
    url: String,
    active: Arc<AtomicBool>,
}

impl FaultyProxy {
    /// Passes everything on to `upstream` (`http://host:port/`), but does `fault` to paths that contain `path`.
    pub fn start(upstream: &str, path: &str, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let upstream = upstream.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let path = path.to_owned();
        let active = Arc::new(AtomicBool::new(true));
        let is_active = Arc::clone(&active);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (upstream, path, fault) = (upstream.clone(), path.clone(), fault.clone());
                let active = is_active.load(Ordering::SeqCst);
                std::thread::spawn(move || answer(client, &upstream, active.then_some((path.as_str(), &fault))));
            }
        });
        Self { url, active }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on everything is passed on as it is.
    pub fn heal(&self) {
        self.active.store(false, Ordering::SeqCst);
    }

    /// From now on the fault happens again.
    pub fn break_again(&self) {
        self.active.store(true, Ordering::SeqCst);
    }
}

/// One request a connection: reads its head, fetches the answer whole, spoils it, sends it.
fn answer(mut client: TcpStream, upstream: &str, fault: Option<(&str, &Fault)>) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let mut request = String::new();
    reader.read_line(&mut request).ok()?;
    let mut line = String::new();
    while reader.read_line(&mut line).ok()? > 2 {
        line.clear();
    }
    let target = request.split_whitespace().nth(1)?.to_owned();
    let fault = fault.filter(|(path, _)| target.contains(path)).map(|(_, fault)| fault);
    let upstream = match fault {
        Some(Fault::Elsewhere(url)) => url.trim_start_matches("http://").trim_end_matches('/'),
        _ => upstream,
    };
    let mut server = TcpStream::connect(upstream).ok()?;
    write!(server, "GET {target} HTTP/1.1\r\nhost: {upstream}\r\nconnection: close\r\n\r\n").ok()?;
    let mut response = Vec::new();
    server.read_to_end(&mut response).ok()?;
    let split = response.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let status: u16 = String::from_utf8_lossy(&response[..split]).split_whitespace().nth(1)?.parse().ok()?;
    let body = response[split..].to_vec();
    let (status, length, body) = match fault {
        None | Some(Fault::Elsewhere(_)) => (status, body.len(), body),
        Some(Fault::Status(status)) => (*status, 0, Vec::new()),
        Some(Fault::Truncate) => (status, body.len(), body[..body.len() / 2].to_vec()),
        Some(Fault::Change(change)) => {
            let body = change(body);
            (status, body.len(), body)
        }
    };
    write!(client, "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n").ok()?;
    client.write_all(&body).ok()
}
