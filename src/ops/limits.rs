//! What the calls of a plugin may use here.

use pocket_index::name::PluginName;

use super::Workspace;
use crate::engine::Limits;

/// The limits of one plugin.
pub fn of(workspace: &Workspace, plugin: &PluginName) -> Limits {
    let _ = (workspace, plugin);
    Limits::default()
}
