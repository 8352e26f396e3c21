//! What follows from a plugin's deaths: it starts again after a while, or for some time not, or never.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pocket_index::manifest::FailurePolicy;
use serde_json::json;

use crate::engine::budget::Seconds;
use crate::engine::error::{CallError, CallErrorKind};

/// The first restart is immediate. The second in a row waits this long, each further one twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// A plugin that dies again and again costs a process each time: one in 5 s does no harm.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// After so many deaths in a row a plugin with the policy `break` is left alone ...
const BREAKING_DEATHS: u32 = 5;

/// ... for this long. Then one more call may try.
const BROKEN_TIME: Duration = Duration::from_secs(30);

/// The deaths of one plugin's processes since a call succeeded last.
pub struct History {
    plugin: String,
    policy: FailurePolicy,
    deaths: Mutex<Deaths>,
}

#[derive(Default)]
struct Deaths {
    in_a_row: u32,
    last: Option<(Instant, String)>,
}

impl History {
    /// Nothing has happened yet.
    pub fn new(plugin: &str, policy: FailurePolicy) -> Self {
        Self { plugin: plugin.to_owned(), policy, deaths: Mutex::default() }
    }

    /// A process died, or was ended: this was said of it.
    pub fn died(&self, error: &CallError, now: Instant) {
        let mut deaths = self.lock();
        deaths.in_a_row = deaths.in_a_row.saturating_add(1);
        deaths.last = Some((now, error.message.clone()));
    }

    /// A call was answered.
    pub fn worked(&self) {
        let mut deaths = self.lock();
        if deaths.in_a_row > 0 {
            *deaths = Deaths::default();
        }
    }

    /// Whether a process died since a call succeeded last.
    pub fn has_deaths(&self) -> bool {
        self.lock().in_a_row > 0
    }

    /// When the next process may start, if it may before `deadline`.
    pub fn next_start(&self, now: Instant, deadline: Instant) -> Result<Instant, CallError> {
        let deaths = self.lock();
        let Some((died, last)) = &deaths.last else { return Ok(now) };
        let refused = |what: String| {
            let row = if deaths.in_a_row == 1 {
                String::new()
            } else {
                format!(" {} times in a row, the last time", deaths.in_a_row)
            };
            let message = format!("`{}` {what}: it died{row}: {last}", self.plugin);
            CallError::new(CallErrorKind::Crashed, message)
        };
        let (free, pause) = match self.policy {
            FailurePolicy::Fail => {
                return Err(refused("is not started again, as its manifest says (`failure: fail`)".to_owned()));
            }
            FailurePolicy::Break if deaths.in_a_row >= BREAKING_DEATHS => (*died + BROKEN_TIME, BROKEN_TIME),
            FailurePolicy::Break | FailurePolicy::Restart => {
                let pause = pause_after(deaths.in_a_row);
                (*died + pause, pause)
            }
        };
        if free <= now {
            return Ok(now);
        }
        // Whoever comes to a broken circuit is told at once; a pause between two starts is waited for.
        if pause == BROKEN_TIME || free >= deadline {
            let left = free.saturating_duration_since(now);
            let mut error = refused(format!("is left alone for {} more", Seconds(left)));
            error.details = Some(json!({"retry_after_ms": u64::try_from(left.as_millis()).unwrap_or(u64::MAX)}));
            return Err(error);
        }
        Ok(free)
    }

    /// Every step leaves the value whole, so a panic elsewhere broke nothing.
    fn lock(&self) -> MutexGuard<'_, Deaths> {
        self.deaths.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pause_after(deaths: u32) -> Duration {
    match deaths.checked_sub(2) {
        None => Duration::ZERO,
        Some(doublings) => FIRST_PAUSE.saturating_mul(1 << doublings.min(16)).min(LONGEST_PAUSE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A history of so many deaths, all at the returned moment.
    fn history(policy: FailurePolicy, deaths: u32) -> (History, Instant) {
        let (history, now) = (History::new("p", policy), Instant::now());
        for _ in 0..deaths {
            history.died(&CallError::crashed("`n` crashed with SIGSEGV"), now);
        }
        (history, now)
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn each_restart_in_a_row_waits_twice_as_long_and_a_success_ends_the_row() {
        for (deaths, pause) in [(0, 0), (1, 0), (2, 100), (3, 200), (4, 400), (7, 3200), (8, 5000), (99, 5000)] {
            let (history, now) = history(FailurePolicy::Restart, deaths);
            assert_eq!(history.next_start(now, now + ms(60_000)), Ok(now + ms(pause)), "{deaths}");
            history.worked();
            assert_eq!(history.next_start(now, now + ms(1)), Ok(now));
        }
    }

    #[test]
    fn a_call_that_cannot_wait_so_long_is_told() {
        let (history, now) = history(FailurePolicy::Restart, 5);
        let error = history.next_start(now + ms(100), now + ms(300)).expect_err("800 ms are too long");
        insta::assert_snapshot!(error, @"`p` is left alone for 700ms more: it died 5 times in a row, the last time: `n` crashed with SIGSEGV");
        assert_eq!(error.details, Some(json!({"retry_after_ms": 700})));
    }

    #[test]
    fn a_plugin_that_is_not_to_restart_does_not() {
        let (history, now) = history(FailurePolicy::Fail, 1);
        let error = history.next_start(now + ms(1_000_000), now + ms(2_000_000)).expect_err("it died");
        insta::assert_snapshot!(error, @"`p` is not started again, as its manifest says (`failure: fail`): it died: `n` crashed with SIGSEGV");
    }

    #[test]
    fn a_circuit_breaks_after_five_deaths_and_lets_one_more_try_after_a_while() {
        let (four, now) = history(FailurePolicy::Break, 4);
        assert_eq!(four.next_start(now, now + ms(60_000)), Ok(now + ms(400)));
        let (five, now) = history(FailurePolicy::Break, 5);
        let error = five.next_start(now, now + ms(60_000)).expect_err("it is broken");
        insta::assert_snapshot!(error, @"`p` is left alone for 30s more: it died 5 times in a row, the last time: `n` crashed with SIGSEGV");
        let later = now + BROKEN_TIME;
        assert_eq!(five.next_start(later, later + ms(1)), Ok(later));
        five.died(&CallError::crashed("again"), later);
        assert!(five.next_start(later + ms(1), later + ms(60_000)).is_err());
    }
}
