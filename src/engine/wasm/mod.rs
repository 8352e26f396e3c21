//! WebAssembly plugins.

use std::path::PathBuf;

use super::error::CallError;
use super::plugin::{Border, Call, PluginFiles, Reply};

/// Compiles and caches WebAssembly.
pub struct WasmEngine {
    cache_dir: PathBuf,
}

/// A loaded WebAssembly plugin.
pub struct WasmPlugin;

impl WasmEngine {
    /// An engine that keeps compiled code in `cache_dir`.
    pub fn new(cache_dir: PathBuf) -> Self {
        Self { cache_dir }
    }

    /// Loads a plugin.
    pub fn load(&self, _: &PluginFiles, _: Border) -> Result<WasmPlugin, CallError> {
        Err(CallError::load(self.cache_dir.display().to_string()))
    }
}

impl WasmPlugin {
    /// Runs one call.
    pub fn call(&self, call: &Call<'_>) -> Result<Reply, CallError> {
        Err(CallError::load(call.node_type))
    }
}
