//! Staging: what an install has unpacked before anybody may see it.
//!
//! `<store>/.staging/<random>/` stands on the store's own file system, wherever that is, so that a rename moves what is in
//! it. Beside it `<random>.lock` is held as long as its process lives: what nobody holds was left by a process that
//! died, and whoever stages next sweeps it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use pocket_index::digest::TreeDigest;
use pocket_index::name::PluginName;
use semver::Version;

use super::{Store, StoreError, io_error};

/// A private folder inside a store. It is gone when this is dropped.
#[derive(Debug)]
pub struct Staging {
    store: Store,
    path: PathBuf,
    lock_path: PathBuf,
    next: AtomicU32,
    _lock: File,
}

/// A plugin that was unpacked from a verified archive, or copied from another store and verified, and that nobody sees yet.
#[derive(Debug)]
pub struct StagedPlugin {
    pub(super) name: PluginName,
    pub(super) version: Version,
    pub(super) tree: TreeDigest,
    /// The folder of its files.
    pub(super) folder: PathBuf,
    /// The stamp that will stand beside it.
    pub(super) stamp: PathBuf,
}

impl StagedPlugin {
    /// The plugin's name.
    pub fn name(&self) -> &PluginName {
        &self.name
    }

    /// Its version.
    pub fn version(&self) -> &Version {
        &self.version
    }
}

impl Store {
    /// Makes a staging folder, and sweeps those of processes that died.
    pub fn stage(&self) -> Result<Staging, StoreError> {
        // Nobody else makes or sweeps one meanwhile, so that a folder is never seen without its lock being held.
        let _lock = self.lock()?;
        let all = self.all_staging();
        fs::create_dir_all(&all).map_err(io_error("create", &all))?;
        sweep(&all)?;
        let mut builder = tempfile::Builder::new();
        let file = builder.prefix("").suffix(".lock").tempfile_in(&all).map_err(io_error("write in", &all))?;
        let (file, lock_path) = file.keep().map_err(|error| io_error("write in", &all)(error.error))?;
        let path = lock_path.with_extension("");
        file.try_lock().map_err(|error| io_error("lock", &lock_path)(error.into()))?;
        fs::create_dir(&path).map_err(io_error("create", &path))?;
        Ok(Staging { store: self.clone(), path, lock_path, next: AtomicU32::new(0), _lock: file })
    }

    /// Removes what processes left that were killed while they wrote here. Where the store cannot be written, or another process
    /// writes at this moment, it does nothing.
    pub fn sweep(&self) -> Result<(), StoreError> {
        let all = self.all_staging();
        if !fs::read_dir(&all).is_ok_and(|mut left| left.next().is_some()) {
            return Ok(());
        }
        match self.lock_file() {
            Ok((_, file)) if file.try_lock().is_ok() => sweep(&all),
            _ => Ok(()),
        }
    }

    fn all_staging(&self) -> PathBuf {
        self.root.join(".staging")
    }
}

impl Staging {
    /// The store that it belongs to.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// The folder itself.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A name in it that nothing has yet.
    pub(super) fn new_path(&self) -> PathBuf {
        self.path.join(self.next.fetch_add(1, Ordering::Relaxed).to_string())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be removed is swept by the next run. The lock's file goes last: its folder is never without one.
        if fs::remove_dir_all(&self.path).is_ok() {
            let _ = fs::remove_file(&self.lock_path);
        }
    }
}

/// Removes what no living process holds: folders, and the locks of folders that are gone. The store's lock is held.
fn sweep(all: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(all).map_err(io_error("read", all))? {
        let path = entry.map_err(io_error("read", all))?.path();
        let (path, lock_path) = (path.with_extension(""), path.with_extension("lock"));
        if is_held(&lock_path) {
            continue;
        }
        remove(&path).and_then(|()| remove(&lock_path)).map_err(io_error("sweep", &path))?;
    }
    Ok(())
}

fn remove(path: &Path) -> std::io::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.or_else(|error| if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// Whether a living process holds the lock at `path`. One that cannot be asked counts as held.
fn is_held(path: &Path) -> bool {
    match File::open(path) {
        Ok(file) => file.try_lock().is_err(),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_staging_of_a_living_process_is_left_alone_and_a_dead_ones_is_swept() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let living = store.stage().unwrap();
        let dead = folder.path().join(".staging/dead");
        fs::create_dir_all(dead.join("unpacked")).unwrap();
        fs::write(folder.path().join(".staging/dead.lock"), "").unwrap();
        fs::write(folder.path().join(".staging/alone.lock"), "").unwrap();
        let other = store.stage().unwrap();
        assert!(living.path().is_dir() && other.path().is_dir());
        assert!(!dead.exists() && !dead.with_extension("lock").exists());
        assert!(!dead.with_file_name("alone.lock").exists());
        drop((living, other));
        assert_eq!(fs::read_dir(folder.path().join(".staging")).unwrap().count(), 0);
    }

    #[test]
    fn a_store_that_is_a_file_or_a_link_to_nothing_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(Store::at(&file).stage().unwrap_err().to_string().contains("is a file"));
        #[cfg(unix)]
        {
            let link = folder.path().join("link");
            std::os::unix::fs::symlink(folder.path().join("nothing"), &link).unwrap();
            assert!(Store::at(&link).stage().unwrap_err().to_string().contains("is a link to nothing"));
        }
    }
}
