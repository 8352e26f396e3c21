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
    sweep(&target)?;
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
/// checked and made again. Where another process is writing the same file at this moment, it is left to that one.
///
/// # Errors
/// The folder cannot be made or written; the old file is as it was.
pub fn replace_without_flushing(path: &Path, contents: &[&[u8]]) -> io::Result<()> {
    // Always the same name: what a killed writer left is what the next one writes to.
    let temporary = path.with_file_name(format!("{}tmp", temporary_prefix(path).unwrap_or_default()));
    let Some(mut file) = open_exclusively(&temporary)? else { return Ok(()) };
    file.set_len(0)?;
    contents.iter().try_for_each(|piece| file.write_all(piece))?;
    fs::rename(&temporary, path)
}

/// Opens a file for this process alone, and makes it and its folder where they are missing. None if another process has it.
///
/// # Errors
/// It cannot be opened, made or locked.
pub fn open_exclusively(path: &Path) -> io::Result<Option<fs::File>> {
    let open = || fs::File::options().read(true).write(true).create(true).truncate(false).open(path);
    let file = match open() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
            open()?
        }
        outcome => outcome?,
    };
    match file.try_lock() {
        // Between opening and locking, the one who had it may have finished it and given it another name.
        Ok(()) if is_at(&file, path) => Ok(Some(file)),
        Ok(()) | Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(unix)]
fn is_at(file: &fs::File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let (opened, named) = (file.metadata().map(id), fs::metadata(path).map(id));
    matches!((opened, named), (Ok(opened), Ok(named)) if opened == named)
}

/// Where an open file cannot be renamed, it is still there.
#[cfg(not(unix))]
fn is_at(_: &fs::File, path: &Path) -> bool {
    path.exists()
}

/// Removes what processes left beside `path` that were killed while they replaced it. What another process is writing
/// at this moment stays: its writer holds a lock on it, which ends with the process.
pub fn sweep(path: &Path) -> io::Result<()> {
    let (Some(folder), Some(prefix)) = (path.parent(), temporary_prefix(path)) else { return Ok(()) };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let is_temporary = name.to_str().is_some_and(|name| name.starts_with(&prefix) && name.ends_with(SUFFIX));
        if is_temporary && entry.file_type()?.is_file() {
            remove_if_abandoned(&entry.path())?;
        }
    }
    Ok(())
}

fn remove_if_abandoned(path: &Path) -> io::Result<()> {
    let gone = |error: io::Error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) };
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) => return gone(error),
    };
    match file.try_lock() {
        Ok(()) => fs::remove_file(path).or_else(gone),
        Err(_) => Ok(()),
    }
}

const SUFFIX: &str = ".tmp";

/// What the names of a file's temporary files start with.
fn temporary_prefix(target: &Path) -> Option<String> {
    Some(format!(".{}.", target.file_name()?.to_string_lossy()))
}

/// A hidden file with a name of its own, locked so that nobody sweeps it. Removed if it is not renamed.
fn new_file(folder: &Path, target: &Path) -> io::Result<tempfile::NamedTempFile> {
    loop {
        let file = unlocked_file(folder, target)?;
        // Where files cannot be locked nobody sweeps either.
        let _ = file.as_file().lock();
        // Whoever swept before the lock was taken has removed it.
        if file.path().exists() {
            return Ok(file);
        }
    }
}

fn unlocked_file(folder: &Path, target: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    let prefix = temporary_prefix(target).unwrap_or_default();
    builder.prefix(&prefix).suffix(SUFFIX);
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
    fn what_a_killed_writer_left_is_swept_and_what_a_living_one_writes_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pocket.lock");
        let left = folder.path().join(".pocket.lock.abcdef.tmp");
        fs::write(&left, b"half").unwrap();
        fs::write(folder.path().join(".pocket.yaml.abcdef.tmp"), b"of another file").unwrap();
        let living = new_file(folder.path(), &path).unwrap();
        replace_file(&path, b"one").unwrap();
        assert!(!left.exists() && living.path().exists());
        assert_eq!(names(folder.path()).len(), 3);
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
