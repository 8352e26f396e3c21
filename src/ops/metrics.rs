//! `plugin metrics`: how often plugins were called, how long that took and how it ended, over all runs.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pocket_index::name::PluginName;

use super::{OpsError, Workspace, plugins};
use crate::engine::{CallErrorKind, Usage};
use crate::home::Home;
use crate::home::metrics::{self, Metrics};

/// Counts the calls of one run.
#[derive(Debug, Default)]
pub struct Recorder {
    metrics: Mutex<Metrics>,
    /// By node of the workflow.
    nodes: Mutex<BTreeMap<String, NodeCalls>>,
}

/// The calls of plugins that one node of a workflow made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeCalls {
    /// The plugin.
    pub plugin: String,
    /// Its node type.
    pub node_type: String,
    /// How many calls there were.
    pub calls: u64,
    /// The time they took together.
    pub time: Duration,
    /// The time that the plugin's process had on a processor meanwhile; none if it has no process, or nobody looked.
    pub processor: Option<Duration>,
}

/// One call that ended.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'a> {
    /// The plugin.
    pub plugin: &'a str,
    /// Its node type.
    pub node_type: &'a str,
    /// The node of the workflow.
    pub node: &'a str,
    /// How long it took.
    pub elapsed: Duration,
    /// The time of its process, where somebody looked.
    pub processor: Option<Duration>,
    /// How it failed, if it did.
    pub error: Option<CallErrorKind>,
}

impl Recorder {
    /// A call ended.
    pub fn saw(&self, call: Ended<'_>) {
        let Ended { plugin, node_type, node, elapsed, processor, error } = call;
        lock(&self.metrics).count(plugin, node_type, elapsed, error.map(CallErrorKind::word));
        let mut nodes = lock(&self.nodes);
        if !nodes.contains_key(node) {
            let (plugin, node_type) = (plugin.to_owned(), node_type.to_owned());
            let first = NodeCalls { plugin, node_type, calls: 0, time: Duration::ZERO, processor: None };
            nodes.insert(node.to_owned(), first);
        }
        let known = nodes.get_mut(node).expect("it was just put there");
        known.calls += 1;
        known.time += elapsed;
        known.processor = match (known.processor, processor) {
            (Some(before), Some(more)) => Some(before + more),
            (before, more) => before.or(more),
        };
    }

    /// What a plugin used in this run.
    pub fn used(&self, plugin: &str, usage: Usage) {
        let mut metrics = lock(&self.metrics);
        if let Some(counted) = metrics.plugins.get_mut(plugin) {
            counted.memory_peak = counted.memory_peak.max(usage.memory_peak);
            counted.restarts = counted.restarts.max(usage.restarts);
        }
    }

    /// The calls by node of the workflow.
    pub fn nodes(&self) -> BTreeMap<String, NodeCalls> {
        lock(&self.nodes).clone()
    }

    /// Adds what was counted to what is kept, and begins anew. That it cannot be kept is told and keeps no run from its result.
    pub fn keep(&self, home: &Home) {
        let counted = std::mem::take(&mut *lock(&self.metrics));
        if counted.is_empty() {
            return;
        }
        if let Err(error) = metrics::add(home, &counted) {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            tracing::warn!("what plugins did in this run is not counted: {error}{cause}");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was counted of all plugins, or of one.
///
/// # Errors
/// Nothing was counted of that plugin, or what was kept cannot be read.
pub fn metrics(workspace: &Workspace, plugin: Option<&PluginName>) -> Result<Metrics, OpsError> {
    let mut metrics = metrics::read(workspace.home())?;
    let Some(name) = plugin else { return Ok(metrics) };
    if !metrics.plugins.contains_key(name.as_str()) {
        let near = plugins::near(name.as_str(), metrics.plugins.keys().map(String::as_str));
        return Err(OpsError::NothingCounted { name: name.clone(), near });
    }
    metrics.plugins.retain(|known, _| known == name.as_str());
    Ok(metrics)
}

/// Forgets what was counted of all plugins, or of one.
///
/// # Errors
/// It cannot be written.
pub fn reset(workspace: &Workspace, plugin: Option<&PluginName>) -> Result<(), OpsError> {
    Ok(metrics::reset(workspace.home(), plugin.map(PluginName::as_str))?)
}
