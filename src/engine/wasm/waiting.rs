//! Instances that wait for their next call, under the policy that the plugin's manifest names.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pocket_index::manifest::InstancePolicy;

/// As many pooled instances are kept as calls can run at once on a large machine; more would only hold memory.
const MAX_POOLED: usize = 16;

/// Instances of so many runs are kept. A run whose instance was dropped gets a new one.
const MAX_RUNS: usize = 64;

/// Instances that wait.
pub(super) struct Waiting<I> {
    policy: InstancePolicy,
    shelf: Mutex<Shelf<I>>,
    came_back: Condvar,
}

struct Shelf<I> {
    pooled: Vec<I>,
    /// The run that was served last is at the end.
    runs: VecDeque<(String, Place<I>)>,
}

enum Place<I> {
    Waits(Box<I>),
    /// A call of the run has it.
    Taken,
}

/// A call's place: what is put into it is kept for the next call.
pub(super) struct Seat<'a, I> {
    waiting: &'a Waiting<I>,
    run_id: &'a str,
    /// The instance that waited, if one did.
    pub(super) instance: Option<I>,
    /// What would have to be dropped to make room.
    pub(super) dropped: Option<I>,
}

impl<I> Waiting<I> {
    pub(super) fn new(policy: InstancePolicy) -> Self {
        let shelf = Shelf { pooled: Vec::new(), runs: VecDeque::new() };
        Self { policy, shelf: Mutex::new(shelf), came_back: Condvar::new() }
    }

    /// A place for a call of a run. None if another call of the run has its instance until the deadline.
    pub(super) fn seat<'a>(&'a self, run_id: &'a str, deadline: Instant) -> Option<Seat<'a, I>> {
        let mut dropped = None;
        let instance = match self.policy {
            InstancePolicy::PerCall => None,
            InstancePolicy::Pooled => self.lock().pooled.pop(),
            InstancePolicy::PerRun => {
                let (instance, left_out) = self.of_run(run_id, deadline)?;
                dropped = left_out;
                instance
            }
        };
        Some(Seat { waiting: self, run_id, instance, dropped })
    }

    /// Takes out everything that belongs to a run and to the runs inside it, whose names are `<run>/<node>`.
    pub(super) fn end_run(&self, run_id: &str) -> Vec<I> {
        let belongs = |run: &str| run.strip_prefix(run_id).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let mut shelf = self.lock();
        let (ended, others) = std::mem::take(&mut shelf.runs)
            .into_iter()
            .partition(|(run, place)| belongs(run) && matches!(place, Place::Waits(_)));
        shelf.runs = others;
        waiting_in(ended)
    }

    /// Takes out everything.
    pub(super) fn drain(&self) -> Vec<I> {
        let mut shelf = self.lock();
        let mut all = std::mem::take(&mut shelf.pooled);
        all.extend(waiting_in(std::mem::take(&mut shelf.runs)));
        all
    }

