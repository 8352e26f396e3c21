//! From a plugin's folder or finished archives to the release event that is signed.

use std::collections::BTreeSet;
use std::path::Path;

use crate::archive::{self, Archive, ArchiveError, CollectError, Entry, archive_file_name};
use crate::limits::Limits;
use crate::manifest::{Binary, Manifest};
use crate::name::Target;
use crate::record::{ArchiveRecord, Release};

/// One target's archive, read back and checked.
#[derive(Debug, Clone)]
pub struct Package {
    /// What it runs on.
    pub target: Target,
    /// Its file name: `<name>-<version>[-<target>].tar.gz`.
    pub file: String,
    /// The archive's bytes.
    pub bytes: Vec<u8>,
    archive: Archive,
    manifest: Manifest,
}

/// Why no package comes of a folder or an archive.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The folder's files cannot be taken.
    #[error(transparent)]
    Collect(#[from] CollectError),
    /// The archive is refused.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A registry takes only archives as `pocket plugin pack` writes them.
    #[error("the archive is not in canonical form")]
    NotCanonical,
    /// The manifest names binaries by target, and none of the files is there.
    #[error("none of the binaries that the manifest names is in the folder: {expected}")]
    NoBinary {
        /// The paths.
        expected: String,
    },
    /// Several archives, and not one release.
    #[error("the archives are of different releases: {one} and {other}")]
    DifferentReleases {
        /// The first archive's plugin and version.
        one: String,
        /// Another archive's plugin and version.
        other: String,
    },
    /// Several archives of one release with different manifests.
    #[error("the archives `{one}` and `{other}` have different manifests")]
    DifferentManifests {
        /// The first archive's file name.
        one: String,
        /// Another's.
        other: String,
    },
    /// Two archives for the same target.
    #[error("there are two archives for {target}")]
    SameTarget {
        /// The target.
        target: Target,
    },
    /// No archive at all.
    #[error("a release needs an archive")]
    Nothing,
}

impl Package {
    /// Packs a folder: one archive, or one for each target whose binary is there.
    ///
    /// # Errors
    /// Whatever keeps the archive from being installed is found here, before it is published.
    pub fn of_folder(root: &Path, limits: &Limits) -> Result<Vec<Self>, PackageError> {
        let entries = archive::collect(root, limits)?.entries;
        let whole = archive::read(archive::pack(&entries, limits)?.as_slice(), limits)?;
        let Some(Binary::PerTarget(binaries)) = whole.manifest()?.binary else {
            return Ok(vec![Self::pack(&entries, limits)?]);
        };
        let has = |path: &String| entries.iter().any(|entry| entry.path.as_str() == path);
        let present: Vec<&String> = binaries.values().filter(|path| has(path)).collect();
        if present.is_empty() {
            let expected = binaries.values().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ");
            return Err(PackageError::NoBinary { expected });
        }
        let others = |own: &String| -> BTreeSet<&str> {
            binaries.values().filter(|path| *path != own).map(String::as_str).collect()
        };
        let pack_for = |own: &&String| {
            let left_out = others(own);
            let kept: Vec<Entry> =
                entries.iter().filter(|entry| !left_out.contains(entry.path.as_str())).cloned().collect();
            Self::pack(&kept, limits)
        };
        present.iter().map(pack_for).collect()
    }

    /// Reads a finished archive.
    ///
    /// # Errors
    /// The archive is refused, or not in canonical form.
    pub fn of_archive(bytes: Vec<u8>, limits: &Limits) -> Result<Self, PackageError> {
        let archive = archive::read(bytes.as_slice(), limits)?;
        if !archive.is_canonical(&bytes) {
            return Err(PackageError::NotCanonical);
        }
        Self::new(bytes, archive)
    }

    fn pack(entries: &[Entry], limits: &Limits) -> Result<Self, PackageError> {
        let bytes = archive::pack(entries, limits)?;
        let archive = archive::read(bytes.as_slice(), limits)?;
        Self::new(bytes, archive)
    }

    fn new(bytes: Vec<u8>, archive: Archive) -> Result<Self, PackageError> {
        let manifest = archive.manifest()?;
        let target = target_of(&manifest, &archive);
        let file = archive_file_name(&manifest.name, &manifest.version, &target);
        Ok(Self { target, file, bytes, archive, manifest })
    }

    /// The archive's manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The archive, read.
    pub fn archive(&self) -> &Archive {
        &self.archive
    }

    fn record(&self) -> ArchiveRecord {
        ArchiveRecord::describe(&self.manifest, self.target.clone(), &self.bytes, &self.archive)
    }
}

/// What an archive runs on: the target whose binary is in it, or anything.
pub fn target_of(manifest: &Manifest, archive: &Archive) -> Target {
    let Some(Binary::PerTarget(binaries)) = &manifest.binary else { return Target::any() };
    let present = binaries.iter().find(|(_, path)| archive.file(path).is_some());
    present.map_or_else(Target::any, |(target, _)| target.clone())
}

/// The release event of these archives, sorted by target.
///
/// # Errors
/// They are not of one release.
pub fn release_of(packages: &[Package]) -> Result<Release, PackageError> {
    let first = packages.first().ok_or(PackageError::Nothing)?;
    let manifest = &first.manifest;
    let mut targets = BTreeSet::new();
    for package in packages {
        let other = &package.manifest;
        if (&other.name, &other.version) != (&manifest.name, &manifest.version) {
            return Err(PackageError::DifferentReleases { one: label(manifest), other: label(other) });
        }
        if other != manifest {
            return Err(PackageError::DifferentManifests { one: first.file.clone(), other: package.file.clone() });
        }
        if !targets.insert(&package.target) {
            return Err(PackageError::SameTarget { target: package.target.clone() });
        }
    }
    let mut archives: Vec<ArchiveRecord> = packages.iter().map(Package::record).collect();
    archives.sort_by(|one, other| one.target.cmp(&other.target));
    Ok(Release::describe(manifest, archives))
}

fn label(manifest: &Manifest) -> String {
    format!("`{}` {}", manifest.name, manifest.version)
}
