//! `plugin pack`: a folder becomes archives, the same bytes on every machine.

use std::path::{Path, PathBuf};

use pocket_index::digest::Digest;
use pocket_index::limits::Limits;
use pocket_index::package::Package;

use super::OpsError;
use crate::home::atomic;

/// An archive that was written.
#[derive(Debug, Clone)]
pub struct Packed {
    /// Its file.
    pub path: PathBuf,
    /// Bytes of the archive.
    pub size: u64,
    /// How many files are in it.
    pub files: usize,
    /// Its digest.
    pub digest: Digest,
}

/// Packs `folder` into archives in the folder `out`.
pub fn pack(folder: &Path, out: &Path) -> Result<Vec<Packed>, OpsError> {
    let packages = packages_of(folder)?;
    let write = |package: &Package| {
        let path = out.join(&package.file);
        atomic::replace_file(&path, &package.bytes).map_err(OpsError::io("write", &path))?;
        let (size, files) = (package.bytes.len() as u64, package.archive().entries().len());
        Ok(Packed { path, size, files, digest: Digest::of(&package.bytes) })
    };
    packages.iter().map(write).collect()
}

/// The packages of a folder, or of a finished archive.
pub(super) fn packages_of(source: &Path) -> Result<Vec<Package>, OpsError> {
    let limits = Limits::default();
    let error = |source_error| OpsError::Package { path: source.to_owned(), source: Box::new(source_error) };
    if source.is_dir() {
        return Package::of_folder(source, &limits).map_err(error);
    }
    let bytes = std::fs::read(source).map_err(OpsError::io("read", source))?;
    Ok(vec![Package::of_archive(bytes, &limits).map_err(error)?])
}
