//! A project's two files: `pocket.yaml`, which people write, and `pocket.lock`, which Pocket writes.
//!
//! `pocket.yaml` is read by [`ProjectManifest`] with line and column in every error, and changed by [`set_dependency`] and
//! [`remove_dependency`], which keep comments and order. `pocket.lock` is [`Lockfile`].

mod allowance;
mod edit;
mod expand;
mod limits;
mod lockfile;
mod lockfile_read;
#[cfg(test)]
mod lockfile_tests;
mod lockfile_write;
mod manifest;
mod manifest_read;
mod trust_file;
mod yaml;

use std::path::{Path, PathBuf};

pub use allowance::Allowance;
pub use edit::{EditError, remove_dependency, set_dependency, set_registry};
pub use expand::{ExpandError, expand};
pub use limits::{LIMITS, LimitSettings};
pub use lockfile::{
    Basis, LockedArchive, LockedDependency, LockedEvent, LockedLog, LockedPlugin, LockedRegistry, Lockfile,
    RegistryTrust, Source, Stale,
};
pub use lockfile_read::LockError;
pub use manifest::{
    Autoload, Dependency, DependencySource, ForgeSettings, LogLevel, PluginSettings, ProjectManifest, RegistrySettings,
    Security, Signing,
};
pub use manifest_read::read_settings;
pub use trust_file::{AllowedRegistry, Publishers, TrustFile};
pub use yaml::ManifestError;

/// The file that people write.
pub const MANIFEST_FILE: &str = "pocket.yaml";
/// The file that Pocket writes.
pub const LOCK_FILE: &str = "pocket.lock";

/// The line, from 1, in which a `pocket.yaml` names a dependency.
pub fn dependency_line(text: &str, name: &pocket_index::name::PluginName) -> Option<u64> {
    manifest_read::dependency_line(text, name)
}

/// The nearest folder, from `start` upwards, with a `pocket.yaml` in it.
pub fn find_project(start: &Path) -> Option<PathBuf> {
    start.ancestors().find(|folder| folder.join(MANIFEST_FILE).is_file()).map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_project_upwards_is_found() {
        let outer = tempfile::tempdir().unwrap();
        let inner = outer.path().join("a");
        std::fs::create_dir_all(inner.join("b/c")).unwrap();
        assert_eq!(find_project(&inner.join("b/c")), find_project(outer.path()));
        std::fs::write(outer.path().join(MANIFEST_FILE), "").unwrap();
        assert_eq!(find_project(&inner.join("b/c")).as_deref(), Some(outer.path()));
        std::fs::write(inner.join(MANIFEST_FILE), "").unwrap();
        assert_eq!(find_project(&inner.join("b/c")), Some(inner));
    }
}
