//! Files for a plugin: reading and writing below the folders that were granted for it, each direction by itself.
//!
//! Folders are opened as what they are and walked below with `cap-std`, so that neither `..`, nor an absolute path, nor a symbolic
//! link (those of `/proc` among them) leads out. A hard link in a folder is a file of the folder: only who may write there made it.

#[cfg(test)]
mod tests;

use std::io::{self, ErrorKind, Read, Write};
use std::path::{Component, Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, FileType, OpenOptions};
use pocket_index::permissions::Access;

use crate::engine::budget::Limits;
use crate::engine::error::{CallError, CallErrorKind};
use crate::engine::grants::Grants;

/// The files of one plugin.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    grants: &'a Grants,
    /// Bytes that are read or written at once.
    most: u64,
}

/// What happens to what is in a file already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placing {
    /// The new content takes its place.
    Replace,
    /// The new content follows it.
    Append,
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The last part of the path.
    pub name: String,
    /// `file`, `folder`, `link` or `other`.
    pub kind: &'static str,
    /// The length of a file, in bytes.
    pub bytes: u64,
}

/// A path as it is walked: a folder that is open, and what is left of the path below it.
struct Place {
    folder: Dir,
    rest: PathBuf,
}

impl<'a> Files<'a> {
    /// The files that `grants` allow, in pieces that `limits` allow.
    pub fn new(grants: &'a Grants, limits: Limits) -> Self {
        Self { grants, most: limits.transfer.min(limits.memory) }
    }

