//! Plugins on this machine: an archive, a folder with a manifest, or a single file. All become an archive in memory and pass
//! the checks of one.

use std::path::Path;

use pocket_index::digest::Digest;
use pocket_index::limits::Limits;
use pocket_index::name::{PluginName, Target};
use pocket_index::package::Package;
use pocket_index::verify::{VerifiedArchive, VerifyError};

use super::error::DirectError;
use super::{Direct, DirectArchive, locked, locked_archive, standalone, verify};
use crate::ops::install::Locking;
use crate::ops::install::locking::archive_for;
use crate::ops::install::records::World;
use crate::ops::install::wanted::exactly;
use crate::ops::{OpsError, Workspace};
use crate::project::{
    Basis, Dependency, DependencySource, LockedPlugin, Lockfile, Source as LockedSource, dependency_line,
};

impl Direct<'_> {
    /// Reads, verifies and adds what is at a path.
    ///
    /// # Errors
    /// It cannot be read, is no plugin, or is another one than a lock says that must stay.
    pub fn add_path(&self, world: &mut World<'_>, path: &Path) -> Result<(PluginName, Dependency), OpsError> {
        let relative = relative_to(self.workspace.root(), path);
        let source = LockedSource::path(&relative);
        let archives = read(path, &self.limits)?;
        let archive = of_target(&archives, &self.target).ok_or_else(|| self.no_archive(path, &archives))?.clone();
        let version = archive.manifest().version.clone();
        if self.locking == Locking::Locked {
            self.refuse_change(&archive, &relative, locked(world, &source, None))?;
        }
        let locked = archives.iter().map(locked_archive).collect();
        let direct = DirectArchive { archive, archives: locked, basis: Basis::Local, signers: Vec::new() };
        let name = self.add(world, direct, &source)?;
        Ok((name, Dependency { requirement: exactly(&version), source: DependencySource::Path(relative) }))
    }

    /// The same for a path in `pocket.yaml`, which a message names by its line.
    pub(super) fn add_known_path(
        &self,
        world: &mut World<'_>,
        name: &PluginName,
        path: &str,
    ) -> Result<PluginName, OpsError> {
        let place = self.workspace.root().join(path);
        if !place.exists() {
            let manifest = self.workspace.manifest_path();
            let text = std::fs::read_to_string(&manifest).unwrap_or_default();
            let line = dependency_line(&text, name);
            return Err(DirectError::MissingPath { name: name.clone(), path: path.to_owned(), manifest, line }.into());
        }
        Ok(self.add_path(world, &place)?.0)
    }

    fn no_archive(&self, path: &Path, archives: &[VerifiedArchive]) -> OpsError {
        let manifest = archives.first().expect("a path becomes one archive or more").manifest();
        let source = VerifyError::NoArchive {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            target: self.target.clone(),
            available: archives.iter().map(|archive| locked_archive(archive).target).collect(),
        };
        OpsError::Unverified { archive: path.display().to_string(), source: Box::new(source) }
    }

    fn refuse_change(
        &self,
        archive: &VerifiedArchive,
        path: &str,
        locked: Option<&LockedPlugin>,
    ) -> Result<(), OpsError> {
        let Some(plugin) = locked else { return Ok(()) };
        let known = archive_for(plugin, &self.target).map(|known| known.tree);
        match known.filter(|known| *known != archive.tree()) {
            Some(known) => Err(DirectError::LocalChanged {
                name: plugin.name.clone(),
                path: path.to_owned(),
                locked: known,
                found: archive.tree(),
            }
            .into()),
            None => Ok(()),
        }
    }
}

/// Whether every local plugin of the lock still has the files that were installed.
pub fn is_unchanged(workspace: &Workspace, lock: &Lockfile, target: &Target, limits: &Limits) -> bool {
    let is_same = |plugin: &LockedPlugin| {
        let LockedSource::Path(path) = &plugin.source else { return true };
        let archives = read(&workspace.root().join(path), limits).unwrap_or_default();
        let found = of_target(&archives, target).map(VerifiedArchive::tree);
        found.is_some() && found == archive_for(plugin, target).map(|archive| archive.tree)
    };
    lock.plugins.iter().all(is_same)
}

/// The archives that a path stands for: one, or one for each target whose library is in a folder.
fn read(path: &Path, limits: &Limits) -> Result<Vec<VerifiedArchive>, OpsError> {
    let shown = path.display().to_string();
    let packed = if path.is_dir() {
        let packages = Package::of_folder(path, limits);
        let packages =
            packages.map_err(|source| OpsError::Package { path: path.to_owned(), source: Box::new(source) })?;
        packages.into_iter().map(|package| package.bytes).collect()
    } else if shown.ends_with(".tar.gz") {
        vec![standalone::read_file(path, limits.archive)?]
    } else {
        vec![standalone::pack(path, limits, None)?]
    };
    packed.iter().map(|content| verify(&shown, content, Digest::of(content), limits)).collect()
}

/// The archive for a target: its own, else the one that runs everywhere.
fn of_target<'a>(archives: &'a [VerifiedArchive], wanted: &Target) -> Option<&'a VerifiedArchive> {
    let target = |archive: &VerifiedArchive| locked_archive(archive).target;
    let exact = archives.iter().find(|archive| target(archive) == *wanted);
    exact.or_else(|| archives.iter().find(|archive| target(archive).is_any()))
}

/// The path from the project's folder, with `/` between its parts: the same on every machine that has the project.
fn relative_to(root: &Path, path: &Path) -> String {
    let absolute = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let (root, path) = (absolute(root), absolute(path));
    let common = root.components().zip(path.components()).take_while(|(one, other)| one == other).count();
    let up = root.components().skip(common).map(|_| "..".to_owned());
    let down = path.components().skip(common).map(|part| part.as_os_str().to_string_lossy().into_owned());
    let relative: Vec<String> = up.chain(down).collect();
    let relative = relative.join("/");
    if relative.is_empty() {
        ".".to_owned()
    } else if relative.starts_with("..") {
        relative
    } else {
        format!("./{relative}")
    }
}
