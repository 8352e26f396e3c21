//! Archives by digest, whichever registry or URL they came from.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use pocket_index::digest::{Digest, Digested};

use super::{Partial, Trouble};
use crate::home::atomic;
use crate::registry::TransportError;

const SUFFIX: &str = ".tar.gz";
const PARTIAL_SUFFIX: &str = ".part";

/// Archives by digest: `<two hex>/<sha256>.tar.gz`, and `….part` for what has come of one so far.
#[derive(Debug, Clone)]
pub struct ArchiveCache {
    root: PathBuf,
    trouble: Trouble,
}

impl ArchiveCache {
    /// The archives below the cache folder.
    pub fn at(cache: &Path) -> Self {
        Self { root: cache.join("archives"), trouble: Trouble::default() }
    }

    /// The archive with this digest, if it is there and still has it.
    pub fn read(&self, digest: Digest) -> Result<Option<Bytes>, TransportError> {
        Ok(self.find(digest).map(|found| Bytes::copy_from_slice(found.bytes())))
    }

    /// Keeps an archive whose digest was checked.
    pub fn write(&self, digest: Digest, content: &[u8]) -> Result<(), TransportError> {
        self.keep(digest, content);
        Ok(())
    }

    /// The archive with this digest, if it is there and still has it. One that cannot be read is fetched again.
    pub(in crate::registry) fn find(&self, digest: Digest) -> Option<Digested<'static>> {
        let found = Digested::of(fs::read(self.path(digest)).ok()?);
        (found.digest() == digest).then_some(found)
    }

    /// Keeps an archive. What cannot be kept is noted.
    fn keep(&self, digest: Digest, content: &[u8]) {
        let path = self.path(digest);
        // Not flushed: an archive that a power failure tore has another digest, and is fetched again.
        if let Err(error) = atomic::replace_without_flushing(&path, &[content]) {
            self.trouble.note(&path, &error);
        }
    }

    /// A place for an archive that is on its way, with what came of it before.
    pub(in crate::registry) fn partial(&self, digest: Digest, limit: u64) -> Partial {
        Partial::open(self.path(digest), PARTIAL_SUFFIX, digest, limit, self.trouble.clone())
    }

    /// The folder of the archives.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether a file below [`Self::root`] has the digest it is named by. What is still on its way has none, and is sound.
    pub fn is_sound(&self, path: &Path) -> std::io::Result<bool> {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Ok(false) };
        if name.ends_with(PARTIAL_SUFFIX) {
            return Ok(true);
        }
        Ok(name.strip_suffix(SUFFIX) == Some(Digest::of(&fs::read(path)?).hex().as_str()))
    }

    /// What hears of everything that cannot be kept.
    pub(in crate::registry) fn trouble(&self) -> &Trouble {
        &self.trouble
    }

    /// Where an archive is, or would be.
    pub fn path(&self, digest: Digest) -> PathBuf {
        let hex = digest.hex();
        self.root.join(&hex[..2]).join(format!("{hex}{SUFFIX}"))
    }
}
