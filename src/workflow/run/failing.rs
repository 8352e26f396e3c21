//! How a run says why it ended early.

use super::{Driver, plain};
use crate::engine::budget::Seconds;
use crate::workflow::report::{RunError, RunErrorKind};
use crate::workflow::schedule::Failure;

impl Driver<'_> {
    /// Where the run is, for a message.
    fn whereabouts(&self) -> String {
        let mut names: Vec<String> =
            self.state.live().map(|step| format!("`{}`", self.plan.nodes[step.node].name)).collect();
        names.sort();
        names.dedup();
        match names.len() {
            0 => "no node was running".to_owned(),
            1 => format!("{} was running", names[0]),
            _ => format!("{} were running", names.join(", ")),
        }
    }

    pub(super) fn time_message(&self) -> String {
        let limit = match self.plan.timeout {
            Some(timeout) => format!("the workflow's timeout of {} was up", Seconds(timeout)),
            None => "the run's time was up".to_owned(),
        };
        format!("{limit} while {}", self.whereabouts())
    }

    pub(super) fn stop_message(&self) -> String {
        format!("the run was stopped while {}", self.whereabouts())
    }

    pub(super) fn node_error(&self, node: usize, failure: Failure) -> RunError {
        let node = &self.plan.nodes[node];
        RunError {
            node: Some(node.name.to_string()),
            plugin: node.plugin.clone(),
            kind: RunErrorKind::Node(failure.kind),
            message: failure.message,
            details: failure.details,
        }
    }

    pub(super) fn runaway(&self, node: usize) -> RunError {
        let cycle = self.plan.graph.cycle(node).join(" → ");
        let cycle = if cycle.is_empty() { String::new() } else { format!(", in the cycle {cycle}") };
        let message = format!("the run was stopped after {} steps (`max_steps`){cycle}", self.plan.max_steps);
        let node = self.plan.nodes[node].name.to_string();
        RunError { node: Some(node), ..plain(RunErrorKind::TooManySteps, message) }
    }
}
