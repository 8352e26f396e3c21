//! A copy in one file, a plain tar: any program unpacks it, and what it holds is a static tree.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use super::packed::Packed;
use super::{Copied, Copy, Unsound, Wanted};
use crate::RegistryError;
use crate::error::io_error;
use crate::storage::{Folder, Storage, TREE};
use pocket_index::log::NoteKey;

pub(super) async fn export(
    from: &dyn Storage,
    to: &Path,
    wanted: &Wanted,
    unsound: Unsound,
) -> Result<Copied, RegistryError> {
    if to.exists() {
        return Err(RegistryError::Exists { path: to.to_owned() });
    }
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = tempfile::tempdir_in(parent).map_err(io_error("create a folder in", parent))?;
    let tree = Folder::plain(folder.path().to_owned());
    let copied = Copy { from, to: &tree, below: TREE, unsound }.run(wanted, None).await?;
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

/// Copies to a folder beside `to`, and then to `to`: what is wrong is found before `to` is touched.
pub(super) async fn import(from: &Path, to: &Path, key: Option<&NoteKey>) -> Result<Copied, RegistryError> {
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(io_error("create", parent))?;
    let packed = Packed::open(from).map_err(io_error("unpack", from))?;
    let target = Folder::plain(to.to_owned());
    // What was exported of some plugins holds those.
    let wanted = Wanted::Named(names(&packed).await?);
    let scratch = tempfile::tempdir_in(parent).map_err(io_error("create a folder in", parent))?;
    let scratch = Folder::plain(scratch.path().to_owned());
    // Whoever carried it may have changed it: then nothing of it is taken.
    let copy = |to| Copy { from: &packed, to, below: "", unsound: Unsound::Ends };
    copy(&scratch).run(&wanted, key).await?;
    copy(&target).run(&wanted, key).await
}

/// The plugins whose index files are there.
async fn names(packed: &Packed) -> Result<Vec<pocket_index::name::PluginName>, RegistryError> {
    let entries = packed.list("tree/index/").await?;
    let names = entries.iter().filter_map(|entry| entry.path.rsplit('/').next()?.parse().ok());
    Ok(names.collect())
}
