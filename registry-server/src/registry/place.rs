//! Where a registry's bytes and its key are.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pocket_index::layout;

use super::key::{self, KEY};
use crate::RegistryError;
use crate::config::Source;
use crate::error::io_error;
use crate::storage::{Bucket, Folder, Storage, make_durable};

/// A storage and what goes with it.
pub(super) struct Place {
    pub storage: Arc<dyn Storage>,
    pub folder: Option<PathBuf>,
    pub key: PathBuf,
    pub temporary: Option<tempfile::TempDir>,
}

impl Place {
    /// Where a source says.
    pub fn of(source: &Source) -> Result<Self, RegistryError> {
        match source {
            Source::Bundled => {
                let temporary = tempfile::tempdir().map_err(io_error("create a folder in", &std::env::temp_dir()))?;
                let path = temporary.path().to_owned();
                Self::folder(&path, Some(temporary))
            }
            Source::Folder { path, .. } => Self::folder(path, None),
            Source::Bucket { bucket, key, .. } => {
                let storage = Arc::new(Bucket::open(bucket)?);
                Ok(Self { storage, folder: None, key: key.clone(), temporary: None })
            }
        }
    }

    /// A folder, for the one process that writes to it.
    pub fn folder(root: &Path, temporary: Option<tempfile::TempDir>) -> Result<Self, RegistryError> {
        make_durable(root).map_err(io_error("create", root))?;
        let root = std::fs::canonicalize(root).map_err(io_error("open", root))?;
        let opened = Folder::open(root.clone()).map_err(io_error("open", &root))?;
        let storage = Arc::new(opened.ok_or_else(|| RegistryError::InUse { path: root.clone() })?);
        Ok(Self { storage, key: root.join(KEY), folder: Some(root), temporary })
    }
}

/// A place as it is, to look at it: nothing is locked, made or repaired.
pub(crate) fn storage_to_read(source: &Source) -> Result<Box<dyn Storage>, RegistryError> {
    Ok(match source {
        Source::Folder { path, .. } if path.join("tree").join(layout::CONFIG).exists() => {
            Box::new(Folder::plain(path.clone()))
        }
        Source::Folder { path, .. } => return Err(RegistryError::NoRegistry { path: path.clone() }),
        Source::Bucket { bucket, .. } => Box::new(Bucket::open(bucket)?),
        Source::Bundled => return Err(RegistryError::NoPlace),
    })
}

/// Copies the private key of a registry in a folder.
pub(crate) fn copy_key(source: &Source, to: &Path) -> Result<(), RegistryError> {
    match source {
        Source::Folder { path, .. } => key::copy(&path.join(KEY), &to.join(KEY)),
        _ => Ok(()),
    }
}
