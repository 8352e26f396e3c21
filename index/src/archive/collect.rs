//! Collecting: from a folder to the files of an archive.

use std::io::{ErrorKind, Read};
use std::path::Path;

use super::Entry;
use crate::folder::{self, FolderError, Found};
use crate::limits::Limits;

/// The file that lists what to leave out.
const IGNORE_FILE: &str = ".pocketignore";

/// Why a folder cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// Something in it cannot be taken.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A line of `.pocketignore` means nothing.
    #[error("`.pocketignore`, line {line}: `{}` is no pattern: {reason}", pattern.escape_debug())]
    Pattern {
        /// The line.
        line: usize,
        /// What stands there.
        pattern: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// It has too many files.
    #[error("the folder has more than {limit} files; list what does not belong to the plugin in `.pocketignore`")]
    TooMany {
        /// The limit.
        limit: u64,
    },
    /// Its files are too large together.
    #[error(
        "`{path}` brings the files to more than {limit} bytes; list what does not belong to the plugin in `.pocketignore`"
    )]
    TooLarge {
        /// The file that went too far.
        path: String,
        /// The limit.
        limit: u64,
    },
}

/// A folder's files, and what was left out.
#[derive(Debug)]
pub struct Collected {
    /// The files, sorted by path.
    pub entries: Vec<Entry>,
    /// The paths left out, sorted, folders with a `/` at the end: `.git`, the root's `target`, `.pocketignore` and what it
    /// lists.
    pub skipped: Vec<String>,
}

/// Reads the files of a folder, to be packed. Links and special files are refused, not left out.
///
/// # Errors
/// Names the path that cannot be taken, and why.
pub fn collect(root: &Path, limits: &Limits) -> Result<Collected, CollectError> {
    let patterns = Patterns::read(root)?;
    let mut skipped = Vec::new();
    let found = folder::files(root, &mut |path| {
        let taken = !is_never_packed(path) && !patterns.leave_out(path);
        if !taken {
            skipped.push(path.to_owned());
        }
        taken
    })?;
    skipped.sort();
    if found.len() as u64 > limits.entries {
        return Err(CollectError::TooMany { limit: limits.entries });
    }
    let mut left = limits.unpacked;
    let mut entries = Vec::new();
    for file in found {
        let content = content(&file, left, limits)?;
        left -= content.len() as u64;
        entries.push(Entry { path: file.path, executable: file.executable, content });
    }
    Ok(Collected { entries, skipped })
}

fn content(file: &Found, left: u64, limits: &Limits) -> Result<Vec<u8>, CollectError> {
    let too_large = || CollectError::TooLarge { path: file.path.to_string(), limit: limits.unpacked };
    if file.size > left {
        return Err(too_large());
    }
    let mut content = Vec::new();
    let source = folder::open(file)?;
    // The file may have grown since it was found.
    let read = source.take(left.saturating_add(1)).read_to_end(&mut content);
    read.map_err(|source| folder::io_error(&file.place, source))?;
    if content.len() as u64 > left { Err(too_large()) } else { Ok(content) }
}

fn is_never_packed(path: &str) -> bool {
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or(path);
    // `.git` is a folder, or in a worktree a file.
    name == ".git" || path == "target/" || path == IGNORE_FILE
}

/// The lines of `.pocketignore`. A pattern with a `/` before its end is matched from the root, another one at every depth;
/// a `/` at its end makes it match folders only; `*` stands for any characters but `/`.
#[derive(Debug, Default)]
struct Patterns(Vec<Pattern>);

#[derive(Debug)]
struct Pattern {
    text: String,
    from_root: bool,
    folders_only: bool,
}

impl Patterns {
    fn read(root: &Path) -> Result<Self, CollectError> {
        let place = root.join(IGNORE_FILE);
        match std::fs::read_to_string(&place) {
            Ok(text) => Self::parse(&text),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(folder::io_error(&place, source).into()),
        }
    }

    fn parse(text: &str) -> Result<Self, CollectError> {
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
        let patterns = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        patterns.map(|(line, pattern)| Pattern::parse(line, pattern)).collect::<Result<_, _>>().map(Self)
    }

