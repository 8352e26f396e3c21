//! What the calls of a plugin may use here, as `plugins.limits` says.
//!
//! The user's file and the project's each speak for themselves: where both set a limit, the smaller value counts.

use pocket_index::name::PluginName;

use super::{OpsError, Workspace};
use crate::engine::Limits;
use crate::engine::budget::Limit;

/// The limits of one plugin, before its manifest narrows them.
///
/// # Errors
/// A value in one of the files is none.
pub fn of(workspace: &Workspace, plugin: &PluginName) -> Result<Limits, OpsError> {
    let mut limits = Limits::default();
    for limit in Limit::ALL {
        let mut candidates = Vec::new();
        for (file, path) in workspace.files() {
            let Some((key, text)) = file.plugins.limits.get(plugin, limit.key()) else { continue };
            let key = format!("plugins.limits.{key}");
            candidates.push(limits.with(limit, text).map_err(|source| OpsError::Limit { path, key, source })?);
        }
        // They differ from each other in this limit only.
        limits = candidates.into_iter().reduce(Limits::smaller).unwrap_or(limits);
    }
    Ok(limits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::LIMITS;

    #[test]
    fn every_limit_has_its_key() {
        assert_eq!(Limit::ALL.map(Limit::key), LIMITS);
    }
}
