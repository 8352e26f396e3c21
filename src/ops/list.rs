//! `plugin list`: what a workspace has.

use std::path::Path;

use pocket_index::manifest::{Manifest, Runtime};
use pocket_index::name::NodeType;
use semver::Version;

use super::local::LocalPlugin;
use super::offered::{self, Broken, Kind, Offer, Offered, Standing};
use super::plugins::WorkspacePlugin;
use super::policy::Policy;
use super::run::reason;
use super::{OpsError, Workspace};

/// One plugin.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its name; of one that cannot be read, its file's.
    pub name: String,
    /// Its version; none if it cannot be read.
    pub version: Option<Version>,
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
    /// Workflows here use it: its files are there as they were unpacked, or where they stand.
    Loaded,
    /// It is there, and only used once it is loaded.
    Installed(String),
    /// It was unloaded.
    Unloaded,
    /// A configuration file or the organisation does not allow it.
    Disabled(String),
    /// It cannot be used.
    Failed(String),
}

impl Status {
    /// The word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Installed(_) => "installed",
            Self::Unloaded => "unloaded",
            Self::Disabled(_) => "disabled",
            Self::Failed(_) => "failed",
        }
    }

    /// Why it is so, where that is not plain.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Loaded | Self::Unloaded => None,
            Self::Installed(reason) | Self::Disabled(reason) | Self::Failed(reason) => Some(reason),
        }
    }
}

/// Every plugin that is installed, loaded or lies in a folder, each with its files verified.
pub fn list(workspace: &Workspace) -> Result<Vec<Listed>, OpsError> {
    let offered = offered::collect(workspace)?;
    let mut listed = Vec::new();
    for offer in &offered.offers {
        listed.push(one(workspace, &offered, offer)?);
    }
    listed.extend(offered.broken.iter().map(broken));
    listed.sort_by(|one, other| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
    Ok(listed)
}

fn one(workspace: &Workspace, offered: &Offered, offer: &Offer) -> Result<Listed, OpsError> {
    let (manifest, source) = match &offer.kind {
        Kind::Locked { plugin, .. } => (plugin.manifest().ok(), plugin.locked.source.to_string()),
        Kind::Local(plugin) => (Some(plugin.manifest.clone()), plugin.path.display().to_string()),
    };
    let nodes = manifest.iter().flat_map(|manifest| &manifest.nodes).map(|node| node.node_type.clone()).collect();
    Ok(Listed {
        name: offer.name.to_string(),
        version: Some(offer.version().clone()),
        source,
        status: status(workspace, offered, offer)?,
        runtime: manifest.map(|manifest: Manifest| manifest.runtime),
        nodes,
    })
}

/// How a plugin stands: files, then rules, then what the user did.
pub fn status(workspace: &Workspace, offered: &Offered, offer: &Offer) -> Result<Status, OpsError> {
    if offer.standing == Standing::Unloaded {
        return Ok(Status::Unloaded);
    }
    if let Some(rival) = offered.rival(offer) {
        return Ok(Status::Failed(format!("{} has the same name", rival.place())));
    }
    match &offer.kind {
        Kind::Locked { plugin, lock } => locked_status(workspace, offer, plugin, lock),
        Kind::Local(plugin) => local_status(workspace, offer, plugin),
    }
}

fn locked_status(
    workspace: &Workspace,
    offer: &Offer,
    plugin: &WorkspacePlugin,
    lock: &Path,
) -> Result<Status, OpsError> {
    match plugin.installed().and_then(|installed| Ok(installed.verify().map(drop)?)) {
        Ok(()) => {}
        Err(OpsError::NotInstalled { .. }) => {
            return Ok(Status::Failed("not installed; run `pocket plugin install`".to_owned()));
        }
        Err(error) => return Ok(Status::Failed(error.to_string())),
    }
    let (lock, _) = Workspace::read_lock_at(lock)?.unwrap_or_default();
    Ok(match Policy::of(workspace)?.check_locked(&plugin.locked, &lock) {
        Err(error) => Status::Disabled(reason(&error)),
        Ok(()) => used_or_not(offer),
    })
}

fn local_status(workspace: &Workspace, offer: &Offer, plugin: &LocalPlugin) -> Result<Status, OpsError> {
    if let Err(error) = Policy::of(workspace)?.check(plugin.subject(&plugin.source())) {
        return Ok(Status::Disabled(reason(&error)));
    }
    Ok(match plugin.unapproved(workspace) {
        Some(asked) => Status::Installed(format!("it {asked}; `pocket plugin load {}` asks for that", plugin.name)),
        None => used_or_not(offer),
    })
}

fn used_or_not(offer: &Offer) -> Status {
    match offer.standing {
        Standing::Loaded => Status::Loaded,
        Standing::Unloaded => Status::Unloaded,
        Standing::Installed => {
            Status::Installed(format!("`plugins.autoload` is false; `pocket plugin load {}` loads it", offer.name))
        }
    }
}

fn broken(broken: &Broken) -> Listed {
    Listed {
        name: broken.label.clone(),
        version: None,
        source: broken.path.display().to_string(),
        status: Status::Failed(reason(&broken.error)),
        runtime: None,
        nodes: Vec::new(),
    }
}
