//! What a plugin implements, and how a call's JSON reaches it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::Error;

/// A plugin's settings, all of them resolved by the engine.
pub type Settings = Map<String, Value>;

/// A plugin: what holds its nodes and what they share.
pub trait Plugin: Sized + Send + Sync + 'static {
    /// Starts the plugin. A native plugin starts once for many calls, a WebAssembly plugin once for each call.
    fn start(settings: &Settings) -> Result<Self, Error>;

    /// The nodes by their types, as the manifest lists them.
    fn nodes(&self) -> Nodes<'_>;
}

/// One node type.
pub trait Node {
    /// What the workflow configures; `serde_json::Value` takes anything.
    type Config: DeserializeOwned;
    /// What the node before it put out.
    type Input: DeserializeOwned;
    /// What this node puts out.
    type Output: Serialize;

    /// Runs one call.
    fn run(&self, config: Self::Config, input: Self::Input, context: &Context) -> Result<Reply<Self::Output>, Error>;
}

/// What a node returns: its output and the action that chooses the next node.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reply<T> {
    output: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<String>,
}

impl<T> Reply<T> {
    /// An output with the action `default`.
    pub fn new(output: T) -> Self {
        Self { output, action: None }
    }

    /// The same output with another action.
    #[must_use]
    pub fn with_action(mut self, action: impl Into<String>) -> Self {
        self.action = Some(action.into());
        self
    }
}

/// Where and when a call runs.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Context {
    /// The run's identity.
    pub run_id: String,
    /// The node's name in the workflow.
    pub node: String,
    /// 1 for the first try.
    pub attempt: u32,
    /// Milliseconds that were left when the call started.
    pub deadline_ms: u64,
    /// The plugin's name.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// Its settings.
    pub settings: Settings,
}

/// A plugin's nodes by their types.
#[derive(Default)]
pub struct Nodes<'a>(Vec<(&'static str, &'a dyn RunText)>);

impl<'a> Nodes<'a> {
    /// No nodes.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more node.
    #[must_use]
    pub fn with(mut self, node_type: &'static str, node: &'a impl Node) -> Self {
        self.0.push((node_type, node));
        self
    }

    fn get(&self, node_type: &str) -> Option<&'a dyn RunText> {
        self.0.iter().find(|(known, _)| *known == node_type).map(|(_, node)| *node)
    }
}

/// A node whose types are forgotten.
trait RunText {
    fn run_text(&self, config: &str, input: &str, context: &Context) -> Result<String, Error>;
}

impl<N: Node> RunText for N {
    fn run_text(&self, config: &str, input: &str, context: &Context) -> Result<String, Error> {
        let reply = self.run(parsed("config", config)?, parsed("input", input)?, context)?;
        serde_json::to_string(&reply).map_err(|error| Error::failed(format!("the output is no JSON: {error}")))
    }
}

fn parsed<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::invalid_input(format!("the {what} does not fit: {error}")))
}

/// Runs one call from JSON texts to a JSON text: what every runtime's glue does. `plugin` hands over the plugin, started with
/// the settings that it is given.
#[doc(hidden)]
pub fn run_text<P: Plugin, H: std::ops::Deref<Target = P>>(
    plugin: impl FnOnce(&Settings) -> Result<H, Error>,
    node_type: &str,
    [config, input, context]: [&str; 3],
) -> Result<String, String> {
    let run = || {
        let context: Context = parsed("context", context)?;
        let plugin = plugin(&context.settings)?;
        let node = plugin
            .nodes()
            .get(node_type)
            .ok_or_else(|| Error::invalid_input(format!("the plugin has no node type `{node_type}`")))?;
        node.run_text(config, input, &context)
    };
    run().map_err(|error| serde_json::to_string(&error).unwrap_or(error.message))
}
