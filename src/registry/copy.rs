//! A partial copy of a registry: what a few releases need, in the same layout, so that it is verified like the whole.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pocket_index::layout;
use pocket_index::limits::Limits;
use pocket_index::log::{self, TreeHead};
use pocket_index::verify::VerifiedRelease;

use super::client::{INDEX_FILE, Registry, SMALL_FILE};
use super::error::{RegistryError, TransportError};
use super::transport::Freshness;
use crate::home::atomic;

impl Registry {
    /// Copies into `folder` what is needed to verify and install these releases on any target: configuration, checkpoint, index
    /// files, archives and tiles. With `grown_from`, also the proof that the log grew from there. Returns the files, relative to
    /// `folder`.
    ///
    /// # Errors
    /// A file cannot be had or written, or an archive is not what its release says.
    pub async fn copy(
        &self,
        releases: &[&VerifiedRelease],
        grown_from: Option<&TreeHead>,
        folder: &Path,
        limits: &Limits,
    ) -> Result<BTreeSet<PathBuf>, RegistryError> {
        let mut files = BTreeSet::new();
        for release in releases {
            for archive in &release.entry().release().archives {
                let content = self.archive(release, &archive.target, &mut |_, _| {}).await?;
                release.verify_digested(&archive.target, &content, limits).map_err(|source| {
                    RegistryError::Archive {
                        plugin: release.name().clone(),
                        version: release.version().clone(),
                        source: Box::new(source),
                    }
                })?;
                self.write(folder, &layout::archive(&archive.sha256), content.bytes(), &mut files)?;
            }
            let path = layout::index_file(release.name());
            let content = self.read(&path, INDEX_FILE, Freshness::Revalidate).await?;
            self.write(folder, &path, &content, &mut files)?;
        }
        self.copy_tiles(releases, grown_from, folder, &mut files).await?;
        let config = self.read(layout::CONFIG, SMALL_FILE, Freshness::Revalidate).await?;
        self.write(folder, layout::CONFIG, &config, &mut files)?;
        // Last, as every registry is written: what it vouches for is there.
        self.write(folder, layout::CHECKPOINT, self.checkpoint().note().as_bytes(), &mut files)?;
        Ok(files)
    }

    async fn copy_tiles(
        &self,
        releases: &[&VerifiedRelease],
        grown_from: Option<&TreeHead>,
        folder: &Path,
        files: &mut BTreeSet<PathBuf>,
    ) -> Result<(), RegistryError> {
        let size = self.checkpoint().size();
        let mut leaves: BTreeSet<u64> = releases.iter().map(|release| release.entry().log()).collect();
        for release in releases {
            // The last line of a file is looked up in the log too.
            leaves.extend(self.outline(release.name(), Vec::new()).await?.and_then(|outline| outline.last_log()));
        }
        let mut needed: Vec<_> = leaves.iter().flat_map(|leaf| log::tiles_for_inclusion(*leaf, size)).collect();
        needed.extend(grown_from.iter().flat_map(|head| log::tiles_for_consistency(head.size, size)));
        self.fetch_tiles(needed.clone()).await?;
        for path in needed {
            let content = self.tile(&path)?;
            self.write(folder, &path.to_string(), &content, files)?;
        }
        Ok(())
    }

    fn write(
        &self,
        folder: &Path,
        path: &str,
        content: &[u8],
        files: &mut BTreeSet<PathBuf>,
    ) -> Result<(), RegistryError> {
        let target = folder.join(path);
        let written = atomic::replace_file(&target, content);
        written.map_err(|source| {
            self.transport_error(TransportError::Io { doing: "write", path: target.clone(), source })
        })?;
        files.insert(PathBuf::from(path));
        Ok(())
    }
}
