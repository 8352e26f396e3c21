//! The built-in node types, one file each, and the contract that plugin nodes share with them.
//!
//! A field of a config is a template unless the schema says otherwise with `"x-pocket-template"`: `false` keeps the text as
//! it is written (Lua, jq and JSONPath have braces of their own), `"lazy"` leaves it to the node when it is rendered.

mod aggregate;
mod allowed;
mod conditional;
mod confined;
mod contract;
mod delay;
mod echo;
mod exec;
mod file;
mod foreach;
mod http;
mod json;
mod jsonpath;
mod lineage;
mod lua;
mod parallel;
mod router;
mod several;
mod stop;
#[cfg(test)]
mod suites;
mod template;
mod transform;
mod validate;
mod workflow;

use serde_json::Value;

pub use allowed::{Allowed, not_allowed};
pub use confined::run_worker;
pub use contract::{
    ConfigProblem, Host, Node, NodeCall, Outcome, Placement, Prepared, RunView, Setup, Spelling, Told, failed, invalid,
    is_template,
};
pub use json::{MAX_DEPTH, Unreadable, read as read_json};
pub use lineage::Lineage;
pub use stop::Stop;

/// A node type that is part of Pocket.
pub struct BuiltIn {
    /// Its name in workflows.
    pub node_type: &'static str,
    /// The shelf it stands on.
    pub category: &'static str,
    /// What it does, in a sentence or two.
    pub description: &'static str,
    /// What it gives.
    pub outputs: &'static str,
    /// The actions it takes besides `default`; `*` are those that its config or script names.
    pub actions: &'static [&'static str],
    /// The JSON Schema of its config.
    pub schema: fn() -> Value,
    /// Calls with their results; each is run as a test.
    pub examples: fn() -> Vec<Example>,
    /// Makes a node of a config.
    pub prepare: fn(&Setup<'_>) -> Result<Prepared, Vec<ConfigProblem>>,
}

/// A call of a node with its result.
#[derive(Debug, Clone)]
pub struct Example {
    /// What it shows.
    pub name: &'static str,
    /// The node's config.
    pub config: Value,
    /// Its input.
    pub input: Value,
    /// What comes out.
    pub output: Value,
    /// The action it takes; absent means `default`.
    pub action: Option<&'static str>,
}

impl Example {
    /// An example with the default action.
    pub fn new(name: &'static str, config: Value, input: Value, output: Value) -> Self {
        Self { name, config, input, output, action: None }
    }

    /// The same with an action.
    #[must_use]
    pub fn action(self, action: &'static str) -> Self {
        Self { action: Some(action), ..self }
    }
}

static BUILT_INS: &[&BuiltIn] = &[
    &aggregate::BUILT_IN,
    &conditional::BUILT_IN,
    &delay::BUILT_IN,
    &echo::BUILT_IN,
    &exec::BUILT_IN,
    &file::BUILT_IN,
    &foreach::BUILT_IN,
    &http::BUILT_IN,
    &jsonpath::BUILT_IN,
    &lua::BUILT_IN,
    &parallel::BUILT_IN,
    &router::BUILT_IN,
    &template::BUILT_IN,
    &transform::BUILT_IN,
    &validate::BUILT_IN,
    &workflow::BUILT_IN,
];

/// Every built-in node type, by name.
pub fn built_ins() -> impl Iterator<Item = &'static BuiltIn> {
    BUILT_INS.iter().copied()
}

/// The built-in of a name.
pub fn built_in(node_type: &str) -> Option<&'static BuiltIn> {
    built_ins().find(|built_in| built_in.node_type == node_type)
}
