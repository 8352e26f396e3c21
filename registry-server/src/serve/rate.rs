//! How often an address may ask: a bucket of tokens for each, which fills up again.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// So many addresses are remembered; those with a full bucket are forgotten first.
const REMEMBERED: usize = 10_000;
/// An address may ask for this many seconds' worth at once.
const BURST: f64 = 5.0;

/// A rate for each address.
#[derive(Debug)]
pub(crate) struct Rate {
    per_second: f64,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Rate {
    /// So many a second; 0 for any number.
    pub fn new(per_second: u32) -> Self {
        Self { per_second: f64::from(per_second), buckets: Mutex::default() }
    }

    /// Whether an address may ask now. IPv6 networks of one household are one address.
    pub fn allows(&self, address: IpAddr, now: Instant) -> bool {
        if self.per_second == 0.0 {
            return true;
        }
        let most = self.per_second * BURST;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= REMEMBERED {
            buckets.retain(|_, bucket| self.filled(*bucket, now) < most);
            // All of them ask a lot: better forgetful than large.
            if buckets.len() >= REMEMBERED {
                buckets.clear();
            }
        }
        let bucket = buckets.entry(network(address)).or_insert(Bucket { tokens: most, at: now });
        let tokens = self.filled(*bucket, now);
        let allowed = tokens >= 1.0;
        *bucket = Bucket { tokens: if allowed { tokens - 1.0 } else { tokens }, at: now };
        allowed
    }

    fn filled(&self, bucket: Bucket, now: Instant) -> f64 {
        let since = now.saturating_duration_since(bucket.at).as_secs_f64();
        (bucket.tokens + since * self.per_second).min(self.per_second * BURST)
    }
}

/// The /64 of an IPv6 address.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_address_that_asks_too_often_waits_and_others_do_not() {
        let (rate, now) = (Rate::new(10), Instant::now());
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|address| address.parse().unwrap());
        assert_eq!((0..100).filter(|_| rate.allows(one, now)).count(), 50);
        assert!(rate.allows(other, now));
        let later = now + Duration::from_secs(1);
        assert_eq!((0..100).filter(|_| rate.allows(one, later)).count(), 10);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address_and_many_addresses_do_not_fill_the_memory() {
        let (rate, now) = (Rate::new(1), Instant::now());
        let asked = (0..100_u32).filter(|last| rate.allows(format!("2001:db8::{last:x}").parse().unwrap(), now));
        assert_eq!(asked.count(), 5);
        for number in 0..30_000_u32 {
            rate.allows(IpAddr::V4(number.into()), now);
        }
        assert!(rate.buckets.lock().unwrap().len() <= REMEMBERED);
    }
}
