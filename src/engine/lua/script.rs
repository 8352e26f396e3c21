//! A compiled script and its calls.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use mlua::chunk::Compiler;
use mlua::{MultiValue, Table, Value as LuaValue};
use serde_json::Value;

use super::capabilities::Capabilities;
use super::encode::{self, Unfit};
use super::failure::Failure;
use super::library::LogFunction;
use super::state::State;
use super::value;
use crate::engine::budget::Limits;
use crate::engine::envelope;
use crate::engine::error::{CallError, CallErrorKind};
use crate::engine::log::PluginLog;
use crate::engine::plugin::Reply;
use crate::engine::sampler::Sampler;

/// States that are kept between calls. More calls at once make more states, which are dropped afterwards.
const MAX_IDLE_STATES: usize = 8;

/// The function that is called when nothing more fitting is there.
const PROCESS: &str = "process";

/// Luau would read globals once, when a script is loaded, if it took them for constants.
const CHANGING_GLOBALS: [&str; 5] = ["_G", "input", "config", "context", "env"];

/// A compiled Lua script. Every call runs the whole script in an environment of its own.
pub struct Script {
    name: String,
    bytecode: Vec<u8>,
    limits: Limits,
    log: PluginLog,
    /// What the host does for the script; nothing for one of a workflow.
    capabilities: Option<Capabilities>,
    idle: Mutex<Vec<State>>,
    /// The most bytes that a state had when a call ended; 0 before the first.
    peak: AtomicU64,
    /// What keeps where the script is seen; none if nobody looks.
    sampler: Option<Sampler>,
}

/// A plugin's function and what it is given.
pub(super) struct FunctionCall<'a> {
    pub(super) node_type: &'a str,
    pub(super) arguments: [&'a Value; 3],
    pub(super) environment_variables: Vec<(String, String)>,
}

impl Script {
    /// Compiles `source`; `name` stands in errors before the line, such as `report.lua:12`. A mistake in the source is an error of kind
    /// `load`.
    pub fn compile(name: &str, source: &str, limits: Limits) -> Result<Self, CallError> {
        let compiler = Compiler::new()
            .set_optimization_level(2)
            .set_debug_level(1)
            .set_mutable_globals(CHANGING_GLOBALS.map(str::to_owned));
        let bytecode = compiler.compile(source).map_err(|error| CallError::load(syntax_message(name, &error)))?;
        let (name, log, idle) = (name.to_owned(), PluginLog::default(), Mutex::default());
        let (peak, capabilities, sampler) = (AtomicU64::new(0), None, None);
        Ok(Self { name, bytecode, limits, log, capabilities, idle, peak, sampler })
    }

    /// The same script, which is looked at while it runs.
    #[must_use]
    pub(super) fn with_sampler(mut self, sampler: Option<Sampler>) -> Self {
        self.sampler = sampler;
        self
    }

    /// The same script with another place for what it prints.
    #[must_use]
    pub fn with_log(mut self, log: PluginLog) -> Self {
        self.log = log;
        self
    }

