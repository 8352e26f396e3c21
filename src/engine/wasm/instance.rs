//! An instance's life: made, started, run, stopped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::{Instance, TypedFunc};
use wasmtime::{Store, StoreContextMut, UpdateDeadline, WasmBacktrace};

use super::call::{Arguments, Returned, WasmPlugin};
use super::link::HostWorld;
use super::preview1::Surroundings;
use super::sockets::Found;
use super::state::{Ended, MemoryLimit, Printed, Refusal, State};
use super::wasi::World;
use crate::engine::timer::Alarm;

/// 1 s: an instance has nothing to wait for when it is stopped.
const TIME_TO_STOP: Duration = Duration::from_secs(1);

type Run<'a> = TypedFunc<(&'a str, &'a str, &'a str, &'a str), (Result<String, String>,)>;
type Start<'a> = TypedFunc<(&'a str,), (Result<(), String>,)>;
type Stop = TypedFunc<(), ()>;

/// An instance in its store.
pub(super) struct Resident {
    pub(super) store: Store<State>,
    /// None before its first call.
    instance: Option<Instance>,
}

impl WasmPlugin {
    pub(super) fn run(&self, resident: &mut Resident, call: &Arguments<'_>) -> wasmtime::Result<Returned> {
        let store = &mut resident.store;
        let instance = match resident.instance {
            Some(instance) => instance,
            None => {
                let instance = self.linked.instance.instantiate(&mut *store)?;
                if let Some(start) = self.linked.exports.start {
                    let start: Start<'_> = instance.get_typed_func(&mut *store, start)?;
                    if let (Err(error),) = start.call(&mut *store, (&self.border.identity.settings_text(),))? {
                        return Ok(Err(error));
                    }
                }
                *resident.instance.insert(instance)
            }
        };
        let run: Run<'_> = instance.get_typed_func(&mut *store, self.linked.exports.run)?;
        Ok(run.call(store, call.texts())?.0)
    }

    /// The same for a component that may wait inside a function of its host.
    pub(super) async fn run_waiting(
        &self,
        resident: &mut Resident,
        call: &Arguments<'_>,
    ) -> wasmtime::Result<Returned> {
        let store = &mut resident.store;
        let instance = match resident.instance {
            Some(instance) => instance,
            None => {
                let instance = self.linked.instance.instantiate_async(&mut *store).await?;
                if let Some(start) = self.linked.exports.start {
                    let start: Start<'_> = instance.get_typed_func(&mut *store, start)?;
                    let settings = self.border.identity.settings_text();
                    if let (Err(error),) = start.call_async(&mut *store, (&settings,)).await? {
                        return Ok(Err(error));
                    }
                }
                *resident.instance.insert(instance)
            }
        };
        let run: Run<'_> = instance.get_typed_func(&mut *store, self.linked.exports.run)?;
        Ok(run.call_async(store, call.texts()).await?.0)
    }

    /// A store with nothing in it yet.
    pub(super) fn resident(&self) -> Result<Resident, String> {
        let (printed, refusal, found) = (Printed::default(), Refusal::default(), Found::default());
        let world = match self.linked.host {
            HostWorld::Own => None,
            HostWorld::Wasi => Some(World::new(&self.border, &printed, &refusal, &found)?),
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
        let (Some(instance), Some(stop)) = (resident.instance, self.linked.exports.stop) else { return };
        let store = &mut resident.store;
        let deadline = Instant::now() + TIME_TO_STOP;
        store.data_mut().deadline = deadline;
        store.set_epoch_deadline(1);
        let engine = self.engine.clone();
        let _alarm = Alarm::at(deadline, move || engine.increment_epoch());
        let stop = instance.get_typed_func(&mut *store, stop);
        let stopped = stop.and_then(|stop: Stop| match self.linked.host {
            HostWorld::Own => stop.call(&mut *store, ()),
            HostWorld::Wasi => self.waiter.wait_for(stop.call_async(&mut *store, ()), deadline),
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