    fn leave_out(&self, path: &str) -> bool {
        self.0.iter().any(|pattern| pattern.fits(path))
    }
}

impl Pattern {
    fn parse(line: usize, pattern: &str) -> Result<Self, CollectError> {
        let error = |reason| CollectError::Pattern { line, pattern: pattern.to_owned(), reason };
        if pattern.starts_with('!') {
            return Err(error("exceptions with `!` are not supported"));
        }
        if pattern.contains("**") || pattern.contains(['?', '[', '\\']) {
            return Err(error("only `*` stands for other characters"));
        }
        let bare = pattern.trim_end_matches('/');
        let from_root = bare.contains('/');
        let text = bare.trim_start_matches('/').to_owned();
        if text.is_empty() {
            return Err(error("it names nothing"));
        }
        Ok(Self { text, from_root, folders_only: pattern.ends_with('/') })
    }

    fn fits(&self, path: &str) -> bool {
        let bare = path.trim_end_matches('/');
        if self.folders_only && bare == path {
            return false;
        }
        let candidate = if self.from_root { bare } else { bare.rsplit('/').next().unwrap_or(bare) };
        star_fits(&self.text, candidate)
    }
}

/// Whether a text fits a pattern in which `*` stands for any characters but `/`.
fn star_fits(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == text };
    let Some(rest) = text.strip_prefix(head) else { return false };
    let reach = rest.find('/').unwrap_or(rest.len());
    (0..=reach).any(|end| rest.is_char_boundary(end) && star_fits(tail, &rest[end..]))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (path, content) in files {
            let place = folder.path().join(path);
            fs::create_dir_all(place.parent().expect("a file stands in a folder")).expect("folders are made");
            fs::write(place, content).expect("a file is written");
        }
        folder
    }

    fn paths(collected: &Collected) -> Vec<&str> {
        collected.entries.iter().map(|entry| entry.path.as_str()).collect()
    }

    #[test]
    fn what_is_left_out_is_told() {
        let ignore = "# built\n*.o\nnotes/\n/docs/*.tmp\n";
        let folder = folder(&[
            ("manifest.yaml", ""),
            (".pocketignore", ignore),
            (".git/HEAD", ""),
            ("target/x", ""),
            ("src/target/kept", ""),
            ("src/a.o", ""),
            ("src/a.c", ""),
            ("notes/x", ""),
            ("docs/a.tmp", ""),
            ("docs/deep/b.tmp", ""),
        ]);
        let collected = collect(folder.path(), &Limits::default()).expect("it can be packed");
        assert_eq!(paths(&collected), ["docs/deep/b.tmp", "manifest.yaml", "src/a.c", "src/target/kept"]);
        assert_eq!(collected.skipped, [".git/", ".pocketignore", "docs/a.tmp", "notes/", "src/a.o", "target/"]);
    }

    #[test]
    fn a_pattern_that_means_more_elsewhere_is_refused() {
        for (pattern, line) in [("!keep", 1), ("\n**/x", 2), ("a?", 1), ("/", 1)] {
            let error = Patterns::parse(pattern).expect_err(pattern).to_string();
            assert!(error.starts_with(&format!("`.pocketignore`, line {line}: ")), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_refused_and_not_left_out() {
        let folder = folder(&[("manifest.yaml", "")]);
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("secrets")).expect("a link is made");
        let error = collect(folder.path(), &Limits::default()).expect_err("links are refused").to_string();
        assert!(error.ends_with("/secrets` is a symbolic link; only files and folders are allowed"), "{error}");
    }

    #[test]
    fn limits_hold_while_collecting() {
        let folder = folder(&[("manifest.yaml", "12345"), ("b", "")]);
        let collect = |limits| collect(folder.path(), &limits).expect_err("a limit is reached").to_string();
        let few = collect(Limits { entries: 1, ..Limits::default() });
        assert!(few.starts_with("the folder has more than 1 files"), "{few}");
        let small = collect(Limits { unpacked: 4, ..Limits::default() });
        assert!(small.starts_with("`manifest.yaml` brings the files to more than 4 bytes"), "{small}");
    }
}
