//! Who asks: the other end of a connection, or whom a proxy that is believed names.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::HeaderMap;
use ipnet::IpNet;

use crate::config::Exposure;

const FORWARDED: &str = "x-forwarded-for";
/// Where proxies stand if nobody says: on this machine, and in networks that nobody reaches from the Internet.
const NEAR: [&str; 8] = [
    "127.0.0.0/8",
    "::1/128",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "fc00::/7",
    "fe80::/10",
];

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    /// This machine itself.
    Here(IpAddr),
    /// Anybody else. Behind a proxy also who says that they are this machine: a proxy says what it is told.
    Elsewhere(IpAddr),
}

impl Client {
    pub fn address(&self) -> IpAddr {
        let (Self::Here(address) | Self::Elsewhere(address)) = self;
        *address
    }

    /// What the limits for an address count: it, or the network of an IPv6 address. None for this machine itself, for which they do
    /// not hold.
    pub fn limited(&self) -> Option<IpAddr> {
        match self {
            Self::Here(_) => None,
            Self::Elsewhere(address) => Some(network(*address)),
        }
    }
}

/// The proxies that are believed.
#[derive(Debug)]
pub(crate) struct Proxies {
    exposure: Exposure,
    trusted: Vec<IpNet>,
    told: AtomicBool,
}

impl Proxies {
    /// Those in these networks, or those that are near if none is named; nobody without a proxy in front.
    pub fn new(exposure: Exposure, trusted: Vec<IpNet>) -> Self {
        let near = || NEAR.iter().map(|network| network.parse().expect("a constant network")).collect();
        Self { exposure, trusted: if trusted.is_empty() { near() } else { trusted }, told: AtomicBool::new(false) }
    }

    /// Whom the other end of a connection is counted as; none if it speaks for others, or is this machine.
    pub fn limited(&self, peer: IpAddr) -> Option<IpAddr> {
        let peer = peer.to_canonical();
        if self.believes(peer) || peer.is_loopback() { None } else { Some(network(peer)) }
    }

    /// Who sends a request. What stands further left in the header than the proxy's own word anybody may have written.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Client {
        let peer = peer.to_canonical();
        let forwarded = headers.get_all(FORWARDED).iter().next_back();
        let direct = if peer.is_loopback() { Client::Here(peer) } else { Client::Elsewhere(peer) };
        match forwarded {
            None if self.believes(peer) => {
                self.tell("a request came from where proxies are without `X-Forwarded-For`; if a proxy sent it, set the header there");
                direct
            }
            None => direct,
            Some(_) if self.exposure == Exposure::Loopback && peer.is_loopback() => {
                self.tell("a proxy on this machine speaks for others, who are not limited: start with --behind-proxy");
                direct
            }
            Some(_) if !self.believes(peer) => direct,
            Some(value) => {
                let last = value.to_str().ok().and_then(|value| address(value.rsplit(',').next()?.trim()));
                if last.is_none() {
                    self.tell("the last part of a proxy's `X-Forwarded-For` is no address: whom it speaks for is limited together");
                }
                Client::Elsewhere(last.unwrap_or(peer))
            }
        }
    }

    fn believes(&self, peer: IpAddr) -> bool {
        self.exposure == Exposure::BehindProxy && self.trusted.iter().any(|network| network.contains(&peer))
    }

    fn tell(&self, message: &str) {
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!("{message}");
        }
    }
}

/// The /64 of an IPv6 address: all of a household is one.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        address => address,
    }
}

