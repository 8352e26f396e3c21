//! Archives: `<name>-<version>[-<target>].tar.gz`. A strict reader and a writer whose bytes depend on nothing but the
//! files.
//!
//! Every archive is read into memory within [`Limits`], checked whole, and only then given out; the bytes that were
//! checked are the bytes that are unpacked.

mod collect;
mod error;
#[cfg(any(test, feature = "test-fixtures"))]
#[doc(hidden)]
pub mod fixture;
mod header;
mod names;
mod path;
mod pax;
mod read;
mod stream;
#[cfg(test)]
mod tests;
mod write;

use semver::Version;

use crate::digest::TreeDigest;
use crate::limits::Limits;
use crate::manifest::{Binary, Manifest};
use crate::name::{PluginName, Target};

pub use collect::{CollectError, Collected, collect};
pub use error::ArchiveError;
pub use path::{EntryPath, PathError};
pub use read::read;
pub use write::pack;

/// The manifest's path in every archive.
pub const MANIFEST: &str = "manifest.yaml";

/// A file of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub path: EntryPath,
    /// Whether it may be executed: mode 0755, otherwise 0644.
    pub executable: bool,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// An archive that was read whole and found to be as it must be. That its bytes are the expected ones is another question.
#[derive(Debug, Clone)]
pub struct Archive {
    entries: Vec<Entry>,
}

impl Archive {
    /// The files, in the archive's order. Folders are those that the files' paths name; an empty one is not kept.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The files, to be unpacked.
    pub fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// The file at a path.
    pub fn file(&self, path: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.path.as_str() == path)
    }

    /// Bytes of all files together.
    pub fn unpacked(&self) -> u64 {
        self.entries.iter().map(|entry| entry.content.len() as u64).sum()
    }

    /// The digest of the files once they are unpacked.
    pub fn tree(&self) -> TreeDigest {
        TreeDigest::of(&self.entries)
    }

    /// The manifest, with the files it names seen to be there: the readme, and the binary (of a binary per target, one).
    ///
    /// # Errors
    /// Names the place in the manifest, or the missing file.
    pub fn manifest(&self) -> Result<Manifest, ArchiveError> {
        let manifest = Manifest::parse(&read::find_manifest(&self.entries)?.content)?;
        let missing = |field, path: &str| ArchiveError::FileMissing { field, path: path.to_owned() };
        match &manifest.binary {
            Some(Binary::Path(path)) if self.file(path).is_none() => return Err(missing("binary", path)),
            Some(Binary::PerTarget(paths)) if !paths.values().any(|path| self.file(path).is_some()) => {
                let all: Vec<&str> = paths.values().map(String::as_str).collect();
                return Err(missing("binary", &all.join("`, `")));
            }
            _ => {}
        }
        match &manifest.readme {
            Some(path) if self.file(path).is_none() => Err(missing("readme", path)),
            _ => Ok(manifest),
        }
    }

    /// Whether the tar stream in `bytes`, which this archive was read from, is the one that [`pack`] writes for the same
    /// files. A registry takes no other: what its reviewers see with one tool is what every tool unpacks.
    pub fn is_canonical(&self, bytes: &[u8]) -> bool {
        let mut stream = stream::Compared::with(bytes);
        write::write_tar(&self.entries, &mut stream).is_ok() && stream.ends()
    }
}

/// The name of an archive's file: `<name>-<version>.tar.gz`, or `<name>-<version>-<target>.tar.gz` for one target.
pub fn archive_file_name(name: &PluginName, version: &Version, target: &Target) -> String {
    if target.is_any() { format!("{name}-{version}.tar.gz") } else { format!("{name}-{version}-{target}.tar.gz") }
}

/// The name of the file that signs a release: `<name>-<version>.release.json`; see [`crate::verify::SignedRelease`].
pub fn release_file_name(name: &PluginName, version: &Version) -> String {
    format!("{name}-{version}.release.json")
}

/// Whether the bytes are an archive in canonical form; see [`Archive::is_canonical`].
///
/// # Errors
/// The reader's, when they are no archive at all.
pub fn is_canonical(bytes: &[u8], limits: &Limits) -> Result<bool, ArchiveError> {
    read(bytes, limits).map(|archive| archive.is_canonical(bytes))
}
