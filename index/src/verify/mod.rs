//! The gate: from bytes of unknown origin to an archive that may be unpacked.
//!
//! [`VerifiedRelease`] is a release that its owners signed and the registry's log holds. [`VerifiedArchive`] is an archive
//! whose bytes and contents are what that release says. Nothing else makes them, and unpacking takes nothing else:
//!
//! ```compile_fail,E0451
//! use pocket_index::archive::Archive;
//! use pocket_index::verify::VerifiedArchive;
//! fn put_other_files_into(verified: VerifiedArchive, archive: Archive) -> VerifiedArchive {
//!     VerifiedArchive { archive, ..verified } // the fields are private
//! }
//! ```
//!
//! ```compile_fail,E0277
//! use pocket_index::archive::Archive;
//! use pocket_index::verify::VerifiedArchive;
//! fn skip_the_checks(archive: Archive) -> VerifiedArchive {
//!     archive.into() // there is no way around
//! }
//! ```

mod compare;
mod error;
mod signed;

use semver::Version;

use crate::archive::{self, Archive};
use crate::config::LogWaiver;
use crate::digest::{Digest, Digested, TreeDigest};
use crate::limits::Limits;
use crate::log::{Checkpoint, Leaf, TileSource, TreeHead, check_inclusion};
use crate::manifest::Manifest;
use crate::name::{PluginName, Target};
use crate::record::{ArchiveRecord, History, Release, ReleaseEntry, Status};
use crate::signature::PublicKey;

pub use error::VerifyError;
pub use signed::{SignedRelease, SignedReleaseError};

/// A release that may be installed: signed by the plugin's owners, not revoked, and in the registry's log.
#[derive(Debug, Clone)]
pub struct VerifiedRelease {
    entry: ReleaseEntry,
    log: LogEvidence,
}

/// What shows that everybody is told of the same release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogEvidence {
    /// It is in the log's tree with this head.
    Included(TreeHead),
    /// Nothing: the registry has no log, and the user's configuration puts up with that.
    WaivedByUser,
}

/// An archive whose bytes and contents are what was promised. Unpacking takes nothing else.
#[derive(Debug, Clone)]
pub struct VerifiedArchive {
    archive: Archive,
    manifest: Manifest,
    digest: Digest,
    size: u64,
    tree: TreeDigest,
    promise: Promise,
}

/// Who promised the bytes.
#[derive(Debug, Clone)]
pub enum Promise {
    /// A release, with its archive for this target.
    Release(Box<VerifiedRelease>, Target),
    /// A release that stands in no registry, and these keys.
    Signatures(Vec<PublicKey>),
    /// A digest that the user gave: in a URL, on the command line, or in the lock.
    PinnedDigest,
}

impl VerifiedRelease {
    /// Takes a version from a checked history and asks the log for it.
    ///
    /// A yanked version passes: whether it is locked already is the caller's to know. Fetch
    /// [`crate::log::tiles_for_inclusion`] for the entry's [`ReleaseEntry::log`] first.
    ///
    /// # Errors
    /// There is no such version, it is revoked, or the log does not hold it.
    pub fn check(
        history: &History,
        version: &Version,
        checkpoint: &Checkpoint,
        tiles: &impl TileSource,
    ) -> Result<Self, VerifyError> {
        let unknown = || VerifyError::UnknownVersion { name: history.name().clone(), version: version.clone() };
        Self::check_entry(history.release(version).ok_or_else(unknown)?.clone(), checkpoint, tiles)
    }

    /// Takes a release that was read out of an [`crate::record::Outline`] or a history, and asks the log for it, as
    /// [`VerifiedRelease::check`] does.
    ///
    /// # Errors
    /// It is revoked, or the log does not hold it.
    pub fn check_entry(
        entry: ReleaseEntry,
        checkpoint: &Checkpoint,
        tiles: &impl TileSource,
    ) -> Result<Self, VerifyError> {
        refuse_revoked(&entry)?;
        let leaf = Leaf { name: entry.release().name.clone(), seq: entry.seq(), line: entry.line() };
        check_inclusion(checkpoint, &leaf, entry.log(), tiles)?;
        Ok(Self { entry, log: LogEvidence::Included(checkpoint.head().clone()) })
    }

    /// Takes a version from a checked history of a registry that has no log.
    ///
    /// # Errors
    /// There is no such version, or it is revoked.
    pub fn check_without_log(history: &History, version: &Version, _waiver: &LogWaiver) -> Result<Self, VerifyError> {
        let unknown = || VerifyError::UnknownVersion { name: history.name().clone(), version: version.clone() };
        let entry = history.release(version).ok_or_else(unknown)?.clone();
        refuse_revoked(&entry)?;
        Ok(Self { entry, log: LogEvidence::WaivedByUser })
    }

    /// The release with its status, signers, and place in file and log.
    pub fn entry(&self) -> &ReleaseEntry {
        &self.entry
    }

    /// The plugin.
    pub fn name(&self) -> &PluginName {
        &self.entry.release().name
    }

    /// The version.
    pub fn version(&self) -> &Version {
        &self.entry.release().version
    }

    /// What shows that everybody is told of the same release.
    pub fn log(&self) -> &LogEvidence {
        &self.log
    }

