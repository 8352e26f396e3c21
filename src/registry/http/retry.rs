//! When to ask again, and when not to.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::registry::error::TransportError;

/// Attempts in all. A server that restarts is back within the pauses between them.
const ATTEMPTS: u32 = 4;
/// The pause before the second attempt; it doubles from there.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause, whatever `Retry-After` says.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// 64 KiB: an attempt that brought so much was worth it, and does not count against the next ones.
const WORTH_IT: u64 = 64 << 10;

/// An attempt that failed.
pub(super) struct Failed {
    pub error: TransportError,
    /// What the server asked for.
    pub wait: Option<Duration>,
}

impl From<TransportError> for Failed {
    fn from(error: TransportError) -> Self {
        Self { error, wait: None }
    }
}

/// The attempts at one request.
pub(super) struct Retries {
    attempt: u32,
    reached: u64,
}

impl Retries {
    pub fn new() -> Self {
        Self { attempt: 1, reached: 0 }
    }

    /// A download that got further than ever before may be cut as often as it likes.
    pub fn got_to(&mut self, bytes: u64) {
        if bytes >= self.reached + WORTH_IT {
            self.reached = bytes;
            self.attempt = 1;
        }
    }

    /// Pauses before the next attempt. The error comes back when it will not pass, or has not passed often enough.
    pub async fn wait_after(&mut self, failed: Failed) -> Result<(), TransportError> {
        tokio::time::sleep(self.pause_after(failed)?).await;
        Ok(())
    }

    fn pause_after(&mut self, failed: Failed) -> Result<Duration, TransportError> {
        if self.attempt >= ATTEMPTS || !failed.error.may_pass() {
            return Err(failed.error);
        }
        let pause = failed.wait.unwrap_or_else(|| spread(FIRST_PAUSE * 2u32.saturating_pow(self.attempt - 1)));
        self.attempt += 1;
        Ok(pause.min(LONGEST_PAUSE))
    }
}

/// `Retry-After`: seconds, or the date to come back at.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    // A date that has passed means now.
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

/// Between a half and the whole of a pause: clients that were refused together must not come back together.
fn spread(pause: Duration) -> Duration {
    // A new hash state is seeded at random, which is all the chance that is needed here.
    let chance = RandomState::new().hash_one(()) % 1_000;
    pause / 2 + pause / 2 * u32::try_from(chance).unwrap_or_default() / 1_000
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn after(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(value).unwrap());
        retry_after(&headers)
    }

    #[test]
    fn a_server_may_name_seconds_or_a_date() {
        assert_eq!(after("7"), Some(Duration::from_secs(7)));
        assert_eq!(after("Thu, 01 Jan 1970 00:00:00 GMT"), Some(Duration::ZERO));
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3_600));
        let wait = after(&soon).unwrap();
        assert!(wait > Duration::from_secs(3_500) && wait <= Duration::from_secs(3_600), "{wait:?}");
        assert_eq!(after("soon"), None);
        assert_eq!(after("-1"), None);
    }

    #[test]
    fn a_pause_is_spread_over_its_second_half() {
        let pause = Duration::from_millis(200);
        let pauses: Vec<_> = (0..50).map(|_| spread(pause)).collect();
        assert!(pauses.iter().all(|one| (pause / 2..=pause).contains(one)), "{pauses:?}");
        assert!(pauses.iter().any(|one| one != &pauses[0]), "{pauses:?}");
    }

    #[test]
    fn an_error_that_cannot_pass_is_final_and_one_that_may_is_tried_four_times() {
        let url = || "http://example.com/".to_owned();
        let status = |status| Failed::from(TransportError::Status { url: url(), status, message: None });
        assert!(Retries::new().pause_after(status(403)).is_err());
        let mut retries = Retries::new();
        for _ in 1..ATTEMPTS {
            retries.pause_after(status(503)).unwrap();
        }
        assert!(retries.pause_after(status(503)).is_err());
    }

    #[test]
    fn a_download_that_gets_further_is_not_given_up() {
        let cut = || Failed::from(TransportError::Status { url: String::new(), status: 502, message: None });
        let mut retries = Retries::new();
        for attempt in 1..20 {
            retries.got_to(attempt * WORTH_IT);
            retries.pause_after(cut()).unwrap();
        }
    }
}
