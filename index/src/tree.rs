//! The tree digest: one number for all files of an unpacked plugin, so that an installed folder can be checked without
//! its archive.
//!
//! It is the SHA-256 of a text: the line `pocket/tree/v1`, then for each file, sorted by the bytes of its path, the line
//! `<x or -> <SHA-256 of its bytes in hex> <path>`. `x` is for a file that its owner may execute. Folders do not count.

use std::path::Path;

use crate::archive::{Entry, EntryPath};
use crate::digest::{Digest, Hasher, TreeDigest};
use crate::folder::{self, FolderError};

/// The text's first line: no other digest of Pocket starts like it.
const DOMAIN: &str = "pocket/tree/v1\n";

/// 128 KiB are read at once: more is not faster, and less is busy with asking for the next.
const PIECE: usize = 128 << 10;
impl TreeDigest {
    /// The digest of these files, in whatever order they are given.
    pub fn of(entries: &[Entry]) -> Self {
        let mut files: Vec<&Entry> = entries.iter().collect();
        files.sort_by(|one, other| one.path.cmp(&other.path));
        let lines = files.into_iter().map(|file| line(file.executable, Digest::of(&file.content), &file.path));
        of_lines(lines)
    }
}

/// The files of a folder as they were when they were digested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    digest: TreeDigest,
    files: Vec<(EntryPath, Digest)>,
}

impl Tree {
    /// The digest of all of them.
    pub fn digest(&self) -> TreeDigest {
        self.digest
    }

    /// The digest of one file, by its path in the folder. Who reads the file later compares what was read with it.
    pub fn file(&self, path: &str) -> Option<Digest> {
        self.files.iter().find(|(found, _)| found.as_str() == path).map(|(_, digest)| *digest)
    }
}

/// Digests the files in a folder. They are read in pieces; empty folders do not count.
///
/// # Errors
/// Names what cannot be read, and what is neither a file nor a folder: a link in an installed plugin is a change.
pub fn read_directory(root: &Path) -> Result<Tree, FolderError> {
    let (mut lines, mut files) = (Vec::new(), Vec::new());
    let mut piece = vec![0; PIECE];
    for found in folder::files(root, &mut |_| true)? {
        let mut hasher = Hasher::new();
        hasher.read_all(folder::open(&found)?, &mut piece).map_err(|source| folder::io_error(&found.place, source))?;
        let digest = hasher.finish();
        lines.push(line(found.executable, digest, &found.path));
        files.push((found.path, digest));
    }
    Ok(Tree { digest: of_lines(lines), files })
}

/// The digest of the files in a folder.
///
/// # Errors
/// As for [`read_directory`].
pub fn of_directory(root: &Path) -> Result<TreeDigest, FolderError> {
    read_directory(root).map(|tree| tree.digest)
}

fn line(executable: bool, digest: Digest, path: &EntryPath) -> String {
    format!("{} {} {path}\n", if executable { 'x' } else { '-' }, digest.hex())
}

fn of_lines(lines: impl IntoIterator<Item = String>) -> TreeDigest {
    let mut hasher = Hasher::new();
    hasher.update(DOMAIN.as_bytes());
    for line in lines {
        hasher.update(line.as_bytes());
    }
    TreeDigest::from_bytes(*hasher.finish().as_bytes())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn entry(path: &str, executable: bool, content: &str) -> Entry {
        Entry { path: path.parse().expect(path), executable, content: content.as_bytes().to_vec() }
    }

    #[test]
    fn every_fact_of_every_file_counts_and_their_order_does_not() {
        let (one, two) = (entry("a", false, "x"), entry("b/c", true, "y"));
        let digest = TreeDigest::of(&[one.clone(), two.clone()]);
        assert_eq!(TreeDigest::of(&[two.clone(), one.clone()]), digest);
        for changed in [entry("a", true, "x"), entry("a", false, "z"), entry("A", false, "x")] {
            assert_ne!(TreeDigest::of(&[changed, two.clone()]), digest);
        }
        assert_ne!(TreeDigest::of(&[one]), digest);
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_has_the_digest_of_its_archive() {
        use std::os::unix::fs::PermissionsExt as _;

        // `a-b` stands before `a/b` by bytes, behind it when folders are walked by name.
        let files = [entry("a-b", false, "1"), entry("a/b", true, "2"), entry("a.b", false, "3")];
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir_all(folder.path().join("a/empty")).expect("folders are made");
        for file in &files {
            let place = folder.path().join(file.path.as_str());
            fs::write(&place, &file.content).expect("a file is written");
            let mode = if file.executable { 0o700 } else { 0o664 };
            fs::set_permissions(&place, fs::Permissions::from_mode(mode)).expect("a mode is set");
        }
        let tree = read_directory(folder.path()).expect("it can be read");
        assert_eq!(tree.digest(), TreeDigest::of(&files));
        assert_eq!([tree.file("a/b"), tree.file("a/c")], [Some(Digest::of(b"2")), None]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_a_folder_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("a")).expect("a link is made");
        let error = of_directory(folder.path()).expect_err("links are refused").to_string();
        assert!(error.ends_with("/a` is a symbolic link; only files and folders are allowed"), "{error}");
    }
}
