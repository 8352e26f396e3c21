//! Where a plan finds node types that are not built in. The room that loads plugins fits this trait.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use super::document::Document;
use super::problem::Problems;
use crate::engine::CallError;
use crate::nodes::{Allowed, Node, NodeCall, Outcome, failed};

/// The node types that plugins provide.
pub trait NodeCatalog {
    /// Who provides a node type, named bare (`redis-get`) or with its plugin (`redis-cache/redis-get`).
    fn find(&self, node_type: &str) -> Found;

    /// Every node type it has, for suggestions.
    fn names(&self) -> Vec<String>;

    /// What would make an unknown node type known, such as "run `pocket plugin install ml-analyzer`".
    fn provider_hint(&self, node_type: &str) -> Option<String>;

    /// The same for a document that runs inside another: what its `plugins:` block sets wins over what the outer one sets.
    ///
    /// # Errors
    /// What is wrong with that block.
    fn inside<'b>(&'b self, document: &Document) -> Result<Box<dyn NodeCatalog + 'b>, Problems>;

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

    fn inside<'b>(&'b self, _document: &Document) -> Result<Box<dyn NodeCatalog + 'b>, Problems> {
        Ok(Box::new(Self))
    }
}

/// Takes node types that nobody has as they are written: enough to look at a workflow, not to run it.
pub struct Undemanding<'a>(pub &'a dyn NodeCatalog);

impl NodeCatalog for Undemanding<'_> {
    fn find(&self, node_type: &str) -> Found {
        match self.0.find(node_type) {
            Found::Plugin(found) => Found::Plugin(found),
            Found::Several(_) | Found::Nothing => Found::Plugin(unknown(node_type)),
        }
    }

    fn names(&self) -> Vec<String> {
        self.0.names()
    }

    fn provider_hint(&self, node_type: &str) -> Option<String> {
        self.0.provider_hint(node_type)
    }

    fn inside<'b>(&'b self, _document: &Document) -> Result<Box<dyn NodeCatalog + 'b>, Problems> {
        Ok(Box::new(Undemanding(self.0)))
    }

    fn worker(&self) -> Option<PathBuf> {
        self.0.worker()
    }

    fn allowed(&self) -> Arc<Allowed> {
        Arc::new(Allowed::default().with_programs(|_| true).with_variables(|_| true))
    }
}

/// A node of a type that is not known here.
fn unknown(node_type: &str) -> PluginNode {
    let (plugin, bare) = node_type.split_once('/').unwrap_or((UNKNOWN_PLUGIN, node_type));
    let message = format!("there is no node type `{node_type}`");
    let node = move |_: &NodeCall<'_>| -> Result<Outcome, CallError> { Err(failed(message.clone())) };
    PluginNode {
        plugin: plugin.to_owned(),
        node_type: bare.to_owned(),
        description: "No plugin here provides this node type.".to_owned(),
        schema: None,
        input_schema: None,
        output_schema: None,
        permissions: Vec::new(),
        node: Arc::new(node),
    }
}

/// What stands for the name of a plugin that is not known.
const UNKNOWN_PLUGIN: &str = "?";
