//! Who looks at a run while it goes on: lines for `--verbose`, a file for `--events`, a line on a terminal, traces.

mod events;
mod lines;
mod progress;
#[cfg(feature = "otel")]
mod telemetry;

use std::sync::Arc;

use crate::workflow::{Observer, RunEvent};

pub use events::EventFile;
pub use lines::Lines;
pub use progress::Progress;
#[cfg(feature = "otel")]
pub use telemetry::Telemetry;

/// Several that look at the same run.
#[derive(Default)]
pub struct Watchers(Vec<Arc<dyn Observer>>);

impl Watchers {
    /// One more.
    pub fn add(&mut self, watcher: impl Observer + 'static) {
        self.add_shared(Arc::new(watcher));
    }

    /// One more, that is looked at afterwards.
    pub fn add_shared(&mut self, watcher: Arc<dyn Observer>) {
        self.0.push(watcher);
    }
}

impl Observer for Watchers {
    fn see(&self, event: &RunEvent<'_>) {
        self.0.iter().for_each(|watcher| watcher.see(event));
    }

    fn looks(&self) -> bool {
        self.0.iter().any(|watcher| watcher.looks())
    }
}