    fn of_run(&self, run_id: &str, deadline: Instant) -> Option<(Option<I>, Option<I>)> {
        let mut shelf = self.lock();
        loop {
            let Some(at) = shelf.runs.iter().position(|(run, _)| run == run_id) else {
                let left_out = shelf.make_room();
                shelf.runs.push_back((run_id.to_owned(), Place::Taken));
                return Some((None, left_out));
            };
            if let Place::Waits(instance) = std::mem::replace(&mut shelf.runs[at].1, Place::Taken) {
                let served = shelf.runs.remove(at);
                shelf.runs.extend(served);
                return Some((Some(*instance), None));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            shelf = self.came_back.wait_timeout(shelf, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shelf<I>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn waiting_in<I>(runs: VecDeque<(String, Place<I>)>) -> Vec<I> {
    let waiting = |(_, place)| match place {
        Place::Waits(instance) => Some(*instance),
        Place::Taken => None,
    };
    runs.into_iter().filter_map(waiting).collect()
}

impl<I> Shelf<I> {
    /// Drops the run that was not served for the longest time, if there are too many.
    fn make_room(&mut self) -> Option<I> {
        if self.runs.len() < MAX_RUNS {
            return None;
        }
        let at = self.runs.iter().position(|(_, place)| matches!(place, Place::Waits(_)))?;
        match self.runs.remove(at)?.1 {
            Place::Waits(instance) => Some(*instance),
            Place::Taken => None,
        }
    }
}

impl<I> Drop for Seat<'_, I> {
    fn drop(&mut self) {
        let mut shelf = self.waiting.lock();
        match (self.waiting.policy, self.instance.take()) {
            (InstancePolicy::Pooled, Some(instance)) if shelf.pooled.len() < MAX_POOLED => shelf.pooled.push(instance),
            (InstancePolicy::PerRun, instance) => {
                if let Some(at) = shelf.runs.iter().position(|(run, _)| run == self.run_id) {
                    match instance {
                        Some(instance) => shelf.runs[at].1 = Place::Waits(Box::new(instance)),
                        None => drop(shelf.runs.remove(at)),
                    }
                }
                self.waiting.came_back.notify_all();
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    /// Has a call of `run` use the instance that waited, or `new`; says which one it was.
    fn call(waiting: &Waiting<u32>, run: &str, new: u32) -> u32 {
        let mut seat = waiting.seat(run, soon()).expect("nobody else has the instance");
        *seat.instance.get_or_insert(new)
    }

    #[test]
    fn per_call_keeps_nothing() {
        let waiting = Waiting::new(InstancePolicy::PerCall);
        assert_eq!([call(&waiting, "a", 1), call(&waiting, "a", 2)], [1, 2]);
    }

    #[test]
    fn a_pool_serves_any_run_and_is_bounded() {
        let waiting = Waiting::new(InstancePolicy::Pooled);
        assert_eq!([call(&waiting, "a", 1), call(&waiting, "b", 2)], [1, 1]);
        let seats: Vec<_> = (0..100)
            .map(|number| {
                let mut seat = waiting.seat("a", soon()).expect("a pool never waits");
                seat.instance.get_or_insert(number);
                seat
            })
            .collect();
        drop(seats);
        assert_eq!(waiting.drain().len(), MAX_POOLED);
    }

    #[test]
    fn a_run_has_one_instance_and_others_have_their_own() {
        let waiting = Waiting::new(InstancePolicy::PerRun);
        assert_eq!([call(&waiting, "a", 1), call(&waiting, "b", 2), call(&waiting, "a", 3)], [1, 2, 1]);
        assert_eq!([call(&waiting, "a/node", 5), call(&waiting, "ab", 6)], [5, 6]);
        assert_eq!(waiting.end_run("a"), [1, 5]);
        assert_eq!(call(&waiting, "a", 4), 4, "a run that ended leaves nothing");
    }

    #[test]
    fn calls_of_one_run_wait_for_each_other_until_their_deadline() {
        let waiting = Waiting::new(InstancePolicy::PerRun);
        let mut first = waiting.seat("a", soon()).expect("it is the first");
        first.instance = Some(1);
        assert!(waiting.seat("a", soon()).is_none());
        std::thread::scope(|scope| {
            let second = scope.spawn(|| {
                let late = Instant::now() + Duration::from_secs(20);
                waiting.seat("a", late).and_then(|mut seat| seat.instance.take())
            });
            drop(first);
            assert_eq!(second.join().expect("no test panics"), Some(1));
        });
    }

    #[test]
    fn a_call_that_kept_nothing_frees_its_run() {
        let waiting = Waiting::new(InstancePolicy::PerRun);
        drop(waiting.seat("a", soon()).expect("it is the first"));
        assert_eq!(call(&waiting, "a", 2), 2);
    }

    #[test]
    fn the_run_that_was_not_served_for_the_longest_time_goes_first() {
        let waiting = Waiting::new(InstancePolicy::PerRun);
        for number in 0..MAX_RUNS {
            call(&waiting, &number.to_string(), 0);
        }
        call(&waiting, "0", 7);
        let seat = waiting.seat("one more", soon()).expect("there is room for it");
        assert_eq!(seat.dropped, Some(0));
        drop(seat);
        assert_eq!([call(&waiting, "0", 9), call(&waiting, "1", 9)], [0, 9], "`1` was dropped, `0` was not");
    }
}
