//! Connects for a plugin, which cannot make sockets: checks the grant, resolves the name once, connects in time.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::engine::grants::Grants;

/// Why there is no connection, as the plugin is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoConnection {
    /// What kind of refusal it is.
    pub code: ConnectCode,
    /// Why.
    pub reason: String,
}

/// The header's `POCKET_CONNECT_` codes without their sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectCode {
    /// Not asked for or not granted.
    Denied = 1,
    /// Unknown host, refused, unreachable.
    Failed = 2,
    /// The deadline passed first.
    Timeout = 3,
}

/// Connects to `host`:`port` if `grants` allow it, before `deadline`.
pub fn connect(grants: &Grants, host: &str, port: u16, deadline: Instant) -> Result<TcpStream, NoConnection> {
    grants
        .check_network(host, port)
        .map_err(|denied| NoConnection { code: ConnectCode::Denied, reason: denied.message })?;
    let failed = |error: io::Error| no_connection(host, port, &error);
    let addresses = resolve(host, port, deadline).map_err(failed)?;
    connect_to_one(&addresses, deadline).map_err(failed)
}

fn no_connection(host: &str, port: u16, error: &io::Error) -> NoConnection {
    let (code, reason) = match error.kind() {
        ErrorKind::TimedOut => (ConnectCode::Timeout, "the deadline passed first".to_owned()),
        ErrorKind::ConnectionRefused => (ConnectCode::Failed, "connection refused".to_owned()),
        _ => (ConnectCode::Failed, error.to_string()),
    };
    NoConnection { code, reason: format!("cannot connect to `{host}:{port}`: {reason}") }
}

/// The system's resolver knows no deadline, so it works on a thread that may outlive the call.
fn resolve(host: &str, port: u16, deadline: Instant) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let (sender, receiver) = channel();
    let name = host.to_owned();
    thread::Builder::new().name("resolve".to_owned()).spawn(move || {
        let _ = sender.send((name.as_str(), port).to_socket_addrs().map(Iterator::collect));
    })?;
    receiver.recv_timeout(left(deadline)?).map_err(|_| ErrorKind::TimedOut)?
}

fn connect_to_one(addresses: &[SocketAddr], deadline: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(address, left(deadline)?) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use pocket_index::permissions::Permissions;
    use serde_json::Map;

    use super::*;
    use crate::engine::grants::GrantedWords;

    fn grants(network: String, words: &GrantedWords) -> Grants {
        let asked = Permissions { network: vec![network], ..Permissions::default() };
        Grants::new(&asked, words, &Map::new()).expect("it is well-formed")
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[test]
    fn only_what_was_asked_for_and_granted_is_connected() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let here = format!("127.0.0.1:{port}");
        assert!(connect(&grants(here.clone(), &GrantedWords::all()), "127.0.0.1", port, soon()).is_ok());
        for grants in [grants(here, &GrantedWords::none()), grants("example.com:443".to_owned(), &GrantedWords::all())]
        {
            let refusal = connect(&grants, "127.0.0.1", port, soon()).expect_err("it is not allowed");
            assert_eq!(refusal.code, ConnectCode::Denied);
        }
    }

    #[test]
    fn a_closed_port_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        drop(listener);
        let grants = grants(format!("127.0.0.1:{port}"), &GrantedWords::all());
        let refusal = connect(&grants, "127.0.0.1", port, soon()).expect_err("nobody listens");
        assert_eq!(refusal.code, ConnectCode::Failed);
        assert_eq!(refusal.reason, format!("cannot connect to `127.0.0.1:{port}`: connection refused"));
    }

    #[test]
    fn a_deadline_in_the_past_is_a_timeout() {
        let grants = grants("127.0.0.1:9".to_owned(), &GrantedWords::all());
        let refusal = connect(&grants, "127.0.0.1", 9, Instant::now()).expect_err("there is no time");
        assert_eq!(refusal.code, ConnectCode::Timeout);
    }
}
