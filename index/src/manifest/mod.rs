//! `manifest.yaml`: what a plugin says of itself.

mod fields;
mod parse;
mod sections;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};

use crate::name::{NodeType, PluginName, Target};
use crate::permissions::Permissions;

/// 1,024 bytes in a description or another line of text: more does not fit a list of plugins.
pub const MAX_LINE_BYTES: usize = 1_024;

/// 64 bytes in a keyword, a category or a setting's name.
pub const MAX_WORD_BYTES: usize = 64;

/// 32 keywords, and 32 categories.
pub const MAX_WORDS: usize = 32;

/// 1,000 node types in one plugin.
pub const MAX_NODE_TYPES: usize = 1_000;

/// 16 processes of one plugin: each costs memory, and more calls at once wait for the same things.
pub const MAX_INSTANCES: u8 = 16;

/// 128 bytes in a version: it stands in file names beside the plugin's name and the target.
pub const MAX_VERSION_BYTES: usize = 128;

/// A manifest that is not as it must be: where, which field, and what was expected there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ManifestError {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The field, as a path such as `nodes[0].type`; empty when the file as a whole is meant.
    pub field: String,
    /// What is wrong, and what was expected.
    pub message: String,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: ", self.line, self.column)?;
        if !self.field.is_empty() {
            write!(f, "`{}`: ", self.field.escape_debug())?;
        }
        f.write_str(&self.message)
    }
}

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

impl Runtime {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Native, Self::Lua, Self::Wasm];
}

impl std::fmt::Display for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Native => "native",
            Self::Lua => "lua",
            Self::Wasm => "wasm",
        })
    }
}

/// A word that names no runtime.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no runtime: expected `native`, `lua` or `wasm`", .0.escape_debug())]
pub struct UnknownRuntime(String);

impl std::str::FromStr for Runtime {
    type Err = UnknownRuntime;

    fn from_str(text: &str) -> Result<Self, UnknownRuntime> {
        let found = Self::ALL.into_iter().find(|runtime| runtime.to_string() == text);
        found.ok_or_else(|| UnknownRuntime(text.to_owned()))
    }
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
    /// How long an instance of a WebAssembly plugin lives.
    #[serde(skip_serializing_if = "InstancePolicy::is_default")]
    pub instance: InstancePolicy,
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
    /// Their names in the order in which its author wrote them.
    #[serde(skip)]
    pub config_order: Vec<String>,
    /// A shorter word for the plugin's name in `POCKET_PLUGIN_<PREFIX>_<SETTING>`.
    pub env_prefix: Option<String>,
    /// What follows when its process dies. Native plugins have one.
    pub failure: FailurePolicy,
    /// How many processes may hold it at once, so that as many calls run at once. Native plugins have them.
    pub instances: u8,
    /// Fields this version of Pocket does not know, by their path; kept, and reported by `plugin check`.
    pub unknown: BTreeMap<String, serde_json::Value>,
}

impl Manifest {
    /// Reads and checks a `manifest.yaml`.
    ///
    /// # Errors
    /// Names the first place that is not as it must be.
    pub fn parse(text: &[u8]) -> Result<Self, ManifestError> {
        parse::manifest(text)
    }

    /// The path of the file that is run on a target. A manifest with one path for all has it for every target.
    pub fn binary_for(&self, target: &Target) -> Option<&str> {
        match self.binary.as_ref()? {
            Binary::Path(path) => Some(path),
            Binary::PerTarget(paths) => paths.get(target).map(String::as_str),
        }
    }

    /// The word that stands for the plugin in `POCKET_PLUGIN_<WORD>_<SETTING>`: its `envPrefix`, or its name in upper case
    /// with `_` for `-`.
    pub fn variable_word(&self) -> String {
        self.env_prefix.clone().unwrap_or_else(|| variable_word(self.name.as_str()))
    }
}

/// A name as it stands in an environment variable: upper case, `_` for `-`.
pub fn variable_word(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "_")
}

/// How long an instance of a WebAssembly plugin lives, and with it everything that the plugin keeps in its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstancePolicy {
    /// For one call: nothing is left of it for the next.
    #[default]
    PerCall,
    /// For many calls, whichever runs they are of: a plugin that takes long to start starts seldom.
    Pooled,
    /// For the calls of one run, one after the other.
    PerRun,
}

impl InstancePolicy {
    /// Every policy, by its word in the manifest.
    pub const ALL: [(&'static str, Self); 3] =
        [("per-call", Self::PerCall), ("pooled", Self::Pooled), ("per-run", Self::PerRun)];

    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What follows when a plugin's process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailurePolicy {
    /// It is not started again.
    Fail,
    /// It is started again, after a pause that grows with every death in a row.
    #[default]
    Restart,
    /// As `restart`; after several deaths in a row it is left alone for a while.
    Break,
}

impl FailurePolicy {
    /// All of them, by their words in the manifest.
    pub const ALL: [(&'static str, Self); 3] =
        [("fail", Self::Fail), ("restart", Self::Restart), ("break", Self::Break)];
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
    /// Whether its output follows from config and input alone, and a call does nothing else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pure: bool,
    /// Whether a second call with the same config and input does no more than the first one did.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub idempotent: bool,
}

impl NodeSpec {
    /// Whether a call that died on its way, so that nobody knows what it did, may be made again. What is pure may be, too.
    pub fn may_be_repeated(&self) -> bool {
        self.pure || self.idempotent
    }
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

impl SettingKind {
    /// Every kind, by its word in the manifest.
    pub const ALL: [(&'static str, Self); 6] = [
        ("string", Self::String),
        ("integer", Self::Integer),
        ("number", Self::Number),
        ("boolean", Self::Boolean),
        ("array", Self::Array),
        ("object", Self::Object),
    ];

    /// Whether a value is of this kind.
    pub fn accepts(self, value: &serde_json::Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Array => value.is_array(),
            Self::Object => value.is_object(),
        }
    }
}

impl fmt::Display for SettingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::ALL.iter().find(|(_, kind)| kind == self).map_or("", |(word, _)| word);
        f.pad(word)
    }
}
