//! `manifest.yaml`: what a plugin says of itself.

use std::collections::BTreeMap;

use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};

use crate::name::{NodeType, PluginName, Target};
use crate::permissions::Permissions;

/// What runs a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Runtime {
    /// A shared library on the C ABI, in a child process.
    Native,
    /// A Lua script.
    Lua,
    /// A WebAssembly component, or a core module that is wrapped into one.
    Wasm,
}

/// A parsed and checked `manifest.yaml`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The plugin's name.
    pub name: PluginName,
    /// Its version, without build metadata.
    pub version: Version,
    /// One line about it; may be empty.
    pub description: String,
    /// Who wrote it.
    pub author: Option<String>,
    /// An SPDX expression.
    pub license: Option<String>,
    /// A web page.
    pub homepage: Option<String>,
    /// Where the source is.
    pub repository: Option<String>,
    /// The path of the readme in the archive.
    pub readme: Option<String>,
    /// Words to find it by.
    pub keywords: Vec<String>,
    /// Shelves it stands on.
    pub categories: Vec<String>,
    /// What runs it.
    pub runtime: Runtime,
    /// The file that is run.
    pub binary: Option<Binary>,
    /// The node types it provides.
    pub nodes: Vec<NodeSpec>,
    /// What it asks to be allowed.
    pub permissions: Permissions,
    /// What it needs of the engine.
    pub requirements: Requirements,
    /// The plugins it needs.
    pub dependencies: BTreeMap<PluginName, Dependency>,
    /// Its own settings, by name.
    pub config: BTreeMap<String, Setting>,
    /// A shorter word for the plugin's name in `POCKET_PLUGIN_<PREFIX>_<SETTING>`.
    pub env_prefix: Option<String>,
    /// Fields this version of Pocket does not know; kept, and reported by `plugin check`.
    pub unknown: BTreeMap<String, serde_json::Value>,
}

/// The file that is run, as a path in the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Binary {
    /// The same file everywhere.
    Path(String),
    /// One file for each target.
    PerTarget(BTreeMap<Target, String>),
}

/// One node type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeSpec {
    /// Its name in workflows.
    #[serde(rename = "type")]
    pub node_type: NodeType,
    /// The shelf it stands on.
    #[serde(default)]
    pub category: Option<String>,
    /// One line about it.
    #[serde(default)]
    pub description: String,
    /// JSON Schema of its `config`; checked when a workflow is planned.
    #[serde(default)]
    pub config_schema: Option<serde_json::Value>,
    /// JSON Schema of its input; checked when it runs.
    #[serde(default)]
    pub input_schema: Option<serde_json::Value>,
    /// JSON Schema of its output; checked when it ran.
    #[serde(default)]
    pub output_schema: Option<serde_json::Value>,
    /// Calls with their results.
    #[serde(default)]
    pub examples: Vec<NodeExample>,
}

/// A call of a node with its result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeExample {
    /// What it shows.
    #[serde(default)]
    pub name: String,
    /// The node's `config`.
    #[serde(default)]
    pub config: serde_json::Value,
    /// Its input.
    #[serde(default)]
    pub input: serde_json::Value,
    /// What comes out.
    #[serde(default)]
    pub output: serde_json::Value,
}

/// What a plugin needs of the engine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Requirements {
    /// The engine's versions it works with; absent means any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pocket: Option<VersionReq>,
    /// The memory it needs at least, such as `64MB`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
}

/// A plugin that this one needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// The versions that will do.
    pub version: VersionReq,
    /// The registry it comes from; absent means the same one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// Whether the plugin works without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// One of a plugin's own settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// One line about it.
    #[serde(default)]
    pub description: String,
    /// What kind of value it takes.
    #[serde(default, rename = "type")]
    pub kind: SettingKind,
    /// What it is when nobody sets it.
    #[serde(default)]
    pub default: Option<serde_json::Value>,
    /// Whether the plugin cannot start without it.
    #[serde(default)]
    pub required: bool,
    /// Whether it must never be shown.
    #[serde(default)]
    pub secret: bool,
    /// An environment variable that sets it as well.
    #[serde(default)]
    pub env: Option<String>,
}

/// What kind of value a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SettingKind {
    /// Text.
    #[default]
    String,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A list.
    Array,
    /// A mapping.
    Object,
}
