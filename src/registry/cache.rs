//! What was fetched before. Nothing here is trusted: every byte is verified again when it is used.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use pocket_index::digest::Digest;

use super::error::TransportError;

/// The files of one registry that came over HTTP, each with its tag.
#[derive(Debug)]
pub(super) struct FileCache {
    root: PathBuf,
}

impl FileCache {
    /// Each registry has a folder of its own, named by the digest of its location: two registries never share a file.
    pub fn for_registry(cache: &Path, location: &str) -> Self {
        let folder = Digest::of(location.as_bytes()).hex();
        Self { root: cache.join("index").join(&folder[..16]) }
    }

    pub fn read(&self, path: &str) -> Result<Option<Bytes>, TransportError> {
        read_if_there(&self.root.join(path)).map(|content| content.map(Bytes::from))
    }

    pub fn etag(&self, path: &str) -> Result<Option<String>, TransportError> {
        Ok(read_if_there(&self.etag_path(path))?.and_then(|tag| String::from_utf8(tag).ok()))
    }

    pub fn write(&self, path: &str, content: &[u8], etag: Option<&str>) -> Result<(), TransportError> {
        let tag_path = self.etag_path(path);
        // Without its tag first: a kill in between must not pair old bytes with a new tag.
        remove_if_there(&tag_path)?;
        write(&self.root.join(path), content)?;
        etag.map_or(Ok(()), |tag| write(&tag_path, tag.as_bytes()))
    }

    fn etag_path(&self, path: &str) -> PathBuf {
        self.root.join(format!("{path}.etag"))
    }
}

/// Archives by digest, whichever registry or URL they came from.
#[derive(Debug, Clone)]
pub struct ArchiveCache {
    root: PathBuf,
}

impl ArchiveCache {
    /// The archives below the cache folder.
    pub fn at(cache: &Path) -> Self {
        Self { root: cache.join("archives") }
    }

    /// The archive with this digest, if it is there and still has it.
    pub fn read(&self, digest: Digest) -> Result<Option<Bytes>, TransportError> {
        let content = read_if_there(&self.path(digest))?;
        Ok(content.filter(|content| Digest::of(content) == digest).map(Bytes::from))
    }

    /// Keeps an archive whose digest was checked.
    pub fn write(&self, digest: Digest, content: &[u8]) -> Result<(), TransportError> {
        write(&self.path(digest), content)
    }

    /// The folder of the archives.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether a file below [`Self::root`] has the digest it is named by.
    pub fn is_sound(&self, path: &Path) -> std::io::Result<bool> {
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".tar.gz"));
        Ok(name == Some(Digest::of(&fs::read(path)?).hex().as_str()))
    }

    /// Where an archive is, or would be.
    pub fn path(&self, digest: Digest) -> PathBuf {
        let hex = digest.hex();
        self.root.join(&hex[..2]).join(format!("{hex}.tar.gz"))
    }
}

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, TransportError> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(TransportError::Io { doing: "read", path: path.to_owned(), source }),
    }
}

fn remove_if_there(path: &Path) -> Result<(), TransportError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(TransportError::Io { doing: "remove", path: path.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

fn write(path: &Path, content: &[u8]) -> Result<(), TransportError> {
    crate::home::atomic::replace_file(path, content).map(drop).map_err(|source| TransportError::Io {
        doing: "write",
        path: path.to_owned(),
        source,
    })
}
