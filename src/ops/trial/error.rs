//! What can go wrong when a plugin is tried.

use pocket_index::name::{NodeType, PluginName};

use crate::engine::CallError;

/// Why a plugin was not tried to the end.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// A plugin without a node type that was asked for.
    #[error("`{plugin}` has no node type `{node}`, only {}", known.iter().map(|node| format!("`{node}`")).collect::<Vec<_>>().join(", "))]
    NoNode {
        /// The plugin.
        plugin: PluginName,
        /// What was asked for.
        node: NodeType,
        /// What it has.
        known: Vec<NodeType>,
    },
    /// Nothing to call a plugin with.
    #[error("`{plugin}` has no examples to call it with, and fails with an empty input")]
    NoExamples {
        /// The plugin.
        plugin: PluginName,
        /// How it fails.
        source: CallError,
    },
    /// A call that failed.
    #[error("calling `{node}` with {label} failed")]
    Call {
        /// The node type.
        node: NodeType,
        /// What it was called with.
        label: String,
        /// Why it failed.
        source: CallError,
    },
}
