//! Which addresses are public. Everything else belongs to this machine, its network or nobody, and must be granted by itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address that a connection goes to: `::ffff:10.0.0.1` is another spelling of `10.0.0.1`.
pub(super) fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// Whether anybody on the internet may have this address. In doubt it is not public.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match canonical(address) {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// What the registry of special addresses (RFC 6890) takes away.
fn is_public_v4(address: Ipv4Addr) -> bool {
    !matches!(
        address.octets(),
        [0 | 10 | 127, ..]                   // this network, private, loopback
            | [100, 64..=127, ..]            // behind a provider's translation
            | [169, 254, ..]                 // link-local, where clouds keep their metadata
            | [172, 16..=31, ..]             // private
            | [192, 0, 0 | 2, _]             // protocol assignments, documentation
            | [192, 88, 99, _]               // relays from 6to4
            | [192, 168, ..]                 // private
            | [198, 18 | 19, ..]             // measurements
            | [198, 51, 100, _]              // documentation
            | [203, 0, 113, _]               // documentation
            | [224..=255, ..] // multicast, reserved, broadcast
    )
}

/// Public is what lies in 2000::/3 without its special parts, and an address of v4 in another's clothes if that is public.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match parts {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(v4(high, low)), // NAT64
        [0x2002, high, low, ..] => is_public_v4(v4(high, low)),               // 6to4
        // Teredo: a server's address, and a client's with all bits turned.
        [0x2001, 0, server_high, server_low, _, _, high, low] => {
            is_public_v4(v4(server_high, server_low)) && is_public_v4(v4(!high, !low))
        }
        [0x2001, 0..=0x1ff, ..] => false, // protocol assignments: measurements, identifiers
        [0x2001, 0xdb8, ..] => false,     // documentation
        [0x3fff, 0..=0xfff, ..] => false, // documentation
        [first, ..] => (0x2000..=0x3fff).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_internet_are_public() {
        for public in [
            "1.1.1.1",
            "100.63.255.255",
            "172.32.0.1",
            "192.167.1.1",
            "223.255.255.255",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2002:101:101::1",
        ] {
            assert!(is_public(public.parse().expect(public)), "{public}");
        }
    }

    #[test]
    fn every_private_address_is_known_in_every_spelling() {
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:0:101:101::80ff:fffe",
            "2001:2::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:a00:1::",
            "3fff::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(private.parse().expect(private)), "{private}");
        }
    }
}
