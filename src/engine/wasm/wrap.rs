//! From what an author built to a component: a core module is wrapped, a component stays what it is.

use std::sync::LazyLock;

use pocket_index::permissions::Permissions;
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::{Resolve, WorldId, WorldKey};

use super::preview1;

/// The newest version of what plugins implement and may import, as published in `sdk/wit`.
pub(super) const PLUGIN_WIT: &str = include_str!("../../../sdk/wit/1.1/plugin.wit");

/// Bytes 4 to 8 of a binary: version 1 of layer 0 is a core module, anything of layer 1 a component.
const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// What stands between a module's imports of WASI preview 1 and the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Preview1 {
    /// Clocks, randomness, environment variables and the log, over numbers alone.
    Small,
    /// All of it but sockets, over WASI 0.2: for plugins that ask for files.
    Full,
}

impl Preview1 {
    /// What a plugin that asks for this is given. It follows from what is asked and not from what was granted, so that a plugin
    /// is the same program for everybody.
    pub(super) fn for_plugin(asked: &Permissions) -> Self {
        if asked.filesystem.is_empty() { Self::Small } else { Self::Full }
    }

    /// Tells the two apart in the key of the compiled code.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Full => "full",
        }
    }

    fn adapter(self) -> &'static [u8] {
        match self {
            Self::Small => preview1::adapter(),
            Self::Full => wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
        }
    }
}

/// Whether these bytes are a core module, which is wrapped before it can run.
pub(super) fn is_core_module(code: &[u8]) -> bool {
    code.starts_with(CORE_MODULE)
}

/// The bytes of a component. The error is a sentence without subject.
pub(super) fn wrapped(code: &[u8], preview1: Preview1) -> Result<Vec<u8>, String> {
    if !code.starts_with(b"\0asm") {
        return Err("the file is no WebAssembly: it does not start with `\\0asm`".to_owned());
    }
    if !is_core_module(code) {
        return Ok(code.to_vec());
    }
    let mut module = code.to_vec();
    let (described, _) = wit_component::metadata::decode(&module).map_err(unfit)?;
    if described.is_none() {
        let exported = exported(&module).map_err(unfit)?;
        let (resolve, world) = world_of(&exported);
        wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).map_err(unfit)?;
    }
    let encoder = ComponentEncoder::default().validate(true).module(&module).map_err(unfit)?;
    encoder.adapter(preview1::MODULE, preview1.adapter()).map_err(unfit)?.encode().map_err(unfit)
}

fn unfit(error: impl std::fmt::Display) -> String {
    format!("the core module does not implement the world `pocket:plugin/plugin`: {error:#}")
}

/// The world of everything, without the optional exports that a module does not have.
fn world_of(exported: &[String]) -> (Resolve, WorldId) {
    let (mut resolve, world) = WORLD.clone();
    resolve.worlds[world].exports.retain(|key, _| match key {
        WorldKey::Name(name) => name == super::link::RUN || exported.contains(name),
        WorldKey::Interface(_) => true,
    });
    (resolve, world)
}

static WORLD: LazyLock<(Resolve, WorldId)> = LazyLock::new(|| {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("plugin.wit", PLUGIN_WIT).expect("the file in `sdk/wit` is valid");
    let world = resolve.select_world(&[package], Some("complete")).expect("it has the world `complete`");
    (resolve, world)
});

fn exported(module: &[u8]) -> Result<Vec<String>, wasmparser::BinaryReaderError> {
    let mut names = Vec::new();
    for payload in wasmparser::Parser::new(0).parse_all(module) {
        if let wasmparser::Payload::ExportSection(exports) = payload? {
            for export in exports {
                names.push(export?.name.to_owned());
            }
        }
    }
    Ok(names)
}
