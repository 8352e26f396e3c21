//! What a run tells while it goes on.

use std::time::Duration;

use serde_json::Value;

use crate::engine::CallError;

/// Sees what happens in a run, on the thread that drives it: it should return at once.
pub trait Observer {
    /// Something happened.
    fn see(&self, event: &RunEvent<'_>);
}

/// Sees nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn see(&self, _event: &RunEvent<'_>) {}
}

/// Something that happened in a run.
#[derive(Debug)]
pub enum RunEvent<'a> {
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
}
