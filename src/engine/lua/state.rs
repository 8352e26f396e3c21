//! One Lua state: closed before a script sees it, used by one call at a time, kept for the next.
//!
//! What the states of one script share is read-only. A call writes its globals into an environment of its own, which is gone
//! with the call.

use std::time::Instant;

use mlua::chunk::ChunkMode;
use mlua::{Function, Lua, LuaOptions, MultiValue, StdLib, Table, Value as LuaValue};

use super::capabilities::{Capabilities, Deadline};
use super::failure::{self, Failure};
use super::interrupt::Interrupt;
use super::library::{self, LogFunction};
use super::look::Look;
use super::value::Marks;
use crate::engine::budget::Limits;
use crate::engine::sampler::Sampler;

const PRELUDE: &str = include_str!("prelude.luau");

/// A state that holds more than this after a call, in bytes, is collected before the next.
const CALM_BYTES: usize = 4 << 20;

pub(super) struct State {
    lua: Lua,
    pub(super) marks: Marks,
    /// The prelude's function that calls others and says what became of it.
    guarded: Function,
    limits: Limits,
    /// Gives every environment the globals.
    environment_metatable: Table,
}

impl State {
    pub(super) fn new(limits: Limits, log: LogFunction, capabilities: Option<&Capabilities>) -> mlua::Result<Self> {
        let libraries = StdLib::COROUTINE
            | StdLib::TABLE
            | StdLib::OS
            | StdLib::STRING
            | StdLib::UTF8
            | StdLib::BIT
            | StdLib::MATH
            | StdLib::BUFFER
            | StdLib::VECTOR
            | StdLib::DEBUG;
        let lua = Lua::new_with(libraries, LuaOptions::default())?;
        lua.set_memory_limit(usize::try_from(limits.memory).unwrap_or(usize::MAX))?;
        let globals = lua.globals();
        let marks = Marks::new(&lua)?;
        library::install(&lua, &globals, &marks, limits)?;
        let guarded = lua.load(PRELUDE).set_name("=prelude").call(library::host(&lua, log)?)?;
        if let Some(capabilities) = capabilities {
            capabilities.install(&lua, &marks)?;
        }
        lua.sandbox(true)?;
        let environment_metatable = lua.create_table()?;
        environment_metatable.raw_set("__index", globals)?;
        environment_metatable.raw_set("__metatable", false)?;
        environment_metatable.set_readonly(true);
        Ok(Self { lua, marks, guarded, limits, environment_metatable })
    }

    pub(super) fn lua(&self) -> &Lua {
        &self.lua
    }

    /// An environment with nothing of its own yet.
    pub(super) fn environment(&self) -> mlua::Result<Table> {
        let environment = self.lua.create_table()?;
        environment.raw_set("_G", &environment)?;
        environment.set_metatable(Some(self.environment_metatable.clone()))?;
        // Built-in functions are then called directly. Nothing can replace them: the globals are read-only.
        environment.set_safeenv(true);
        Ok(environment)
    }

    /// The compiled script as a function in `environment`. The bytes come from Luau's compiler, never from a script.
    pub(super) fn chunk(&self, name: &str, bytecode: &[u8], environment: &Table) -> mlua::Result<Function> {
        let chunk = self.lua.load(bytecode).set_name(format!("={name}"));
        chunk.set_mode(ChunkMode::Binary).set_environment(environment.clone()).into_function()
    }

    /// Calls a function of the script.
    pub(super) fn call(&self, function: &Function, arguments: MultiValue) -> Result<MultiValue, Failure> {
        let mut all = arguments;
        all.push_front(LuaValue::Function(function.clone()));
        let mut results: MultiValue = self.guarded.call(all)?;
        if results.pop_front() == Some(LuaValue::Boolean(true)) {
            return Ok(results);
        }
        let raised = results.pop_front().unwrap_or(LuaValue::Nil);
        let place = results.pop_front().and_then(|place| place.as_string().map(|place| place.to_string_lossy()));
        Err(failure::of_raised(&raised, place.as_deref()))
    }

    /// From now on the script, and what the host does for it, ends at `deadline`.
    pub(super) fn interrupt_at(&self, deadline: Instant) -> Interrupt<'_> {
        self.lua.set_app_data(Deadline(deadline));
        Interrupt::at(deadline, self.limits.call_depth, &self.lua)
    }

    /// From now on somebody looks where the script is.
    pub(super) fn look(&self, sampler: &Sampler) -> Look<'_> {
        Look::start(&self.lua, sampler)
    }

    /// Readies the state for the next call.
    pub(super) fn calm_down(&self) -> mlua::Result<()> {
        if self.lua.used_memory() > CALM_BYTES { self.lua.gc_collect() } else { Ok(()) }
    }
}
