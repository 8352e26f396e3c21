//! WebAssembly plugins: components of the world `pocket:plugin/plugin`, and core modules that are wrapped into one.
//!
//! Every call gets an instance of its own, so nothing leaks from one call to the next, unless the manifest says otherwise.
//! `wrap` makes a component of what the author built, `cache` keeps its compiled code, `link` checks what it needs and links
//! what was granted, `call` runs it in an `instance` with its `state`, and `waiting` keeps instances that serve several calls. What a plugin
//! finds around itself is in `host` (the engine's own interfaces), `wasi`, `sockets` and
//! `preview1`.

mod cache;
mod call;
mod host;
mod instance;
mod link;
pub(super) mod preview1;
mod sockets;
mod state;
mod stored_code;
mod waiter;
mod waiting;
mod wasi;
mod wrap;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::OnceLock;

use wasmtime::{Config, Engine};

use pocket_index::manifest::{InstancePolicy, Manifest};

use super::error::CallError;
use super::plugin::{Border, PluginFiles};
pub use call::WasmPlugin;
use waiter::Waiter;
use wrap::Preview1;

/// 512 KiB: the stack of a thread in Rust's pool is 2 MiB, and the host's own frames need room beside the plugin's.
const MAX_STACK_BYTES: usize = 512 << 10;

/// Compiles plugins and keeps the compiled code.
pub struct WasmEngine {
    cache_dir: PathBuf,
    engine: OnceLock<Engine>,
    waiter: Waiter,
}

/// A plugin's code, and what its manifest says about how it runs.
struct Source<'a> {
    code: &'a [u8],
    preview1: Preview1,
    instance: InstancePolicy,
}

impl WasmEngine {
    /// An engine that keeps compiled code in `cache_dir`. The compiler starts when the first plugin needs it.
    pub fn new(cache_dir: PathBuf) -> Self {
        Self { cache_dir, engine: OnceLock::new(), waiter: Waiter::default() }
    }

    /// Loads a plugin: from the cache if it was compiled before.
    pub fn load(&self, files: &PluginFiles, border: Border) -> Result<WasmPlugin, CallError> {
        let path = files.portable_binary()?;
        let name = &border.identity.plugin;
        let unreadable = |error| CallError::load(format!("cannot read `{}` of `{name}`: {error}", path.display()));
        let code = std::fs::read(&path).map_err(unreadable)?;
        let Manifest { permissions, instance, .. } = &files.manifest;
        let source = Source { code: &code, preview1: Preview1::for_plugin(permissions), instance: *instance };
        self.load_code(&source, border)
    }

    fn load_code(&self, source: &Source<'_>, border: Border) -> Result<WasmPlugin, CallError> {
        let subject = format!("cannot load plugin `{}` {}", border.identity.plugin, border.identity.version);
        self.plugin(source, border).map_err(|reason| CallError::load(format!("{subject}: {reason}")))
    }

    fn plugin(&self, source: &Source<'_>, border: Border) -> Result<WasmPlugin, String> {
        let engine = self.engine()?;
        let compiled = cache::load_or_compile(engine, &self.cache_dir, source.code, source.preview1)?;
        let linked = link::link(engine, &compiled, &border.grants)?;
        WasmPlugin::new(engine.clone(), linked, border, self.waiter.clone(), source.instance)
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
    // Neither is read here, and both make the stored code larger, all of which is hashed before it is used.
    config.generate_address_map(false);
    config.native_unwind_info(false);
    config
}
