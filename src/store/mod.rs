//! Unpacked plugins on disk: `<store>/<name>/<version>/`, beside it `<version>.tree` with the digest of what was unpacked.
//!
//! Only a [`VerifiedArchive`](pocket_index::verify::VerifiedArchive) can be unpacked, and only this room makes an
//! [`InstalledPlugin`], so that nothing runs that was not verified.

mod installed;
mod unpack;

pub use installed::InstalledPlugin;

use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use pocket_index::digest::TreeDigest;
use pocket_index::folder::FolderError;
use pocket_index::manifest::ManifestError;
use pocket_index::name::PluginName;
use semver::Version;

/// A folder of unpacked plugins.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// Why the store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file or folder could not be read or written.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The files differ from what was unpacked.
    #[error("the installed files of {0}")]
    Changed(Box<Change>),
    /// The files cannot be digested: a link, a device, a name that is none.
    #[error("the installed files of `{name}` {version} cannot be verified")]
    Unverifiable {
        /// The plugin.
        name: PluginName,
        /// Its version.
        version: Version,
        /// Why not.
        source: FolderError,
    },
    /// An installed manifest is broken.
    #[error("the manifest of an installed plugin is broken: `{}`", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<ManifestError>,
    },
}

/// An installed plugin whose files are others than those that were unpacked.
#[derive(Debug)]
pub struct Change {
    /// The plugin.
    pub name: PluginName,
    /// Its version.
    pub version: Version,
    /// What the lock or the store says.
    pub expected: TreeDigest,
    /// What the files are now.
    pub found: TreeDigest,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {} are {}, expected {}", self.name, self.version, self.found, self.expected)
    }
}

pub(crate) fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { doing, path, source }
}

impl Store {
    /// A store in `root`, which is created with the first plugin.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The store's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Takes a plugin's version out. Returns whether it was there.
    pub fn remove(&self, name: &PluginName, version: &Version) -> Result<bool, StoreError> {
        let Some(_lock) = self.lock_existing()? else { return Ok(false) };
        // Without its stamp it does not count as installed, whatever comes in between.
        unpack::remove_if_there(&self.stamp(name, version))?;
        let folder = self.folder(name, version);
        let was_there = folder.exists();
        if was_there {
            // Renamed away first, so that a kill in between leaves no half-removed plugin under its name.
            let grave = self.new_staging()?;
            fs::rename(&folder, grave.path().join("removed")).map_err(io_error("remove", &folder))?;
        }
        // Left alone while other versions stand in it.
        let _ = fs::remove_dir(self.root.join(name.as_str()));
        Ok(was_there)
    }

    /// Removes what processes left that were killed while they wrote here. Where another process writes, it does nothing.
    pub fn sweep(&self) -> Result<(), StoreError> {
        let staging = self.staging();
        if !fs::read_dir(&staging).is_ok_and(|mut left| left.next().is_some()) {
            return Ok(());
        }
        match self.lock_file()?.try_lock() {
            Ok(()) => remove_staging(&staging),
            Err(_) => Ok(()),
        }
    }

    fn folder(&self, name: &PluginName, version: &Version) -> PathBuf {
        self.root.join(name.as_str()).join(version.to_string())
    }

    fn stamp(&self, name: &PluginName, version: &Version) -> PathBuf {
        self.root.join(name.as_str()).join(format!("{version}.tree"))
    }

    fn staging(&self) -> PathBuf {
        self.root.join(".staging")
    }

    /// A private folder on the same file system, so that a rename moves what is in it.
    fn new_staging(&self) -> Result<tempfile::TempDir, StoreError> {
        let staging = self.staging();
        fs::create_dir_all(&staging).map_err(io_error("create", &staging))?;
        tempfile::tempdir_in(&staging).map_err(io_error("create a folder in", &staging))
    }

    fn lock_existing(&self) -> Result<Option<StoreLock>, StoreError> {
        if self.root.exists() { self.lock().map(Some) } else { Ok(None) }
    }

    /// Waits until no other process writes to the store. Whatever stands in the staging folder then was left by a process
    /// that died, and is swept.
    fn lock(&self) -> Result<StoreLock, StoreError> {
        fs::create_dir_all(&self.root).map_err(io_error("create", &self.root))?;
        let file = self.lock_file()?;
        file.lock().map_err(io_error("lock", &self.root))?;
        remove_staging(&self.staging())?;
        Ok(StoreLock { _file: file })
    }

    fn lock_file(&self) -> Result<File, StoreError> {
        let path = self.root.join(".lock");
        File::options().create(true).truncate(false).write(true).open(&path).map_err(io_error("open", &path))
    }
}

fn remove_staging(staging: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(staging) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io_error("sweep", staging)(error)),
        _ => Ok(()),
    }
}

/// Held while the store is written; released when dropped, by the kernel if the process dies.
struct StoreLock {
    _file: File,
}
