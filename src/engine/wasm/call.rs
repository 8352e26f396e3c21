//! One call: an instance, a deadline, a memory limit, and what went wrong in words.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pocket_index::manifest::InstancePolicy;
use serde_json::json;
use wasmtime::component::{Instance, TypedFunc};
use wasmtime::{Engine, Store, StoreContextMut, Trap, UpdateDeadline, WasmBacktrace};

use super::Waiter;
use super::link::{HostWorld, Linked};
use super::preview1::Surroundings;
use super::sockets::Found;
use super::state::{Ended, MemoryLimit, Printed, Refusal, State};
use super::waiting::Waiting;
use super::wasi::World;
use crate::engine::access::{HttpClient, KeyValues};
use crate::engine::envelope;
use crate::engine::error::{CallError, CallErrorKind};
use crate::engine::plugin::{Border, Call, Reply};
use crate::engine::timer::Alarm;

/// Functions are named in a crash from the innermost outwards; more than this many are left out.
const MAX_NAMED_FRAMES: usize = 5;

/// 1 s: an instance has nothing to wait for when it is stopped.
const TIME_TO_STOP: Duration = Duration::from_secs(1);

type Run<'a> = TypedFunc<(&'a str, &'a str, &'a str, &'a str), (Result<String, String>,)>;
type Start<'a> = TypedFunc<(&'a str,), (Result<(), String>,)>;
type Stop = TypedFunc<(), ()>;

/// What a function of the plugin returned.
type Returned = Result<String, String>;

/// A loaded WebAssembly plugin.
pub struct WasmPlugin {
    engine: Engine,
    linked: Linked,
    border: Arc<Border>,
    waiter: Waiter,
    waiting: Waiting<Resident>,
    texts: KeyValues,
    http: HttpClient,
}

/// An instance in its store.
struct Resident {
    store: Store<State>,
    /// None before its first call.
    instance: Option<Instance>,
}

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
    pub(super) fn new(
        engine: Engine,
        linked: Linked,
        border: Border,
        waiter: Waiter,
        policy: InstancePolicy,
    ) -> Result<Self, String> {
        let (border, waiting) = (Arc::new(border), Waiting::new(policy));
        let (texts, http) = (KeyValues::default(), HttpClient::default());
        let plugin = Self { engine, linked, border, waiter, waiting, texts, http };
        // What would keep every call from starting is known when the plugin is loaded.
        drop(plugin.resident()?);
        Ok(plugin)
    }

    /// Runs one call.
    pub fn call(&self, call: &Call<'_>) -> Result<Reply, CallError> {
        let allowed = call.context.deadline.saturating_duration_since(Instant::now());
        let timeout = || CallError::timeout(call.node_type, allowed);
        let arguments = Arguments::new(call, &self.border);
        let deadline = call.context.deadline;
        let mut seat = self.waiting.seat(&call.context.run_id, deadline).ok_or_else(timeout)?;
        if let Some(dropped) = seat.dropped.take() {
            self.stop(dropped);
        }
        let mut resident = match seat.instance.take() {
            Some(waited) => waited,
            None => self.resident().map_err(|reason| CallError::load(format!("`{}`: {reason}", call.node_type)))?,
        };
        let result = self.within(&mut resident, deadline, &arguments);
        let refusal = resident.store.data().refusal.take();
        let returned = match result {
            Ok(returned) => returned,
            Err(error) if matches!(error.downcast_ref(), Some(Ended::TimeIsUp)) => return Err(timeout()),
            Err(error) => return Err(because_of(refusal, self.failure(&resident.store, call, &error))),
        };
        let memory = &resident.store.data().memory;
        let was_refused_memory = memory.refused;
        if memory.is_half_used() || was_refused_memory {
            self.stop(resident);
        } else {
            seat.instance = Some(resident);
        }
        drop(seat);
        match returned {
            Ok(reply) => envelope::decode_reply(call.node_type, &reply, self.border.limits.output),
            // Languages with exceptions make one of it, which says less.
            Err(_) if was_refused_memory => Err(CallError::out_of_memory(call.node_type, self.border.limits.memory)),
            Err(error) => Err(because_of(refusal, envelope::decode_error(&error))),
        }
    }

    /// Stops the instances that were kept for a run.
    pub fn end_run(&self, run_id: &str) {
        self.waiting.end_run(run_id).into_iter().for_each(|resident| self.stop(resident));
    }

    /// Runs `run` under a deadline, and writes what it printed to the log.
    fn within(
        &self,
        resident: &mut Resident,
        deadline: Instant,
        arguments: &Arguments<'_>,
    ) -> wasmtime::Result<Returned> {
        resident.store.data_mut().deadline = deadline;
        resident.store.set_epoch_deadline(1);
        let engine = self.engine.clone();
        let alarm = Alarm::at(deadline, move || engine.increment_epoch());
        let result = match self.linked.host {
            HostWorld::Own => self.run(resident, arguments),
            HostWorld::Wasi => self.waiter.wait_for(self.run_waiting(resident, arguments), deadline),
        };
        drop(alarm);
        let printed = resident.store.data().printed.take();
        self.border.log.write(&self.border.identity.plugin, &printed);
        result
    }

    fn run(&self, resident: &mut Resident, call: &Arguments<'_>) -> wasmtime::Result<Returned> {
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
    async fn run_waiting(&self, resident: &mut Resident, call: &Arguments<'_>) -> wasmtime::Result<Returned> {
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
    fn resident(&self) -> Result<Resident, String> {
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
        store.epoch_deadline_callback(|state: StoreContextMut<'_, State>| {
            let is_over = Instant::now() >= state.data().deadline;
            if is_over { Err(Ended::TimeIsUp.into()) } else { Ok(UpdateDeadline::Continue(1)) }
        });
        Ok(Resident { store, instance: None })
    }

    /// Tells an instance that it was used for the last time. What it prints then is its last word; what goes wrong then no
    /// call can be told.
    fn stop(&self, mut resident: Resident) {
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

    fn failure(&self, store: &Store<State>, call: &Call<'_>, error: &wasmtime::Error) -> CallError {
        if let Some(Ended::Because(reason)) = error.downcast_ref() {
            return reason.clone();
        }
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

impl Drop for WasmPlugin {
    fn drop(&mut self) {
        for resident in self.waiting.drain() {
            self.stop(resident);
        }
    }
}

/// A call that was refused something and then failed, failed because of that: WASI has no words for why.
fn because_of(refusal: Option<CallError>, error: CallError) -> CallError {
    match refusal {
        Some(refusal) if error.kind != CallErrorKind::Denied => {
            CallError { details: Some(json!({"plugin_reported": error.message})), ..refusal }
        }
        _ => error,
    }
}

/// Where in the plugin a crash happened, as far as names were compiled in.
fn place(error: &wasmtime::Error) -> String {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return String::new() };
    let names: Vec<_> =
        backtrace.frames().iter().filter_map(|frame| frame.func_name()).take(MAX_NAMED_FRAMES).collect();
    if names.is_empty() { String::new() } else { format!(" in {}", names.join(" < ")) }
}
