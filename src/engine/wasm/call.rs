//! One call: a fresh store, a deadline, a memory limit, and what went wrong in words.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use wasmtime::component::{Instance, TypedFunc};
use wasmtime::{Engine, ResourceLimiter, Store, StoreContextMut, Trap, UpdateDeadline, WasmBacktrace};

use super::component::{Linked, Needs};
use super::wasi::World;
use crate::engine::envelope;
use crate::engine::error::{CallError, CallErrorKind};
use crate::engine::plugin::{Border, Call, Reply};
use crate::engine::sampler::Ticker;
use crate::engine::timer::Alarm;

/// A table entry is a pointer and its type.
const TABLE_ENTRY_BYTES: usize = 16;

/// Functions are named in a crash from the innermost outwards; more than this many are left out.
const MAX_NAMED_FRAMES: usize = 5;

type Run<'a> = TypedFunc<(&'a str, &'a str, &'a str, &'a str), (Result<String, String>,)>;

/// A loaded WebAssembly plugin.
pub struct WasmPlugin {
    engine: Engine,
    linked: Linked,
    border: Border,
    /// The most bytes that a call's instances had; 0 before the first.
    peak: AtomicU64,
    /// Moves the epoch each millisecond while somebody looks where the code is.
    _ticker: Option<Ticker>,
}

/// What belongs to one call.
pub(super) struct State {
    memory: MemoryLimit,
    deadline: Instant,
    pub(super) world: Option<World>,
}

/// Why a call was ended from outside.
#[derive(Debug, thiserror::Error)]
#[error("the call's time is up")]
struct TimeIsUp;

/// A call's parameters as texts.
struct Arguments<'a> {
    node_type: &'a str,
    config: String,
    input: String,
    context: String,
}

impl<'a> Arguments<'a> {
    fn new(call: &Call<'a>, border: &Border) -> Self {
        Self {
            node_type: call.node_type,
            config: call.config.to_string(),
            input: call.input.to_string(),
            context: border.identity.context(&call.context),
        }
    }

    fn texts(&self) -> (&str, &str, &str, &str) {
        (self.node_type, &self.config, &self.input, &self.context)
    }
}

impl WasmPlugin {
    pub(super) fn new(engine: Engine, linked: Linked, border: Border) -> Self {
        let ticking = engine.clone();
        let ticker = border.sampler.as_ref().map(|_| Ticker::start(move || ticking.increment_epoch()));
        Self { engine, linked, border, peak: AtomicU64::new(0), _ticker: ticker }
    }

    /// The most bytes of memory that were seen in use.
    pub fn memory_peak(&self) -> Option<u64> {
        Some(self.peak.load(Ordering::Relaxed)).filter(|peak| *peak > 0)
    }

    /// Runs one call.
    pub fn call(&self, call: &Call<'_>) -> Result<Reply, CallError> {
        let allowed = call.context.deadline.saturating_duration_since(Instant::now());
        let arguments = Arguments::new(call, &self.border);
        let mut store = self.store(call.context.deadline);
        let engine = self.engine.clone();
        let alarm = Alarm::at(call.context.deadline, move || engine.increment_epoch());
        let result = match self.linked.needs {
            Needs::Nothing => self.run(&mut store, &arguments),
            Needs::Wasi => wait_for(self.run_waiting(&mut store, &arguments), call.context.deadline),
        };
        drop(alarm);
        self.peak.fetch_max(store.data().memory.used as u64, Ordering::Relaxed);
        if let Some(world) = &store.data().world {
            self.border.log.write(&self.border.identity.plugin, &world.printed());
        }
        match result {
            Ok(Ok(reply)) => envelope::decode_reply(call.node_type, &reply, self.border.limits.output),
            Ok(Err(error)) => Err(envelope::decode_error(&error)),
            Err(error) if error.is::<TimeIsUp>() => Err(CallError::timeout(call.node_type, allowed)),
            Err(error) => Err(self.failure(&store, call, &error)),
        }
    }

