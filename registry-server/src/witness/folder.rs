//! A witness's folder.
//!
//! - `witness.key`: the private key, readable by its owner alone; `witness.vkey`: name and public key,
//! - `logs`: the keys of the logs that it cosigns, one a line,
//! - `state/<log>`: the checkpoint that was cosigned last; empty until one was,
//! - `evidence/`: what logs signed that does not fit together.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use pocket_index::log::{CosignerKey, NoteKey};
use pocket_index::signature::SecretKey;

use super::error::{WitnessFolderError, io_error};
use super::state;
use crate::error::chain;
use crate::storage::make_durable;

const KEY: &str = "witness.key";
const VKEY: &str = "witness.vkey";
const LOGS: &str = "logs";

/// A log that is cosigned here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownLog {
    /// The key that signs it.
    pub key: NoteKey,
    /// How many leaves it had when its checkpoint was cosigned last; none if none ever was.
    pub size: Option<u64>,
}

impl KnownLog {
    pub(super) fn read(root: &Path, key: NoteKey) -> Result<Self, WitnessFolderError> {
        let size = state::read(root, &key)?.map(|seen| seen.size());
        Ok(Self { key, size })
    }
}

pub(super) fn init(root: &Path, name: &str) -> Result<(), WitnessFolderError> {
    let path = root.join(KEY);
    let failed = |message: String| WitnessFolderError::Damaged { path: path.clone(), message };
    let secret = SecretKey::generate().map_err(|error| failed(chain(&error)))?;
    let key = CosignerKey::new(name, secret.public())?;
    fs::create_dir_all(root).map_err(io_error("create", root))?;
    // A temporary file is readable by its owner alone, and stays so.
    let mut file = tempfile::NamedTempFile::new_in(root).map_err(io_error("write in", root))?;
    file.write_all(secret.to_text().as_bytes()).map_err(io_error("write", &path))?;
    file.as_file().sync_all().map_err(io_error("write", &path))?;
    match file.persist_noclobber(&path) {
        Ok(_) => {}
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
            return Err(WitnessFolderError::Exists { path: root.to_owned() });
        }
        Err(error) => return Err(io_error("write", &path)(error.error)),
    }
    write(&root.join(LOGS), "")?;
    write(&root.join(VKEY), &format!("{key}\n"))
}

pub(super) fn read_key(root: &Path) -> Result<(CosignerKey, SecretKey), WitnessFolderError> {
    let path = root.join(KEY);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(WitnessFolderError::None { path: root.to_owned() });
        }
        text => text.map_err(io_error("read", &path))?,
    };
    let damaged = |path: &Path, message: String| WitnessFolderError::Damaged { path: path.to_owned(), message };
    let secret: SecretKey = text.trim().parse().map_err(|error| damaged(&path, chain(&error)))?;
    let path = root.join(VKEY);
    let text = fs::read_to_string(&path).map_err(io_error("read", &path))?;
    let key: CosignerKey = text.trim_end().parse().map_err(|error| damaged(&path, chain(&error)))?;
    if key.public() != secret.public() {
        return Err(damaged(&path, format!("it says {}, `{KEY}` is {}", key.public(), secret.public())));
    }
    Ok((key, secret))
}

pub(super) fn read_logs(root: &Path) -> Result<Vec<NoteKey>, WitnessFolderError> {
    let path = root.join(LOGS);
    let text = fs::read_to_string(&path).map_err(io_error("read", &path))?;
    let damaged = |error| WitnessFolderError::Damaged { path: path.clone(), message: chain(&error) };
    text.lines().map(|line| line.parse().map_err(damaged)).collect()
}

pub(super) fn add_log(root: &Path, key: &NoteKey) -> Result<(), WitnessFolderError> {
    if key.public().is_development() {
        return Err(WitnessFolderError::DevelopmentKey { origin: key.name().to_owned() });
    }
    let _lock = lock(root, ".lock")?;
    let mut logs = read_logs(root)?;
    match logs.iter().find(|known| known.name() == key.name()) {
        Some(known) if known == key => return Ok(()),
        Some(known) => {
            let (known, given) = (Box::new(known.clone()), Box::new(key.clone()));
            return Err(WitnessFolderError::OtherKey { known, given });
        }
        None => {}
    }
    state::begin(root, key)?;
    logs.push(key.clone());
    write_logs(root, &logs)
}

pub(super) fn remove_log(root: &Path, key: &NoteKey) -> Result<(), WitnessFolderError> {
    let _lock = lock(root, ".lock")?;
    let mut logs = read_logs(root)?;
    let before = logs.len();
    logs.retain(|known| known != key);
    if logs.len() == before {
        return Err(WitnessFolderError::NoLog { key: key.clone() });
    }
    write_logs(root, &logs)
}

fn write_logs(root: &Path, logs: &[NoteKey]) -> Result<(), WitnessFolderError> {
    let text: String = logs.iter().map(|key| format!("{key}\n")).collect();
    write(&root.join(LOGS), &text)
}

/// Waits until nobody else, in this process or another, holds the lock of this name. Given up when dropped.
pub(super) fn lock(root: &Path, name: &str) -> Result<File, WitnessFolderError> {
    let path = root.join(name);
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(io_error("open", &path))?;
    file.lock().map_err(io_error("lock", &path))?;
    Ok(file)
}

/// Gives a file these contents: to a temporary name, flushed, renamed, and the folder flushed. A crash leaves the old contents or
/// the new ones.
pub(super) fn write(path: &Path, text: &str) -> Result<(), WitnessFolderError> {
    let folder = path.parent().expect("a file of a witness stands in its folder");
    make_durable(folder).map_err(io_error("create", folder))?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io_error("write in", folder))?;
    file.write_all(text.as_bytes()).map_err(io_error("write", path))?;
    file.as_file().sync_all().map_err(io_error("write", path))?;
    file.persist(path).map_err(|error| error.error).map_err(io_error("write", path))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error("flush", folder))
}
