//! Where a plugin's files stand: `<name>/<version>/`, or `<name>/<version>~<tree>/` where other files of that name and version
//! stand there already, from another registry or another project.

use std::fs;
use std::path::{Path, PathBuf};

use pocket_index::digest::TreeDigest;
use pocket_index::name::PluginName;
use semver::Version;

use super::{Store, StoreError, io_error};

/// Twelve digits of the tree digest tell the few apart that share a name and a version.
const DIGITS: usize = 12;

/// A place for one plugin's files and, beside them, the stamp with the digest that they had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slot {
    pub folder: PathBuf,
    pub stamp: PathBuf,
}

impl Slot {
    /// The digest in the stamp; none where stamp or folder is missing, or where it is no digest.
    pub fn recorded(&self) -> Result<Option<TreeDigest>, StoreError> {
        let text = match fs::read_to_string(&self.stamp) {
            Ok(text) => text,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(io_error("read", &self.stamp)(error)),
        };
        Ok(text.trim_end().parse().ok().filter(|_| self.folder.is_dir()))
    }

    /// Whether anything stands there, whole or not.
    pub fn is_taken(&self) -> bool {
        fs::symlink_metadata(&self.folder).is_ok()
    }
}

impl Store {
    /// The place of these files: where they are, else the plain one, unless other files count as installed there.
    pub(super) fn slot(&self, name: &PluginName, version: &Version, tree: TreeDigest) -> Result<Slot, StoreError> {
        let plain = self.slot_called(name, &version.to_string());
        let recorded = plain.recorded()?;
        if recorded == Some(tree) {
            return Ok(plain);
        }
        let variant = self.slot_called(name, &variant(version, tree));
        Ok(if recorded.is_some() || variant.is_taken() { variant } else { plain })
    }

    /// Every place of a plugin that counts as installed, with its version and digest.
    pub(super) fn slots(&self, name: &PluginName) -> Result<Vec<(Version, TreeDigest, Slot)>, StoreError> {
        let mut slots = Vec::new();
        for folder in subfolders(&self.root().join(name.as_str()))? {
            let version = folder.split_once('~').map_or(folder.as_str(), |(version, _)| version);
            let Ok(version) = version.parse::<Version>() else { continue };
            let slot = self.slot_called(name, &folder);
            if let Some(tree) = slot.recorded()? {
                slots.push((version, tree, slot));
            }
        }
        Ok(slots)
    }

    fn slot_called(&self, name: &PluginName, folder: &str) -> Slot {
        let parent = self.root().join(name.as_str());
        Slot { folder: parent.join(folder), stamp: parent.join(format!("{folder}.tree")) }
    }
}

fn variant(version: &Version, tree: TreeDigest) -> String {
    let digits: String = tree.to_string().chars().skip_while(|&c| c != ':').skip(1).take(DIGITS).collect();
    format!("{version}~{digits}")
}

/// Nothing of that name, or a file where its folder would be.
fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

/// The names of the folders in a folder; none if it is missing.
pub(super) fn subfolders(folder: &Path) -> Result<Vec<String>, StoreError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_error("read", folder)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(io_error("read", folder))?;
        if entry.file_type().map_err(io_error("read", folder))?.is_dir()
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    Ok(names)
}
