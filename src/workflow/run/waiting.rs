//! What a run waits for: nodes on other threads, pauses before retries, time limits, and who stops it.

use std::time::{Duration, Instant};

use super::{Driver, NO_DEADLINE, plain};
use crate::engine::CallError;
use crate::nodes::{Outcome, Stop};
use crate::workflow::report::{RunError, RunErrorKind, RunReport};
use crate::workflow::schedule::{Event, Interruption, Step};

/// How long a call may go on past its deadline before its thread is given up: 1 s. Plugins keep their own deadlines,
/// and their errors say more.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// A step on another thread.
pub(super) struct InFlight {
    pub step: Step,
    pub began: Instant,
    /// When its thread is given up.
    pub given_up: Instant,
}

/// What a step on another thread came to.
pub(super) struct JobResult {
    pub id: u64,
    pub attempt: u32,
    pub result: Result<Outcome, CallError>,
}

/// What happens at a certain time.
pub(super) enum Timer {
    /// A step is tried again.
    Retry(Step),
    /// The thread of a step is given up.
    GiveUp,
}

/// What the driver woke up for.
enum Wake {
    Job(JobResult),
    Time,
    Stopped,
}

impl Driver<'_> {
    pub(super) fn run_with_threads(&mut self) -> Result<RunReport, RunError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .max_blocking_threads(self.options.max_parallel.max(1) * 2)
            .build()
            .map_err(|error| plain(RunErrorKind::Internal, format!("cannot start the scheduler: {error}")))?;
        runtime.block_on(self.drive());
        let result = self.result();
        self.tell_nodes_to_stop();
        // A call that ignores its deadline must not hold the result back.
        runtime.shutdown_background();
        result
    }

    async fn drive(&mut self) {
        loop {
            self.advance();
            self.start_queued();
            while let Some(Ok(result)) = self.jobs.try_join_next() {
                self.finish_job(result);
            }
            self.end_grace();
            if self.grace.is_none() {
                if self.ended.is_some() {
                    return;
                }
                if !self.ready.is_empty() {
                    continue;
                }
            }
            match self.wait().await {
                Wake::Job(result) => self.finish_job(result),
                Wake::Time => self.fire_timers(),
                Wake::Stopped => self.check_time(),
            }
        }
    }

    async fn wait(&mut self) -> Wake {
        let next = self.timers.keys().next().map(|(at, _)| *at);
        let next = next.into_iter().chain(self.deadline).chain(self.grace).min();
        let at = next.unwrap_or_else(|| Instant::now() + NO_DEADLINE);
        let stop = self.stopper().clone();
        tokio::select! {
            biased;
            () = stop.stopped() => Wake::Stopped,
            Some(result) = self.jobs.join_next() => match result {
                Ok(result) => Wake::Job(result),
                // Jobs catch their own panics, and nobody cancels them.
                Err(_) => Wake::Time,
            },
            () = tokio::time::sleep_until(at.into()) => Wake::Time,
        }
    }

    /// The same without any other thread.
    pub(super) fn run_on_this_thread(&mut self) -> Result<RunReport, RunError> {
        loop {
            self.advance();
            // Nothing is under way elsewhere, so there is nothing to wait for after a stop.
            self.grace = None;
            if self.ended.is_some() {
                return self.result();
            }
            if let Some((at, _)) = self.timers.keys().next().filter(|_| self.ready.is_empty()) {
                let until = self.deadline.map_or(*at, |deadline| deadline.min(*at));
                self.stopper().sleep(until.saturating_duration_since(Instant::now()));
                self.fire_timers();
            }
        }
    }

    /// Who can end what runs now: the run, or `finally`.
    fn stopper(&self) -> &Stop {
        if self.state.is_running() { &self.options.stop } else { &self.options.abort }
    }

    /// Ends the run if its time is up or somebody stopped it.
    pub(super) fn check_time(&mut self) {
        if self.ended.is_some() {
            if self.options.abort.is_stopped() {
                self.grace = None;
            }
            return;
        }
        let interruption = if self.stopper().is_stopped() {
            Some((Interruption::Stopped, self.stop_message()))
        } else if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            Some((Interruption::TimedOut, self.time_message()))
        } else {
            None
        };
        if let Some((why, message)) = interruption {
            self.apply(Event::Interrupted { why, message }, None);
        }
    }

    fn fire_timers(&mut self) {
        self.check_time();
        let now = Instant::now();
        while let Some(entry) = self.timers.first_entry().filter(|entry| entry.key().0 <= now) {
            let (_, id) = *entry.key();
            match entry.remove() {
                Timer::Retry(step) => self.ready.push_back(step),
                Timer::GiveUp => self.give_up(id),
            }
        }
    }

    fn give_up(&mut self, id: u64) {
        let Some(flight) = self.in_flight.get(&id) else { return };
        let node = &self.plan.nodes[flight.step.node];
        let limit = flight.given_up.saturating_duration_since(flight.began).saturating_sub(GRACE);
        let error = CallError::timeout(&node.node_type, node.timeout.unwrap_or(limit));
        self.finish_job(JobResult { id, attempt: flight.step.attempt, result: Err(error) });
    }

    /// Takes the result of a call on another thread, unless it was given up before.
    fn finish_job(&mut self, job: JobResult) {
        let is_awaited = self.in_flight.get(&job.id).is_some_and(|flight| flight.step.attempt == job.attempt);
        let Some(flight) = is_awaited.then(|| self.in_flight.remove(&job.id)).flatten() else { return };
        self.timers.remove(&(flight.given_up, job.id));
        self.conclude(flight.step, job.result, flight.began);
    }
}
