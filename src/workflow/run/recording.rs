//! What happens is written down before it counts, and what was written down is not done again.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::Driver;
use crate::workflow::journal::{Entry, JournalError};
use crate::workflow::report::{RunError, RunReport};
use crate::workflow::schedule::{self, Command, Event, Interruption, Outcome};

impl Driver<'_> {
    /// The event, written down if there is a journal. One that cannot be written does not count: what follows from it would
    /// be done again.
    pub(super) fn recorded(&mut self, event: Event, took: Option<Duration>) -> Event {
        let Some(ledger) = &self.ledger else { return event };
        let step = event.id().and_then(|id| self.state.step(id));
        let entry = Entry {
            event: &event,
            node: step.map(|step| &*self.plan.nodes[step.node].name),
            input: step.map(|step| &step.input),
            took,
        };
        match ledger.write(&entry) {
            Ok(number) => {
                self.last_record = number;
                event
            }
            Err(error) => self.unrecorded(&error),
        }
    }

    fn unrecorded(&mut self, error: &JournalError) -> Event {
        self.ledger = None;
        let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
        Event::Interrupted { why: Interruption::Unrecorded, message: format!("{error}{cause}") }
    }

    /// Before a node starts that may change the world, everything that led to it is on the disk. False if that cannot be.
    pub(super) fn is_settled(&mut self) -> bool {
        match self.ledger.as_ref().map(|ledger| ledger.settle()) {
            None | Some(Ok(())) => true,
            Some(Err(error)) => {
                let event = self.unrecorded(&error);
                self.apply(event, None);
                false
            }
        }
    }

    /// The run's own nodes have ended. Whoever takes a failed run up begins before the event that made it fail.
    pub(super) fn note_ending(&mut self, commands: &[Command]) {
        let failed =
            |command: &Command| matches!(command, Command::End(outcome) if !matches!(outcome, Outcome::Done(_)));
        if (self.state.has_failed() || commands.iter().any(failed))
            && let Some(Err(error)) = self.ledger.as_ref().map(|ledger| ledger.note_failure(self.last_record))
        {
            // It is over anyway; only taking it up will be refused.
            tracing::warn!("the journal lacks the end of the run: {error}");
            self.ledger = None;
        }
    }

    /// A fallback value stands for a node's output.
    pub(super) fn note_recovery(&self, node: usize, output: &Arc<Value>) {
        let name = &self.plan.nodes[node].name;
        if let Some(Err(error)) = self.ledger.as_ref().map(|ledger| ledger.note_recovery(name, output)) {
            // What cannot be written now cannot be written at the next event either, which ends the run.
            tracing::warn!("the journal lacks the fallback of `{name}`: {error}");
        }
    }

    /// The run is over, `finally` included.
    pub(super) fn note_end(&mut self, result: &Result<RunReport, RunError>) {
        let error = result.as_ref().err().map(ToString::to_string);
        let steps = self.state.steps();
        if !self.was_over
            && let Some(Err(error)) = self.ledger.as_ref().map(|ledger| ledger.note_end(steps, error))
        {
            tracing::warn!("the journal lacks the end of the run: {error}");
        }
    }

    /// Takes in what was written down before, and starts what was under way then. Gives the number of steps that were done,
    /// or nothing if nothing was written down before.
    pub(super) fn recall(&mut self, first: &Event) -> Option<u64> {
        let past = self.ledger.as_ref()?.past()?;
        let mut done = 0;
        self.replay(first.clone());
        for event in past {
            match event {
                Ok(event) => {
                    done += u64::from(matches!(event, Event::Finished { .. }));
                    self.replay(event);
                }
                Err(error) => {
                    let event = self.unrecorded(&error);
                    self.take(event);
                    return Some(done);
                }
            }
        }
        if !self.state.is_running() {
            self.leave_limits();
        }
        self.was_over = self.ended.is_some();
        self.ready.extend(self.state.live().cloned());
        Some(done)
    }

    fn replay(&mut self, event: Event) {
        if let Event::Finished { id, output, .. } = &event
            && let Some(node) = self.state.step(*id).map(|step| step.node)
        {
            self.keep(node, output);
        }
        for command in schedule::step(&self.plan.graph, &mut self.state, event) {
            match command {
                Command::Recover(node, output) => self.keep(node, &output),
                Command::End(outcome) => self.ended = Some(outcome),
                Command::Start(_) | Command::StartAfter(..) | Command::Cancel => {}
            }
        }
    }
}
