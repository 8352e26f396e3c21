//! What this user has seen of each registry: the key that signs its log, and the newest checkpoint.
//!
//! Trust on first use: the first key is kept, another one later is an error. One file a registry, `trust/<id>.toml`.

use std::path::PathBuf;

use pocket_index::digest::Digest;
use serde::{Deserialize, Serialize};

use super::{Home, HomeError, atomic, io_error};

/// One registry as it was seen last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenRegistry {
    /// Where it is.
    pub url: String,
    /// The key that signs its log, in the form of C2SP signed notes.
    pub log_key: String,
    /// The newest checkpoint, as it was signed.
    pub checkpoint: String,
}

/// The file that remembers the registry at `url`.
pub fn path(home: &Home, url: &str) -> PathBuf {
    let id = Digest::of(url.as_bytes()).hex();
    home.trust().join(format!("{}.toml", &id[..16]))
}

/// What was seen of the registry at `url`, if it ever was.
pub fn recall(home: &Home, url: &str) -> Result<Option<SeenRegistry>, HomeError> {
    let path = path(home, url);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error("read", &path)(error)),
    };
    let damaged = |message: String| HomeError::Damaged { path: path.clone(), message };
    let seen: SeenRegistry = toml_edit::de::from_str(&text).map_err(|error| damaged(error.message().to_owned()))?;
    if seen.url != url {
        return Err(damaged(format!("it is about `{}`, expected `{url}`", seen.url)));
    }
    Ok(Some(seen))
}

/// Remembers a registry. Call only with a checkpoint that was checked against the one before.
pub fn remember(home: &Home, seen: &SeenRegistry) -> Result<(), HomeError> {
    let path = path(home, &seen.url);
    let text = toml_edit::ser::to_string_pretty(seen).expect("three texts are a table");
    atomic::replace_file(&path, text.as_bytes()).map(drop).map_err(io_error("write", &path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_recalled_as_it_was_seen() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::at(folder.path());
        let seen = SeenRegistry {
            url: "https://example.com/".to_owned(),
            log_key: "example+00000000+AAAA".to_owned(),
            checkpoint: "example\n1\nhash=\n\n— example sig\n".to_owned(),
        };
        assert_eq!(recall(&home, &seen.url).expect("nothing is there"), None);
        remember(&home, &seen).expect("it is written");
        assert_eq!(recall(&home, &seen.url).expect("it is read"), Some(seen));
    }

    #[test]
    fn a_damaged_memory_is_an_error_and_never_a_first_sight() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::at(folder.path());
        let path = path(&home, "https://example.com/");
        std::fs::create_dir_all(home.trust()).expect("the folder is made");
        std::fs::write(&path, "url = ").expect("it is written");
        assert!(matches!(recall(&home, "https://example.com/"), Err(HomeError::Damaged { .. })));
    }
}
