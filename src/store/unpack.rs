//! From a verified archive to an installed plugin: written to a staging folder, flushed, renamed.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use pocket_index::archive::Entry;
use pocket_index::verify::VerifiedArchive;

use super::{InstalledPlugin, Store, StoreError, io_error};

impl Store {
    /// Unpacks `archive` under its name and version.
    ///
    /// Other versions stay where they are and work. A process killed at any moment leaves this version whole, or counting as
    /// not installed. The same files already there are left alone.
    pub fn install(&self, archive: &VerifiedArchive) -> Result<InstalledPlugin, StoreError> {
        let (name, version, tree) = (&archive.manifest().name, &archive.manifest().version, archive.tree());
        let _lock = self.lock()?;
        if let Some(installed) = self.find(name, version, tree)?
            && installed.verify().is_ok()
        {
            return Ok(installed);
        }
        let staging = self.new_staging()?;
        let unpacked = staging.path().join("unpacked");
        fs::create_dir(&unpacked).map_err(io_error("create", &unpacked))?;
        for entry in archive.archive().entries() {
            write_entry(&unpacked, entry)?;
        }
        sync_folders(&unpacked)?;

        let folder = self.folder(name, version);
        let parent = self.root.join(name.as_str());
        fs::create_dir_all(&parent).map_err(io_error("create", &parent))?;
        // The stamp goes first and comes back last: in between the plugin counts as not installed, never as verified.
        let stamp = self.stamp(name, version);
        remove_if_there(&stamp)?;
        if folder.exists() {
            fs::rename(&folder, staging.path().join("replaced")).map_err(io_error("replace", &folder))?;
        }
        fs::rename(&unpacked, &folder).map_err(io_error("move the unpacked files to", &folder))?;
        crate::home::atomic::replace_file(&stamp, format!("{tree}\n").as_bytes()).map_err(io_error("write", &stamp))?;
        sync_folder(&parent)?;
        Ok(InstalledPlugin::new(name.clone(), version.clone(), folder, tree))
    }
}

fn write_entry(root: &Path, entry: &Entry) -> Result<(), StoreError> {
    let path = root.join(entry.path.as_str());
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(io_error("create", parent))?;
    }
    // `create_new`: two entries that this file system takes for one name must not overwrite each other.
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, if entry.executable { 0o755 } else { 0o644 });
    let mut file = options.open(&path).map_err(io_error("create", &path))?;
    file.write_all(&entry.content).and_then(|()| file.sync_all()).map_err(io_error("write", &path))
}

/// Flushes the names of everything below `folder`.
fn sync_folders(folder: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(folder).map_err(io_error("read", folder))? {
        let entry = entry.map_err(io_error("read", folder))?;
        if entry.file_type().map_err(io_error("read", folder))?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    sync_folder(folder)
}

fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error("flush", folder))
}

pub(super) fn remove_if_there(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io_error("remove", path)(error)),
        _ => Ok(()),
    }
}
