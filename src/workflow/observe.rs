//! What a run tells while it goes on.

use std::time::Duration;

use serde_json::Value;

use super::report::{RunError, RunReport};
use crate::engine::CallError;

/// Sees what happens in a run, on the threads that drive it: it should return at once.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn see(&self, event: &RunEvent<'_>);

    /// Whether it looks at all: for one that does not, nothing is put together.
    fn looks(&self) -> bool {
        true
    }
}

/// Sees nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn see(&self, _event: &RunEvent<'_>) {}

    fn looks(&self) -> bool {
        false
    }
}

/// Something that happened in a run.
///
/// `node` is the node's name. Nodes inside of others are seen too, by their path: `sub/get` is the node `get` of the workflow
/// that `sub` runs, `all/a` the task `a` of the `parallel` node `all`, `each[3]` the body of the `foreach` node `each` for its
/// fourth item, and `each[3]/get` one of its nodes if it has several.
#[derive(Debug)]
pub enum RunEvent<'a> {
    /// The run begins, or goes on where it was cut off.
    Began {
        /// Tells it from other runs.
        run: &'a str,
        /// The workflow's name.
        workflow: &'a str,
        /// How many nodes the workflow has.
        nodes: usize,
        /// How many steps were done before; 0 unless it goes on.
        resumed_after: u64,
    },
    /// An attempt begins.
    Started {
        /// The node.
        node: &'a str,
        /// Its type with its plugin's name.
        node_type: &'a str,
        /// 1 for the first try.
        attempt: u32,
        /// What it receives.
        input: &'a Value,
    },
    /// An attempt succeeded.
    Finished {
        /// The node.
        node: &'a str,
        /// The attempt that succeeded.
        attempt: u32,
        /// What it gave.
        output: &'a Value,
        /// The action it took.
        action: &'a str,
        /// How long the attempt took.
        elapsed: Duration,
    },
    /// An attempt failed and there will be another.
    Retrying {
        /// The node.
        node: &'a str,
        /// The attempt to come.
        attempt: u32,
        /// The time until then.
        pause: Duration,
    },
    /// An attempt failed.
    Failed {
        /// The node.
        node: &'a str,
        /// The attempt that failed.
        attempt: u32,
        /// Why.
        error: &'a CallError,
        /// How long the attempt took.
        elapsed: Duration,
    },
    /// A node that failed for good has its fallback value instead.
    Recovered {
        /// The node.
        node: &'a str,
        /// The value.
        output: &'a Value,
    },
    /// The run has ended, `finally` included.
    Ended {
        /// How.
        result: Result<&'a RunReport, &'a RunError>,
    },
}
