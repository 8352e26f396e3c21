//! The file with the registry's private key.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use pocket_index::signature::SecretKey;

use crate::RegistryError;
use crate::error::{chain, io_error};

/// The private key, relative to the registry's folder.
pub(crate) const KEY: &str = "registry.key";

/// Reads the key, and makes it first where there is none.
pub(super) fn make(path: &Path) -> Result<SecretKey, RegistryError> {
    if path.exists() {
        return read(path);
    }
    let secret = SecretKey::generate()
        .map_err(|error| RegistryError::Damaged { path: path.to_owned(), message: chain(&error) })?;
    write(path, &secret)?;
    Ok(secret)
}

fn write(path: &Path, secret: &SecretKey) -> Result<(), RegistryError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A temporary file is readable by its owner alone, and stays so.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io_error("write in", folder))?;
    file.write_all(secret.to_text().as_bytes()).map_err(io_error("write", path))?;
    file.as_file().sync_all().map_err(io_error("write", path))?;
    match file.persist_noclobber(path) {
        // It may be the same, of an earlier copy.
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists && read(path)?.public() == secret.public() => {
            Ok(())
        }
        Err(error) => Err(io_error("write", path)(error.error)),
        Ok(_) => Ok(()),
    }
}

/// Copies the key; the copy, too, is readable by its owner alone.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), RegistryError> {
    write(to, &read(from)?)
}

pub(super) fn read(path: &Path) -> Result<SecretKey, RegistryError> {
    let text = fs::read_to_string(path).map_err(io_error("read", path))?;
    let parsed = text.trim().parse();
    parsed.map_err(|error| RegistryError::Damaged { path: path.to_owned(), message: chain(&error) })
}
