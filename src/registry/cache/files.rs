//! The small files of a registry.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use pocket_index::digest::Digest;

use super::Trouble;
use crate::home::atomic;

/// The files of one registry that came over HTTP, each with its tag.
///
/// A file begins with a line of its own: the CRC-32 of everything behind it, and the tag. The line makes flushing
/// unnecessary, which would cost more than fetching: what a power failure tore has another sum, and is fetched again.
#[derive(Debug)]
pub(in crate::registry) struct FileCache {
    root: PathBuf,
    trouble: Trouble,
}

/// A file as it came.
pub(in crate::registry) struct CachedFile {
    pub content: Bytes,
    pub etag: Option<String>,
}

impl FileCache {
    /// Each registry has a folder of its own, named by the digest of its location: two registries never share a file.
    pub fn for_registry(cache: &Path, location: &str, trouble: Trouble) -> Self {
        let folder = Digest::of(location.as_bytes()).hex();
        Self { root: cache.join("index").join(&folder[..16]), trouble }
    }

    /// The file, if it is here whole.
    pub fn read(&self, path: &str) -> Option<CachedFile> {
        let stored = Bytes::from(fs::read(self.root.join(path)).ok()?);
        let end = stored.iter().position(|byte| *byte == b'\n')?;
        let (sum, etag) = str::from_utf8(&stored[..end]).ok()?.split_once(' ')?;
        let content = stored.slice(end + 1..);
        let etag = (!etag.is_empty()).then(|| etag.to_owned());
        (sum == checksum(etag.as_deref(), &content)).then_some(CachedFile { content, etag })
    }

    /// Throws everything away that came from this registry.
    pub fn clear(&self) {
        // What cannot be removed is as it was before, and refused again.
        let _ = fs::remove_dir_all(&self.root);
    }

    /// Throws away what is in the folder of `path`.
    pub fn clear_below(&self, path: &str) {
        if let Some(folder) = self.root.join(path).parent().filter(|folder| *folder != self.root) {
            let _ = fs::remove_dir_all(folder);
        }
    }

    /// Keeps a file. What cannot be kept is noted.
    pub fn write(&self, path: &str, content: &[u8], etag: Option<&str>) {
        let etag = etag.filter(|etag| !etag.contains(['\n', '\r']));
        let header = format!("{} {}\n", checksum(etag, content), etag.unwrap_or_default());
        let place = self.root.join(path);
        if let Err(error) = atomic::replace_without_flushing(&place, &[header.as_bytes(), content]) {
            self.trouble.note(&place, &error);
        }
    }
}

fn checksum(etag: Option<&str>, content: &[u8]) -> String {
    let mut sum = crc32fast::Hasher::new();
    sum.update(etag.unwrap_or_default().as_bytes());
    sum.update(b"\n");
    sum.update(content);
    format!("{:08x}", sum.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_comes_back_with_its_tag_and_a_torn_one_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let cache = FileCache::for_registry(folder.path(), "http://example.com/", Trouble::default());
        assert!(cache.read("index/a").is_none());
        cache.write("index/a", b"one\ntwo\n", Some("\"tag\""));
        let file = cache.read("index/a").unwrap();
        assert_eq!((&file.content[..], file.etag.as_deref()), (&b"one\ntwo\n"[..], Some("\"tag\"")));
        let place = cache.root.join("index/a");
        let whole = fs::read(&place).unwrap();
        for length in 0..whole.len() {
            fs::write(&place, &whole[..length]).unwrap();
            assert!(cache.read("index/a").is_none(), "{length} bytes");
            let zeroed: Vec<u8> = (0..whole.len()).map(|at| if at < length { whole[at] } else { 0 }).collect();
            fs::write(&place, zeroed).unwrap();
            assert!(cache.read("index/a").is_none(), "{length} bytes, then zeros");
        }
    }

    #[test]
    fn what_one_registry_sent_is_thrown_away_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let cache = |url: &str| FileCache::for_registry(folder.path(), url, Trouble::default());
        let (one, other) = (cache("http://one.example/"), cache("http://other.example/"));
        one.write("log/tile/0/000", b"x", None);
        other.write("log/tile/0/000", b"x", None);
        one.clear();
        assert!(one.read("log/tile/0/000").is_none() && other.read("log/tile/0/000").is_some());
    }

    #[test]
    fn a_cache_that_cannot_be_written_is_noted_and_nothing_fails() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cache");
        fs::write(&file, "").unwrap();
        let trouble = Trouble::default();
        let cache = FileCache::for_registry(&file, "http://example.com/", trouble.clone());
        cache.write("index/a", b"x", None);
        assert!(cache.read("index/a").is_none());
        assert!(trouble.first().unwrap().contains("cannot write"));
    }
}
