//! Places for what one call uses at a time: who finds all taken waits until its deadline.

use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A bounded number of places. A place holds a value from the first use on, until that is taken out of it.
pub struct Pool<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    /// The value that was used last comes last, and is used first: it is warm.
    idle: Vec<T>,
    /// How many more places may be taken.
    free: usize,
    places: usize,
    closed: bool,
}

/// A place, until this is dropped.
pub struct Place<'a, T> {
    pool: &'a Pool<T>,
    value: Option<T>,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPlace {
    /// The deadline passed first.
    Deadline,
    /// The pool is closed.
    Closed,
}

impl<T> Pool<T> {
    /// As many empty places.
    pub fn new(places: usize) -> Self {
        let state = State { idle: Vec::new(), free: places, places, closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Waits for a place, one with a value rather than an empty one.
    pub fn take(&self, deadline: Instant) -> Result<Place<'_, T>, NoPlace> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return Err(NoPlace::Closed);
            }
            if state.free > 0 {
                state.free -= 1;
                return Ok(Place { pool: self, value: state.idle.pop() });
            }
            let left = deadline.checked_duration_since(Instant::now()).ok_or(NoPlace::Deadline)?;
            (state, _) = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What the values say that nobody uses now.
    pub fn idle<U>(&self, ask: impl Fn(&T) -> U) -> Vec<U> {
        self.lock().idle.iter().map(ask).collect()
    }

    /// Gives out no more places, and waits until those that are out are back or the deadline has passed. Returns the values.
    pub fn close(&self, deadline: Instant) -> Vec<T> {
        let mut state = self.lock();
        state.closed = true;
        self.changed.notify_all();
        while state.free < state.places {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { break };
            (state, _) = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::take(&mut state.idle)
    }

    /// Every step leaves the state whole, so a panic elsewhere broke nothing.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Deref for Place<'_, T> {
    type Target = Option<T>;

    fn deref(&self) -> &Option<T> {
        &self.value
    }
}

impl<T> DerefMut for Place<'_, T> {
    fn deref_mut(&mut self) -> &mut Option<T> {
        &mut self.value
    }
}

impl<T> Drop for Place<'_, T> {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        state.free += 1;
        state.idle.extend(self.value.take());
        drop(state);
        // Both who waits for a place and who waits for all of them may be there.
        self.pool.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(5)
    }

    fn late() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn who_waits_gives_up_at_the_deadline_and_gets_the_place_when_it_is_free() {
        let pool = Pool::new(1);
        let mut held = pool.take(soon()).unwrap_or_else(|_| panic!("it is free"));
        *held = Some(2);
        assert_eq!(pool.take(soon()).err(), Some(NoPlace::Deadline));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| pool.take(late()).map(|place| *place));
            drop(held);
            assert_eq!(waiting.join().expect("it does not panic"), Ok(Some(2)));
        });
    }

    #[test]
    fn a_value_is_used_again_before_an_empty_place_is() {
        let pool = Pool::new(2);
        *pool.take(soon()).unwrap_or_else(|_| panic!("it is free")) = Some("warm");
        let (first, second) = (pool.take(soon()), pool.take(soon()));
        assert_eq!(first.map(|place| *place), Ok(Some("warm")));
        assert_eq!(second.map(|place| *place), Ok(None));
    }

    #[test]
    fn a_closed_pool_waits_for_what_is_out_and_gives_out_nothing() {
        let pool = Pool::new(2);
        *pool.take(soon()).unwrap_or_else(|_| panic!("it is free")) = Some(1);
        let held = pool.take(soon()).unwrap_or_else(|_| panic!("it is free"));
        assert!(pool.close(soon()).is_empty(), "what is out is not waited for longer than the deadline");
        std::thread::scope(|scope| {
            let closing = scope.spawn(|| pool.close(late()));
            assert_eq!(pool.take(late()).err(), Some(NoPlace::Closed));
            drop(held);
            assert_eq!(closing.join().expect("it does not panic"), [1]);
        });
    }
}
