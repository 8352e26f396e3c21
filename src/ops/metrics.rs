//! `plugin metrics`: how often plugins were called, how long that took and how it ended, over all runs.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pocket_index::name::PluginName;

use super::{OpsError, Workspace, plugins};
use crate::engine::CallErrorKind;
use crate::home::Home;
use crate::home::metrics::{self, Metrics};

/// Counts the calls of one run.
#[derive(Debug, Default)]
pub struct Recorder(Mutex<Metrics>);

impl Recorder {
    /// A call ended.
    pub fn saw(&self, plugin: &str, node: &str, elapsed: Duration, error: Option<CallErrorKind>) {
        self.lock().count(plugin, node, elapsed, error.map(CallErrorKind::word));
    }

    /// Adds what was counted to what is kept, and begins anew. That it cannot be kept is told and keeps no run from its result.
    pub fn keep(&self, home: &Home) {
        let counted = std::mem::take(&mut *self.lock());
        if counted.is_empty() {
            return;
        }
        if let Err(error) = metrics::add(home, &counted) {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            tracing::warn!("what plugins did in this run is not counted: {error}{cause}");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Metrics> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
