//! What a killed process left is removed by the next one.

use super::{OpsError, Workspace};
use crate::home::atomic;
use crate::store::Store;

/// Removes temporary files beside `pocket.yaml` and `pocket.lock` and staging folders of the store whose writers are dead.
pub fn sweep(workspace: &Workspace, store: &Store) -> Result<(), OpsError> {
    for path in [workspace.manifest_path(), workspace.lock_path()] {
        atomic::sweep(&path).map_err(OpsError::io("remove temporary files beside", &path))?;
    }
    Ok(store.sweep()?)
}
