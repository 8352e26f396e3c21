//! WebAssembly plugins: components of the world `pocket:plugin/plugin`, and core modules that are wrapped into one.
//!
//! Every call gets an instance of its own, so nothing leaks from one call to the next, unless the manifest says otherwise.
//! `wrap` makes a component of what the author built, `cache` keeps its compiled code, `link` checks what it needs and links
//! what was granted, `call` runs it in an `instance` with its `state`, and `waiting` keeps instances that serve several calls. What a plugin
//! finds around itself is in `host` (the engine's own interfaces), `wasi`, `http`, `sockets` and
//! `preview1`.

mod arguments;
mod cache;
mod call;
mod code;
mod host;
mod http;
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
mod crossing_tests;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use wasmtime::{Config, Engine};

use pocket_index::manifest::{Binary, InstancePolicy, Manifest};

use super::error::CallError;
use super::plugin::{Border, PluginFiles};
pub use call::WasmPlugin;
use code::CodeFile;
use waiter::Waiter;
use wrap::Preview1;

/// 1.5 MiB: what functions of the host may need of a stack beside the plugin's own frames.
const HOST_STACK_BYTES: usize = 3 << 19;

/// Compiles plugins and keeps the compiled code.
pub struct WasmEngine {
    cache_dir: PathBuf,
    /// One for each stack limit: they run the same compiled code.
    engines: Mutex<BTreeMap<u64, Engine>>,
    waiter: Waiter,
}

/// A plugin's code, and what its manifest says about how it runs.
struct Source<'a> {
    code: CodeFile<'a>,
    preview1: Preview1,
    instance: InstancePolicy,
}

impl WasmEngine {
    /// An engine that keeps compiled code in `cache_dir`. The compiler starts when the first plugin needs it.
    pub fn new(cache_dir: PathBuf) -> Self {
        Self { cache_dir, engines: Mutex::default(), waiter: Waiter::default() }
    }

    /// Loads a plugin: from the cache if it was compiled before.
    pub fn load(&self, files: &PluginFiles, border: Border) -> Result<WasmPlugin, CallError> {
        let path = files.portable_binary()?;
        let verified = match &files.manifest.binary {
            Some(Binary::Path(path)) => files.verified(path)?,
            _ => None,
        };
        let code = CodeFile::open(path, verified)
            .map_err(|reason| CallError::load(format!("the code of `{}`: {reason}", border.identity.plugin)))?;
        let Manifest { permissions, instance, .. } = &files.manifest;
        let source = Source { code, preview1: Preview1::for_plugin(permissions), instance: *instance };
        self.load_code(&source, border)
    }

    fn load_code(&self, source: &Source<'_>, border: Border) -> Result<WasmPlugin, CallError> {
        let subject = format!("cannot load plugin `{}` {}", border.identity.plugin, border.identity.version);
        self.plugin(source, border).map_err(|reason| CallError::load(format!("{subject}: {reason}")))
    }

    fn plugin(&self, source: &Source<'_>, border: Border) -> Result<WasmPlugin, String> {
        let engine = self.engine(border.limits.stack)?;
        let compiled = cache::load_or_compile(&engine, &self.cache_dir, &source.code, source.preview1)?;
        let linked = link::link(&engine, &compiled, &border.grants)?;
        WasmPlugin::new(engine, linked, border, self.waiter.clone(), source.instance)
    }

    fn engine(&self, stack: u64) -> Result<Engine, String> {
        let mut engines = self.engines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = engines.get(&stack) {
            return Ok(engine.clone());
        }
        let engine =
            Engine::new(&config(stack)).map_err(|error| format!("this system cannot run WebAssembly: {error:#}"))?;
        engines.insert(stack, engine.clone());
        Ok(engine)
    }
}

/// Memory comes from the system on demand; `docs/decisions/0012-instance-memory.md` says why.
fn config(stack: u64) -> Config {
    let stack = usize::try_from(stack).unwrap_or(usize::MAX - HOST_STACK_BYTES);
    let mut config = Config::new();
    config.wasm_component_model(true);
    config.concurrency_support(false);
    config.epoch_interruption(true);
    config.max_wasm_stack(stack);
    config.async_stack_size(stack.saturating_add(HOST_STACK_BYTES));
    // Neither is read here, and both make the stored code larger, all of which is hashed before it is used.
    config.generate_address_map(false);
    config.native_unwind_info(false);
    config
}
