//! A copy in one file, a plain tar: any program unpacks it, and what it holds is a static tree.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::{Component, Path};

use super::{Copied, Copy, Wanted};
use crate::RegistryError;
use crate::error::io_error;
use crate::storage::{Folder, Storage};
use pocket_index::log::NoteKey;

pub(super) async fn export(from: &dyn Storage, to: &Path, wanted: &Wanted) -> Result<Copied, RegistryError> {
    if to.exists() {
        return Err(RegistryError::Exists { path: to.to_owned() });
    }
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = tempfile::tempdir_in(parent).map_err(io_error("create a folder in", parent))?;
    let tree = Folder::plain(folder.path().to_owned());
    let copied = Copy { from, to: &tree, below: "tree/" }.run(wanted, None).await?;
    let packed = pack(&folder, parent, to).await;
    packed.map_err(io_error("write", to))?;
    Ok(copied)
}

async fn pack(folder: &tempfile::TempDir, parent: &Path, to: &Path) -> std::io::Result<()> {
    let entries = Folder::plain(folder.path().to_owned()).list("").await.map_err(std::io::Error::other)?;
    let file = tempfile::NamedTempFile::new_in(parent)?;
    let mut builder = tar::Builder::new(BufWriter::new(file));
    let mut paths: Vec<_> = entries.into_iter().map(|entry| entry.path).collect();
    paths.sort();
    for path in paths {
        let mut content = File::open(folder.path().join(&path))?;
        let mut header = tar::Header::new_ustar();
        header.set_size(content.metadata()?.len());
        header.set_mode(0o644);
        header.set_entry_type(tar::EntryType::Regular);
        builder.append_data(&mut header, &path, &mut content)?;
    }
    let mut file = builder.into_inner()?.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    file.flush()?;
    file.as_file().sync_all()?;
    file.persist_noclobber(to).map_err(|error| error.error)?;
    Ok(())
}

/// Unpacks into a folder beside `to`, copies from there to another, and then to `to`: what is wrong is found before `to` is touched.
pub(super) async fn import(from: &Path, to: &Path, key: Option<&NoteKey>) -> Result<Copied, RegistryError> {
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(io_error("create", parent))?;
    let folder = tempfile::tempdir_in(parent).map_err(io_error("create a folder in", parent))?;
    let file = File::open(from).map_err(io_error("read", from))?;
    unpack(file, folder.path()).map_err(io_error("unpack", from))?;
    let unpacked = Folder::plain(folder.path().to_owned());
    let target = Folder::plain(to.to_owned());
    // What was exported of some plugins holds those.
    let wanted = Wanted::Named(names(&unpacked).await?);
    let scratch = tempfile::tempdir_in(parent).map_err(io_error("create a folder in", parent))?;
    Copy { from: &unpacked, to: &Folder::plain(scratch.path().to_owned()), below: "" }.run(&wanted, key).await?;
    Copy { from: &unpacked, to: &target, below: "" }.run(&wanted, key).await
}

fn unpack(file: File, folder: &Path) -> std::io::Result<()> {
    let wrong = |message: String| std::io::Error::new(std::io::ErrorKind::InvalidData, message);
    let mut archive = tar::Archive::new(BufReader::new(file));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        // A path "../x" would be written elsewhere.
        let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        if entry.header().entry_type() != tar::EntryType::Regular || !is_plain || !path.starts_with("tree") {
            return Err(wrong(format!("`{}` does not belong there", path.to_string_lossy().escape_debug())));
        }
        let target = folder.join(&path);
        std::fs::create_dir_all(target.parent().unwrap_or(folder))?;
        std::io::copy(&mut entry, &mut File::create_new(target)?)?;
    }
    Ok(())
}

/// The plugins whose index files are there.
async fn names(unpacked: &Folder) -> Result<Vec<pocket_index::name::PluginName>, RegistryError> {
    let entries = unpacked.list("tree/index/").await?;
    let names = entries.iter().filter_map(|entry| entry.path.rsplit('/').next()?.parse().ok());
    Ok(names.collect())
}
