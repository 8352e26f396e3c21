//! `plugin cache`: everything that can be fetched or made again.

use std::fs;
use std::path::{Path, PathBuf};

use super::OpsError;
use crate::home::Home;
use crate::registry::ArchiveCache;

/// What was found or removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What a check of the cached archives found.
#[derive(Debug, Clone, Default)]
pub struct Checked {
    /// The archives that have the digest they are named by.
    pub sound: Size,
    /// Those that did not, and were removed.
    pub damaged: Vec<PathBuf>,
}

/// The cache's folder and what is in it.
pub fn size(home: &Home) -> Result<(PathBuf, Size), OpsError> {
    let folder = home.cache();
    let size = walk(&folder, &mut |_| Ok(()))?;
    Ok((folder, size))
}

/// Empties the cache. Installed plugins, keys and what is remembered of registries stay.
pub fn clean(home: &Home) -> Result<(PathBuf, Size), OpsError> {
    let folder = home.cache();
    let size = walk(&folder, &mut |_| Ok(()))?;
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(OpsError::io("remove", &folder)(error)),
        _ => Ok((folder, size)),
    }
}

/// Digests every cached archive again and removes those that are damaged. Other cached files are checked when they are used:
/// nothing beside them says what they should be.
pub fn verify(home: &Home) -> Result<Checked, OpsError> {
    let archives = ArchiveCache::at(&home.cache());
    let mut damaged = Vec::new();
    let mut sound = walk(archives.root(), &mut |path| {
        if !archives.is_sound(path).map_err(OpsError::io("read", path))? {
            damaged.push(path.to_owned());
        }
        Ok(())
    })?;
    for path in &damaged {
        let bytes = fs::metadata(path).map_err(OpsError::io("read", path))?.len();
        fs::remove_file(path).map_err(OpsError::io("remove", path))?;
        sound = Size { files: sound.files - 1, bytes: sound.bytes - bytes };
    }
    Ok(Checked { sound, damaged })
}

/// Visits every file below `folder`, which may be missing.
fn walk(folder: &Path, visit: &mut dyn FnMut(&Path) -> Result<(), OpsError>) -> Result<Size, OpsError> {
    let mut size = Size::default();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(size),
        Err(error) => return Err(OpsError::io("read", folder)(error)),
    };
    for entry in entries {
        let path = entry.map_err(OpsError::io("read", folder))?.path();
        let metadata = fs::symlink_metadata(&path).map_err(OpsError::io("read", &path))?;
        if metadata.is_dir() {
            let below = walk(&path, visit)?;
            size = Size { files: size.files + below.files, bytes: size.bytes + below.bytes };
        } else {
            visit(&path)?;
            size = Size { files: size.files + 1, bytes: size.bytes + metadata.len() };
        }
    }
    Ok(size)
}
