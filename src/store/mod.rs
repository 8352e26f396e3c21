//! Unpacked plugins on disk: `<store>/<name>/<version>/`, beside it `<version>.tree` with the digest of what was unpacked. Other
//! files under the same name and version, from another registry or project, stand beside them; see `slot.rs`.
//!
//! Only a [`VerifiedArchive`](pocket_index::verify::VerifiedArchive) can be unpacked, and only this room makes an
//! [`InstalledPlugin`], so that nothing runs that was not verified.

mod commit;
mod flush;
mod installed;
mod slot;
mod staging;
mod unpack;

pub use commit::Before;
pub use installed::InstalledPlugin;
pub use staging::{StagedPlugin, Staging};

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
    /// The store's place is taken by something else, or by a link to nothing.
    #[error("`{}` is {found}, and plugins need a folder there", path.display())]
    NotAFolder {
        /// The store.
        path: PathBuf,
        /// What it is.
        found: &'static str,
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

    /// Takes a plugin's files out. Returns whether they were there.
    pub fn remove(&self, name: &PluginName, version: &Version, tree: TreeDigest) -> Result<bool, StoreError> {
        if !self.root.exists() {
            return Ok(false);
        }
        let grave = self.stage()?;
        let _lock = self.lock()?;
        let slot = self.slot(name, version, tree)?;
        // Without its stamp it does not count as installed, whatever comes in between.
        remove_if_there(&slot.stamp)?;
        let was_there = slot.is_taken();
        if was_there {
            // Renamed away first, so that a kill in between leaves no half-removed plugin under its name.
            fs::rename(&slot.folder, grave.new_path()).map_err(io_error("remove", &slot.folder))?;
        }
        // Left alone while other versions stand in it.
        let _ = fs::remove_dir(self.root.join(name.as_str()));
        Ok(was_there)
    }

    /// Waits until no other process changes what is visible in the store.
    fn lock(&self) -> Result<StoreLock, StoreError> {
        self.make_root()?;
        let (path, file) = self.lock_file()?;
        file.lock().map_err(io_error("lock", &path))?;
        Ok(StoreLock { _file: file })
    }

    fn lock_file(&self) -> Result<(PathBuf, File), StoreError> {
        let path = self.root.join(".lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(io_error("open", &path))?;
        Ok((path, file))
    }

    /// Makes the store's folder. A link to a folder is as good as one.
    fn make_root(&self) -> Result<(), StoreError> {
        let Err(error) = fs::create_dir_all(&self.root) else { return Ok(()) };
        let not_a_folder = |found| StoreError::NotAFolder { path: self.root.clone(), found };
        match fs::symlink_metadata(&self.root) {
            Ok(metadata) if metadata.is_symlink() && !self.root.exists() => Err(not_a_folder("a link to nothing")),
            Ok(metadata) if metadata.is_file() => Err(not_a_folder("a file")),
            _ => Err(io_error("create", &self.root)(error)),
        }
    }
}

/// Held while what is visible in the store changes; released when dropped, by the kernel if the process dies.
struct StoreLock {
    _file: File,
}

fn remove_if_there(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io_error("remove", path)(error)),
        _ => Ok(()),
    }
}
