//! One call: an instance, a deadline, a memory limit, and what went wrong in words.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use pocket_index::manifest::InstancePolicy;
use serde_json::json;
use wasmtime::{Engine, Store, Trap, WasmBacktrace};

use super::Waiter;
use super::arguments::Arguments;
use super::instance::Resident;
use super::link::{HostWorld, Linked};
use super::state::{Ended, State};
use super::waiting::Waiting;
use crate::engine::access::{HttpClient, KeyValues};
use crate::engine::budget::Limits;
use crate::engine::envelope;
use crate::engine::error::{CallError, CallErrorKind};
use crate::engine::plugin::{Asked, Border, Call, CallContext, Reply};
use crate::engine::sampler::Ticker;
use crate::engine::timer::Alarm;

/// Functions are named in a crash from the innermost outwards; more than this many are left out.
const MAX_NAMED_FRAMES: usize = 5;

/// What a function of the plugin returned.
pub(super) type Returned = Result<String, String>;

/// On which stack a plugin's code runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stack {
    /// That of the thread that calls.
    Callers,
    /// One of its own: because it can wait while the thread does something else, or because no thread's is large enough.
    Own,
}

impl Stack {
    fn of(linked: &Linked, limits: Limits) -> Self {
        let fits = limits.stack <= Limits::default().stack;
        if linked.host == HostWorld::Own && fits { Self::Callers } else { Self::Own }
    }
}

/// A loaded WebAssembly plugin.
pub struct WasmPlugin {
    pub(super) engine: Engine,
    pub(super) linked: Linked,
    pub(super) border: Arc<Border>,
    pub(super) waiter: Waiter,
    pub(super) stack: Stack,
    waiting: Waiting<Resident>,
    pub(super) texts: KeyValues,
    pub(super) http: HttpClient,
    /// The most bytes that a call's instances had; 0 before the first.
    peak: AtomicU64,
    /// Moves the epoch each millisecond while somebody looks where the code is.
    _ticker: Option<Ticker>,
}

impl WasmPlugin {
    pub(super) fn new(
        engine: Engine,
        linked: Linked,
        border: Border,
        waiter: Waiter,
        policy: InstancePolicy,
    ) -> Result<Self, String> {
        let stack = Stack::of(&linked, border.limits);
        let (border, waiting) = (Arc::new(border), Waiting::new(policy));
        let (texts, http) = (KeyValues::default(), HttpClient::with_resolver(border.resolver.clone()));
        let ticking = engine.clone();
        let ticker = border.sampler.as_ref().map(|_| Ticker::start(move || ticking.increment_epoch()));
        let peak = AtomicU64::new(0);
        let plugin = Self { engine, linked, border, waiter, stack, waiting, texts, http, peak, _ticker: ticker };
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
        let reply = self.cross(call.node_type, &call.context, Arguments::of_call(call, &self.border))?;
        envelope::decode_reply(call.node_type, &reply, self.border.limits.output)
    }

    /// Whether it takes several calls in one crossing.
    pub fn has_batch(&self) -> bool {
        self.linked.exports.run_batch.is_some()
    }

    /// Runs several calls in one crossing. What ends the crossing ends them all.
    ///
    /// # Errors
    /// The plugin did not reply to each of them; what it replied to one of them is in the list.
    pub fn call_batch(
        &self,
        node_type: &str,
        asked: &[Asked<'_>],
        context: &CallContext,
    ) -> Result<Vec<Result<Reply, CallError>>, CallError> {
        let arguments = Arguments::of_batch(node_type, asked, context, &self.border);
        let replies = self.cross(node_type, context, arguments)?;
        envelope::decode_replies(node_type, &replies, asked.len(), self.border.limits.output)
    }

    /// Crosses the border once and comes back with what the plugin returned, if that is no error.
    fn cross(&self, node_type: &str, context: &CallContext, arguments: Arguments) -> Result<String, CallError> {
        let deadline = context.deadline;
        let allowed = deadline.saturating_duration_since(Instant::now());
        let timeout = || CallError::timeout(node_type, allowed);
        let mut seat = self.waiting.seat(&context.run_id, deadline).ok_or_else(timeout)?;
        if let Some(dropped) = seat.dropped.take() {
            self.stop(dropped);
        }
        let mut resident = match seat.instance.take() {
            Some(waited) => waited,
            None => self.resident().map_err(|reason| CallError::load(format!("`{node_type}`: {reason}")))?,
        };
        let result = self.within(&mut resident, deadline, arguments);
        let refusal = resident.store.data().refusal.take();
        let returned = match result {
            Ok(returned) => returned,
            Err(error) if matches!(error.downcast_ref(), Some(Ended::TimeIsUp)) => return Err(timeout()),
            Err(error) => return Err(because_of(refusal, self.failure(&resident.store, node_type, &error))),
        };
        let memory = &resident.store.data().memory;
        let was_refused_memory = memory.refused;
        if memory.is_half_used() || was_refused_memory {
            self.stop(resident);
        } else {
            seat.instance = Some(resident);
        }
        returned.map_err(|error| match was_refused_memory {
            // Languages with exceptions make one of it, which says less.
            true => CallError::out_of_memory(node_type, self.border.limits.memory),
            false => because_of(refusal, envelope::decode_error(&error)),
        })
    }

    /// Stops the instances that were kept for a run.
    pub fn end_run(&self, run_id: &str) {
        self.waiting.end_run(run_id).into_iter().for_each(|resident| self.stop(resident));
    }

    /// Runs `run` under a deadline, and writes what it printed to the log.
    fn within(&self, resident: &mut Resident, deadline: Instant, arguments: Arguments) -> wasmtime::Result<Returned> {
        resident.store.data_mut().deadline = deadline;
        resident.store.set_epoch_deadline(1);
        let engine = self.engine.clone();
        let alarm = Alarm::at(deadline, move || engine.increment_epoch());
        let result = match self.stack {
            Stack::Callers => self.run(resident, arguments),
            Stack::Own => self.waiter.wait_for(self.run_waiting(resident, arguments), deadline),
        };
        drop(alarm);
        self.peak.fetch_max(resident.store.data().memory.used as u64, Ordering::Relaxed);
        let printed = resident.store.data().printed.take();
        self.border.log.write(&self.border.identity.plugin, &printed);
        result
    }

    fn failure(&self, store: &Store<State>, node_type: &str, error: &wasmtime::Error) -> CallError {
        let limits = &self.border.limits;
        if let Some(Ended::Because(reason)) = error.downcast_ref() {
            return reason.clone();
        }
        if store.data().memory.refused {
            return CallError::out_of_memory(node_type, limits.memory);
        }
        if error.downcast_ref() == Some(&Trap::StackOverflow) {
            return CallError::stack_exhausted(node_type, limits.stack);
        }
        if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
            let message = format!("`{node_type}` ended itself with exit code {}", exit.0);
            return CallError::new(CallErrorKind::Crashed, message);
        }
        let reason = match error.downcast_ref::<Trap>() {
            Some(trap) => trap.to_string(),
            None => error.root_cause().to_string(),
        };
        CallError::crashed(format!("`{node_type}` crashed: {reason}{}", place(error)))
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
