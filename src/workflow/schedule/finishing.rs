//! The end of a run, and the nodes of `finally` that run after it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Command, Failure, Interruption, Outcome, Phase, Turn};
use crate::engine::CallErrorKind;

impl Turn<'_> {
    /// The run has ended: what is under way is not waited for, and `finally` begins.
    pub(super) fn end(&mut self, outcome: Outcome) {
        if matches!(self.state.phase, Phase::Over) {
            return;
        }
        let is_first = self.state.is_running();
        self.state.waiting.clear();
        self.state.ends.clear();
        if !self.state.live.is_empty() {
            self.state.live.clear();
            // Steps that this very event started never began.
            self.commands.retain(|command| !matches!(command, Command::Start(_) | Command::StartAfter(..)));
            self.commands.push(Command::Cancel);
        }
        // Who interrupts `finally` has it left out; what ended the run before stays the reason.
        let former = match std::mem::replace(&mut self.state.phase, Phase::Over) {
            Phase::Finishing { outcome, .. } if !matches!(outcome, Outcome::Done(_)) => Some(outcome),
            _ => None,
        };
        let outcome = former.unwrap_or(outcome);
        if is_first && !self.graph.finals.is_empty() {
            self.state.phase = Phase::Finishing { outcome, started: 0 };
            self.next_final();
        } else {
            self.commands.push(Command::End(outcome));
        }
    }

    /// Starts the next node of `finally`, or ends the run.
    pub(super) fn next_final(&mut self) {
        let Phase::Finishing { outcome, started } = &mut self.state.phase else { return };
        if let Some(&node) = self.graph.finals.get(*started) {
            *started += 1;
            let input = Arc::new(described(outcome, |node| self.graph.nodes[node].name.to_string()));
            self.launch(node, input, Vec::new());
            return;
        }
        if let Phase::Finishing { outcome, .. } = std::mem::replace(&mut self.state.phase, Phase::Over) {
            self.commands.push(Command::End(outcome));
        }
    }

    /// A node of `finally` failed for good: the others run all the same. A run that had succeeded has failed with it.
    pub(super) fn final_failed(&mut self, node: usize, failure: Failure) {
        if let Some(super::Recovery::Value(value)) = &self.graph.nodes[node].recovery {
            self.commands.push(Command::Recover(node, Arc::clone(value)));
        } else if let Phase::Finishing { outcome, .. } = &mut self.state.phase
            && matches!(outcome, Outcome::Done(_))
        {
            *outcome = Outcome::Failed { node, failure };
        }
        self.next_final();
    }
}

/// What the nodes of `finally` receive.
fn described(outcome: &Outcome, name: impl Fn(usize) -> String) -> Value {
    let plain = |status: &str, kind: &str, message: &str| json!({"status": status, "error": {"kind": kind, "message": message}});
    match outcome {
        Outcome::Done(output) => json!({"status": "succeeded", "output": output.as_ref()}),
        Outcome::Failed { node, failure } => json!({"status": "failed", "error": failure.described(&name(*node))}),
        Outcome::TooManySteps { node } => {
            let failure = Failure {
                kind: CallErrorKind::Failed,
                message: "the run made all the steps it may make (`max_steps`)".to_owned(),
                details: None,
            };
            json!({"status": "failed", "error": failure.described(&name(*node))})
        }
        Outcome::Interrupted { why: Interruption::TimedOut, message } => plain("timed_out", "timeout", message),
        Outcome::Interrupted { why: Interruption::Stopped, message } => plain("stopped", "stopped", message),
        Outcome::Interrupted { why: Interruption::Unrecorded, message } => plain("failed", "failed", message),
    }
}
