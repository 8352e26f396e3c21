//! Where a plan finds node types that are not built in. The room that loads plugins fits this trait.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use crate::nodes::{Allowed, Node};

/// The node types that plugins provide.
pub trait NodeCatalog {
    /// Who provides a node type, named bare (`redis-get`) or with its plugin (`redis-cache/redis-get`).
    fn find(&self, node_type: &str) -> Found;

    /// Every node type it has, for suggestions.
    fn names(&self) -> Vec<String>;

    /// What would make an unknown node type known, such as "run `pocket plugin install ml-analyzer`".
    fn provider_hint(&self, node_type: &str) -> Option<String>;

    /// This program, which does what may explode in a process of its own when it is called with `__worker`. Without one it is done in
    /// this process.
    fn worker(&self) -> Option<PathBuf> {
        None
    }

    /// What workflows may use that is not theirs; nothing unless somebody says so.
    fn allowed(&self) -> Arc<Allowed> {
        Arc::default()
    }
}

/// Who provides a node type.
pub enum Found {
    /// One plugin.
    Plugin(PluginNode),
    /// Several plugins: each as `plugin/node`.
    Several(Vec<String>),
    /// Nobody.
    Nothing,
}

/// A node type of a plugin.
#[derive(Clone)]
pub struct PluginNode {
    /// The plugin's name.
    pub plugin: String,
    /// The node type, without the plugin's name.
    pub node_type: String,
    /// One line about it.
    pub description: String,
    /// The JSON Schema of its config.
    pub schema: Option<Value>,
    /// The JSON Schema of its input.
    pub input_schema: Option<Value>,
    /// The JSON Schema of its output.
    pub output_schema: Option<Value>,
    /// What its plugin may do, as a person reads it.
    pub permissions: Vec<String>,
    /// What runs it.
    pub node: Arc<dyn Node>,
}

/// No plugins at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPlugins;

impl NodeCatalog for NoPlugins {
    fn find(&self, _node_type: &str) -> Found {
        Found::Nothing
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    fn provider_hint(&self, _node_type: &str) -> Option<String> {
        None
    }
}
