//! What a plugin asks for. What it may do is the part of this that the user also granted.

mod network;
mod quantity;
mod sentences;
mod word;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use network::{Host, NetworkPattern, Port, ResolveError};
pub use quantity::{parse_duration, parse_memory};
pub use sentences::{Entry, entries, sentences};
pub use word::Word;

/// A manifest's `permissions`, and the same in a release event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Permissions {
    /// Environment variables to read, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// HTTP requests through the engine, by host and port: `api.example.com:443`, `*.example.com:443`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<String>,
    /// Stream connections, by host and port; `{host}:{port}` takes the plugin's own settings of those names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub network: Vec<String>,
    /// Folders by direction: `read:./data`, `write:./out`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filesystem: Vec<String>,
    /// The most memory a call may use, such as `64MB`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// The longest a call may take, such as `3s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
}

/// A permission, or a setting's variable, that is not written as it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no {kind}: expected {expected}", value.escape_debug())]
pub struct PermissionError {
    kind: &'static str,
    value: String,
    expected: &'static str,
}

impl PermissionError {
    fn new(kind: &'static str, value: &str, expected: &'static str) -> Self {
        Self { kind, value: value.to_owned(), expected }
    }
}

/// Which way a plugin may use a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// It may look.
    Read,
    /// It may create, change and delete.
    Write,
}

/// An entry of `filesystem`: a direction and a folder or file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilesystemPattern {
    /// Which way it may be used.
    pub access: Access,
    /// The path; a relative one starts at the project's folder. It has no `..` part.
    pub path: String,
}

impl FromStr for FilesystemPattern {
    type Err = PermissionError;

    fn from_str(text: &str) -> Result<Self, PermissionError> {
        let expected = "`read:PATH` or `write:PATH`, such as `read:./data`, without `..`, `\\` and control characters";
        let error = || PermissionError::new("filesystem permission", text, expected);
        let (access, path) = match text.split_once(':') {
            Some(("read", path)) => (Access::Read, path),
            Some(("write", path)) => (Access::Write, path),
            _ => return Err(error()),
        };
        // `read:./data/../../.ssh` shows one folder to the user and means another.
        let climbs = path.split('/').any(|part| part == "..");
        if path.is_empty() || path.trim() != path || climbs || path.contains('\\') || !is_plain(path) {
            return Err(error());
        }
        Ok(Self { access, path: path.to_owned() })
    }
}

impl fmt::Display for FilesystemPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let access = match self.access {
            Access::Read => "read",
            Access::Write => "write",
        };
        write!(f, "{access}:{}", self.path)
    }
}

/// Checks the name of an environment variable: `[A-Za-z_][A-Za-z0-9_]*`, at most 255 bytes.
///
/// # Errors
/// Names the text and the shape.
pub fn check_variable(text: &str) -> Result<(), PermissionError> {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if starts && text.len() <= 255 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Ok(());
    }
    let expected = "letters, digits and `_`, not starting with a digit (`[A-Za-z_][A-Za-z0-9_]*`)";
    Err(PermissionError::new("environment variable", text, expected))
}

/// Whether a text shows on a terminal as what it is: no control character, no line break, no change of direction.
pub(crate) fn is_plain(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() || is_invisible(c))
}

/// Line separators and the marks that turn the direction of what follows, so that `gpj.exe` can look like `exe.jpg`.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filesystem_permission_is_a_direction_and_a_path() {
        let pattern: FilesystemPattern = "read:./data".parse().expect("it is well-formed");
        assert_eq!(pattern, FilesystemPattern { access: Access::Read, path: "./data".to_owned() });
        assert_eq!(pattern.to_string(), "read:./data");
        assert!("write:/var/lib/x".parse::<FilesystemPattern>().is_ok());
    }

    #[test]
    fn a_path_that_means_another_folder_than_it_shows_is_refused() {
        for bad in
            ["data", "read:", "rw:./x", "read: ./x", "read:./a/../../b", "read:..", "read:a\\b", "read:a\u{202e}b"]
        {
            assert!(bad.parse::<FilesystemPattern>().is_err(), "{bad}");
        }
        insta::assert_snapshot!("exec:./x".parse::<FilesystemPattern>().expect_err("no such direction"), @r"`exec:./x` is no filesystem permission: expected `read:PATH` or `write:PATH`, such as `read:./data`, without `..`, `\` and control characters");
    }

    #[test]
    fn environment_variables_are_named_one_by_one() {
        for good in ["HOME", "_x", "A1"] {
            assert!(check_variable(good).is_ok(), "{good}");
        }
        for bad in ["", "1A", "A-B", "A*", "*", "A=B", "É", &"A".repeat(256)] {
            assert!(check_variable(bad).is_err(), "{bad}");
        }
    }
}
