//! What tests of access need: a resolver that answers as it is told, and an HTTP server.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::net::Resolver;

/// A deadline that no test should have to wait for, however busy the machine is.
pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

/// A resolver that gives one answer after the other, whatever is asked. Being asked once more is an error.
pub(crate) fn answering(answers: &[&[&str]]) -> Resolver {
    let parse = |answer: &&[&str]| answer.iter().map(|text| text.parse::<IpAddr>().expect(text)).collect();
    let answers: Vec<Vec<IpAddr>> = answers.iter().map(parse).collect();
    let answers = Mutex::new(answers.into_iter());
    Resolver::new(move |name| {
        let answer = answers.lock().expect("no test panics in it").next();
        answer.ok_or_else(|| std::io::Error::other(format!("`{name}` is resolved once too often")))
    })
}

/// An HTTP server on a loopback address that remembers what it was sent.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Serves `answer(head of the request)` on `address`, which may have port 0.
    pub(crate) fn start(address: &str, answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).expect("the address is free");
        let address = listener.local_addr().expect("it is bound");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // A connection that is opened in advance must not keep the others waiting.
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                thread::spawn(move || serve(stream, &seen, &*answer));
            }
        });
        Self { address, requests }
    }

    /// The heads and bodies of all requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("the server does not panic").clone()
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<String>>, answer: &dyn Fn(&str) -> String) {
    let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
    while !is_whole(&request) {
        match stream.read(&mut chunk) {
            Ok(length) if length > 0 => request.extend_from_slice(&chunk[..length]),
            _ => return,
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let answer = answer(&request);
    seen.lock().expect("the server does not panic").push(request);
    // A client that read enough may be gone.
    let _ = stream.write_all(answer.as_bytes());
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length =
        head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    body.len() >= length.unwrap_or(0_usize)
}

/// An answer with a body.
pub(crate) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// An answer that leads elsewhere.
pub(crate) fn redirect(status: u16, location: &str) -> String {
    format!("HTTP/1.1 {status} Moved\r\nConnection: close\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}
