//! WASI preview 1 for core modules that need no files: `preview1.wat`, and what it needs of the engine.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, WasmList};
use wit_component::StringEncoding;

use super::state::{Ended, MAX_PRINTED_BYTES, State};
use crate::engine::error::CallError;

/// The name under which modules import preview 1.
pub(in crate::engine) const MODULE: &str = "wasi_snapshot_preview1";

/// What the adapter imports. Only the engine's own wrapping makes use of it.
pub(in crate::engine) const HOST: &str = "pocket:preview1/host@1.0.0";

/// The adapter's source, and part of the key of what is compiled with it.
pub(super) const ADAPTER: &str = include_str!("preview1.wat");

const HOST_WIT: &str = include_str!("preview1.wit");

/// The adapter as a module that says which world it is for.
pub(super) fn adapter() -> &'static [u8] {
    static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut module = wat::parse_str(ADAPTER).expect("the adapter is well-formed");
        let mut resolve = wit_parser::Resolve::default();
        let package = resolve.push_str("preview1.wit", HOST_WIT).expect("its interface is well-formed");
        let world = resolve.select_world(&[package], Some("adapter")).expect("it has one world");
        wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
            .expect("the adapter fits its world");
        module
    });
    &BYTES
}

/// What a call sees through the adapter.
pub(super) struct Surroundings {
    /// Environment variables, each `NAME=value` with a zero byte at its end.
    environment: Vec<u8>,
    variables: u32,
}

impl Surroundings {
    /// With these environment variables. Names and values of the system have no zero bytes.
    pub(super) fn new(variables: impl Iterator<Item = (String, String)>) -> Self {
        let (mut environment, mut count) = (Vec::new(), 0);
        for (name, value) in variables {
            environment.extend_from_slice(format!("{name}={value}\0").as_bytes());
            count += 1;
        }
        Self { environment, variables: count }
    }
}

/// Offers what the adapter needs.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut host = linker.instance(HOST)?;
    host.func_wrap("now", |store, (clock,): (u32,)| Ok((now(&store, clock),)))?;
    host.func_wrap("sleep", |store, (nanoseconds,): (u64,)| sleep(&store, Duration::from_nanos(nanoseconds)))?;
    host.func_wrap("random", |_, ()| Ok((random()?,)))?;
    host.func_wrap("print", |store: StoreContextMut<'_, State>, (text,): (WasmList<u8>,)| {
        // A copy, because the text is in the store that also holds what was printed; no longer than what is kept.
        let bytes = text.as_le_slice(&store);
        let text = bytes[..bytes.len().min(MAX_PRINTED_BYTES)].to_vec();
        store.data().printed.append(&text);
        Ok(())
    })?;
    host.func_wrap("exit", |_, (code,): (u32,)| -> wasmtime::Result<()> {
        Err(wasmtime_wasi::I32Exit(code.cast_signed()).into())
    })?;
    host.func_wrap("environment-variables", |store, ()| Ok((store.data().surroundings.variables,)))?;
    host.func_wrap("environment-size", |store, ()| {
        Ok((u32::try_from(store.data().surroundings.environment.len()).unwrap_or(u32::MAX),))
    })?;
    host.func_wrap("environment-byte", |store, (index,): (u32,)| {
        let byte = store.data().surroundings.environment.get(index as usize);
        Ok((byte.map_or(0, |byte| u32::from(*byte)),))
    })
}

fn now(store: &StoreContextMut<'_, State>, clock: u32) -> u64 {
    let time = match clock {
        0 => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        _ => store.data().started.elapsed(),
    };
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Waits on the call's own thread, at most until the call's time is up.
fn sleep(store: &StoreContextMut<'_, State>, time: Duration) -> wasmtime::Result<()> {
    let left = store.data().deadline.saturating_duration_since(Instant::now());
    std::thread::sleep(time.min(left));
    if time >= left { Err(Ended::TimeIsUp.into()) } else { Ok(()) }
}

fn random() -> wasmtime::Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)
        .map_err(|error| Ended::Because(CallError::crashed(format!("the system has no random numbers: {error}"))))?;
    Ok(u64::from_le_bytes(bytes))
}
