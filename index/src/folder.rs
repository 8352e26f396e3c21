//! The files of a folder on disk, found without following anything out of it.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use crate::archive::{EntryPath, PathError};

/// Why a folder cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The file system refused.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// What was to be read.
        path: PathBuf,
        /// Why it was not.
        source: io::Error,
    },
    /// Neither a file nor a folder.
    #[error("`{}` is a {kind}; only files and folders are allowed", path.display())]
    Special {
        /// Where it stands.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// A name that an archive cannot have.
    #[error("`{}` cannot be in an archive: {source}", path.display().to_string().escape_debug())]
    Name {
        /// Where it stands.
        path: PathBuf,
        /// Why not.
        source: PathError,
    },
    /// A name that is not UTF-8.
    #[error("`{}` has a name that is not UTF-8", path.display().to_string().escape_debug())]
    NotUtf8 {
        /// Where it stands.
        path: PathBuf,
    },
}

/// A file that was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// Its path in the folder.
    pub(crate) path: EntryPath,
    /// Where it stands on disk.
    pub(crate) place: PathBuf,
    /// Whether its owner may execute it.
    pub(crate) executable: bool,
    /// Its bytes when it was found.
    pub(crate) size: u64,
}

/// Every file below `root`, sorted by the bytes of its path. `enter` is asked about each path, a folder's with a `/` at
/// its end, and says whether to take it.
pub(crate) fn files(root: &Path, enter: &mut dyn FnMut(&str) -> bool) -> Result<Vec<Found>, FolderError> {
    let mut found = Vec::new();
    let mut open = vec![(root.to_path_buf(), String::new())];
    while let Some((folder, prefix)) = open.pop() {
        let failed = |source| FolderError::Io { path: folder.clone(), source };
        for item in fs::read_dir(&folder).map_err(failed)? {
            let place = item.map_err(failed)?.path();
            let name = place.file_name().and_then(|name| name.to_str());
            let path = match name {
                Some(name) => format!("{prefix}{name}"),
                None => return Err(FolderError::NotUtf8 { path: place }),
            };
            let metadata = fs::symlink_metadata(&place).map_err(|source| io_error(&place, source))?;
            if metadata.is_dir() {
                if enter(&format!("{path}/")) {
                    open.push((place, format!("{path}/")));
                }
            } else if enter(&path) {
                found.push(file(&place, &path, &metadata)?);
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

/// Opens a file that was found; a link that took its place meanwhile is noticed.
pub(crate) fn open(found: &Found) -> Result<File, FolderError> {
    let file = File::open(&found.place).map_err(|source| io_error(&found.place, source))?;
    let now = fs::symlink_metadata(&found.place).map_err(|source| io_error(&found.place, source))?;
    if now.is_file() { Ok(file) } else { Err(special(&found.place, &now)) }
}

pub(crate) fn io_error(path: &Path, source: io::Error) -> FolderError {
    FolderError::Io { path: path.to_path_buf(), source }
}

fn file(place: &Path, path: &str, metadata: &Metadata) -> Result<Found, FolderError> {
    if !metadata.is_file() {
        return Err(special(place, metadata));
    }
    let path = path.parse().map_err(|source| FolderError::Name { path: place.to_path_buf(), source })?;
    Ok(Found { path, place: place.to_path_buf(), executable: is_executable(metadata), size: metadata.len() })
}

fn special(place: &Path, metadata: &Metadata) -> FolderError {
    let kind = if metadata.is_symlink() { "symbolic link" } else { "device, socket or FIFO" };
    FolderError::Special { path: place.to_path_buf(), kind }
}

#[cfg(unix)]
fn is_executable(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o100 != 0
}

/// Other systems keep no such bit.
#[cfg(not(unix))]
fn is_executable(_: &Metadata) -> bool {
    false
}
