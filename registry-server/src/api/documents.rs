//! What the API answers.

use pocket_index::search::SearchEntry;
use serde::Serialize;
use utoipa::ToSchema;

/// What a plugin is, in short.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Summary {
    #[serde(flatten)]
    #[schema(value_type = ListedPlugin)]
    entry: SearchEntry,
    /// Downloads of the last 30 days.
    downloads: u64,
}

/// An entry of the search list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListedPlugin {
    /// The plugin's name.
    name: String,
    /// The version that is described.
    version: String,
    /// One line about it.
    description: String,
    /// `native`, `lua` or `wasm`.
    runtime: String,
    /// The node types it provides.
    nodes: Vec<String>,
    /// Shelves it stands on.
    categories: Vec<String>,
    /// Words to find it by.
    keywords: Vec<String>,
    /// The plugins it needs; absent if none.
    #[schema(required = false)]
    dependencies: Vec<String>,
    /// The keys of its owners.
    #[schema(required = false)]
    owners: Vec<String>,
    /// When the version came out: seconds since 1970-01-01 UTC.
    #[schema(required = false)]
    updated: u64,
}

/// Plugins, best first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Found {
    /// How many there are in all.
    pub total: usize,
    /// Those that were asked for.
    pub results: Vec<Summary>,
}

/// All categories, by name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Categories {
    /// All of them.
    pub categories: Vec<Category>,
}

/// A shelf.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Category {
    /// Its name.
    pub name: String,
    /// How many plugins stand on it.
    pub plugins: usize,
}

/// A plugin with all that belongs to it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PluginDocument {
    /// Its name.
    pub name: String,
    /// The version that is described: the highest that may be installed, pre-releases only if there is no other.
    pub version: String,
    /// One line about it.
    pub description: String,
    /// `native`, `lua` or `wasm`.
    pub runtime: String,
    /// Shelves it stands on.
    pub categories: Vec<String>,
    /// Words to find it by.
    pub keywords: Vec<String>,
    /// Why it is not recommended any more.
    pub deprecated: Option<String>,
    /// The node types it provides.
    pub nodes: Vec<Node>,
    /// What it may do, in plain words.
    pub permissions: Vec<String>,
    /// The plugins it needs.
    pub dependencies: Vec<Needed>,
    /// The plugins that need it.
    pub dependents: Vec<String>,
    /// All versions, the highest first.
    pub versions: Vec<VersionDocument>,
    /// The keys that sign for it.
    pub owners: Vec<Owner>,
    /// How often it was downloaded.
    pub downloads: DownloadCounts,
    /// Its readme, Markdown as it was published: do not show it as HTML without cleaning it.
    pub readme: Option<String>,
}

/// A node type.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Node {
    /// Its name in workflows.
    pub r#type: String,
    /// One line about it.
    pub description: String,
    /// JSON Schema of its `config`.
    pub config_schema: Option<serde_json::Value>,
    /// JSON Schema of its input.
    pub input_schema: Option<serde_json::Value>,
    /// JSON Schema of its output.
    pub output_schema: Option<serde_json::Value>,
}

/// A plugin that is needed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Needed {
    /// Its name.
    pub name: String,
    /// The versions that will do.
    pub requirement: String,
    /// Whether the plugin works without it.
    pub optional: bool,
}

/// A version.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VersionDocument {
    /// The version.
    pub version: String,
    /// `available`, `yanked` or `revoked`.
    pub status: &'static str,
    /// Why it is not available.
    pub reason: Option<String>,
    /// When it came out (RFC 3339).
    pub published: String,
    /// The fingerprints of the keys that signed it.
    pub signers: Vec<String>,
    /// The index of its leaf in the log.
    pub log: u64,
    /// The digest of its line.
    pub line: String,
}

/// A key that signs for a plugin.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Owner {
    /// The public key.
    pub key: String,
    /// What people compare.
    pub fingerprint: String,
}

/// How often a plugin was downloaded.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DownloadCounts {
    /// Ever.
    pub total: u64,
    /// On the last 30 days.
    pub recent: u64,
}

/// The place of an event in the log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Receipt {
    /// The index of its leaf.
    log: u64,
    /// The digest of its line.
    digest: String,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorDocument {
    /// A word for programs.
    code: String,
    /// A sentence for people.
    message: String,
}

impl Summary {
    pub fn new(entry: SearchEntry, downloads: u64) -> Self {
        Self { entry, downloads }
    }
}
