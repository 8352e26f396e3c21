//! A seat that one holds at a time, while the others wait until their deadline.

use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Holds a value that one thread at a time may use. Unlike a mutex, waiting for it ends at a deadline.
pub struct Seat<T> {
    free: Mutex<Option<T>>,
    freed: Condvar,
}

/// The value, until this is dropped.
pub struct Seated<'a, T> {
    seat: &'a Seat<T>,
    value: Option<T>,
}

impl<T> Seat<T> {
    /// A free seat with `value`.
    pub fn new(value: T) -> Self {
        Self { free: Mutex::new(Some(value)), freed: Condvar::new() }
    }

    /// Waits for the value; `None` when the deadline passed first.
    pub fn take(&self, deadline: Instant) -> Option<Seated<'_, T>> {
        let mut free = self.lock();
        loop {
            if let Some(value) = free.take() {
                return Some(Seated { seat: self, value: Some(value) });
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            (free, _) = self.freed.wait_timeout(free, left).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The value is in its place whenever the lock is free, so a panic elsewhere broke nothing.
    fn lock(&self) -> MutexGuard<'_, Option<T>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Deref for Seated<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("it is there until the drop")
    }
}

impl<T> DerefMut for Seated<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("it is there until the drop")
    }
}

impl<T> Drop for Seated<'_, T> {
    fn drop(&mut self) {
        *self.seat.lock() = self.value.take();
        self.seat.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn who_waits_gives_up_at_the_deadline_and_gets_the_seat_when_it_is_free() {
        let seat = Seat::new(1);
        let mut held = seat.take(Instant::now()).expect("it is free");
        *held += 1;
        assert!(seat.take(Instant::now() + Duration::from_millis(5)).is_none());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| *seat.take(Instant::now() + Duration::from_secs(60)).expect("it gets free"));
            drop(held);
            assert_eq!(waiting.join().expect("it does not panic"), 2);
        });
    }
}
