//! A registry in one file, to be read. Nothing of it is unpacked: what it claims to hold takes no room before it was checked.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;

use super::http::{MAX_FILE, not_here};
use crate::storage::{Condition, Entry, Pieces, Put, Storage, StorageError, Stored, Tag};

/// Four million files are 400 MB of names in memory: more than a registry of 100,000 plugins has.
const MAX_ENTRIES: usize = 4_000_000;

/// What `export` wrote.
#[derive(Debug)]
pub(super) struct Packed {
    place: PathBuf,
    file: Arc<Mutex<File>>,
    /// Where each file stands: its first byte, and its length.
    entries: BTreeMap<String, (u64, u64)>,
}

impl Packed {
    /// Looks through the file for what it holds.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let entries = entries(&file, length, MAX_ENTRIES)?;
        Ok(Self { place: path.to_owned(), file: Arc::new(Mutex::new(file)), entries })
    }

    fn entry_at(&self, path: &str) -> Option<Entry> {
        let (_, length) = *self.entries.get(path)?;
        Some(Entry { path: path.to_owned(), length, tag: Tag(String::new()), modified: SystemTime::UNIX_EPOCH })
    }
}

fn entries(file: &File, end: u64, most: usize) -> io::Result<BTreeMap<String, (u64, u64)>> {
    let wrong = |message: String| io::Error::new(ErrorKind::InvalidData, message);
    let mut found = BTreeMap::new();
    let mut archive = tar::Archive::new(BufReader::new(file));
    for entry in archive.entries_with_seek()? {
        let entry = entry?;
        let path = entry.path()?.into_owned();
        let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        let name = path.to_str().filter(|_| is_plain && path.starts_with("tree"));
        let Some(name) = name.filter(|_| entry.header().entry_type() == tar::EntryType::Regular) else {
            return Err(wrong(format!("`{}` does not belong there", path.to_string_lossy().escape_debug())));
        };
        let (start, length) = (entry.raw_file_position(), entry.size());
        if start.checked_add(length).is_none_or(|last| last > end) || length > MAX_FILE as u64 {
            return Err(wrong(format!(
                "`{name}` has {length} bytes at {start}, the file has {end}, at most {MAX_FILE} are read"
            )));
        }
        if found.insert(name.to_owned(), (start, length)).is_some() {
            return Err(wrong(format!("`{name}` stands there twice")));
        }
        if found.len() > most {
            return Err(wrong(format!("it holds more than {most} files")));
        }
    }
    Ok(found)
}

#[async_trait]
impl Storage for Packed {
    async fn read(&self, path: &str) -> Result<Option<Stored>, StorageError> {
        let Some((start, length)) = self.entries.get(path).copied() else { return Ok(None) };
        let file = Arc::clone(&self.file);
        let read = move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(start))?;
            let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
            file.read_exact(&mut bytes)?;
            Ok(bytes)
        };
        let read = tokio::task::spawn_blocking(read).await.unwrap_or_else(|error| Err(io::Error::other(error)));
        let bytes = read.map_err(|error| StorageError::of_io("read", &self.place.join(path), error))?;
        Ok(Some(Stored { bytes: bytes.into(), tag: Tag(String::new()) }))
    }

    async fn entry(&self, path: &str) -> Result<Option<Entry>, StorageError> {
        Ok(self.entry_at(path))
    }

    async fn pieces(&self, entry: &Entry, _: Range<u64>) -> Result<Pieces, StorageError> {
        Err(not_here(&entry.path))
    }

    async fn put(&self, path: &str, _: Bytes, _: Condition) -> Result<Put, StorageError> {
        Err(not_here(path))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, StorageError> {
        let from = self.entries.range(prefix.to_owned()..).take_while(|(path, _)| path.starts_with(prefix));
        Ok(from.filter_map(|(path, _)| self.entry_at(path)).collect())
    }

    async fn remove(&self, path: &str) -> Result<(), StorageError> {
        Err(not_here(path))
    }

    fn place(&self) -> String {
        self.place.display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// A tar of these files.
    fn packed(files: &[(&str, &[u8])]) -> tempfile::NamedTempFile {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_ustar();
            // The library would refuse to write some of these names.
            header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append(&header, *content).expect("memory");
        }
        written(&builder.into_inner().expect("memory"))
    }

    fn written(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(bytes).expect("it is written");
        file
    }

    #[tokio::test]
    async fn what_was_packed_is_read_where_it_stands() {
        let file = packed(&[("tree/config.json", b"one"), ("tree/index/a", b"three"), ("tree/index/b", b"")]);
        let packed = Packed::open(file.path()).expect("it is well-formed");
        for (path, content) in [("tree/index/a", "three"), ("tree/config.json", "one"), ("tree/index/b", "")] {
            let stored = packed.read(path).await.expect("it is read").expect("it is there");
            assert_eq!(stored.bytes, content);
        }
        let listed = packed.list("tree/index/").await.expect("it is listed");
        assert_eq!(
            listed.iter().map(|entry| entry.path.as_str()).collect::<Vec<_>>(),
            ["tree/index/a", "tree/index/b"]
        );
        assert!(packed.read("tree/none").await.expect("it is looked for").is_none());
    }

    #[test]
    fn what_does_not_belong_there_is_refused_before_anything_is_written() {
        let told = |file: &tempfile::NamedTempFile| Packed::open(file.path()).expect_err("it is refused").to_string();
        assert_eq!(told(&packed(&[("tree/../../x", b"")])), "`tree/../../x` does not belong there");
        assert_eq!(told(&packed(&[("/tree/x", b"")])), "`/tree/x` does not belong there");
        assert_eq!(told(&packed(&[("registry.key", b"")])), "`registry.key` does not belong there");
        assert_eq!(told(&packed(&[("tree/x", b""), ("tree/x", b"1")])), "`tree/x` stands there twice");
        let whole = std::fs::read(packed(&[("tree/x", &[7; 4_000])]).path()).expect("it is read");
        assert!(told(&written(&whole[..2_000])).contains("`tree/x` has 4000 bytes at 512, the file has 2000"));
        let three = packed(&[("tree/x", b""), ("tree/y", b""), ("tree/z", b"")]);
        let error = entries(&File::open(three.path()).expect("it opens"), 1 << 20, 2).expect_err("they are too many");
        assert_eq!(error.to_string(), "it holds more than 2 files");
    }
}
