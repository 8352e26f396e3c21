//! Who signs what comes from a place that is no registry: the keys that this user saw there first.
//!
//! Trust on first use: the first keys are kept, others later are an error. One file a place,
//! `trust/publishers/<id>.toml`.

use std::path::PathBuf;

use pocket_index::signature::PublicKey;
use serde::{Deserialize, Serialize};

use super::{Home, HomeError, atomic, io_error, read_toml, trust};

/// The keys of a place's publisher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenPublisher {
    /// The place: `github.com/owner/repository`.
    pub source: String,
    /// Who signed what was first installed from there.
    pub keys: Vec<PublicKey>,
}

/// The file that remembers who signs at `source`.
pub fn path(home: &Home, source: &str) -> PathBuf {
    home.trust().join("publishers").join(format!("{}.toml", trust::id(source)))
}

/// Who signs at `source`, if that was ever seen.
pub fn recall(home: &Home, source: &str) -> Result<Option<SeenPublisher>, HomeError> {
    let path = path(home, source);
    match read_toml::<SeenPublisher>(&path)? {
        Some(seen) if seen.source != source => {
            let message = format!("it is about `{}`, expected `{source}`", seen.source);
            Err(HomeError::Damaged { path, message })
        }
        seen => Ok(seen),
    }
}

/// Remembers who signs at a place.
pub fn remember(home: &Home, seen: &SeenPublisher) -> Result<(), HomeError> {
    let path = path(home, &seen.source);
    let text = toml_edit::ser::to_string_pretty(seen).expect("two keys with texts are a table");
    atomic::replace_file(&path, text.as_bytes()).map(drop).map_err(io_error("write", &path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publisher_is_recalled_and_a_damaged_memory_is_no_first_sight() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::at(folder.path());
        let source = "github.com/example/geo".to_owned();
        let seen = SeenPublisher { source: source.clone(), keys: vec![PublicKey::from_bytes([7; 32])] };
        assert_eq!(recall(&home, &source).expect("nothing is there"), None);
        remember(&home, &seen).expect("it is written");
        assert_eq!(recall(&home, &source).expect("it is read"), Some(seen));
        std::fs::write(path(&home, &source), "source = ").expect("it is written");
        assert!(matches!(recall(&home, &source), Err(HomeError::Damaged { .. })));
    }
}
