//! From a verified archive, or from another store, to a staged plugin.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use pocket_index::archive::Entry;
use pocket_index::digest::TreeDigest;
use pocket_index::name::PluginName;
use pocket_index::tree;
use pocket_index::verify::VerifiedArchive;
use semver::Version;

use super::{InstalledPlugin, StagedPlugin, Staging, StoreError, io_error};

impl Staging {
    /// Unpacks `archive` where nobody sees it yet.
    pub fn unpack(&self, archive: &VerifiedArchive) -> Result<StagedPlugin, StoreError> {
        let folder = self.new_folder()?;
        // Many files share a folder; asking for it once is enough.
        let mut last = PathBuf::new();
        for entry in archive.archive().entries() {
            let path = folder.join(entry.path.as_str());
            if let Some(parent) = path.parent().filter(|parent| *parent != last) {
                fs::create_dir_all(parent).map_err(io_error("create", parent))?;
                last = parent.to_owned();
            }
            write_entry(&path, entry)?;
        }
        let manifest = archive.manifest();
        self.staged(&manifest.name, &manifest.version, archive.tree(), folder)
    }

    /// Copies a plugin that another store has, instead of fetching and unpacking it again. None if its files are no longer
    /// the ones that `tree` stands for.
    ///
    /// A copy and no hard link: an edit of a linked file would change the plugin in every store at once, and break them
    /// all. Where the file system can share blocks until one side is written (btrfs, XFS, APFS), `fs::copy` lets it.
    pub fn copy(&self, plugin: &InstalledPlugin, tree: TreeDigest) -> Result<Option<StagedPlugin>, StoreError> {
        let folder = self.new_folder()?;
        copy_folder(plugin.root(), &folder)?;
        // The copy is what will run, so the copy is what is verified.
        match tree::of_directory(&folder) {
            Ok(found) if found == tree => self.staged(plugin.name(), plugin.version(), tree, folder).map(Some),
            _ => fs::remove_dir_all(&folder).map(|()| None).map_err(io_error("remove", &folder)),
        }
    }

    fn new_folder(&self) -> Result<PathBuf, StoreError> {
        let folder = self.new_path();
        fs::create_dir(&folder).map_err(io_error("create", &folder))?;
        Ok(folder)
    }

    fn staged(
        &self,
        name: &PluginName,
        version: &Version,
        tree: TreeDigest,
        folder: PathBuf,
    ) -> Result<StagedPlugin, StoreError> {
        let stamp = folder.with_extension("tree");
        fs::write(&stamp, format!("{tree}\n")).map_err(io_error("write", &stamp))?;
        Ok(StagedPlugin { name: name.clone(), version: version.clone(), tree, folder, stamp })
    }
}

fn write_entry(path: &Path, entry: &Entry) -> Result<(), StoreError> {
    // `create_new`: two entries that this file system takes for one name must not overwrite each other.
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, if entry.executable { 0o755 } else { 0o644 });
    let mut file = options.open(path).map_err(io_error("create", path))?;
    file.write_all(&entry.content).map_err(io_error("write", path))
}

/// Copies folders and plain files. Links are no part of a plugin; without them the digest will not fit.
fn copy_folder(from: &Path, to: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(from).map_err(io_error("read", from))? {
        let entry = entry.map_err(io_error("read", from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(io_error("read", from))?;
        if kind.is_dir() {
            fs::create_dir(&target).map_err(io_error("create", &target))?;
            copy_folder(&source, &target)?;
        } else if kind.is_file() {
            fs::copy(&source, &target).map_err(io_error("write", &target))?;
        }
    }
    Ok(())
}
