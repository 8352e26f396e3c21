//! How many parts of a call are handed over together.

use std::time::Duration;

/// How many parts a thread takes at once: more while they are done in no time. Those that take long are not kept waiting for each
/// other, and whoever stops the run does not wait for many.
#[derive(Debug, Clone, Copy)]
pub(super) struct GroupSize {
    size: usize,
    largest: usize,
}

/// How long a group may take: 50 ms. Most of what is worth sharing takes far less of it: crossing to a plugin takes 0.05 ms, and
/// what it makes anew for each crossing, such as a table, some milliseconds.
const GROUP_TIME: Duration = Duration::from_millis(50);

impl GroupSize {
    /// Begins with one, and never takes more than `largest`.
    pub fn new(largest: usize) -> Self {
        Self { size: 1, largest }
    }

    /// The same, but no more than leaves enough of those that are left to the other threads.
    pub fn among(self, left: usize, threads: usize) -> usize {
        self.size.min(left / threads).max(1)
    }

    /// Learns from how long a group took.
    pub fn adapt(&mut self, took: Duration) {
        self.size = match took {
            took if took < GROUP_TIME / 2 => (self.size * 2).min(self.largest),
            took if took > GROUP_TIME * 10 => 1,
            took if took > GROUP_TIME => (self.size / 2).max(1),
            _ => self.size,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_grows_while_it_takes_no_time_and_leaves_work_to_others() {
        let mut size = GroupSize::new(64);
        let mut after = |took: u64| {
            size.adapt(Duration::from_millis(took));
            size.size
        };
        assert_eq!([0, 1, 2, 4, 8, 16, 24].map(&mut after), [2, 4, 8, 16, 32, 64, 64]);
        assert_eq!([40, 60, 1, 600, 30].map(&mut after), [64, 32, 64, 1, 1]);
        let size = GroupSize { size: 64, largest: 64 };
        assert_eq!([1_000, 100, 3, 0].map(|left| size.among(left, 8)), [64, 12, 1, 1]);
        let mut alone = GroupSize::new(1);
        alone.adapt(Duration::ZERO);
        assert_eq!(alone.size, 1);
    }
}
