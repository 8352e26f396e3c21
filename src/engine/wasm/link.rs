//! From a component to one that is ready to run: its exports checked, its imports linked as far as they were granted.

use wasmtime::Engine;
use wasmtime::component::types::{ComponentFunc, ComponentInstance, ComponentItem, Type};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};

use super::state::{Ended, State};
use super::{host, preview1, wasi};
use crate::engine::error::CallError;
use crate::engine::grants::Grants;
use crate::engine::inspect::{Need, RUN_TYPE};

/// The export that every plugin has.
pub(super) const RUN: &str = "run";

/// The export of plugins that take several calls in one crossing.
const RUN_BATCH: &str = "run-batch";

const RUN_BATCH_TYPE: &str = "func(node: string, calls: string, context: string) -> result<string, string>";

/// A component that is ready to run.
pub(super) struct Linked {
    pub(super) instance: InstancePre<State>,
    pub(super) exports: Exports,
    pub(super) host: HostWorld,
}

/// What a plugin exports.
pub(super) struct Exports {
    pub(super) run: ComponentExportIndex,
    pub(super) run_batch: Option<ComponentExportIndex>,
    pub(super) start: Option<ComponentExportIndex>,
    pub(super) stop: Option<ComponentExportIndex>,
}

/// What a component needs of its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HostWorld {
    /// Nothing that a call would have to wait for elsewhere than on its own thread.
    Own,
    /// Interfaces of WASI 0.2, whose functions may wait.
    Wasi,
}

/// Checks what the component exports and imports, and links what it may use. The error is a sentence without subject.
pub(super) fn link(engine: &Engine, component: &Component, grants: &Grants) -> Result<Linked, String> {
    let host = host_world(engine, component)?;
    let exports = Exports::of(engine, component)?;
    let linker = linker(engine, component, host, grants).map_err(|error| format!("it cannot be linked: {error:#}"))?;
    let instance = linker.instantiate_pre(component).map_err(|error| format!("its imports do not fit: {error:#}"))?;
    Ok(Linked { instance, exports, host })
}

fn host_world(engine: &Engine, component: &Component) -> Result<HostWorld, String> {
    let kind = component.component_type();
    let mut host = HostWorld::Own;
    for (name, _) in kind.imports(engine) {
        if Need::of(name) == Need::NotGiven && name != preview1::HOST {
            return Err(format!("it imports `{name}`, which plugins are not given"));
        }
        if name.starts_with("wasi:") {
            host = HostWorld::Wasi;
        }
    }
    Ok(host)
}

fn linker(engine: &Engine, component: &Component, host: HostWorld, grants: &Grants) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    preview1::link(&mut linker)?;
    host::link(&mut linker)?;
    if host == HostWorld::Wasi {
        wasi::link(&mut linker)?;
    }
    linker.allow_shadowing(true);
    for (name, item) in component.component_type().imports(engine) {
        if let (Need::Permission(word), ComponentItem::ComponentInstance(interface)) = (Need::of(name), item.ty)
            && let Err(refusal) = grants.check_any(word, name)
        {
            refuse(engine, &mut linker, &offered_as(name), &interface, &refusal)?;
        }
    }
    Ok(linker)
}

/// The name under which the engine offers an interface: plugins import it at the version that they were built with.
fn offered_as(import: &str) -> String {
    let (interface, _) = import.split_once('@').unwrap_or((import, ""));
    let version = if interface.starts_with("wasi:") { wasi::VERSION } else { host::VERSION };
    format!("{interface}@{version}")
}

/// Puts the refusal in the place of every function of an interface: what was not granted is not linked.
fn refuse(
    engine: &Engine,
    linker: &mut Linker<State>,
    name: &str,
    interface: &ComponentInstance,
    refusal: &CallError,
) -> wasmtime::Result<()> {
    let mut instance = linker.instance(name)?;
    for (item, kind) in interface.exports(engine) {
        // Types stay what they are, because other interfaces name them too.
        if let ComponentItem::ComponentFunc(_) = kind.ty {
            let refusal = refusal.clone();
            instance.func_new(item, move |_, _, _, _| Err(Ended::Because(refusal.clone()).into()))?;
        }
    }
    Ok(())
}

/// What an optional export returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Returns {
    /// `result<string, string>`.
    Text,
    /// `result<_, string>`.
    Success,
    Nothing,
}

impl Exports {
    fn of(engine: &Engine, component: &Component) -> Result<Self, String> {
        let run = optional(component, RUN, 4, Returns::Text, RUN_TYPE)?;
        let run = run.ok_or_else(|| {
            let names: Vec<_> =
                component.component_type().exports(engine).map(|(name, _)| format!("`{name}`")).collect();
            let found = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
            format!("it must export `run: {RUN_TYPE}`, it exports {found}")
        })?;
        Ok(Self {
            run,
            run_batch: optional(component, RUN_BATCH, 3, Returns::Text, RUN_BATCH_TYPE)?,
            start: optional(component, "start", 1, Returns::Success, "func(settings: string) -> result<_, string>")?,
            stop: optional(component, "stop", 0, Returns::Nothing, "func()")?,
        })
    }
}

/// The export of this name, which must have the type if it is there.
fn optional(
    component: &Component,
    name: &str,
    parameters: usize,
    returns: Returns,
    expected: &str,
) -> Result<Option<ComponentExportIndex>, String> {
    match component.get_export(None, name) {
        None => Ok(None),
        Some((ComponentItem::ComponentFunc(function), index)) if has_type(&function, parameters, returns) => {
            Ok(Some(index))
        }
        Some(_) => Err(format!("its export `{name}` has another type: it must be `{name}: {expected}`")),
    }
}

fn has_type(function: &ComponentFunc, parameters: usize, returns: Returns) -> bool {
    let kinds: Vec<_> = function.params().map(|(_, kind)| kind).collect();
    let results: Vec<_> = function.results().collect();
    let found = match results.as_slice() {
        [] => Some(Returns::Nothing),
        [Type::Result(result)] if result.err() == Some(Type::String) => match result.ok() {
            Some(Type::String) => Some(Returns::Text),
            None => Some(Returns::Success),
            Some(_) => None,
        },
        _ => None,
    };
    kinds.len() == parameters && kinds.iter().all(|kind| *kind == Type::String) && found == Some(returns)
}
