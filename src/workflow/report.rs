//! How a run ended.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::engine::CallErrorKind;

/// A run that came to its end.
#[derive(Debug, Clone)]
pub struct RunReport {
    /// The output of the node that ended it, or an object by node name when branches ended at several.
    pub output: Arc<Value>,
    /// How many node runs it took, tries of the same one not counted.
    pub steps: u64,
    /// How long it took.
    pub elapsed: Duration,
}

/// A run that failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub struct RunError {
    /// The node at which it failed, when it was one.
    pub node: Option<String>,
    /// The plugin that provides the node.
    pub plugin: Option<String>,
    /// What kind of thing happened.
    pub kind: RunErrorKind,
    /// What happened.
    pub message: String,
    /// What the node adds for programs to read.
    pub details: Option<Value>,
}

/// What ended a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunErrorKind {
    /// A node failed.
    Node(CallErrorKind),
    /// The workflow's own `timeout` was up.
    TimedOut,
    /// It made all the steps it may make.
    TooManySteps,
    /// The user stopped it.
    Stopped,
    /// What happens in it could not be written to its journal.
    Unrecorded,
    /// The scheduler itself could not work.
    Internal,
}

impl RunError {
    /// Whether the plugin itself is broken, too slow or not allowed, rather than its work having failed.
    pub fn is_plugin_fault(&self) -> bool {
        let RunErrorKind::Node(kind) = self.kind else { return false };
        let is_fault = matches!(
            kind,
            CallErrorKind::Crashed
                | CallErrorKind::Timeout
                | CallErrorKind::OutOfMemory
                | CallErrorKind::Load
                | CallErrorKind::Denied
        );
        is_fault && self.plugin.is_some()
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.node, &self.plugin) {
            (Some(node), Some(plugin)) => write!(f, "node `{node}` (plugin `{plugin}`): {}", self.message),
            (Some(node), None) => write!(f, "node `{node}`: {}", self.message),
            (None, _) => f.write_str(&self.message),
        }
    }
}
