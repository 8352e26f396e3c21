//! The end of a run: nodes are told, waited for, and the outcome becomes a report.

use std::time::{Duration, Instant};

use super::{Driver, Threads, plain};
use crate::workflow::report::{RunError, RunErrorKind, RunReport};
use crate::workflow::schedule::{Interruption, Outcome};

/// How long nodes have to end after the run was stopped, and before `finally` begins: 5 s.
const STOP_GRACE: Duration = Duration::from_secs(5);

impl Driver<'_> {
    /// Nobody waits any more for what is under way; but it gets a moment to end where that matters.
    pub(super) fn cancel(&mut self) {
        self.tell_nodes_to_stop();
        let was_busy = !self.in_flight.is_empty();
        self.ready.clear();
        self.queued.clear();
        self.timers.clear();
        self.in_flight.clear();
        let matters = !self.plan.graph.finals.is_empty() || self.options.stop.is_stopped();
        if was_busy && matters && !self.options.abort.is_stopped() {
            self.grace = Some(Instant::now() + STOP_GRACE);
        }
    }

    /// Whether they ended or not: after a while the run goes on without them.
    pub(super) fn end_grace(&mut self) {
        let is_over = |until: Instant| Instant::now() >= until || self.options.abort.is_stopped();
        if self.grace.is_some_and(|until| self.jobs.is_empty() || is_over(until)) {
            self.grace = None;
        }
    }

    /// Nobody waits any more for what still runs. On a thread that is not its own, the run has nothing that still runs.
    pub(super) fn tell_nodes_to_stop(&self) {
        if self.threads() == Threads::Several {
            self.stop.stop();
        }
    }

    /// The run's limit and stop do not bind `finally`: who aborts the run stops it.
    pub(super) fn leave_limits(&mut self) {
        self.deadline = None;
        self.stop = self.options.abort.child();
    }

    pub(super) fn result(&mut self) -> Result<RunReport, RunError> {
        let outcome = self.ended.take();
        let outcome =
            outcome.ok_or_else(|| plain(RunErrorKind::Internal, "the scheduler has lost its way".to_owned()))?;
        match outcome {
            Outcome::Done(output) => Ok(RunReport { output, steps: self.state.steps(), elapsed: self.began.elapsed() }),
            Outcome::Failed { node, failure } => Err(self.node_error(node, failure)),
            Outcome::TooManySteps { node } => Err(self.runaway(node)),
            Outcome::Interrupted { why, message } => {
                let kind = match why {
                    Interruption::TimedOut => RunErrorKind::TimedOut,
                    Interruption::Stopped => RunErrorKind::Stopped,
                    Interruption::Unrecorded => RunErrorKind::Unrecorded,
                };
                Err(plain(kind, message))
            }
        }
    }
}
