//! Rings at deadlines: one thread for the whole process, started with the first call that has a deadline.
//!
//! A loop inside a plugin cannot look at the clock, so something outside must interrupt it. The thread sleeps until the
//! earliest deadline; a call that ends in time costs two entries in a map and wakes nobody.

use std::collections::BTreeMap;
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

type Ring = Box<dyn FnOnce() + Send>;

/// When, and a number that tells two deadlines of the same instant apart.
type Key = (Instant, u64);

static TIMER: LazyLock<Timer> = LazyLock::new(Timer::start);

#[derive(Default)]
struct Timer {
    state: Mutex<State>,
    earlier: Condvar,
}

#[derive(Default)]
struct State {
    rings: BTreeMap<Key, Ring>,
    next_number: u64,
    /// When the thread will look again by itself; `None` when it sleeps until it is woken.
    wakes_at: Option<Instant>,
}

/// Rings once at its deadline, unless it is dropped before. After the drop the ring does not run and is not running.
pub struct Alarm(Key);

impl Alarm {
    /// Runs `ring` at `deadline`. All rings wait for each other: it must be a matter of nanoseconds.
    pub fn at(deadline: Instant, ring: impl FnOnce() + Send + 'static) -> Self {
        let mut state = TIMER.lock();
        let key = (deadline, state.next_number);
        state.next_number += 1;
        state.rings.insert(key, Box::new(ring));
        if state.wakes_at.is_none_or(|wakes_at| deadline < wakes_at) {
            state.wakes_at = Some(deadline);
            TIMER.earlier.notify_one();
        }
        Self(key)
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        // The lock is held while a ring runs, so holding it here means that none does.
        let ring = TIMER.lock().rings.remove(&self.0);
        drop(ring);
    }
}

impl Timer {
    fn start() -> Self {
        let spawned = thread::Builder::new().name("plugin-deadlines".to_owned()).spawn(|| TIMER.run());
        // Without the thread no deadline would hold; a system that cannot start one cannot run plugins.
        spawned.expect("the system can start one more thread");
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            while let Some(due) = state.rings.first_entry().filter(|entry| entry.key().0 <= now) {
                due.remove()();
            }
            state.wakes_at = state.rings.keys().next().map(|key| key.0);
            state = match state.wakes_at {
                Some(at) => {
                    let left = at.saturating_duration_since(now);
                    self.earlier.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.earlier.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn alarms_ring_in_the_order_of_their_deadlines_and_not_after_their_drop() {
        let (sender, receiver) = mpsc::channel();
        let now = Instant::now();
        let alarm = |millis, name| {
            let sender = sender.clone();
            let ring = move || sender.send((name, Instant::now())).expect("the test listens");
            Alarm::at(now + Duration::from_millis(millis), ring)
        };
        let (_late, dropped, _early) = (alarm(40, "late"), alarm(30, "dropped"), alarm(20, "early"));
        drop(dropped);
        let first = receiver.recv().expect("the early one rings");
        let second = receiver.recv().expect("the late one rings");
        assert_eq!((first.0, second.0), ("early", "late"));
        assert!(first.1 >= now + Duration::from_millis(20) && second.1 >= now + Duration::from_millis(40));
        assert!(receiver.try_recv().is_err());
    }
}
