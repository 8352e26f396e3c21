//! Lua plugins and scripts: Luau, closed off, with a memory limit and a deadline that scripts cannot escape.
//!
//! `script` is a compiled script and its calls, `state` the closed Lua state, `prelude.luau` and `library` what scripts find in it,
//! `capabilities` and `request` what the host does for plugins, `value`, `decode`, `encode` and `stack` carry JSON in and out, `interrupt` ends what runs too long, `failure` reads what scripts raise.

mod capabilities;
mod decode;
pub mod describe;
mod encode;
mod failure;
mod interrupt;
mod library;
mod look;
mod request;
mod script;
mod stack;
mod state;
mod value;

#[cfg(test)]
mod capability_tests;
#[cfg(test)]
mod escapes;
#[cfg(test)]
mod tests;

use capabilities::Capabilities;
pub use describe::{Description, describe};
use script::FunctionCall;
pub use script::Script;

use super::error::CallError;
use super::plugin::{Border, Call, PluginFiles, Reply};

/// A loaded Lua plugin.
pub struct LuaPlugin {
    script: Script,
    border: Border,
}

impl LuaPlugin {
    /// Compiles the plugin's script.
    pub fn load(files: &PluginFiles, border: Border) -> Result<Self, CallError> {
        let path = files.portable_binary()?;
        let plugin = &border.identity.plugin;
        let unreadable = |error| CallError::load(format!("cannot read `{}` of `{plugin}`: {error}", path.display()));
        let source = std::fs::read_to_string(&path).map_err(unreadable)?;
        let name = path.file_name().map_or_else(|| plugin.clone(), |name| name.to_string_lossy().into_owned());
        Self::compile(&name, &source, border)
    }

    fn compile(name: &str, source: &str, border: Border) -> Result<Self, CallError> {
        let capabilities = Capabilities::new(&border);
        let script = Script::compile(name, source, border.limits)?;
        let script = script.with_log(border.log.clone()).with_sampler(border.sampler.clone());
        let script = script.with_capabilities(capabilities);
        Ok(Self { script, border })
    }

    /// The most bytes of memory that were seen in use.
    pub fn memory_peak(&self) -> Option<u64> {
        self.script.memory_peak()
    }

    /// Runs one call.
    pub fn call(&self, call: &Call<'_>) -> Result<Reply, CallError> {
        let context = self.border.identity.context_value(&call.context);
        let function = FunctionCall {
            node_type: call.node_type,
            arguments: [call.input, call.config, &context],
            environment_variables: self.border.grants.env_values().collect(),
        };
        self.script.call(&function, call.context.deadline)
    }
}
