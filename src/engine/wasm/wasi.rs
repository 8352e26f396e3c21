//! The WASI world of a plugin: there, because languages' standard libraries ask for it, and empty. No folders, no sockets, no
//! input; what is written to standard output and error goes to the plugin's log; of the environment only what was granted.

use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::call::State;
use crate::engine::plugin::Border;

/// 64 KiB of what a call prints are kept; it cannot fill the memory of the host.
const MAX_PRINTED_BYTES: usize = 64 << 10;

/// The packages of WASI 0.2 that are linked. HTTP is not among them.
const PACKAGES: [&str; 6] =
    ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];

/// What one call sees of WASI.
pub(super) struct World {
    ctx: WasiCtx,
    table: ResourceTable,
    printed: MemoryOutputPipe,
}

impl World {
    pub(super) fn new(border: &Border) -> Self {
        let printed = MemoryOutputPipe::new(MAX_PRINTED_BYTES);
        let mut builder = WasiCtxBuilder::new();
        builder.stdout(printed.clone()).stderr(printed.clone());
        for (name, value) in border.grants.env_values() {
            builder.env(name, value);
        }
        Self { ctx: builder.build(), table: ResourceTable::new(), printed }
    }

    /// What the call printed.
    pub(super) fn printed(&self) -> String {
        String::from_utf8_lossy(&self.printed.contents()).into_owned()
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let world = self.world.as_mut().expect("WASI is linked only for components whose calls get a world");
        WasiCtxView { ctx: &mut world.ctx, table: &mut world.table }
    }
}

/// Whether an import is among those that are linked.
pub(super) fn provides(import: &str) -> bool {
    PACKAGES.iter().any(|package| import.starts_with(package))
}

/// Links WASI. Its functions are asynchronous: a call that waits inside one can be ended at its deadline.
pub(super) fn link(linker: &mut Linker<State>) -> Result<(), String> {
    wasmtime_wasi::p2::add_to_linker_async(linker).map_err(|error| format!("WASI cannot be linked: {error:#}"))
}
