//! `--verbose`: a line for each thing that happens.

use crate::cli::output::Output;
use crate::workflow::{Observer, RunEvent};

/// Prints each node as it starts and ends.
pub struct Lines {
    output: Output,
}

impl Lines {
    /// Where they go.
    pub fn new(output: &Output) -> Self {
        Self { output: *output }
    }
}

impl Observer for Lines {
    fn see(&self, event: &RunEvent<'_>) {
        let (verb, what) = match event {
            RunEvent::Began { run, resumed_after: 0, .. } => ("Beginning", format!("run {run}")),
            RunEvent::Began { run, resumed_after, .. } => {
                ("Resuming", format!("run {run}, of which {resumed_after} steps are done"))
            }
            RunEvent::Started { node, node_type, attempt: 1, .. } => ("Running", format!("`{node}` ({node_type})")),
            RunEvent::Started { node, attempt, .. } => ("Running", format!("`{node}`, attempt {attempt}")),
            RunEvent::Finished { node, action, elapsed, .. } => {
                ("Done", format!("`{node}` -> {action} in {elapsed:.1?}"))
            }
            RunEvent::Retrying { node, attempt, pause } => {
                ("Retrying", format!("`{node}`, attempt {attempt} in {pause:.1?}"))
            }
            RunEvent::Failed { node, error, .. } => ("Failed", format!("`{node}`: {error}")),
            RunEvent::Recovered { node, .. } => ("Recovered", format!("`{node}`: its fallback value instead")),
            RunEvent::Ended { result: Ok(report) } => {
                ("Finished", format!("{} steps in {:.1?}", report.steps, report.elapsed))
            }
            RunEvent::Ended { result: Err(_) } => return,
        };
        self.output.step(verb, what);
    }
}
