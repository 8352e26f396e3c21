//! `plugin update`: an install that may leave the lock's versions.

use std::collections::BTreeSet;

use pocket_index::name::PluginName;
use semver::Version;

use super::install::Freedom;
use super::{OpsError, Workspace, plugins};

/// What an update of these plugins may change; of all plugins, if none is named.
///
/// # Errors
/// A name that the lock does not have, or a precise version for more or less than one plugin.
pub fn freedom(workspace: &Workspace, names: &[PluginName], precise: Option<&Version>) -> Result<Freedom, OpsError> {
    let Some((lock, _)) = workspace.read_lock()? else { return Ok(Freedom::All) };
    for name in names {
        if !lock.plugins.iter().any(|plugin| plugin.name == *name) {
            let near = plugins::near(name.as_str(), lock.plugins.iter().map(|plugin| plugin.name.as_str()));
            let place = format!("`{}`", workspace.lock_path().display());
            return Err(OpsError::NoPlugin { name: name.to_string(), place, near });
        }
    }
    match (names, precise) {
        ([name], Some(version)) => Ok(Freedom::Precise(name.clone(), version.clone())),
        (_, Some(version)) => {
            let given = format!("--precise {version}");
            Err(OpsError::Source { given, reason: "one plugin must be named with it".to_owned() })
        }
        ([], None) => Ok(Freedom::All),
        (names, None) => Ok(Freedom::Only(names.iter().cloned().collect::<BTreeSet<_>>())),
    }
}