    /// The archive to fetch for a target.
    ///
    /// # Errors
    /// The release has none for the target, and none that runs everywhere.
    pub fn archive_for(&self, target: &Target) -> Result<&ArchiveRecord, VerifyError> {
        record_for(self.entry.release(), target)
    }

    /// Checks an archive's bytes and everything in them against the release.
    ///
    /// # Errors
    /// Names the first thing that differs, with both values.
    pub fn verify_archive(
        &self,
        target: &Target,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<VerifiedArchive, VerifyError> {
        self.verify_digested(target, &Digested::of(bytes), limits)
    }

    /// The same for bytes that were digested while they came, which is not done twice.
    ///
    /// # Errors
    /// Those of [`Self::verify_archive`].
    pub fn verify_digested(
        &self,
        target: &Target,
        bytes: &Digested<'_>,
        limits: &Limits,
    ) -> Result<VerifiedArchive, VerifyError> {
        let record = self.archive_for(target)?;
        let promise = Promise::Release(Box::new(self.clone()), record.target.clone());
        check_release_archive(self.entry.release(), record, bytes, limits, promise)
    }
}

impl VerifiedArchive {
    /// Checks an archive that no release describes against a digest that the user gave: `URL#sha256=…`, or a local file whose
    /// digest is recorded as trusted.
    ///
    /// # Errors
    /// The bytes have another digest, or are no archive that may be unpacked.
    pub fn from_pinned_digest(bytes: &[u8], expected: Digest, limits: &Limits) -> Result<Self, VerifyError> {
        Self::read(&Digested::of(bytes), expected, limits, Promise::PinnedDigest)
    }

    /// The digest comes first: bytes that nobody promised are not even unzipped.
    fn read(bytes: &Digested<'_>, expected: Digest, limits: &Limits, promise: Promise) -> Result<Self, VerifyError> {
        let (bytes, digest) = (bytes.bytes(), bytes.digest());
        if digest != expected {
            return Err(VerifyError::Digest { expected, found: digest });
        }
        let archive = archive::read(bytes, limits)?;
        let (manifest, tree) = (archive.manifest()?, archive.tree());
        Ok(Self { archive, manifest, digest, size: bytes.len() as u64, tree, promise })
    }

    /// What the plugin says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The files.
    pub fn archive(&self) -> &Archive {
        &self.archive
    }

    /// The files, to be unpacked.
    pub fn into_archive(self) -> Archive {
        self.archive
    }

    /// The digest of the archive's bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Bytes of the archive.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The digest of the files once they are unpacked.
    pub fn tree(&self) -> TreeDigest {
        self.tree
    }

    /// Who promised the bytes.
    pub fn promise(&self) -> &Promise {
        &self.promise
    }

    /// The release of a registry that it belongs to, if it does.
    pub fn release(&self) -> Option<&VerifiedRelease> {
        match &self.promise {
            Promise::Release(release, _) => Some(release),
            Promise::Signatures(_) | Promise::PinnedDigest => None,
        }
    }
}

/// What a registry checks before it takes an archive: what a client will check, and that the archive is in canonical form.
///
/// # Errors
/// Names the first thing that differs, with both values.
pub fn check_submission(
    release: &Release,
    record: &ArchiveRecord,
    bytes: &[u8],
    limits: &Limits,
) -> Result<(), VerifyError> {
    let verified = check_release_archive(release, record, &Digested::of(bytes), limits, Promise::PinnedDigest)?;
    if verified.archive.is_canonical(bytes) { Ok(()) } else { Err(VerifyError::NotCanonical) }
}

fn record_for<'a>(release: &'a Release, target: &Target) -> Result<&'a ArchiveRecord, VerifyError> {
    release.archive_for(target).ok_or_else(|| VerifyError::NoArchive {
        name: release.name.clone(),
        version: release.version.clone(),
        target: target.clone(),
        available: release.archives.iter().map(|archive| archive.target.clone()).collect(),
    })
}

fn check_release_archive(
    release: &Release,
    record: &ArchiveRecord,
    bytes: &Digested<'_>,
    limits: &Limits,
    promise: Promise,
) -> Result<VerifiedArchive, VerifyError> {
    let size = bytes.bytes().len() as u64;
    if size != record.size {
        return Err(VerifyError::Size { expected: record.size, found: size });
    }
    let verified = VerifiedArchive::read(bytes, record.sha256, limits, promise)?;
    check_contents(record, &verified)?;
    compare::check_manifest(&verified.manifest, release)?;
    Ok(verified)
}

fn refuse_revoked(entry: &ReleaseEntry) -> Result<(), VerifyError> {
    let Status::Revoked { reason } = entry.status() else { return Ok(()) };
    let Release { name, version, .. } = entry.release();
    Err(VerifyError::Revoked { name: name.clone(), version: version.clone(), reason: reason.clone() })
}

fn check_contents(record: &ArchiveRecord, verified: &VerifiedArchive) -> Result<(), VerifyError> {
    let entries = verified.archive.entries().len() as u64;
    if entries != record.entries {
        return Err(VerifyError::Entries { expected: record.entries, found: entries });
    }
    let unpacked = verified.archive.unpacked();
    if unpacked != record.unpacked {
        return Err(VerifyError::Unpacked { expected: record.unpacked, found: unpacked });
    }
    if verified.tree != record.tree {
        return Err(VerifyError::Tree { expected: record.tree, found: verified.tree });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
