//! One call: an instance, a deadline, a memory limit, and what went wrong in words.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use pocket_index::manifest::InstancePolicy;
use serde_json::json;
use wasmtime::{Engine, Store, Trap, WasmBacktrace};

use super::Waiter;
use super::instance::Resident;
use super::link::{HostWorld, Linked};
use super::state::{Ended, State};
use super::waiting::Waiting;
use crate::engine::access::{HttpClient, KeyValues};
use crate::engine::envelope;
use crate::engine::error::{CallError, CallErrorKind};
use crate::engine::plugin::{Border, Call, Reply};
use crate::engine::sampler::Ticker;
use crate::engine::timer::Alarm;

/// Functions are named in a crash from the innermost outwards; more than this many are left out.
const MAX_NAMED_FRAMES: usize = 5;

/// What a function of the plugin returned.
pub(super) type Returned = Result<String, String>;

/// A loaded WebAssembly plugin.
pub struct WasmPlugin {
    pub(super) engine: Engine,
    pub(super) linked: Linked,
    pub(super) border: Arc<Border>,
    pub(super) waiter: Waiter,
    waiting: Waiting<Resident>,
    pub(super) texts: KeyValues,
    pub(super) http: HttpClient,
    /// The most bytes that a call's instances had; 0 before the first.
    peak: AtomicU64,
    /// Moves the epoch each millisecond while somebody looks where the code is.
    _ticker: Option<Ticker>,
}

/// A call's parameters as texts.
pub(super) struct Arguments<'a> {
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

    pub(super) fn texts(&self) -> (&str, &str, &str, &str) {
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
        let (texts, http) = (KeyValues::default(), HttpClient::with_resolver(border.resolver.clone()));
        let ticking = engine.clone();
        let ticker = border.sampler.as_ref().map(|_| Ticker::start(move || ticking.increment_epoch()));
        let peak = AtomicU64::new(0);
        let plugin = Self { engine, linked, border, waiter, waiting, texts, http, peak, _ticker: ticker };
        // What would keep every call from starting is known when the plugin is loaded.
        drop(plugin.resident()?);
        Ok(plugin)
    }

    /// The most bytes of memory that were seen in use.
    pub fn memory_peak(&self) -> Option<u64> {
        Some(self.peak.load(Ordering::Relaxed)).filter(|peak| *peak > 0)
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
        self.peak.fetch_max(resident.store.data().memory.used as u64, Ordering::Relaxed);
        let printed = resident.store.data().printed.take();
        self.border.log.write(&self.border.identity.plugin, &printed);
        result
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
