//! What the attempts are made on: a project's folder, and servers on loopback addresses.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread;

/// A folder with `data/a.txt`, `out/`, `secret.txt`, and ways from the first two to the last. Two servers that say who they are.
pub struct World {
    pub folder: tempfile::TempDir,
    /// Listens on 127.0.0.1, answers `open`, and leads from `/leave` to the other and from `/again` to itself by the name that was used.
    pub open: u16,
    /// Listens on 127.0.0.2 and answers `secret`.
    pub secret: u16,
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name);
        for name in ["data", "out"] {
            std::fs::create_dir(path(name)).expect("it can be made");
        }
        std::fs::write(path("data/a.txt"), "hello").expect("it can be written");
        std::fs::write(path("secret.txt"), "secret").expect("it can be written");
        #[cfg(unix)]
        for (target, link) in
            [("../secret.txt", "data/up"), ("/proc/self/root", "data/root"), ("../secret.txt", "out/up")]
        {
            std::os::unix::fs::symlink(target, path(link)).expect("it can be made");
        }
        let secret = serve("127.0.0.2", |_| answer("200 OK", "", "secret"));
        let leave = format!("Location: http://127.0.0.2:{secret}/\r\n");
        let open = serve("127.0.0.1", move |request| match request.split(' ').nth(1) {
            Some("/leave") => answer("302 Found", &leave, ""),
            Some("/again") => answer("302 Found", "Location: /\r\n", ""),
            _ => answer("200 OK", "", "open"),
        });
        Self { folder, open, secret }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Fills in where things are.
    pub fn fill(&self, text: &str) -> String {
        let (open, secret) = (self.open.to_string(), self.secret.to_string());
        let folder = self.folder.path().to_str().expect("temporary folders have plain names");
        text.replace("OPEN", &open).replace("SECRET", &secret).replace("FOLDER", folder)
    }

    /// The reverse, for messages that are compared.
    pub fn blank(&self, text: &str) -> String {
        let (open, secret) = (format!(":{}", self.open), format!(":{}", self.secret));
        text.replace(&open, ":OPEN").replace(&secret, ":SECRET")
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn serve(address: &str, answer: impl Fn(&str) -> String + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind((address, 0)).expect("loopback addresses can be bound");
    let port = listener.local_addr().expect("it is bound").port();
    thread::spawn(move || {
        thread::scope(|scope| {
            for stream in listener.incoming().map_while(Result::ok) {
                scope.spawn(|| respond(stream, &answer));
            }
        });
    });
    port
}

fn respond(mut stream: TcpStream, answer: &dyn Fn(&str) -> String) {
    let (mut request, mut chunk) = (String::new(), [0; 1024]);
    while !request.contains("\r\n\r\n") {
        match stream.read(&mut chunk) {
            Ok(length) if length > 0 => request.push_str(&String::from_utf8_lossy(&chunk[..length])),
            _ => return,
        }
    }
    // Who asked may be gone.
    let _ = stream.write_all(answer(&request).as_bytes());
}
