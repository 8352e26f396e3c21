//! An archive on its way: in memory, and beside that in a file that the next run goes on with.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::PathBuf;

use pocket_index::digest::{Digest, Digested, Gathering};

use super::Trouble;
use crate::home::atomic;

/// What has come of an archive so far.
#[derive(Default)]
pub(in crate::registry) struct Partial {
    gathering: Gathering,
    /// None where the cache cannot be written, or where another process fetches the same archive.
    file: Option<PartialFile>,
    expected: Option<Digest>,
    trouble: Trouble,
}

struct PartialFile {
    /// Locked, so that two processes never write to one file.
    file: File,
    path: PathBuf,
    finished: PathBuf,
}

impl Partial {
    /// Goes on with the file that has this suffix beside `finished`, of which no more than `limit` bytes are taken.
    pub(super) fn open(finished: PathBuf, suffix: &str, expected: Digest, limit: u64, trouble: Trouble) -> Self {
        let mut path = finished.clone().into_os_string();
        path.push(suffix);
        let path = PathBuf::from(path);
        let mut partial = Self { expected: Some(expected), trouble, ..Self::default() };
        match atomic::open_exclusively(&path) {
            Ok(Some(file)) => {
                partial.file = Some(PartialFile { file, path, finished });
                partial.read_back(limit);
            }
            Ok(None) => {}
            Err(error) => partial.trouble.note(&path, &error),
        }
        partial
    }

    /// How many bytes have come.
    pub fn len(&self) -> u64 {
        self.gathering.len()
    }

    /// Whether everything has come.
    pub fn is_right(&self) -> bool {
        !self.gathering.is_empty() && Some(self.gathering.digest()) == self.expected
    }

    /// Takes the next bytes.
    pub fn take(&mut self, bytes: &[u8]) {
        self.gathering.take(bytes);
        let Some(partial) = &mut self.file else { return };
        if let Err(error) = partial.file.write_all(bytes) {
            self.trouble.note(&partial.path, &error);
            self.drop_file();
        }
    }

    /// Begins anew.
    pub fn restart(&mut self) {
        self.gathering = Gathering::default();
        let Some(partial) = &mut self.file else { return };
        if partial.file.set_len(0).and_then(|()| partial.file.rewind()).is_err() {
            self.drop_file();
        }
    }

    /// Everything that came. The file becomes the cached archive if the digest is the expected one, and is removed otherwise.
    pub fn finish(mut self) -> Digested<'static> {
        let digested = std::mem::take(&mut self.gathering).finish();
        let is_right = Some(digested.digest()) == self.expected;
        match &self.file {
            Some(partial) if is_right => {
                if let Err(error) = fs::rename(&partial.path, &partial.finished) {
                    self.trouble.note(&partial.finished, &error);
                }
            }
            Some(_) => self.drop_file(),
            None => {}
        }
        digested
    }

    fn read_back(&mut self, limit: u64) {
        let Some(partial) = &mut self.file else { return };
        let mut before = Vec::new();
        // One byte more than there can be is enough to know that it is another file.
        match (&mut partial.file).take(limit.saturating_add(1)).read_to_end(&mut before) {
            Ok(_) if before.len() as u64 <= limit => self.gathering.take(&before),
            _ => self.restart(),
        }
    }

    fn drop_file(&mut self) {
        if let Some(partial) = self.file.take() {
            let _ = fs::remove_file(&partial.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::ArchiveCache;

    #[test]
    fn a_partial_archive_is_gone_on_with_and_becomes_the_cached_one() {
        let folder = tempfile::tempdir().unwrap();
        let cache = ArchiveCache::at(folder.path());
        let digest = Digest::of(b"abcdef");
        let mut partial = cache.partial(digest, 100);
        partial.take(b"abc");
        assert_eq!(cache.partial(digest, 100).len(), 0, "another process has it");
        drop(partial);

        let mut partial = cache.partial(digest, 100);
        assert_eq!(partial.len(), 3);
        partial.take(b"def");
        assert!(partial.is_right());
        assert_eq!(partial.finish().bytes(), b"abcdef");
        assert_eq!(cache.find(digest).unwrap().bytes(), b"abcdef");
    }

    #[test]
    fn wrong_bytes_are_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let cache = ArchiveCache::at(folder.path());
        let digest = Digest::of(b"abcdef");
        let mut partial = cache.partial(digest, 100);
        partial.take(b"abcdeX");
        partial.finish();
        assert!(cache.find(digest).is_none());
        assert_eq!(cache.partial(digest, 100).len(), 0);
    }

    #[test]
    fn more_than_there_can_be_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let cache = ArchiveCache::at(folder.path());
        let digest = Digest::of(b"abcdef");
        cache.partial(digest, 100).take(b"abcdefg");
        assert_eq!(cache.partial(digest, 6).len(), 0);
    }
}
