//! Files that are there whole or not at all.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Whether a file was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// It has the new contents.
    Written,
    /// It had these contents already, and was not touched.
    Unchanged,
}

/// Gives `path` these contents: in a new file beside it, synced, then renamed over it. Whoever reads `path` at any moment, also
/// after a crash, finds the old contents or the new ones. Permissions of an existing file stay; a symbolic link stays and
/// its target is replaced. Folders that are missing are made.
///
/// # Errors
/// The folder cannot be made or written; the old file is as it was.
pub fn replace_file(path: &Path, contents: &[u8]) -> io::Result<Replaced> {
    match fs::read(path) {
        Ok(old) if old == contents => return Ok(Replaced::Unchanged),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let target = match fs::canonicalize(path) {
        Ok(target) => target,
        Err(_) => path.to_path_buf(),
    };
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let mut file = new_file(folder, &target)?;
    file.write_all(contents)?;
    if let Ok(old) = fs::metadata(&target) {
        file.as_file().set_permissions(old.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(&target).map_err(|error| error.error)?;
    sync_folder(folder)?;
    Ok(Replaced::Written)
}

/// Gives `path` these contents, one piece behind the other, in a new file that is renamed over it; nothing is flushed. A reader
/// finds the old contents or the new ones while the system runs. After a power failure it may find anything: for what can be
/// checked and made again.
///
/// # Errors
/// The folder cannot be made or written; the old file is as it was.
pub fn replace_without_flushing(path: &Path, contents: &[&[u8]]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = match new_file(folder, path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(folder)?;
            new_file(folder, path)?
        }
        outcome => outcome?,
    };
    contents.iter().try_for_each(|piece| file.write_all(piece))?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// A hidden file with a name of its own. Removed if it is not renamed.
fn new_file(folder: &Path, target: &Path) -> io::Result<tempfile::NamedTempFile> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let mut builder = tempfile::Builder::new();
    let prefix = format!(".{name}.");
    builder.prefix(&prefix).suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // Like any new file: the umask takes away what it should.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// Without this the rename itself may be lost in a crash.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pocket.lock");
        assert_eq!(replace_file(&path, b"one").unwrap(), Replaced::Written);
        assert_eq!(replace_file(&path, b"two").unwrap(), Replaced::Written);
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(names(folder.path()), ["pocket.lock"]);
    }

    #[test]
    fn equal_contents_are_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pocket.lock");
        replace_file(&path, b"one").unwrap();
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        assert_eq!(replace_file(&path, b"one").unwrap(), Replaced::Unchanged);
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
    }

    #[test]
    fn a_failed_replacement_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::create_dir(&path).unwrap();
        assert!(replace_file(&path, b"one").is_err());
        assert_eq!(names(folder.path()), ["taken"]);
    }

    #[test]
    fn missing_folders_are_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing/file");
        replace_file(&path, b"one").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one");
    }

    #[cfg(unix)]
    #[test]
    fn permissions_and_links_stay() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "one").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
        symlink(&real, &link).unwrap();
        replace_file(&link, b"two").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"two");
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
