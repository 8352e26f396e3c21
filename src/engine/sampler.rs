//! Where plugins' code is, looked at once in a millisecond, for profiles.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// 1 ms: often enough to see functions of a tenth of a second, seldom enough to cost a hundredth.
const INTERVAL: Duration = Duration::from_millis(1);

/// 10,000 different stacks are kept; a plugin that has more is told by those that were seen first.
const MAX_STACKS: usize = 10_000;

/// Stacks of functions, from the outermost inwards, and what was seen of each.
#[derive(Clone, Default)]
pub struct Sampler(Arc<Mutex<BTreeMap<Vec<String>, Seen>>>);

/// What was seen of a stack.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// How often the code was there.
    pub count: u64,
    /// The time since the looks before those, together.
    pub time: Duration,
}

impl Sampler {
    /// The code was seen there, and not looked at for `time` before.
    pub fn saw(&self, stack: Vec<String>, time: Duration) {
        let mut stacks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if stack.is_empty() || (stacks.len() >= MAX_STACKS && !stacks.contains_key(&stack)) {
            return;
        }
        let seen = stacks.entry(stack).or_default();
        seen.count += 1;
        seen.time += time;
    }

    /// What was seen.
    pub fn stacks(&self) -> BTreeMap<Vec<String>, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sampler")
    }
}

/// Does something each millisecond, on a thread of its own, until it is dropped.
pub struct Ticker {
    is_over: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Ticker {
    /// Begins.
    pub fn start(mut tick: impl FnMut() + Send + 'static) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            while !seen.load(Ordering::Acquire) {
                thread::sleep(INTERVAL);
                tick();
            }
        });
        Self { is_over, thread: Some(thread) }
    }
}

impl Drop for Ticker {
    /// After this, nothing is done any more.
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_stacks_are_kept_and_known_ones_still_counted() {
        let sampler = Sampler::default();
        let ms = Duration::from_millis(1);
        (0..MAX_STACKS + 10).for_each(|number| sampler.saw(vec![number.to_string()], ms));
        sampler.saw(vec!["0".to_owned()], ms);
        sampler.saw(Vec::new(), ms);
        let stacks = sampler.stacks();
        let first = stacks[&vec!["0".to_owned()]];
        assert_eq!((stacks.len(), first.count, first.time), (MAX_STACKS, 2, 2 * ms));
    }
}
