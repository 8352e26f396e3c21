//! `head.json`: what is decided, in one file. See `docs/decisions/0013-several-writers.md`.
//!
//! It is replaced whole, and only by who read the one before. What it names is decided from then on, and whoever finds it not yet
//! in the tree puts it there: each of its files has one content whoever writes it, however often.

use std::hash::{BuildHasher as _, Hasher as _};

use bytes::Bytes;
use data_encoding::BASE64;
use pocket_index::append::Appended;
use pocket_index::layout;
use pocket_index::log::Checkpoint;
use pocket_index::name::PluginName;
use serde::{Deserialize, Serialize};

/// Where it stands in the storage. Nobody needs it to read the registry.
pub(crate) const HEAD: &str = "head.json";

/// What was decided last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// 1.
    version: u32,
    /// One more than the head before.
    pub generation: u64,
    /// A random number, so that who wrote it knows it again.
    nonce: String,
    /// The checkpoint that is published with it, without the witnesses that come later.
    pub checkpoint: String,
    /// What the checkpoint adds; none if it only says that the registry is alive.
    pub change: Option<Change>,
}

/// A line that was added, and the files of the log that go with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Change {
    /// Whose line.
    pub plugin: PluginName,
    /// The number of the line in the plugin's file.
    pub seq: u64,
    /// The line.
    pub line: String,
    /// The bundle of leaves and the tiles.
    pub files: Vec<ChangedFile>,
}

/// A file of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ChangedFile {
    /// Its path in the static tree.
    pub path: String,
    base64: String,
}

impl Head {
    /// The next one, with a checkpoint alone.
    pub fn of_checkpoint(generation: u64, checkpoint: &Checkpoint) -> Self {
        let nonce = std::hash::RandomState::new().build_hasher().finish();
        let checkpoint = checkpoint.note().to_owned();
        Self { version: 1, generation, nonce: format!("{nonce:016x}"), checkpoint, change: None }
    }

    /// The next one, with a line.
    pub fn of_line(generation: u64, appended: &Appended) -> Self {
        let plugin = appended.history.name().clone();
        let index_file = layout::index_file(&plugin);
        let of_log =
            appended.writes.iter().filter(|write| write.path != layout::CHECKPOINT && write.path != index_file);
        let files = of_log.map(|write| ChangedFile { path: write.path.clone(), base64: BASE64.encode(&write.bytes) });
        let (seq, line) = (appended.line.seq, appended.line.to_text());
        let change = Change { plugin, seq, line, files: files.collect() };
        Self { change: Some(change), ..Self::of_checkpoint(generation, &appended.checkpoint) }
    }

    /// Its bytes in the storage.
    pub fn to_bytes(&self) -> Bytes {
        let mut json = serde_json::to_vec(self).expect("it has text keys only");
        json.push(b'\n');
        json.into()
    }

    /// Reads it.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let head: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        match head.version {
            1 => Ok(head),
            version => Err(format!("its version is {version}, this program knows version 1")),
        }
    }
}

impl ChangedFile {
    pub fn bytes(&self) -> Result<Bytes, String> {
        let decoded = BASE64.decode(self.base64.as_bytes());
        decoded.map(Bytes::from).map_err(|error| format!("`{}`: {error}", self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_of_a_later_version_is_not_guessed_at() {
        let head = r#"{"version":2,"generation":1,"nonce":"","checkpoint":"","change":null}"#;
        assert_eq!(Head::parse(head.as_bytes()), Err("its version is 2, this program knows version 1".to_owned()));
        assert!(Head::parse(b"").is_err() && Head::parse(b"{}").is_err());
    }
}
