//! What a run did with each node, for the picture of the run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::workflow::graph::DEFAULT_ACTION;
use crate::workflow::observe::{Observer, RunEvent};

/// Notes what happens to each node of a run.
#[derive(Debug, Default)]
pub struct Trace {
    nodes: Mutex<BTreeMap<String, NodeTrace>>,
}

/// What happened to one node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct NodeTrace {
    /// Attempts that succeeded.
    pub done: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// The time of all attempts.
    pub elapsed: Duration,
    /// The actions that were taken.
    pub actions: BTreeSet<String>,
    /// How it went the last time.
    pub last: Last,
    /// The last error.
    pub error: Option<String>,
}

/// How a node's last attempt went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Last {
    /// It began.
    #[default]
    Started,
    /// It succeeded.
    Done,
    /// It failed.
    Failed,
}

impl NodeTrace {
    fn took(&mut self, action: &str) {
        if !self.actions.contains(action) {
            self.actions.insert(action.to_owned());
        }
    }
}

impl Trace {
    /// What happened to a node; none if it never began.
    pub(super) fn node(&self, name: &str) -> Option<NodeTrace> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn note(&self, node: &str, change: impl FnOnce(&mut NodeTrace)) {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        match nodes.get_mut(node) {
            Some(known) => change(known),
            None => change(nodes.entry(node.to_owned()).or_default()),
        }
    }
}

impl Observer for Trace {
    fn see(&self, event: &RunEvent<'_>) {
        match event {
            RunEvent::Started { node, .. } => self.note(node, |known| known.last = Last::Started),
            RunEvent::Finished { node, action, elapsed, .. } => self.note(node, |known| {
                known.done += 1;
                known.elapsed += *elapsed;
                known.last = Last::Done;
                known.took(action);
            }),
            // It failed, and what follows ran all the same.
            RunEvent::Recovered { node, .. } => self.note(node, |known| known.took(DEFAULT_ACTION)),
            RunEvent::Failed { node, error, elapsed, .. } => self.note(node, |known| {
                known.failed += 1;
                known.elapsed += *elapsed;
                known.last = Last::Failed;
                known.error = Some(error.to_string());
            }),
            _ => {}
        }
    }
}
