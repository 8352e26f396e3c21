//! When a web server is asked again.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::storage::StorageError;

/// How often at least one file is asked for.
const ATTEMPTS: u32 = 5;
/// As long as other files came within this, it is not the server that is gone: it has much to do.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause before the second attempt; it doubles from there.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause, whatever `Retry-After` says.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// An attempt that failed.
#[derive(Debug)]
pub(super) struct Failed {
    pub error: StorageError,
    pub again: Again,
}

/// Whether another attempt may succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    Never,
    /// After as long as the server says, if it does.
    Later(Option<Duration>),
}

impl Again {
    /// After this answer.
    pub fn after(status: StatusCode, headers: &HeaderMap) -> Self {
        if status != StatusCode::TOO_MANY_REQUESTS && !status.is_server_error() {
            return Self::Never;
        }
        let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        Self::Later(seconds.map(Duration::from_secs))
    }

    /// After a connection that was not made or did not hold.
    pub fn after_error(error: &reqwest::Error) -> Self {
        if error.is_redirect() || error.is_builder() { Self::Never } else { Self::Later(None) }
    }
}

/// When something last came.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<Option<Instant>>);

impl Progress {
    /// Something came.
    pub fn made(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// How long to wait after this failure of attempt number `attempt`, counted from 1; none if it is the last one.
    pub fn pause(&self, attempt: u32, again: Again) -> Option<Duration> {
        let Again::Later(asked) = again else { return None };
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if attempt >= ATTEMPTS && last.is_none_or(|last| last.elapsed() > PATIENCE) {
            return None;
        }
        let own = FIRST_PAUSE * 2_u32.saturating_pow(attempt.min(10) - 1);
        Some(asked.unwrap_or(own).min(LONGEST_PAUSE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_has_much_to_do_is_asked_again_and_one_that_says_no_is_not() {
        let mut headers = HeaderMap::new();
        assert_eq!(Again::after(StatusCode::FORBIDDEN, &headers), Again::Never);
        assert_eq!(Again::after(StatusCode::SERVICE_UNAVAILABLE, &headers), Again::Later(None));
        headers.insert(RETRY_AFTER, "3".parse().expect("a value"));
        let later = Again::after(StatusCode::TOO_MANY_REQUESTS, &headers);
        assert_eq!(later, Again::Later(Some(Duration::from_secs(3))));
        let progress = Progress::default();
        assert_eq!(progress.pause(1, Again::Never), None);
        assert_eq!(progress.pause(1, Again::Later(None)), Some(FIRST_PAUSE));
        assert_eq!(progress.pause(1, later), Some(Duration::from_secs(3)));
        assert_eq!(progress.pause(1, Again::Later(Some(Duration::MAX))), Some(LONGEST_PAUSE));
        // A server from which nothing comes is given up, one that answers others is not.
        assert_eq!(progress.pause(ATTEMPTS, later), None);
        progress.made();
        assert_eq!(progress.pause(50, later), Some(Duration::from_secs(3)));
    }
}
