//! `--events FILE`: what happens, a JSON object a line.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::ops::OpsError;
use crate::workflow::journal::now;
use crate::workflow::{Observer, RunEvent};

/// Writes events to a file.
pub struct EventFile {
    path: PathBuf,
    /// None after it could not be written once.
    file: Mutex<Option<File>>,
}

impl EventFile {
    /// Makes the file anew.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(path: &Path) -> Result<Self, OpsError> {
        let file = File::create(path).map_err(OpsError::io("create", path))?;
        Ok(Self { path: path.to_owned(), file: Mutex::new(Some(file)) })
    }
}

impl Observer for EventFile {
    fn see(&self, event: &RunEvent<'_>) {
        let mut line = described(event);
        line["at"] = json!(now());
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // A line at once, so that who follows the file sees it.
        let written = file.as_mut().map(|file| file.write_all(format!("{line}\n").as_bytes()));
        if let Some(Err(error)) = written {
            *file = None;
            tracing::warn!("no more events are written to `{}`: {error}", self.path.display());
        }
    }
}

/// An event as a line has it. Values are not in it: the journal keeps those.
fn described(event: &RunEvent<'_>) -> Value {
    match event {
        RunEvent::Began { run, workflow, nodes, resumed_after } => json!({
            "event": "run_started", "run": run, "workflow": workflow, "nodes": nodes, "resumed_after": resumed_after,
        }),
        RunEvent::Started { node, node_type, attempt, .. } => {
            json!({"event": "node_started", "node": node, "type": node_type, "attempt": attempt})
        }
        RunEvent::Finished { node, attempt, action, elapsed, .. } => json!({
            "event": "node_finished", "node": node, "attempt": attempt, "action": action,
            "elapsed_ms": elapsed.as_secs_f64() * 1e3,
        }),
        RunEvent::Retrying { node, attempt, pause } => json!({
            "event": "node_retrying", "node": node, "attempt": attempt, "pause_ms": pause.as_secs_f64() * 1e3,
        }),
        RunEvent::Failed { node, attempt, error, elapsed } => json!({
            "event": "node_failed", "node": node, "attempt": attempt, "kind": error.kind.word(),
            "message": error.message, "elapsed_ms": elapsed.as_secs_f64() * 1e3,
        }),
        RunEvent::Recovered { node, .. } => json!({"event": "node_recovered", "node": node}),
        RunEvent::Ended { result: Ok(report) } => json!({
            "event": "run_finished", "steps": report.steps, "elapsed_ms": report.elapsed.as_secs_f64() * 1e3,
        }),
        RunEvent::Ended { result: Err(error) } => {
            json!({"event": "run_failed", "node": error.node, "message": error.to_string()})
        }
    }
}
