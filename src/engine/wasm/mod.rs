//! WebAssembly plugins: components of the world `pocket:plugin/plugin`, and core modules that are wrapped into one.
//!
//! Every call gets a store of its own, so nothing leaks from one call to the next. `cache` keeps compiled code, `component`
//! makes a component of what the author built and checks what it needs, `call` runs it, `wasi` is the empty world that a
//! component built for `wasm32-wasip2` finds.

mod cache;
mod call;
mod component;
mod stored_code;
mod wasi;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::OnceLock;

use wasmtime::{Config, Engine};

use super::error::CallError;
use super::plugin::{Border, PluginFiles};
pub use call::WasmPlugin;

/// 512 KiB: the stack of a thread in Rust's pool is 2 MiB, and the host's own frames need room beside the plugin's.
const MAX_STACK_BYTES: usize = 512 << 10;

/// Compiles plugins and keeps the compiled code.
pub struct WasmEngine {
    cache_dir: PathBuf,
    engine: OnceLock<Engine>,
}

impl WasmEngine {
    /// An engine that keeps compiled code in `cache_dir`. The compiler starts when the first plugin needs it.
    pub fn new(cache_dir: PathBuf) -> Self {
        Self { cache_dir, engine: OnceLock::new() }
    }

    /// Loads a plugin: from the cache if it was compiled before.
    pub fn load(&self, files: &PluginFiles, border: Border) -> Result<WasmPlugin, CallError> {
        let path = files.portable_binary()?;
        let name = &border.identity.plugin;
        let unreadable = |error| CallError::load(format!("cannot read `{}` of `{name}`: {error}", path.display()));
        let code = std::fs::read(&path).map_err(unreadable)?;
        self.load_code(&code, border)
    }

    fn load_code(&self, code: &[u8], border: Border) -> Result<WasmPlugin, CallError> {
        let broken = |reason: String| {
            let Border { identity, .. } = &border;
            CallError::load(format!("cannot load plugin `{}` {}: {reason}", identity.plugin, identity.version))
        };
        let engine = self.engine().map_err(broken)?;
        let compiled = cache::load_or_compile(engine, &self.cache_dir, code).map_err(broken)?;
        let linked = component::link(engine, &compiled).map_err(broken)?;
        Ok(WasmPlugin::new(engine.clone(), linked, border))
    }

    fn engine(&self) -> Result<&Engine, String> {
        if let Some(engine) = self.engine.get() {
            return Ok(engine);
        }
        let engine =
            Engine::new(&config()).map_err(|error| format!("this system cannot run WebAssembly: {error:#}"))?;
        Ok(self.engine.get_or_init(|| engine))
    }
}

/// Memory comes from the system on demand: a pool is faster when thousands of calls run one after the other, but reserving it
/// costs every process that runs a single one.
fn config() -> Config {
    let mut config = Config::new();
    config.wasm_component_model(true);
    config.concurrency_support(false);
    config.epoch_interruption(true);
    config.max_wasm_stack(MAX_STACK_BYTES);
    config
}
