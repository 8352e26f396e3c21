//! The path of a file in an archive: one spelling that means the same inside the plugin's folder on every system.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use unicase::UniCase;
use unicode_normalization::UnicodeNormalization;

use crate::limits::{PATH_BYTES, PATH_PART_BYTES, PATH_PARTS};
use crate::name::DEVICE_NAMES;
use crate::permissions::is_invisible;

/// A relative path with `/` between its parts that cannot leave its folder. It exists only if it is valid.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryPath(String);

/// Why a text is not an [`EntryPath`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// There is no text.
    #[error("the path is empty")]
    Empty,
    /// It starts at the root.
    #[error("the path is absolute; expected one relative to the plugin's folder")]
    Absolute,
    /// It starts at a drive, or names a stream of a file.
    #[error("`:` names a drive or a stream on Windows")]
    Colon,
    /// It separates parts as Windows does.
    #[error("`\\` separates folders on Windows; expected `/`")]
    Backslash,
    /// It has a byte of zero.
    #[error("the path contains a NUL")]
    Nul,
    /// It has a control character or a line break.
    #[error("the path contains the control character U+{code:04X}")]
    Control {
        /// Which.
        code: u32,
    },
    /// It has a mark that changes the direction of what follows.
    #[error("the path contains the direction mark U+{code:04X}, which can make it look like another path")]
    Direction {
        /// Which.
        code: u32,
    },
    /// A part is `..`.
    #[error("`..` leaves the plugin's folder")]
    Parent,
    /// A part is `.`.
    #[error("`.` is no part of a path")]
    Current,
    /// Two `/` in a row, or one at the end.
    #[error("a part of the path is empty")]
    EmptyPart,
    /// A part ends with what Windows drops.
    #[error("a part ends with a dot or a space, which Windows drops")]
    TrailingDotOrSpace,
    /// A part names a device.
    #[error("Windows opens a part of the path as a device")]
    Device,
    /// A part is too long.
    #[error("a part has {bytes} bytes, at most {PATH_PART_BYTES} are allowed")]
    LongPart {
        /// Its length.
        bytes: usize,
    },
    /// The whole is too long.
    #[error("the path has {bytes} bytes, at most {PATH_BYTES} are allowed")]
    Long {
        /// Its length.
        bytes: usize,
    },
    /// There are too many parts.
    #[error("the path has {parts} parts, at most {PATH_PARTS} are allowed")]
    Deep {
        /// How many.
        parts: usize,
    },
}

impl EntryPath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folders it stands in, outermost first: `a` and `a/b` for `a/b/c`.
    pub fn folders(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').map(|(end, _)| &self.0[..end])
    }
}

/// What two paths have in common when some file system takes them for one: Unicode's canonical caseless match
/// (definition D145: NFD, full case folding, NFD).
pub(super) fn folded(path: &str) -> String {
    let decomposed: String = path.nfd().collect();
    UniCase::unicode(decomposed).to_folded_case().nfd().collect()
}

impl FromStr for EntryPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        check_whole(text)?;
        text.chars().try_for_each(check_character)?;
        text.split('/').try_for_each(check_part)?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for EntryPath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for EntryPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<EntryPath> for String {
    fn from(path: EntryPath) -> String {
        path.0
    }
}

fn check_whole(text: &str) -> Result<(), PathError> {
    if text.is_empty() {
        return Err(PathError::Empty);
    }
    if text.starts_with('/') {
        return Err(PathError::Absolute);
    }
    if text.len() > PATH_BYTES {
        return Err(PathError::Long { bytes: text.len() });
    }
    let parts = text.split('/').count();
    if parts > PATH_PARTS {
        return Err(PathError::Deep { parts });
    }
    Ok(())
}

fn check_character(c: char) -> Result<(), PathError> {
    match c {
        '\0' => Err(PathError::Nul),
        '\\' => Err(PathError::Backslash),
        ':' => Err(PathError::Colon),
        '\u{2028}' | '\u{2029}' => Err(PathError::Control { code: c.into() }),
        _ if c.is_control() => Err(PathError::Control { code: c.into() }),
        _ if is_invisible(c) => Err(PathError::Direction { code: c.into() }),
        _ => Ok(()),
    }
}

fn check_part(part: &str) -> Result<(), PathError> {
    match part {
        "" => return Err(PathError::EmptyPart),
        "." => return Err(PathError::Current),
        ".." => return Err(PathError::Parent),
        _ => {}
    }
    if part.ends_with(['.', ' ']) {
        return Err(PathError::TrailingDotOrSpace);
    }
    if part.len() > PATH_PART_BYTES {
        return Err(PathError::LongPart { bytes: part.len() });
    }
    if is_device(part) {
        return Err(PathError::Device);
    }
    Ok(())
}

/// Windows looks at what stands before the first dot, in any case, and takes `¹`, `²` and `³` for digits.
fn is_device(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or(part).trim_end_matches(' ').to_ascii_lowercase();
    let stem = stem.replace('\u{b9}', "1").replace('\u{b2}', "2").replace('\u{b3}', "3");
    DEVICE_NAMES.contains(&stem.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_are_taken_as_they_are() {
        for good in [
            "a",
            "lib/x86_64/libfoo.so.1",
            ".hidden",
            "a b",
            "naïve/日本.txt",
            "console",
            "com10",
            "...a",
            &"a/".repeat(31)[..61],
        ] {
            assert_eq!(good.parse::<EntryPath>().map(String::from), Ok(good.to_owned()));
        }
    }

    #[test]
    fn devices_are_found_in_every_disguise() {
        for bad in ["nul", "NUL.txt", "lib/Com1.tar.gz", "aux .x", "com¹", "CONOUT$"] {
            assert_eq!(bad.parse::<EntryPath>(), Err(PathError::Device), "{bad}");
        }
    }

    #[test]
    fn spellings_that_one_file_system_takes_for_one_are_folded_alike() {
        for (one, other) in [
            ("README.md", "readme.MD"),
            ("\u{e9}", "e\u{301}"),
            ("Straße", "STRASSE"),
            ("\u{130}", "i\u{307}"),
            ("\u{212b}", "\u{e5}"),
        ] {
            assert_eq!(folded(one), folded(other), "{one} {other}");
        }
        assert_ne!(folded("a"), folded("b"));
    }

    #[test]
    fn folders_are_listed_from_the_outside() {
        let path: EntryPath = "a/b/c".parse().expect("a plain path");
        assert_eq!(path.folders().collect::<Vec<_>>(), ["a", "a/b"]);
    }
}
