//! Which paths an archive has already used, so that no two of them meet on any file system.

use std::collections::HashMap;

use super::ArchiveError;
use super::path::{EntryPath, folded};

/// The paths so far, by their folded spelling.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<String, Taken>);

#[derive(Debug)]
struct Taken {
    path: String,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    File,
    /// A folder with an entry of its own.
    Folder,
    /// A folder that only other entries' paths name.
    ImpliedFolder,
}

impl Names {
    /// Takes a file's path, and those of the folders it stands in.
    pub(super) fn add_file(&mut self, path: &EntryPath) -> Result<(), ArchiveError> {
        self.add(path, Place::File)
    }

    /// Takes a folder's path, and those of the folders it stands in.
    pub(super) fn add_folder(&mut self, path: &EntryPath) -> Result<(), ArchiveError> {
        self.add(path, Place::Folder)
    }

    fn add(&mut self, path: &EntryPath, place: Place) -> Result<(), ArchiveError> {
        let whole = folded(path.as_str());
        // Folding neither makes nor moves a `/`, so that the n-th one ends the same folder in both spellings.
        for (folder, (end, _)) in path.folders().zip(whole.match_indices('/')) {
            self.take(&whole[..end], folder, Place::ImpliedFolder)?;
        }
        self.take(&whole, path.as_str(), place)
    }

    fn take(&mut self, key: &str, path: &str, place: Place) -> Result<(), ArchiveError> {
        let Some(taken) = self.0.get_mut(key) else {
            self.0.insert(key.to_owned(), Taken { path: path.to_owned(), place });
            return Ok(());
        };
        if taken.path != path {
            return Err(ArchiveError::Collision { entry: path.to_owned(), other: taken.path.clone() });
        }
        match (taken.place, place) {
            (Place::File, Place::File) | (Place::Folder, Place::Folder) => {
                Err(ArchiveError::Duplicate { entry: path.to_owned() })
            }
            (Place::File, _) | (_, Place::File) => Err(ArchiveError::FileAndFolder { path: path.to_owned() }),
            (Place::ImpliedFolder, Place::Folder) => {
                taken.place = Place::Folder;
                Ok(())
            }
            (_, Place::ImpliedFolder) => Ok(()),
        }
    }
}
