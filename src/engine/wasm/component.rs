//! From what an author built to a component that is ready to run: wrapped, checked, linked.

use std::sync::LazyLock;

use wasmtime::Engine;
use wasmtime::component::types::{ComponentFunc, ComponentItem, Type};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};
use wit_component::{ComponentEncoder, StringEncoding};

use super::call::State;
use super::wasi;

/// The world that plugins implement, as published in `sdk/wit`.
const PLUGIN_WIT: &str = include_str!("../../../sdk/wit/plugin.wit");

/// The export that every plugin has.
const RUN: &str = "run";

/// Bytes 4 to 8 of a binary: version 1 of layer 0 is a core module, anything of layer 1 a component.
const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// A component that is ready to run.
pub(super) struct Linked {
    pub(super) instance: InstancePre<State>,
    pub(super) run: ComponentExportIndex,
    pub(super) needs: Needs,
}

/// What a component needs of its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// No import at all.
    Nothing,
    /// Interfaces of WASI 0.2.
    Wasi,
}

/// The bytes of a component: a core module is wrapped, a component stays what it is.
pub(super) fn wrapped(code: &[u8]) -> Result<Vec<u8>, String> {
    if !code.starts_with(b"\0asm") {
        return Err("the file is no WebAssembly: it does not start with `\\0asm`".to_owned());
    }
    if !code.starts_with(CORE_MODULE) {
        return Ok(code.to_vec());
    }
    let mut module = code.to_vec();
    let (described, _) = wit_component::metadata::decode(&module).map_err(|error| unfit(&error))?;
    if described.is_none() {
        let (resolve, world) = &*WORLD;
        wit_component::embed_component_metadata(&mut module, resolve, *world, StringEncoding::UTF8)
            .map_err(|error| unfit(&error))?;
    }
    let encoder = ComponentEncoder::default().validate(true).module(&module).map_err(|error| unfit(&error));
    encoder?.encode().map_err(|error| unfit(&error))
}

fn unfit(error: &impl std::fmt::Display) -> String {
    format!("the core module does not implement the world `pocket:plugin/plugin`: {error:#}")
}

static WORLD: LazyLock<(wit_parser::Resolve, wit_parser::WorldId)> = LazyLock::new(|| {
    let mut resolve = wit_parser::Resolve::default();
    let package = resolve.push_str("plugin.wit", PLUGIN_WIT).expect("the file in `sdk/wit` is valid");
    let world = resolve.select_world(&[package], Some("plugin")).expect("it has the world `plugin`");
    (resolve, world)
});

/// Checks what the component exports and imports, and links what it may use.
pub(super) fn link(engine: &Engine, component: &Component) -> Result<Linked, String> {
    let needs = needs(engine, component)?;
    let run = run_export(engine, component)?;
    let mut linker = Linker::new(engine);
    if needs == Needs::Wasi {
        wasi::link(&mut linker)?;
    }
    let instance = linker.instantiate_pre(component).map_err(|error| format!("its imports do not fit: {error:#}"))?;
    Ok(Linked { instance, run, needs })
}

fn needs(engine: &Engine, component: &Component) -> Result<Needs, String> {
    let kind = component.component_type();
    let mut needs = Needs::Nothing;
    for (name, _) in kind.imports(engine) {
        if !wasi::provides(name) {
            return Err(format!("it imports `{name}`, which plugins are not given"));
        }
        needs = Needs::Wasi;
    }
    Ok(needs)
}

fn run_export(engine: &Engine, component: &Component) -> Result<ComponentExportIndex, String> {
    let expected = "it must export `run: func(node: string, config: string, input: string, context: string) -> \
                    result<string, string>`";
    match component.get_export(None, RUN) {
        Some((ComponentItem::ComponentFunc(function), index)) if has_run_type(&function) => Ok(index),
        Some(_) => Err(format!("its export `run` has another type: {expected}")),
        None => {
            let names: Vec<_> =
                component.component_type().exports(engine).map(|(name, _)| format!("`{name}`")).collect();
            let found = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
            Err(format!("{expected}, it exports {found}"))
        }
    }
}

fn has_run_type(function: &ComponentFunc) -> bool {
    let parameters: Vec<_> = function.params().map(|(_, kind)| kind).collect();
    let results: Vec<_> = function.results().collect();
    let result_fits = match results.as_slice() {
        [Type::Result(result)] => result.ok() == Some(Type::String) && result.err() == Some(Type::String),
        _ => false,
    };
    parameters.len() == 4 && parameters.iter().all(|kind| *kind == Type::String) && result_fits
}
