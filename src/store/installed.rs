//! A plugin that was unpacked from a verified archive.

use std::fs;
use std::path::{Path, PathBuf};

use pocket_index::archive::MANIFEST;
use pocket_index::digest::{Digest, TreeDigest};
use pocket_index::manifest::Manifest;
use pocket_index::name::PluginName;
use pocket_index::tree::Tree;
use semver::Version;

use super::slot::subfolders;
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

    /// Reads every file again and compares the digest with the one recorded. What was read is told file by file.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when a file was changed, added or taken away since.
    pub fn verify(&self) -> Result<Tree, StoreError> {
        let tree = pocket_index::tree::read_directory(&self.root).map_err(|source| StoreError::Unverifiable {
            name: self.name.clone(),
            version: self.version.clone(),
            source,
        })?;
        let found = tree.digest();
        if found == self.tree {
            return Ok(tree);
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
        self.digested_manifest().map(|(manifest, _)| manifest)
    }

    /// Reads the manifest, and says what its digest is: whoever verifies the files later sees in the [`Tree`] whether it was this one.
    pub fn digested_manifest(&self) -> Result<(Manifest, Digest), StoreError> {
        let path = self.root.join(MANIFEST);
        let text = fs::read(&path).map_err(io_error("read", &path))?;
        let parsed = Manifest::parse(&text).map_err(|source| StoreError::Manifest { path, source: Box::new(source) });
        Ok((parsed?, Digest::of(&text)))
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
        let slot = self.slot(name, version, tree)?;
        let is_there = slot.recorded()? == Some(tree);
        Ok(is_there.then(|| InstalledPlugin::new(name.clone(), version.clone(), slot.folder, tree)))
    }

    /// Whether something stands in the place of these files: changed ones, or some without the digest of what they were.
    pub fn has_broken(&self, name: &PluginName, version: &Version, tree: TreeDigest) -> Result<bool, StoreError> {
        Ok(self.slot(name, version, tree)?.is_taken())
    }

    /// Every installed plugin, sorted by name and version.
    pub fn list(&self) -> Result<Vec<InstalledPlugin>, StoreError> {
        let mut plugins = Vec::new();
        for name in subfolders(&self.root)? {
            let Ok(name) = name.parse::<PluginName>() else { continue };
            for (version, tree, slot) in self.slots(&name)? {
                plugins.push(InstalledPlugin::new(name.clone(), version, slot.folder, tree));
            }
        }
        plugins.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
        Ok(plugins)
    }
}
