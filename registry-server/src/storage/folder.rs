//! A folder of this machine. One process writes to it at a time: it holds `.lock` as long as it is open.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};

use super::{Condition, Entry, Pieces, Put, Storage, StorageError, Stored, Tag};

/// 256 KiB of a file are in memory for each reader.
pub(crate) const PIECE: u64 = 256 << 10;

/// The files below a folder.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    root: PathBuf,
    /// Between looking which file is there and putting another in its place nobody else may.
    writing: Arc<Mutex<()>>,
    /// Nobody writes into a folder that may still be lost.
    making: Arc<Mutex<()>>,
    /// Held as long as the folder is open: put-if-match holds between the writers of one process.
    _lock: Option<Arc<File>>,
}

impl Folder {
    /// Opens a folder for the one process that writes to it. None if another has it.
    pub(crate) fn open(root: PathBuf) -> io::Result<Option<Self>> {
        let lock = File::options().create(true).truncate(false).write(true).open(root.join(".lock"))?;
        if lock.try_lock().is_err() {
            return Ok(None);
        }
        Ok(Some(Self { root, writing: Arc::default(), making: Arc::default(), _lock: Some(Arc::new(lock)) }))
    }

    /// A folder that is nobody's registry: a copy of files, which is written once.
    pub(crate) fn plain(root: PathBuf) -> Self {
        Self { root, writing: Arc::default(), making: Arc::default(), _lock: None }
    }

    fn full(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Makes a folder, and those above it, so that no power loss takes them away: the entry of each is in the one above it.
    fn make_folders(&self, folder: &Path) -> io::Result<()> {
        let _making = self.making.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        make_durable(folder)
    }

    fn put_now(&self, path: &str, bytes: &[u8], condition: &Condition) -> io::Result<Put> {
        let target = self.full(path);
        let folder = target.parent().unwrap_or(&self.root);
        self.make_folders(folder)?;
        let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(folder)?;
        file.write_all(bytes)?;
        make_readable(file.as_file())?;
        file.as_file().sync_all()?;
        let put = {
            // A writer that panicked here left a file whole or untouched.
            let _writing = self.writing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if let Condition::Unchanged(tag) = condition
                && entry(&target, path)?.is_none_or(|entry| entry.tag != *tag)
            {
                return Ok(Put::Refused);
            }
            match condition {
                Condition::Absent => file.persist_noclobber(&target).map_err(|error| error.error),
                _ => file.persist(&target).map_err(|error| error.error),
            }
            .and_then(|file| Ok(Put::Done(tag(&file.metadata()?))))
        };
        match put {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Put::Refused),
            Err(error) => Err(error),
            Ok(put) => {
                File::open(folder)?.sync_all()?;
                Ok(put)
            }
        }
    }
}

/// Makes a folder and those above it, each synced into the one above it.
pub(crate) fn make_durable(folder: &Path) -> io::Result<()> {
    let missing: Vec<_> =
        folder.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()).collect();
    for folder in missing.into_iter().rev() {
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let above = folder.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(above)?.sync_all()?;
    }
    Ok(())
}

/// What is being written starts with this; a crash may leave it.
const TEMPORARY: &str = ".tmp";

/// Another web server, under another user, may serve the tree.
#[cfg(unix)]
fn make_readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_: &File) -> io::Result<()> {
    Ok(())
}

#[async_trait]
impl Storage for Folder {
    async fn read(&self, path: &str) -> Result<Option<Stored>, StorageError> {
        let target = self.full(path);
        blocking("read", &self.full(path), move || read(&target)).await
    }

    // Without another thread: the system answers this from memory, and a hand-over would take longer than that.
    async fn entry(&self, path: &str) -> Result<Option<Entry>, StorageError> {
        let target = self.full(path);
        entry(&target, path).map_err(|error| StorageError::of_io("look at", &target, error))
    }

    async fn pieces(&self, entry: &Entry, part: Range<u64>) -> Result<Pieces, StorageError> {
        let path = self.full(&entry.path);
        let failed = |error| StorageError::of_io("read", &path, error);
        let file = match File::open(&path) {
            Err(error) if is_absent(&error) => return Err(StorageError::changed(path.display())),
            file => file.map_err(failed)?,
        };
        if tag(&file.metadata().map_err(failed)?) != entry.tag {
            return Err(StorageError::changed(path.display()));
        }
        let pieces = stream::try_unfold((Arc::new(file), path, part), async |(file, path, part)| {
            if part.is_empty() {
                return Ok(None);
            }
            let end = part.end.min(part.start + PIECE);
            let piece = piece(&file, part.start..end).await;
            let piece = piece.map_err(|error| StorageError::of_io("read", &path, error))?;
            let next = part.start + piece.len() as u64..part.end;
            Ok(Some((piece, (file, path, next))))
        });
        Ok(pieces.boxed())
    }

