//! `plugin list`: what a workspace has.

use pocket_index::manifest::Runtime;
use pocket_index::name::{NodeType, PluginName};
use semver::Version;

use super::{OpsError, Workspace, plugins};

/// One plugin of the lock.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its name.
    pub name: PluginName,
    /// Its version.
    pub version: Version,
    /// Where it comes from.
    pub source: String,
    /// How it stands.
    pub status: Status,
    /// What runs it; none if it cannot be read.
    pub runtime: Option<Runtime>,
    /// Its node types.
    pub nodes: Vec<NodeType>,
}

/// How a plugin stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Its files are there as they were unpacked.
    Installed,
    /// It cannot be used.
    Failed(String),
}

/// Every plugin of the lock, each with its files verified.
pub fn list(workspace: &Workspace) -> Result<Vec<Listed>, OpsError> {
    let listed = |plugin: plugins::WorkspacePlugin| {
        let checked = plugin.installed().and_then(|installed| Ok(installed.verify()?));
        let status = match &checked {
            Ok(()) => Status::Installed,
            Err(OpsError::NotInstalled { .. }) => {
                Status::Failed("not installed; run `pocket plugin install`".to_owned())
            }
            Err(error) => Status::Failed(error.to_string()),
        };
        let manifest = plugin.manifest().ok();
        let nodes = manifest.iter().flat_map(|manifest| &manifest.nodes).map(|node| node.node_type.clone()).collect();
        Listed {
            name: plugin.locked.name,
            version: plugin.locked.version,
            source: plugin.locked.source.to_string(),
            status,
            runtime: manifest.map(|manifest| manifest.runtime),
            nodes,
        }
    };
    Ok(plugins::of(workspace)?.into_iter().map(listed).collect())
}
