//! `plugin pack`: a folder becomes archives, the same bytes on every machine; and a signature for all of them.

use std::path::{Path, PathBuf};

use pocket_index::archive::release_file_name;
use pocket_index::digest::Digest;
use pocket_index::limits::Limits;
use pocket_index::package::{self, Package};
use pocket_index::record::Event;
use pocket_index::signature::{PublicKey, SecretKey};

use semver::Version;

use super::install::standalone;
use super::local::looks_like_a_plugin;
use super::{OpsError, announce};
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

/// The file that was written to sign a release.
#[derive(Debug, Clone)]
pub struct SignedFile {
    /// The file: `<name>-<version>.release.json`.
    pub path: PathBuf,
    /// Who signed.
    pub keys: Vec<PublicKey>,
}

/// Packs `folder` into archives in the folder `out`, and signs them with every key given.
pub fn pack_signed(folder: &Path, out: &Path, secrets: &[SecretKey]) -> Result<(Vec<Packed>, SignedFile), OpsError> {
    let packages = packages_of(folder, None)?;
    let release = package::release_of(&packages)
        .map_err(|source| OpsError::Package { path: folder.to_owned(), source: Box::new(source) })?;
    let path = out.join(release_file_name(&release.name, &release.version));
    let header = announce::sign(&Event::from(release), secrets);
    let packed = write(&packages, out)?;
    let json = serde_json::to_vec(&header).expect("a header has text keys only");
    atomic::replace_file(&path, &json).map_err(OpsError::io("write", &path))?;
    Ok((packed, SignedFile { path, keys: secrets.iter().map(SecretKey::public).collect() }))
}

/// Packs `folder` into archives in the folder `out`.
pub fn pack(folder: &Path, out: &Path) -> Result<Vec<Packed>, OpsError> {
    write(&packages_of(folder, None)?, out)
}

fn write(packages: &[Package], out: &Path) -> Result<Vec<Packed>, OpsError> {
    let write = |package: &Package| {
        let path = out.join(&package.file);
        atomic::replace_file(&path, &package.bytes).map_err(OpsError::io("write", &path))?;
        let (size, files) = (package.bytes.len() as u64, package.archive().entries().len());
        Ok(Packed { path, size, files, digest: Digest::of(&package.bytes) })
    };
    packages.iter().map(write).collect()
}

/// The packages of a folder, of a finished archive, or of a single file, whose version may be given.
pub(super) fn packages_of(source: &Path, version: Option<&Version>) -> Result<Vec<Package>, OpsError> {
    let limits = Limits::default();
    let error = |source_error| OpsError::Package { path: source.to_owned(), source: Box::new(source_error) };
    if source.is_dir() {
        return Package::of_folder(source, &limits).map_err(error);
    }
    let bytes = match looks_like_a_plugin(source) {
        true => standalone::pack(source, &limits, version)?,
        false => std::fs::read(source).map_err(OpsError::io("read", source))?,
    };
    Ok(vec![Package::of_archive(bytes, &limits).map_err(error)?])
}
