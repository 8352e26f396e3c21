//! A plugin that was unpacked from a verified archive.

use std::fs;
use std::path::{Path, PathBuf};

use pocket_index::digest::TreeDigest;
use pocket_index::manifest::Manifest;
use pocket_index::name::PluginName;
use semver::Version;

use super::{Change, Store, StoreError, io_error};

/// A plugin's unpacked files with the digest that they had then. Made by [`Store`] only.
#[derive(Debug, Clone)]
pub struct InstalledPlugin {
    name: PluginName,
    version: Version,
    root: PathBuf,
    tree: TreeDigest,
}

impl InstalledPlugin {
    pub(super) fn new(name: PluginName, version: Version, root: PathBuf, tree: TreeDigest) -> Self {
        Self { name, version, root, tree }
    }

    /// The plugin's name.
    pub fn name(&self) -> &PluginName {
        &self.name
    }

    /// Its version.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The folder of its files.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The digest that its files had when they were unpacked.
    pub fn tree(&self) -> TreeDigest {
        self.tree
    }

    /// Reads every file again and compares the digest with the one recorded.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when a file was changed, added or taken away since.
    pub fn verify(&self) -> Result<(), StoreError> {
        let found = pocket_index::tree::of_directory(&self.root).map_err(|source| StoreError::Unverifiable {
            name: self.name.clone(),
            version: self.version.clone(),
            source,
        })?;
        if found == self.tree {
            return Ok(());
        }
        Err(StoreError::Changed(Box::new(Change {
            name: self.name.clone(),
            version: self.version.clone(),
            expected: self.tree,
            found,
        })))
    }

    /// Reads the manifest. Call [`Self::verify`] first: this trusts the file as it stands.
    pub fn manifest(&self) -> Result<Manifest, StoreError> {
        let path = self.root.join("manifest.yaml");
        let text = fs::read(&path).map_err(io_error("read", &path))?;
        Manifest::parse(&text).map_err(|source| StoreError::Manifest { path, source: Box::new(source) })
    }
}

impl Store {
    /// The plugin whose unpacked files had this digest, if it is installed. Reads no file but the digest beside it.
    pub fn find(
        &self,
        name: &PluginName,
        version: &Version,
        tree: TreeDigest,
    ) -> Result<Option<InstalledPlugin>, StoreError> {
        Ok(self
            .recorded_tree(name, version)?
            .filter(|recorded| *recorded == tree)
            .map(|tree| self.installed(name, version, tree)))
    }

    /// Whether something stands in the place of this version: other files, or some without the digest of what they were.
    pub fn has_other(&self, name: &PluginName, version: &Version) -> bool {
        fs::symlink_metadata(self.folder(name, version)).is_ok()
    }

    /// Every installed plugin, sorted by name and version.
    pub fn list(&self) -> Result<Vec<InstalledPlugin>, StoreError> {
        let mut plugins = Vec::new();
        for name in subfolders(&self.root)? {
            let Ok(name) = name.parse::<PluginName>() else { continue };
            for version in subfolders(&self.root.join(name.as_str()))? {
                let Ok(version) = version.parse::<Version>() else { continue };
                if let Some(tree) = self.recorded_tree(&name, &version)? {
                    plugins.push(self.installed(&name, &version, tree));
                }
            }
        }
        plugins.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
        Ok(plugins)
    }

    fn installed(&self, name: &PluginName, version: &Version, tree: TreeDigest) -> InstalledPlugin {
        InstalledPlugin::new(name.clone(), version.clone(), self.folder(name, version), tree)
    }

    /// The digest beside the folder; none where either is missing, or where it is no digest.
    fn recorded_tree(&self, name: &PluginName, version: &Version) -> Result<Option<TreeDigest>, StoreError> {
        let stamp = self.stamp(name, version);
        let text = match fs::read_to_string(&stamp) {
            Ok(text) => text,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(io_error("read", &stamp)(error)),
        };
        if !self.folder(name, version).is_dir() {
            return Ok(None);
        }
        Ok(text.trim_end().parse().ok())
    }
}

/// Nothing of that name, or a file where its folder would be.
fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

fn subfolders(folder: &Path) -> Result<Vec<String>, StoreError> {
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
