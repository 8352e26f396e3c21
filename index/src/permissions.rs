//! What a plugin asks for. What it may do is the part of this that the user also granted.

use serde::{Deserialize, Serialize};

/// A manifest's `permissions`, and the same in a release event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Permissions {
    /// Environment variables to read, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// HTTP requests through the engine, by host and port: `api.example.com:443`, `*.example.com:443`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<String>,
    /// Stream connections, by host and port; `{host}:{port}` takes the plugin's own settings of those names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub network: Vec<String>,
    /// Folders by direction: `read:./data`, `write:./out`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filesystem: Vec<String>,
    /// The most memory a call may use, such as `64MB`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// The longest a call may take, such as `3s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
}