/// An address as proxies write it: some with a port, IPv6 in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().or_else(|_| text.parse::<SocketAddr>().map(|with_port| with_port.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn headers(forwarded: &str) -> HeaderMap {
        HeaderMap::from_iter([(FORWARDED.parse().expect("a name"), HeaderValue::from_str(forwarded).expect("a value"))])
    }

    fn proxies(trusted: &[&str]) -> Proxies {
        let trusted = trusted.iter().map(|network| network.parse().expect("a network")).collect();
        Proxies::new(Exposure::BehindProxy, trusted)
    }

    #[test]
    fn this_machine_is_known_in_every_spelling_and_not_limited() {
        let alone = Proxies::new(Exposure::Loopback, Vec::new());
        for peer in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(alone.limited(ip(peer)), None, "{peer}");
            assert_eq!(alone.client(ip(peer), &HeaderMap::new()).limited(), None, "{peer}");
        }
        assert_eq!(alone.limited(ip("::ffff:203.0.113.5")), Some(ip("203.0.113.5")));
        assert_eq!(alone.limited(ip("2001:db8::1:2:3:4")), Some(ip("2001:db8::")));
        assert_eq!(alone.limited(ip("10.0.0.7")), Some(ip("10.0.0.7")));
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let alone = Proxies::new(Exposure::Loopback, Vec::new());
        let limited = |address: &str| alone.client(ip(address), &HeaderMap::new()).limited();
        assert_eq!(limited("2001:db8::1:2:3:4"), limited("2001:db8::5:6:7:8"));
        assert_ne!(limited("2001:db8::1:2:3:4"), limited("2001:db8:0:1:1:2:3:4"));
    }

    #[test]
    fn a_proxy_has_no_seats_of_its_own_and_nobody_it_names_is_this_machine() {
        let near = proxies(&[]);
        for proxy in ["127.0.0.1", "::1", "10.0.0.2", "172.17.0.1", "192.168.1.1", "fd00::1", "::ffff:10.0.0.2"] {
            assert_eq!(near.limited(ip(proxy)), None, "{proxy}");
            for named in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
                let client = near.client(ip(proxy), &headers(named));
                assert_eq!(client, Client::Elsewhere(ip(named).to_canonical()), "{proxy} {named}");
                assert!(client.limited().is_some());
            }
        }
    }

    #[test]
    fn only_a_proxy_is_believed() {
        let (near, named) = (proxies(&[]), proxies(&["198.51.100.0/24"]));
        let stranger = ip("203.0.113.5");
        assert_eq!(near.client(stranger, &headers("127.0.0.1")), Client::Elsewhere(stranger));
        assert_eq!(named.client(ip("10.0.0.2"), &headers("192.0.2.1")), Client::Elsewhere(ip("10.0.0.2")));
        assert_eq!(named.limited(ip("10.0.0.2")), Some(ip("10.0.0.2")));
        assert_eq!(named.client(ip("198.51.100.9"), &headers("192.0.2.1")), Client::Elsewhere(ip("192.0.2.1")));
        let alone = Proxies::new(Exposure::Loopback, Vec::new());
        assert_eq!(alone.client(stranger, &headers("192.0.2.1")), Client::Elsewhere(stranger));
    }

    #[test]
    fn what_proxies_write_is_read_and_what_is_no_address_is_limited_as_the_proxy() {
        let (near, local) = (proxies(&[]), ip("127.0.0.1"));
        for (written, read) in [
            ("192.0.2.1", "192.0.2.1"),
            ("198.51.100.7, 192.0.2.1", "192.0.2.1"),
            ("203.0.113.5:4711", "203.0.113.5"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
        ] {
            assert_eq!(near.client(local, &headers(written)), Client::Elsewhere(ip(read)), "{written}");
        }
        assert!(!near.told.load(Ordering::Relaxed));
        assert_eq!(near.client(local, &headers("unknown")), Client::Elsewhere(local));
        assert!(near.told.load(Ordering::Relaxed), "it is told");
    }

    #[test]
    fn a_proxy_that_names_nobody_is_told_of() {
        let near = proxies(&[]);
        assert_eq!(near.client(ip("127.0.0.1"), &HeaderMap::new()), Client::Here(ip("127.0.0.1")));
        assert_eq!(near.client(ip("10.0.0.2"), &HeaderMap::new()), Client::Elsewhere(ip("10.0.0.2")));
        assert!(near.told.load(Ordering::Relaxed));
        let alone = Proxies::new(Exposure::Loopback, Vec::new());
        alone.client(ip("127.0.0.1"), &headers("192.0.2.1"));
        assert!(alone.told.load(Ordering::Relaxed));
    }
}
