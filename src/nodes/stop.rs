//! Tells everything that belongs to a run that its result is no longer wanted.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;

/// A signal that is given once and seen by every clone.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    changed: Condvar,
    notify: Notify,
}

#[derive(Debug, Default)]
struct State {
    is_stopped: bool,
    children: Vec<Weak<Inner>>,
}

impl Stop {
    /// A signal of its own that is given with this one as well; giving it leaves this one alone.
    pub fn child(&self) -> Self {
        let child = Self::default();
        let mut state = self.0.lock();
        if state.is_stopped {
            child.stop();
        } else {
            state.children.retain(|child| child.strong_count() > 0);
            state.children.push(Arc::downgrade(&child.0));
        }
        drop(state);
        child
    }

    /// Gives the signal.
    pub fn stop(&self) {
        let children = {
            let mut state = self.0.lock();
            state.is_stopped = true;
            std::mem::take(&mut state.children)
        };
        self.0.changed.notify_all();
        self.0.notify.notify_waiters();
        for child in children.iter().filter_map(Weak::upgrade) {
            Self(child).stop();
        }
    }

    /// Whether it was given.
    pub fn is_stopped(&self) -> bool {
        self.0.lock().is_stopped
    }

    /// Sleeps on this thread for a while, or less when the signal is given. True when the whole time went by.
    pub fn sleep(&self, duration: Duration) -> bool {
        let waited = self.0.changed.wait_timeout_while(self.0.lock(), duration, |state| !state.is_stopped);
        !waited.unwrap_or_else(PoisonError::into_inner).0.is_stopped
    }

    /// Waits until the signal is given.
    pub async fn stopped(&self) {
        let notified = self.0.notify.notified();
        tokio::pin!(notified);
        // Registered before the flag is read: a signal between the two is not missed.
        notified.as_mut().enable();
        if !self.is_stopped() {
            notified.await;
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_ends_a_sleep() {
        let stop = Stop::default();
        let other = stop.clone();
        let sleeper = std::thread::spawn(move || other.sleep(Duration::from_secs(600)));
        stop.stop();
        assert!(!sleeper.join().unwrap());
        assert!(Stop::default().sleep(Duration::ZERO));
    }

    #[test]
    fn a_signal_reaches_children_and_not_parents() {
        let parent = Stop::default();
        let (early, grandchild) = (parent.child(), parent.child().child());
        early.stop();
        assert!(!parent.is_stopped());
        // Its parent is gone, and nobody else can stop it.
        assert!(!grandchild.is_stopped());
        let child = parent.child();
        parent.stop();
        assert!(child.is_stopped() && parent.child().is_stopped());
    }
}
