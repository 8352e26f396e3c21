//! How often somebody may ask: a bucket for each address or token, from which every request takes one, and which fills up again.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// So many who ask are remembered; those with a full bucket are forgotten first.
const REMEMBERED: usize = 10_000;
/// Everybody may ask for this many seconds' worth at once.
const BURST: f64 = 5.0;

/// A rate for each of those who ask.
#[derive(Debug)]
pub(crate) struct Rate<K> {
    per_second: f64,
    buckets: Mutex<HashMap<K, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl<K: Eq + Hash> Rate<K> {
    /// So many a second; 0 for any number.
    pub fn new(per_second: u32) -> Self {
        Self { per_second: f64::from(per_second), buckets: Mutex::default() }
    }

    /// Whether this one may ask now.
    pub fn allows(&self, who: K, now: Instant) -> bool {
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
        let bucket = buckets.entry(who).or_insert(Bucket { left: most, at: now });
        let left = self.filled(*bucket, now);
        let allowed = left >= 1.0;
        *bucket = Bucket { left: if allowed { left - 1.0 } else { left }, at: now };
        allowed
    }

    fn filled(&self, bucket: Bucket, now: Instant) -> f64 {
        let since = now.saturating_duration_since(bucket.at).as_secs_f64();
        (bucket.left + since * self.per_second).min(self.per_second * BURST)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn who_asks_too_often_waits_and_others_do_not() {
        let (rate, now) = (Rate::new(10), Instant::now());
        let (one, other) = ("one", "other");
        assert_eq!((0..100).filter(|_| rate.allows(one, now)).count(), 50);
        assert!(rate.allows(other, now));
        let later = now + Duration::from_secs(1);
        assert_eq!((0..100).filter(|_| rate.allows(one, later)).count(), 10);
    }

    #[test]
    fn zero_is_any_number() {
        let (rate, now) = (Rate::new(0), Instant::now());
        assert!((0..10_000).all(|_| rate.allows("one", now)));
        assert!(rate.buckets.lock().unwrap().is_empty(), "nobody is remembered");
    }

    #[test]
    fn many_who_ask_do_not_fill_the_memory() {
        let (rate, now) = (Rate::new(1), Instant::now());
        for number in 0..30_000_u32 {
            rate.allows(number, now);
        }
        assert!(rate.buckets.lock().unwrap().len() <= REMEMBERED);
    }
}
