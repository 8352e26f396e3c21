//! Lua plugins and scripts.

use super::error::CallError;
use super::plugin::{Border, Call, PluginFiles, Reply};

/// A loaded Lua plugin.
pub struct LuaPlugin;

impl LuaPlugin {
    /// Compiles the plugin's script.
    pub fn load(files: &PluginFiles, _: Border) -> Result<Self, CallError> {
        Err(CallError::load(files.portable_binary()?.display().to_string()))
    }

    /// Runs one call.
    pub fn call(&self, call: &Call<'_>) -> Result<Reply, CallError> {
        Err(CallError::load(call.node_type))
    }
}