    async fn put(&self, path: &str, bytes: Bytes, condition: Condition) -> Result<Put, StorageError> {
        let (folder, target) = (self.clone(), path.to_owned());
        blocking("write", &self.full(path), move || folder.put_now(&target, &bytes, &condition)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, StorageError> {
        let (root, under) = (self.root.clone(), prefix.trim_end_matches('/').to_owned());
        blocking("list", &self.full(prefix), move || {
            let mut found = Vec::new();
            walk(&root, &under, &|name| !name.starts_with('.'), &mut found)?;
            Ok(found)
        })
        .await
    }

    async fn temporary(&self) -> Result<Vec<Entry>, StorageError> {
        let root = self.root.clone();
        blocking("list", &self.root, move || {
            let mut found = Vec::new();
            walk(&root, "", &|name| name.starts_with(TEMPORARY) || !name.starts_with('.'), &mut found)?;
            found.retain(|entry| entry.path.rsplit('/').next().is_some_and(|name| name.starts_with(TEMPORARY)));
            Ok(found)
        })
        .await
    }

    async fn remove(&self, path: &str) -> Result<(), StorageError> {
        let target = self.full(path);
        let remove = move || match fs::remove_file(&target) {
            Err(error) if !is_absent(&error) => Err(error),
            _ => Ok(()),
        };
        blocking("remove", &self.full(path), remove).await
    }

    fn place(&self) -> String {
        self.root.display().to_string()
    }
}

/// Runs what may wait for the disk on a thread that may.
async fn blocking<T: Send + 'static>(
    doing: &'static str,
    path: &Path,
    action: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StorageError> {
    let done = tokio::task::spawn_blocking(action).await.unwrap_or_else(|error| Err(io::Error::other(error)));
    done.map_err(|error| StorageError::of_io(doing, path, error))
}

fn read(target: &Path) -> io::Result<Option<Stored>> {
    let mut file = match File::open(target) {
        Err(error) if is_absent(&error) => return Ok(None),
        file => file?,
    };
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    file.read_to_end(&mut bytes)?;
    Ok(Some(Stored { bytes: bytes.into(), tag: tag(&metadata) }))
}

fn entry(target: &Path, path: &str) -> io::Result<Option<Entry>> {
    match fs::metadata(target) {
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
        Ok(metadata) if metadata.is_file() => Ok(Some(entry_of(path, &metadata)?)),
        Ok(_) => Ok(None),
    }
}

fn entry_of(path: &str, metadata: &fs::Metadata) -> io::Result<Entry> {
    let (length, tag, modified) = (metadata.len(), tag(metadata), metadata.modified()?);
    Ok(Entry { path: path.to_owned(), length, tag, modified })
}

/// A file that is replaced by a rename is another one, and one that somebody edits has another time.
#[cfg(unix)]
fn tag(metadata: &fs::Metadata) -> Tag {
    use std::os::unix::fs::MetadataExt as _;
    Tag(format!("{:x}-{:x}-{:x}.{:x}", metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec()))
}

#[cfg(not(unix))]
fn tag(metadata: &fs::Metadata) -> Tag {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    Tag(format!("{:x}-{:x}", metadata.len(), since.unwrap_or_default().as_nanos()))
}

fn is_absent(error: &io::Error) -> bool {
    // A name that is too long for the system is no file's.
    use io::ErrorKind::{InvalidFilename, IsADirectory, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | IsADirectory | InvalidFilename)
}

/// Every file below a folder whose name, and those of the folders between, are wanted.
fn walk(root: &Path, under: &str, wanted: &dyn Fn(&str) -> bool, found: &mut Vec<Entry>) -> io::Result<()> {
    let children = match fs::read_dir(root.join(under)) {
        Err(error) if is_absent(&error) => return Ok(()),
        children => children?,
    };
    for child in children {
        let child = child?;
        let name = child.file_name();
        let Some(name) = name.to_str().filter(|name| wanted(name)) else { continue };
        let path = if under.is_empty() { name.to_owned() } else { format!("{under}/{name}") };
        let metadata = match child.metadata() {
            Err(error) if is_absent(&error) => continue,
            metadata => metadata?,
        };
        if metadata.is_dir() {
            walk(root, &path, wanted, found)?;
        } else {
            found.push(entry_of(&path, &metadata)?);
        }
    }
    Ok(())
}

/// Reads a piece at once where the system has it in memory, else on a thread that may wait for the disk.
async fn piece(file: &Arc<File>, part: Range<u64>) -> io::Result<Bytes> {
    if let Some(bytes) = piece_in_memory(file, &part) {
        return Ok(bytes);
    }
    let file = Arc::clone(file);
    tokio::task::spawn_blocking(move || piece_from_disk(&file, part)).await?
}

#[cfg(target_os = "linux")]
fn piece_in_memory(file: &File, part: &Range<u64>) -> Option<Bytes> {
    use rustix::io::{ReadWriteFlags, preadv2};
    let mut bytes = vec![0; usize::try_from(part.end - part.start).ok()?];
    let mut read = 0;
    while read < bytes.len() {
        let mut rest = [io::IoSliceMut::new(&mut bytes[read..])];
        match preadv2(file, &mut rest, part.start + read as u64, ReadWriteFlags::NOWAIT) {
            Ok(0) | Err(_) => break,
            Ok(count) => read += count,
        }
    }
    bytes.truncate(read);
    (read > 0).then(|| bytes.into())
}

#[cfg(not(target_os = "linux"))]
fn piece_in_memory(_: &File, _: &Range<u64>) -> Option<Bytes> {
    None
}

fn piece_from_disk(mut file: &File, part: Range<u64>) -> io::Result<Bytes> {
    file.seek(SeekFrom::Start(part.start))?;
    let mut bytes = Vec::with_capacity(usize::try_from(part.end - part.start).unwrap_or_default());
    file.take(part.end - part.start).read_to_end(&mut bytes)?;
    // A file is never cut. If somebody does, the reader must not wait for the rest.
    if bytes.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(bytes.into()) }
}
