//! An instance's life: made, started, run, stopped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::{Instance, TypedFunc};
use wasmtime::{Store, StoreContextMut, UpdateDeadline, WasmBacktrace};

use super::arguments::Arguments;
use super::call::{Returned, Stack, WasmPlugin};
use super::http::Outgoing;
use super::link::{Exports, HostWorld};
use super::preview1::Surroundings;
use super::sockets::Found;
use super::state::{Ended, MemoryLimit, Printed, Refusal, State};
use super::wasi::World;
use crate::engine::timer::Alarm;

/// 1 s: an instance has nothing to wait for when it is stopped.
const TIME_TO_STOP: Duration = Duration::from_secs(1);

type Run = TypedFunc<(String, String, String, String), (Returned,)>;
type RunBatch = TypedFunc<(String, String, String), (Returned,)>;
type Start = TypedFunc<(String,), (Result<(), String>,)>;
type Stop = TypedFunc<(), ()>;

/// An instance in its store.
pub(super) struct Resident {
    pub(super) store: Store<State>,
    /// None before its first call.
    instance: Option<Started>,
}

/// An instance that was started, with what it is called by.
#[derive(Clone, Copy)]
struct Started {
    instance: Instance,
    run: Run,
    run_batch: Option<RunBatch>,
}

impl Started {
    fn new(exports: &Exports, instance: Instance, store: &mut Store<State>) -> wasmtime::Result<Self> {
        let run = instance.get_typed_func(&mut *store, exports.run)?;
        let run_batch = exports.run_batch.map(|index| instance.get_typed_func(&mut *store, index)).transpose()?;
        Ok(Self { instance, run, run_batch })
    }

    fn batch(&self) -> wasmtime::Result<&RunBatch> {
        self.run_batch.as_ref().ok_or_else(|| wasmtime::format_err!("it has no `run-batch`"))
    }
}

impl WasmPlugin {
    pub(super) fn run(&self, resident: &mut Resident, arguments: Arguments) -> wasmtime::Result<Returned> {
        let store = &mut resident.store;
        let started = match resident.instance {
            Some(started) => started,
            None => {
                let instance = self.linked.instance.instantiate(&mut *store)?;
                if let Some(start) = self.linked.exports.start {
                    let start: Start = instance.get_typed_func(&mut *store, start)?;
                    if let (Err(error),) = start.call(&mut *store, (self.border.identity.settings_text(),))? {
                        return Ok(Err(error));
                    }
                }
                *resident.instance.insert(Started::new(&self.linked.exports, instance, store)?)
            }
        };
        let (returned,) = match arguments {
            Arguments::Call(texts) => started.run.call(store, texts)?,
            Arguments::Batch(texts) => started.batch()?.call(store, texts)?,
        };
        Ok(returned)
    }

    /// The same on a stack of its own, for a component that may wait inside a function of its host.
    pub(super) async fn run_waiting(
        &self,
        resident: &mut Resident,
        arguments: Arguments,
    ) -> wasmtime::Result<Returned> {
        let store = &mut resident.store;
        let started = match resident.instance {
            Some(started) => started,
            None => {
                let instance = self.linked.instance.instantiate_async(&mut *store).await?;
                if let Some(start) = self.linked.exports.start {
                    let start: Start = instance.get_typed_func(&mut *store, start)?;
                    let settings = self.border.identity.settings_text();
                    if let (Err(error),) = start.call_async(&mut *store, (settings,)).await? {
                        return Ok(Err(error));
                    }
                }
                *resident.instance.insert(Started::new(&self.linked.exports, instance, store)?)
            }
        };
        let (returned,) = match arguments {
            Arguments::Call(texts) => started.run.call_async(store, texts).await?,
            Arguments::Batch(texts) => started.batch()?.call_async(store, texts).await?,
        };
        Ok(returned)
    }

    /// A store with nothing in it yet.
    pub(super) fn resident(&self) -> Result<Resident, String> {
        let (printed, refusal, found) = (Printed::default(), Refusal::default(), Found::default());
        let world = match self.linked.host {
            HostWorld::Own => None,
            HostWorld::Wasi => {
                let http = Outgoing::new(self.http.clone(), &self.border, &refusal);
                Some(World::new(&self.border, &printed, &refusal, &found, http)?)
            }
        };
        let now = Instant::now();
        let state = State {
            memory: MemoryLimit::new(self.border.limits.memory),
            deadline: now,
            started: now,
            world,
            printed,
            surroundings: Surroundings::new(self.border.grants.env_values()),
            border: Arc::clone(&self.border),
            refusal,
            found,
            texts: self.texts.clone(),
            http: self.http.clone(),
        };
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.memory);
        // The epoch moves whenever any call's time is up; a call ends only at its own deadline.
        let sampler = self.border.sampler.clone();
        let mut looked = Instant::now();
        store.epoch_deadline_callback(move |state: StoreContextMut<'_, State>| {
            if let Some(sampler) = &sampler {
                sampler.saw(functions(&WasmBacktrace::force_capture(&state)), looked.elapsed());
                looked = Instant::now();
            }
            let is_over = Instant::now() >= state.data().deadline;
            if is_over { Err(Ended::TimeIsUp.into()) } else { Ok(UpdateDeadline::Continue(1)) }
        });
        Ok(Resident { store, instance: None })
    }

    /// Tells an instance that it was used for the last time. What it prints then is its last word; what goes wrong then no
    /// call can be told.
    pub(super) fn stop(&self, mut resident: Resident) {
        let (Some(started), Some(stop)) = (resident.instance, self.linked.exports.stop) else { return };
        let store = &mut resident.store;
        let deadline = Instant::now() + TIME_TO_STOP;
        store.data_mut().deadline = deadline;
        store.set_epoch_deadline(1);
        let engine = self.engine.clone();
        let _alarm = Alarm::at(deadline, move || engine.increment_epoch());
        let stop = started.instance.get_typed_func(&mut *store, stop);
        let stopped = stop.and_then(|stop: Stop| match self.stack {
            Stack::Callers => stop.call(&mut *store, ()),
            Stack::Own => self.waiter.wait_for(stop.call_async(&mut *store, ()), deadline),
        });
        let printed = store.data().printed.take();
        self.border.log.write(&self.border.identity.plugin, &printed);
        if let Err(error) = stopped {
            self.border.log.write(&self.border.identity.plugin, &format!("`stop` failed: {}", error.root_cause()));
        }
    }
}

/// The functions that are running, from the outermost inwards.
fn functions(backtrace: &WasmBacktrace) -> Vec<String> {
    let name = |frame: &wasmtime::FrameInfo| {
        frame.func_name().map_or_else(|| format!("function {}", frame.func_index()), str::to_owned)
    };
    backtrace.frames().iter().rev().map(name).collect()
}
