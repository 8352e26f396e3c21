//! Where a plugin may connect to: the grant is checked, the name is resolved once, and every address of it is checked.
//!
//! What comes out is what must be connected to. Who resolves the name again may be told another address the second time, which is
//! how a public name is bound anew to a machine of the user's network.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Instant;

use pocket_index::permissions::Word;

use super::address;
use crate::engine::error::{CallError, CallErrorKind};
use crate::engine::grants::{Grants, Reach, not_public};

/// What a plugin wants to do with a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Send HTTP requests to it.
    Http,
    /// Connect to it.
    Stream,
}

impl Purpose {
    fn word(self) -> Word {
        match self {
            Self::Http => Word::HttpClient,
            Self::Stream => Word::NetworkAccess,
        }
    }

    fn check(self, grants: &Grants, host: &str, port: u16) -> Result<Reach, CallError> {
        match self {
            Self::Http => grants.check_http(host, port),
            Self::Stream => grants.check_network(host, port),
        }
    }
}

type Lookup = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// Finds the addresses of names.
#[derive(Clone)]
pub struct Resolver(Arc<Lookup>);

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Resolver")
    }
}

impl Default for Resolver {
    /// The system's.
    fn default() -> Self {
        Self::new(|name| Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect()))
    }
}

impl Resolver {
    /// One that asks `lookup`.
    pub fn new(lookup: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(lookup))
    }

    /// The addresses that a plugin may connect to for `host`:`port`, never none.
    ///
    /// # Errors
    /// `denied` when the manifest does not ask for it, the user did not grant it, or one of the addresses is private and nothing
    /// grants that; `timeout` at the deadline; `retryable` when the name has no address.
    pub fn resolve(
        &self,
        grants: &Grants,
        purpose: Purpose,
        host: &str,
        port: u16,
        deadline: Instant,
    ) -> Result<Vec<SocketAddr>, CallError> {
        let reach = purpose.check(grants, host, port)?;
        let addresses = self.addresses(host, deadline)?;
        let what = format!("{host}:{port}");
        check_addresses(grants, reach, purpose.word(), &what, &addresses)?;
        Ok(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }

    /// The addresses of a host that the plugin may connect to by at least one port. Each connection must still be checked with
    /// [`check_connection`].
    ///
    /// # Errors
    /// As for [`Resolver::resolve`].
    pub fn look_up(&self, grants: &Grants, host: &str, deadline: Instant) -> Result<Vec<IpAddr>, CallError> {
        let reach = grants.check_lookup(host)?;
        let addresses = self.addresses(host, deadline)?;
        check_addresses(grants, reach, Word::NetworkAccess, host, &addresses)?;
        Ok(addresses)
    }

    /// The addresses of a host, never none. The system's resolver knows no deadline, so it works on a thread that may outlive the call.
    pub(crate) fn addresses(&self, host: &str, deadline: Instant) -> Result<Vec<IpAddr>, CallError> {
        if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            return Ok(vec![address::canonical(address)]);
        }
        let failed = |error: io::Error| not_found(host, &error);
        let (sender, receiver) = sync_channel(1);
        let (lookup, name) = (Arc::clone(&self.0), host.to_owned());
        let work = move || drop(sender.send(lookup(&name)));
        thread::Builder::new().name("resolve".to_owned()).spawn(work).map_err(failed)?;
        let left = deadline.saturating_duration_since(Instant::now());
        let found = receiver.recv_timeout(left).map_err(|error| match error {
            RecvTimeoutError::Timeout => {
                CallError::new(CallErrorKind::Timeout, format!("the addresses of `{host}` were not found in time"))
            }
            RecvTimeoutError::Disconnected => failed(io::Error::other("the resolver gave up")),
        })?;
        let mut addresses: Vec<IpAddr> = found.map_err(failed)?.into_iter().map(address::canonical).collect();
        let mut seen = std::collections::HashSet::new();
        addresses.retain(|address| seen.insert(*address));
        if addresses.is_empty() { Err(failed(ErrorKind::NotFound.into())) } else { Ok(addresses) }
    }
}

/// Whether a plugin that looked up `host` may connect to `address` for it.
///
/// # Errors
/// `denied`, as for [`Resolver::resolve`].
pub fn check_connection(grants: &Grants, purpose: Purpose, host: &str, address: SocketAddr) -> Result<(), CallError> {
    let reach = purpose.check(grants, host, address.port())?;
    let what = format!("{host}:{}", address.port());
    check_addresses(grants, reach, purpose.word(), &what, &[address.ip()])
}

/// One private address is enough to refuse them all: otherwise the connection that fails first would decide.
fn check_addresses(
    grants: &Grants,
    reach: Reach,
    word: Word,
    what: &str,
    addresses: &[IpAddr],
) -> Result<(), CallError> {
    let allowed = |address: &IpAddr| match reach {
        Reach::Any => true,
        Reach::Loopback if address.is_loopback() => true,
        Reach::Loopback | Reach::Configured => {
            address::is_public(*address) || grants.has_private(address::canonical(*address))
        }
    };
    match addresses.iter().find(|address| !allowed(address)) {
        None => Ok(()),
        Some(private) => Err(not_public(word, what, address::canonical(*private))),
    }
}

