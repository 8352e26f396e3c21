//! Runs what may wait inside a function of the host: files, connections, clocks.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

use super::state::Ended;

/// Waits on one runtime for all plugins, started with the first call that needs it. Connections and timers of an instance that
/// is kept for several calls belong to it, so it lives as long as the engine.
#[derive(Clone, Default)]
pub(super) struct Waiter(Arc<OnceLock<Runtime>>);

impl Waiter {
    /// Runs a future on this thread until it is ready or its time is up.
    pub(super) fn wait_for<T>(
        &self,
        future: impl Future<Output = wasmtime::Result<T>>,
        deadline: Instant,
    ) -> wasmtime::Result<T> {
        // The epoch stops code that computes; this stops code that waits. The grace lets the epoch be first, whose error
        // unwinds the plugin's own stack.
        let grace = Duration::from_millis(5);
        let timed = async { tokio::time::timeout_at((deadline + grace).into(), future).await };
        self.runtime()?.block_on(timed).unwrap_or_else(|_| Err(Ended::TimeIsUp.into()))
    }

    fn runtime(&self) -> std::io::Result<&Runtime> {
        if let Some(runtime) = self.0.get() {
            return Ok(runtime);
        }
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("plugin-waits").enable_all().build()?;
        Ok(self.0.get_or_init(|| runtime))
    }
}