    /// The same script as a plugin's.
    #[must_use]
    pub(super) fn with_capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = Some(capabilities);
        self
    }

    /// Runs the script for the built-in node `lua`: it sees `input` and what `globals` name; what it returns is the output and the
    /// action. If it returns nothing and has a function `process`, that one is called with the input.
    pub fn run(&self, input: &Value, globals: &[(&str, &Value)], deadline: Instant) -> Result<Reply, CallError> {
        self.with_state(&self.name, deadline, |state| {
            let environment = state.environment()?;
            environment.raw_set("input", state.marks.to_lua(state.lua(), input)?)?;
            for (name, value) in globals {
                environment.raw_set(*name, state.marks.to_lua(state.lua(), value)?)?;
            }
            let mut returned = self.run_chunk(state, &environment)?;
            if let (true, LuaValue::Function(process)) = (returned.is_empty(), environment.raw_get(PROCESS)?) {
                let input = environment.raw_get::<LuaValue>("input")?;
                returned = state.call(&process, MultiValue::from_iter([input]))?;
            }
            self.reply(state, "the script", returned)
        })
    }

    /// Runs the script and then its function for a node type: the one of that name with `-` as `_`, or `process`.
    pub(super) fn call(&self, call: &FunctionCall<'_>, deadline: Instant) -> Result<Reply, CallError> {
        self.with_state(call.node_type, deadline, |state| {
            let environment = state.environment()?;
            let variables = state.lua().create_table_from(call.environment_variables.iter().cloned())?;
            environment.raw_set("env", variables)?;
            self.run_chunk(state, &environment)?;
            let function_name = call.node_type.replace('-', "_");
            let function = match (environment.raw_get(function_name.as_str())?, environment.raw_get(PROCESS)?) {
                (LuaValue::Function(function), _) | (_, LuaValue::Function(function)) => function,
                _ => {
                    let message = format!("`{}` defines neither `{function_name}` nor `{PROCESS}`", self.name);
                    return Err(CallError::load(message).into());
                }
            };
            let arguments = call.arguments.iter().map(|value| state.marks.to_lua(state.lua(), value));
            let arguments = arguments.collect::<mlua::Result<_>>()?;
            let returned = state.call(&function, arguments)?;
            self.reply(state, &format!("`{}`", call.node_type), returned)
        })
    }

    fn run_chunk(&self, state: &State, environment: &Table) -> Result<MultiValue, Failure> {
        let chunk = state.chunk(&self.name, &self.bytecode, environment)?;
        state.call(&chunk, MultiValue::new())
    }

    fn reply(&self, state: &State, whose: &str, mut returned: MultiValue) -> Result<Reply, Failure> {
        let failed = |message| CallError::new(CallErrorKind::Failed, message);
        let output = returned.pop_front().unwrap_or(LuaValue::Nil);
        let output = encode::to_json(state.lua(), &output, self.limits.into());
        let output = output.map_err(|unfit| self.unfit(whose, &unfit))?;
        let action = match returned.pop_front() {
            None | Some(LuaValue::Nil) => None,
            Some(LuaValue::String(action)) => Some(action.to_string_lossy()),
            Some(other) => {
                let found = value::type_of(&other);
                return Err(failed(format!("the action of {whose} must be a text, found {found}")).into());
            }
        };
        Ok(Reply { output, action: envelope::named_action(action) })
    }

    fn unfit(&self, whose: &str, unfit: &Unfit) -> Failure {
        match unfit {
            Unfit::OutOfMemory => Failure::Memory,
            Unfit::TooLarge => Failure::TooLarge,
            Unfit::Value { .. } => {
                let message = unfit.sentence(&format!("the output of {whose}"), self.limits.output);
                CallError::new(CallErrorKind::Failed, message).into()
            }
        }
    }

    /// Lends a state to one call. A state whose call failed is not used again: nobody knows in what condition it is.
    fn with_state(
        &self,
        who: &str,
        deadline: Instant,
        run: impl FnOnce(&State) -> Result<Reply, Failure>,
    ) -> Result<Reply, CallError> {
        let started = Instant::now();
        let state = self.take_state().map_err(|error| self.error(who, error.into()))?;
        let interrupt = state.interrupt_at(deadline);
        let look = self.sampler.as_ref().map(|sampler| state.look(sampler));
        let result = run(&state);
        drop(look);
        drop(interrupt);
        self.peak.fetch_max(state.lua().used_memory() as u64, Ordering::Relaxed);
        match result {
            Ok(reply) => {
                self.keep(state);
                Ok(reply)
            }
            Err(_) if Instant::now() >= deadline => {
                Err(CallError::timeout(who, deadline.saturating_duration_since(started)))
            }
            Err(failure) => Err(self.error(who, failure)),
        }
    }

    /// The most bytes that a state had when a call ended.
    pub(super) fn memory_peak(&self) -> Option<u64> {
        Some(self.peak.load(Ordering::Relaxed)).filter(|peak| *peak > 0)
    }

    fn take_state(&self) -> mlua::Result<State> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| State::new(self.limits, self.log_function(), self.capabilities.as_ref()), Ok)
    }

    fn keep(&self, state: State) {
        if state.calm_down().is_ok() {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < MAX_IDLE_STATES {
                idle.push(state);
            }
        }
    }

    fn log_function(&self) -> LogFunction {
        let (log, name) = (self.log.clone(), self.name.clone());
        Box::new(move |severity, text| log.write_as(severity, &name, text))
    }

    fn error(&self, who: &str, failure: Failure) -> CallError {
        match failure {
            Failure::Memory => CallError::out_of_memory(who, self.limits.memory),
            Failure::Depth => CallError::calls_too_deep(who, self.limits.call_depth),
            Failure::TooLarge => CallError::output_too_large(who, self.limits.output),
            Failure::Raised(error) => error,
        }
    }
}

/// Luau's compiler knows no name and starts with the line: `:2: Expected …`, perhaps after a word for the chunk.
fn syntax_message(name: &str, error: &mlua::Error) -> String {
    let text = match error {
        mlua::Error::SyntaxError { message, .. } => message.clone(),
        other => other.to_string(),
    };
    let from_line = text.find(|c: char| c.is_ascii_digit()).unwrap_or(0);
    format!("{name}:{}", &text[from_line..])
}