fn not_found(host: &str, error: &io::Error) -> CallError {
    CallError::new(CallErrorKind::Retryable, format!("cannot find the address of `{host}`: {error}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pocket_index::permissions::Permissions;
    use serde_json::{Map, json};

    use super::super::testing::{answering, soon};
    use super::*;
    use crate::engine::grants::GrantedWords;

    fn grants(network: &str) -> Grants {
        let asked = Permissions { network: vec![network.into()], ..Permissions::default() };
        let settings = json!({"host": "db.example.com"});
        let settings = settings.as_object().expect("it is an object");
        Grants::new(&asked, &GrantedWords::all(), settings).expect("it is well-formed")
    }

    fn resolve(grants: &Grants, resolver: &Resolver, host: &str) -> Result<Vec<String>, CallError> {
        let found = resolver.resolve(grants, Purpose::Stream, host, 5432, soon())?;
        Ok(found.iter().map(SocketAddr::to_string).collect())
    }

    #[test]
    fn a_public_name_is_resolved_once_to_all_its_addresses() {
        let resolver = answering(&[&["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1"]]);
        let found = resolve(&grants("db.example.com:5432"), &resolver, "DB.example.com.");
        assert_eq!(found, Ok(vec!["1.1.1.1:5432".into(), "[2606:4700::1111]:5432".into()]));
    }

    #[test]
    fn a_name_with_one_private_address_is_refused_as_a_whole() {
        let resolver = answering(&[&["1.1.1.1", "::ffff:10.0.0.5"]]);
        let error = resolve(&grants("db.example.com:5432"), &resolver, "db.example.com").expect_err("one is private");
        assert_eq!(error.kind, CallErrorKind::Denied);
        insta::assert_snapshot!(error, @"the plugin used network `db.example.com:5432`, which leads to the private address 10.0.0.5; `plugins.security.private_networks: [10.0.0.5/32]` in pocket.yaml grants it");
    }

    #[test]
    fn private_addresses_are_reached_by_what_the_user_wrote_or_saw() {
        let private = || answering(&[&["10.0.0.5"]]);
        assert!(resolve(&grants("{host}:5432"), &private(), "db.example.com").is_ok());
        assert!(resolve(&grants("10.0.0.5:5432"), &private(), "10.0.0.5").is_ok());
        let networks = vec!["10.0.0.0/24".parse().expect("it is a network")];
        let configured = grants("db.example.com:5432").with_private_networks(networks);
        assert!(resolve(&configured, &private(), "db.example.com").is_ok());
        assert!(resolve(&configured, &answering(&[&["10.0.1.5"]]), "db.example.com").is_err());
    }

    #[test]
    fn localhost_leads_to_this_machine_and_no_further() {
        let grants = grants("localhost:5432");
        assert!(resolve(&grants, &answering(&[&["127.0.0.1", "::1"]]), "localhost").is_ok());
        assert!(resolve(&grants, &answering(&[&["192.168.0.1"]]), "localhost").is_err());
    }

    #[test]
    fn other_spellings_of_an_address_are_not_asked_for() {
        let grants = grants("127.0.0.1:5432");
        for spelling in ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "::ffff:127.0.0.1", "[::ffff:7f00:1]"] {
            let error = resolve(&grants, &answering(&[&["127.0.0.1"]]), spelling).expect_err(spelling);
            assert!(error.message.contains("its manifest does not ask for"), "{error}");
        }
    }

    #[test]
    fn a_connection_is_checked_again_with_its_port_and_address() {
        let grants = grants("db.example.com:5432");
        let resolver = answering(&[&["1.1.1.1"]]);
        let found = resolver.look_up(&grants, "db.example.com", soon()).expect("it is granted");
        let check = |address: &str| {
            let address = address.parse().expect("it is an address");
            check_connection(&grants, Purpose::Stream, "db.example.com", address).is_ok()
        };
        assert_eq!(found, ["1.1.1.1".parse::<IpAddr>().expect("it is an address")]);
        assert_eq!(["1.1.1.1:5432", "1.1.1.1:22", "127.0.0.1:5432"].map(check), [true, false, false]);
        assert!(resolver.look_up(&grants, "other.example.com", soon()).is_err());
    }

    #[test]
    fn what_is_not_asked_for_is_not_resolved() {
        let resolver = Resolver::new(|name| panic!("{name} is resolved"));
        assert!(resolve(&grants("db.example.com:5432"), &resolver, "secret.attacker.example").is_err());
        let none =
            Grants::new(&Permissions::default(), &GrantedWords::all(), &Map::new()).expect("it asks for nothing");
        assert!(resolver.look_up(&none, "db.example.com", soon()).is_err());
    }

    #[test]
    fn an_unknown_name_and_a_slow_resolver_are_told_apart() {
        let unknown = Resolver::new(|_| Err(io::Error::other("no such name")));
        let error = resolve(&grants("db.example.com:5432"), &unknown, "db.example.com").expect_err("nobody knows it");
        assert_eq!(error.kind, CallErrorKind::Retryable);
        insta::assert_snapshot!(error, @"cannot find the address of `db.example.com`: no such name");
        let slow = Resolver::new(|_| {
            thread::sleep(Duration::from_secs(60));
            Ok(Vec::new())
        });
        let deadline = Instant::now() + Duration::from_millis(20);
        let error = slow.resolve(&grants("db.example.com:5432"), Purpose::Stream, "db.example.com", 5432, deadline);
        assert_eq!(error.expect_err("it takes too long").kind, CallErrorKind::Timeout);
    }
}