    /// What is in a file.
    ///
    /// # Errors
    /// `denied` when the path may not be read, `failed` when it cannot be, or is too large.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, CallError> {
        let place = self.place(Access::Read, path)?;
        let explain = |error| self.explain("read", Access::Read, path, error);
        place.require_file().map_err(explain)?;
        let file = place.folder.open(&place.rest).map_err(explain)?;
        let mut content = Vec::new();
        file.take(self.most.saturating_add(1)).read_to_end(&mut content).map_err(explain)?;
        if content.len() as u64 > self.most { Err(self.too_large(path)) } else { Ok(content) }
    }

    /// Writes a file; folders on the way to it are made.
    ///
    /// # Errors
    /// `denied` when the path may not be written, `failed` when it cannot be, or the content is too large.
    pub fn write(&self, path: &str, content: &[u8], placing: Placing) -> Result<(), CallError> {
        let place = self.place(Access::Write, path)?;
        if content.len() as u64 > self.most {
            return Err(self.too_large(path));
        }
        let explain = |error| self.explain("write", Access::Write, path, error);
        if let Some(parent) = place.rest.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            place.folder.create_dir_all(parent).map_err(explain)?;
        }
        match place.require_file() {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(explain(error)),
            _ => {}
        }
        let mut options = OpenOptions::new();
        match placing {
            Placing::Replace => options.write(true).create(true).truncate(true),
            Placing::Append => options.append(true).create(true),
        };
        let mut file = place.folder.open_with(&place.rest, &options).map_err(explain)?;
        file.write_all(content).map_err(explain)
    }

    /// What is in a folder, by name.
    ///
    /// # Errors
    /// `denied` when the path may not be read, `failed` when it is no folder, or has too much in it.
    pub fn list(&self, path: &str) -> Result<Vec<Entry>, CallError> {
        let place = self.place(Access::Read, path)?;
        let explain = |error| self.explain("list", Access::Read, path, error);
        let (mut entries, mut bytes) = (Vec::new(), 0);
        for entry in place.folder.read_dir(&place.rest).map_err(explain)? {
            let entry = entry.map_err(explain)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            bytes += (name.len() + size_of::<Entry>()) as u64;
            if bytes > self.most {
                return Err(self.too_large(path));
            }
            let metadata = entry.metadata().map_err(explain)?;
            entries.push(Entry { name, kind: kind(metadata.file_type()), bytes: metadata.len() });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// What stands at a path; none if nothing does.
    ///
    /// # Errors
    /// `denied` when the path may not be read, `failed` when that cannot be told.
    pub fn find(&self, path: &str) -> Result<Option<Entry>, CallError> {
        let place = self.place(Access::Read, path)?;
        let name = place.rest.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match place.folder.metadata(&place.rest) {
            Ok(found) => Ok(Some(Entry { name, kind: kind(found.file_type()), bytes: found.len() })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.explain("look for", Access::Read, path, error)),
        }
    }

    /// Removes a file, a link or an empty folder.
    ///
    /// # Errors
    /// `denied` when the path may not be written, `failed` when it cannot be removed.
    pub fn remove(&self, path: &str) -> Result<(), CallError> {
        let place = self.place(Access::Write, path)?;
        let explain = |error| self.explain("remove", Access::Write, path, error);
        let found = place.folder.symlink_metadata(&place.rest).map_err(explain)?;
        let removed =
            if found.is_dir() { place.folder.remove_dir(&place.rest) } else { place.folder.remove_file(&place.rest) };
        removed.map_err(explain)
    }

    /// Where a path of the plugin leads. A relative one starts where the manifest's do.
    fn place(&self, access: Access, path: &str) -> Result<Place, CallError> {
        let whole = self.host_path(path);
        let asked = self.grants.asked_folders(access).map(|folder| self.host_path(&folder.path));
        let root = asked.filter(|folder| whole.starts_with(folder)).max_by_key(|folder| folder.components().count());
        let inside = root.as_ref().and_then(|root| whole.strip_prefix(root).ok()).filter(|rest| stays_inside(rest));
        self.grants.check_path(access, path, inside.is_some())?;
        let (root, rest) = (root.unwrap_or_default(), inside.unwrap_or(Path::new("")).to_owned());
        let opened = if rest.as_os_str().is_empty() { self.open_itself(&root) } else { self.open_below(&root, rest) };
        opened.map_err(|error| self.explain("open", access, path, error))
    }

    fn host_path(&self, path: &str) -> PathBuf {
        let whole = self.grants.base().join(path);
        whole.components().filter(|part| *part != Component::CurDir).collect()
    }

    /// The granted folder or file itself.
    fn open_itself(&self, root: &Path) -> io::Result<Place> {
        if root.is_dir() {
            return Ok(Place { folder: self.open_folder(root)?, rest: PathBuf::from(".") });
        }
        let (Some(parent), Some(name)) = (root.parent(), root.file_name()) else {
            return Err(ErrorKind::NotFound.into());
        };
        Ok(Place { folder: self.open_folder(parent)?, rest: name.into() })
    }

    fn open_below(&self, root: &Path, rest: PathBuf) -> io::Result<Place> {
        Ok(Place { folder: self.open_folder(root)?, rest })
    }

    /// Opens a folder of the host. One below a folder that the plugin may write is walked from there: the plugin could have put a
    /// link in its place.
    fn open_folder(&self, path: &Path) -> io::Result<Dir> {
        let writable = self.grants.asked_folders(Access::Write).map(|folder| self.host_path(&folder.path));
        let anchor =
            writable.filter(|folder| path.starts_with(folder)).min_by_key(|folder| folder.components().count());
        let Some(anchor) = anchor.filter(|anchor| anchor != path) else {
            return Dir::open_ambient_dir(path, ambient_authority());
        };
        let rest = path.strip_prefix(&anchor).map_err(io::Error::other)?;
        Dir::open_ambient_dir(&anchor, ambient_authority())?.open_dir(rest)
    }

    fn explain(&self, verb: &str, access: Access, path: &str, error: io::Error) -> CallError {
        // What leads out of the folder is refused by `cap-std`, not by the system.
        let leads_out = error.kind() == ErrorKind::PermissionDenied && error.raw_os_error().is_none();
        match self.grants.check_path(access, path, !leads_out) {
            Err(denied) => denied,
            Ok(()) => {
                let message = format!("cannot {verb} `{}`: {error}", path.escape_debug());
                CallError::new(CallErrorKind::Failed, message)
            }
        }
    }

    fn too_large(&self, path: &str) -> CallError {
        CallError::transfer_too_large(&format!("`{}`", path.escape_debug()), self.most)
    }
}

impl Place {
    /// A pipe or a device could keep its reader waiting for ever.
    fn require_file(&self) -> io::Result<()> {
        let found = self.folder.metadata(&self.rest)?;
        if found.is_file() { Ok(()) } else { Err(io::Error::other(format!("it is a {}", kind(found.file_type())))) }
    }
}

/// Whether a path names something below where it starts at each of its steps. Links are looked at when it is walked.
fn stays_inside(path: &Path) -> bool {
    let depths = path.components().scan(0_i32, |depth, part| {
        *depth += if part == Component::ParentDir { -1 } else { 1 };
        Some(*depth)
    });
    depths.min().is_none_or(|lowest| lowest >= 0)
}

fn kind(file_type: FileType) -> &'static str {
    if file_type.is_file() {
        "file"
    } else if file_type.is_dir() {
        "folder"
    } else if file_type.is_symlink() {
        "link"
    } else {
        "special file"
    }
}
