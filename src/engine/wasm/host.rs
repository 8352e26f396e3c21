//! What the engine offers to every plugin under its own name: `pocket:plugin/log`.
//!
//! The interfaces are defined at their newest version. A plugin that was built with an older or newer minor version finds them
//! too, as long as the functions that it uses are there.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, WasmStr};

use super::state::{MAX_PRINTED_BYTES, State};
use crate::engine::plugin::Border;

/// Offers the interfaces of `sdk/wit`.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.instance("pocket:plugin/log@1.1.0")?.func_wrap(
        "write",
        |store: StoreContextMut<'_, State>, (text,): (WasmStr,)| {
            let text = text.to_str(&store)?;
            let end = text.floor_char_boundary(MAX_PRINTED_BYTES);
            let Border { identity, log, .. } = &*store.data().border;
            log.write(&identity.plugin, &text[..end]);
            Ok(())
        },
    )
}
