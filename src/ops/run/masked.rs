//! What leaves a run has no secrets in it, whoever looks and wherever it is printed.

use std::sync::Arc;

use serde_json::Value;

use crate::workflow::journal::Veil;
use crate::workflow::{Observer, RunError, RunEvent, RunReport};

/// Shows another observer everything without secrets.
pub(super) struct Masked {
    inner: Arc<dyn Observer>,
    veil: Veil,
}

impl Masked {
    /// The observer itself where there is nothing to hide.
    pub fn around(inner: Arc<dyn Observer>, veil: &Veil) -> Arc<dyn Observer> {
        if veil.is_empty() { inner } else { Arc::new(Self { inner, veil: veil.clone() }) }
    }

    fn value(&self, value: &Value) -> Value {
        let mut value = value.clone();
        self.veil.mask(&mut value);
        value
    }
}

impl Observer for Masked {
    fn see(&self, event: &RunEvent<'_>) {
        match *event {
            RunEvent::Started { node, node_type, attempt, input } => {
                self.inner.see(&RunEvent::Started { node, node_type, attempt, input: &self.value(input) });
            }
            RunEvent::Finished { node, attempt, output, action, elapsed } => {
                let (output, action) = (&self.value(output), &*self.veil.masked(action));
                self.inner.see(&RunEvent::Finished { node, attempt, output, action, elapsed });
            }
            RunEvent::Failed { node, attempt, error, elapsed } => {
                let mut error = error.clone();
                error.message = self.veil.masked(&error.message);
                if let Some(details) = &mut error.details {
                    self.veil.mask(details);
                }
                self.inner.see(&RunEvent::Failed { node, attempt, error: &error, elapsed });
            }
            RunEvent::Recovered { node, output } => {
                self.inner.see(&RunEvent::Recovered { node, output: &self.value(output) });
            }
            RunEvent::Ended { result: Ok(report) } => {
                let report = RunReport { output: Arc::new(self.value(&report.output)), ..report.clone() };
                self.inner.see(&RunEvent::Ended { result: Ok(&report) });
            }
            RunEvent::Ended { result: Err(error) } => {
                self.inner.see(&RunEvent::Ended { result: Err(&masked(error.clone(), &self.veil)) });
            }
            RunEvent::Began { .. } | RunEvent::Retrying { .. } => self.inner.see(event),
        }
    }

    fn looks(&self) -> bool {
        self.inner.looks()
    }
}

/// How a run ended, without secrets.
pub(super) fn result(result: Result<RunReport, RunError>, veil: &Veil) -> Result<RunReport, RunError> {
    if veil.is_empty() {
        return result;
    }
    let mut report = result.map_err(|error| masked(error, veil))?;
    if veil.mask(Arc::make_mut(&mut report.output)) {
        tracing::warn!("the result has the value of a secret setting in it, which is masked");
    }
    Ok(report)
}

fn masked(mut error: RunError, veil: &Veil) -> RunError {
    error.message = veil.masked(&error.message);
    if let Some(details) = &mut error.details {
        veil.mask(details);
    }
    error
}