    fn store(&self, deadline: Instant) -> Store<State> {
        let world = (self.linked.needs == Needs::Wasi).then(|| World::new(&self.border));
        let state = State { memory: MemoryLimit::new(self.border.limits.memory), deadline, world };
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.memory);
        store.set_epoch_deadline(1);
        // The epoch moves whenever any call's time is up; a call ends only at its own deadline.
        let sampler = self.border.sampler.clone();
        let mut looked = Instant::now();
        store.epoch_deadline_callback(move |state: StoreContextMut<'_, State>| {
            if let Some(sampler) = &sampler {
                sampler.saw(functions(&WasmBacktrace::force_capture(&state)), looked.elapsed());
                looked = Instant::now();
            }
            if Instant::now() >= state.data().deadline { Err(TimeIsUp.into()) } else { Ok(UpdateDeadline::Continue(1)) }
        });
        store
    }

    fn run(&self, store: &mut Store<State>, call: &Arguments<'_>) -> wasmtime::Result<Result<String, String>> {
        let instance = self.linked.instance.instantiate(&mut *store)?;
        Ok(self.function(&instance, store)?.call(store, call.texts())?.0)
    }

    /// The same for a component that may wait inside a function of its host.
    async fn run_waiting(
        &self,
        store: &mut Store<State>,
        call: &Arguments<'_>,
    ) -> wasmtime::Result<Result<String, String>> {
        let instance = self.linked.instance.instantiate_async(&mut *store).await?;
        Ok(self.function(&instance, store)?.call_async(store, call.texts()).await?.0)
    }

    fn function<'a>(&self, instance: &Instance, store: &mut Store<State>) -> wasmtime::Result<Run<'a>> {
        instance.get_typed_func(store, self.linked.run)
    }

    fn failure(&self, store: &Store<State>, call: &Call<'_>, error: &wasmtime::Error) -> CallError {
        if store.data().memory.refused {
            return CallError::out_of_memory(call.node_type, self.border.limits.memory);
        }
        if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
            let message = format!("`{}` ended itself with exit code {}", call.node_type, exit.0);
            return CallError::new(CallErrorKind::Crashed, message);
        }
        let reason = match error.downcast_ref::<Trap>() {
            Some(trap) => trap.to_string(),
            None => error.root_cause().to_string(),
        };
        CallError::crashed(format!("`{}` crashed: {reason}{}", call.node_type, place(error)))
    }
}

/// Runs a future on this thread until it is ready or its time is up.
fn wait_for<T>(future: impl Future<Output = wasmtime::Result<T>>, deadline: Instant) -> wasmtime::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    // The epoch stops code that computes; this stops code that waits. The grace lets the epoch be first, whose error
    // unwinds the plugin's own stack.
    let grace = Duration::from_millis(5);
    let timed = async { tokio::time::timeout_at((deadline + grace).into(), future).await };
    runtime.block_on(timed).unwrap_or_else(|_| Err(TimeIsUp.into()))
}

/// The functions that are running, from the outermost inwards.
fn functions(backtrace: &WasmBacktrace) -> Vec<String> {
    let name = |frame: &wasmtime::FrameInfo| {
        frame.func_name().map_or_else(|| format!("function {}", frame.func_index()), str::to_owned)
    };
    backtrace.frames().iter().rev().map(name).collect()
}

/// Where in the plugin a crash happened, as far as names were compiled in.
fn place(error: &wasmtime::Error) -> String {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return String::new() };
    let names: Vec<_> =
        backtrace.frames().iter().filter_map(|frame| frame.func_name()).take(MAX_NAMED_FRAMES).collect();
    if names.is_empty() { String::new() } else { format!(" in {}", names.join(" < ")) }
}

/// Counts the memory of all of a call's instances together.
struct MemoryLimit {
    limit: usize,
    used: usize,
    /// Whether growth was refused: a crash that follows is one for want of memory.
    refused: bool,
}

impl MemoryLimit {
    fn new(limit: u64) -> Self {
        Self { limit: usize::try_from(limit).unwrap_or(usize::MAX), used: 0, refused: false }
    }

    fn grow(&mut self, bytes: usize) -> bool {
        let used = self.used.checked_add(bytes).filter(|used| *used <= self.limit);
        self.used = used.unwrap_or(self.used);
        self.refused |= used.is_none();
        used.is_some()
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current).saturating_mul(TABLE_ENTRY_BYTES)))
    }
}
