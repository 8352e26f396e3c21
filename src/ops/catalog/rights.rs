//! What the grants of all plugins of a workspace have in common.

use std::path::{Path, PathBuf};

use pocket_index::permissions::Permissions;

use crate::engine::{CallError, GrantedWords, Grants};
use crate::ops::networks::private_networks;
use crate::ops::settings::Settings;
use crate::ops::{OpsError, Workspace};

/// What the grants of all plugins here have in common.
pub struct Rights {
    /// The folder that relative `filesystem` permissions start from.
    base: PathBuf,
    /// The private networks that hosts may lead to.
    private_networks: Vec<ipnet::IpNet>,
}

impl Rights {
    /// Those of a workspace.
    ///
    /// # Errors
    /// The current folder cannot be found.
    pub fn of(workspace: &Workspace) -> Result<Self, OpsError> {
        Ok(Self { base: base(workspace)?, private_networks: private_networks(workspace) })
    }

    /// What a plugin may do that asks for this, was granted these words, and has these settings.
    ///
    /// # Errors
    /// What it asks for is not well-formed, or takes a host from a setting that has none.
    pub fn grants(
        &self,
        asked: &Permissions,
        granted: &GrantedWords,
        settings: &Settings,
    ) -> Result<Grants, CallError> {
        let grants = Grants::new(&rooted(asked, &self.base), granted, &settings.values())?;
        let grants = grants.with_defaults(&settings.defaults());
        Ok(grants.with_private_networks(self.private_networks.clone()).with_base(self.base.clone()))
    }
}

/// A project's plugins use folders of the project, wherever in it `pocket` was started.
fn base(workspace: &Workspace) -> Result<PathBuf, OpsError> {
    if workspace.is_project() {
        return Ok(workspace.root().to_owned());
    }
    std::env::current_dir().map_err(OpsError::io("find the current folder from", Path::new(".")))
}

/// The same permissions with folders that do not depend on where the process runs.
fn rooted(permissions: &Permissions, base: &Path) -> Permissions {
    let root = |entry: &String| match entry.split_once(':') {
        Some((access, path)) => format!("{access}:{}", base.join(path.trim_start_matches("./")).display()),
        None => entry.clone(),
    };
    Permissions { filesystem: permissions.filesystem.iter().map(root).collect(), ..permissions.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_start_at_the_project() {
        let filesystem = ["read:./data", "write:out", "read:/srv/shared"].map(str::to_owned).to_vec();
        let rooted = rooted(&Permissions { filesystem, ..Permissions::default() }, Path::new("/project"));
        assert_eq!(rooted.filesystem, ["read:/project/data", "write:/project/out", "read:/srv/shared"]);
    }
}
