//! What this user has seen of each registry: its keys, the newest checkpoint and when there were others before, and of every plugin
//! whose events were read the last one of them and the versions that were revoked.
//!
//! Trust on first use: the first key is kept, another one later is an error. One file a registry, `trust/<id>.toml`.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::path::PathBuf;
use std::str::FromStr;

use pocket_index::digest::Digest;
use pocket_index::log::SeenCheckpoint;
use pocket_index::name::PluginName;
use pocket_index::signature::PublicKey;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::{Home, HomeError, atomic, io_error, read_toml};

/// One registry as it was seen last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenRegistry {
    /// Where it is.
    pub url: String,
    /// The key that signs its log, in the form of C2SP signed notes.
    pub log_key: String,
    /// The keys that sign the registry's own events; none in a file of an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<PublicKey>>,
    /// The newest checkpoint, as it was signed.
    pub checkpoint: String,
    /// Checkpoints before the newest one, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<SeenTime>,
    /// The last event of each plugin.
    #[serde(default)]
    pub plugins: BTreeMap<PluginName, SeenLine>,
    /// The versions that were taken back for good, with the reasons.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub revoked: BTreeMap<PluginName, BTreeMap<Version, String>>,
}

/// How large a log was when it signed a checkpoint; written `<size> <seconds since 1970-01-01 UTC>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SeenTime(pub SeenCheckpoint);

impl TryFrom<String> for SeenTime {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let number = |text: &str| text.parse::<u64>().ok();
        let numbers = text.split_once(' ').and_then(|(size, time)| Some((number(size)?, number(time)?)));
        let (size, time) =
            numbers.ok_or_else(|| format!("expected `<size> <seconds>`, found `{}`", text.escape_debug()))?;
        Ok(Self(SeenCheckpoint { size, time }))
    }
}

impl From<SeenTime> for String {
    fn from(SeenTime(seen): SeenTime) -> Self {
        format!("{} {}", seen.size, seen.time)
    }
}

/// The last line that was seen of a plugin's file; written `<seq> <digest>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SeenLine {
    /// Its place in the file, from 0.
    pub seq: u64,
    /// Its digest.
    pub line: Digest,
}

impl fmt::Display for SeenLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.seq, self.line)
    }
}

impl FromStr for SeenLine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error = || format!("expected `<seq> sha256:<hex>`, found `{}`", text.escape_debug());
        let (seq, line) = text.split_once(' ').ok_or_else(error)?;
        Ok(Self { seq: seq.parse().map_err(|_| error())?, line: line.parse().map_err(|_| error())? })
    }
}

impl TryFrom<String> for SeenLine {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<SeenLine> for String {
    fn from(line: SeenLine) -> Self {
        line.to_string()
    }
}

/// The right to change what is remembered of one registry. Given up when dropped, and by the kernel if the process dies.
#[derive(Debug)]
pub struct TrustLock {
    _file: File,
}

/// The name that a registry's files have in the home.
pub fn id(url: &str) -> String {
    Digest::of(url.as_bytes()).hex()[..16].to_owned()
}

/// The file that remembers the registry at `url`.
pub fn path(home: &Home, url: &str) -> PathBuf {
    home.trust().join(format!("{}.toml", id(url)))
}

/// What was seen of the registry at `url`, if it ever was.
pub fn recall(home: &Home, url: &str) -> Result<Option<SeenRegistry>, HomeError> {
    let path = path(home, url);
    match read_toml::<SeenRegistry>(&path)? {
        Some(seen) if seen.url != url => {
            let message = format!("it is about `{}`, expected `{url}`", seen.url);
            Err(HomeError::Damaged { path, message })
        }
        seen => Ok(seen),
    }
}

/// Waits until no other process changes what is remembered of the registry at `url`.
pub fn lock(home: &Home, url: &str) -> Result<TrustLock, HomeError> {
    let path = path(home, url).with_extension("lock");
    fs::create_dir_all(home.trust()).map_err(io_error("create", &home.trust()))?;
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(io_error("open", &path))?;
    file.lock().map_err(io_error("lock", &path))?;
    Ok(TrustLock { _file: file })
}

/// Remembers a registry. Call only with what was checked against what was remembered before, which the lock keeps as it is.
pub fn remember(home: &Home, seen: &SeenRegistry, _lock: &TrustLock) -> Result<(), HomeError> {
    let path = path(home, &seen.url);
    let text = toml_edit::ser::to_string_pretty(seen).expect("texts, and a table of texts, are a table");
    atomic::replace_file(&path, text.as_bytes()).map(drop).map_err(io_error("write", &path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> SeenRegistry {
        let line = SeenLine { seq: 3, line: Digest::of(b"line") };
        SeenRegistry {
            url: "https://example.com/".to_owned(),
            log_key: "example+00000000+AAAA".to_owned(),
            keys: Some(vec![PublicKey::from_bytes([7; 32])]),
            checkpoint: "example\n1\nhash=\n\n— example sig\n".to_owned(),
            earlier: vec![SeenTime(SeenCheckpoint { size: 0, time: 1_790_000_000 })],
            plugins: BTreeMap::from([("redis".parse().expect("a name"), line)]),
            revoked: BTreeMap::from([(
                "redis".parse().expect("a name"),
                BTreeMap::from([(Version::new(1, 0, 0), "it leaks".to_owned())]),
            )]),
        }
    }

    #[test]
    fn a_registry_is_recalled_as_it_was_seen() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::at(folder.path());
        let seen = seen();
        assert_eq!(recall(&home, &seen.url).expect("nothing is there"), None);
        remember(&home, &seen, &lock(&home, &seen.url).expect("it is free")).expect("it is written");
        assert_eq!(recall(&home, &seen.url).expect("it is read"), Some(seen));
    }

    #[test]
    fn a_memory_without_plugins_is_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::at(folder.path());
        std::fs::create_dir_all(home.trust()).expect("the folder is made");
        let text = "url = \"https://example.com/\"\nlog_key = \"k\"\ncheckpoint = \"c\"\n";
        std::fs::write(path(&home, "https://example.com/"), text).expect("it is written");
        let seen = recall(&home, "https://example.com/").expect("it is read").expect("it is there");
        assert!(seen.plugins.is_empty() && seen.earlier.is_empty() && seen.keys.is_none());
    }

    #[test]
    fn a_damaged_memory_is_an_error_and_never_a_first_sight() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::at(folder.path());
        let path = path(&home, "https://example.com/");
        std::fs::create_dir_all(home.trust()).expect("the folder is made");
        for damaged in [
            "url = ",
            "url = \"https://example.com/\"\nlog_key = \"k\"\ncheckpoint = \"c\"\n[plugins]\nredis = \"3\"\n",
            "url = \"https://example.com/\"\nlog_key = \"k\"\ncheckpoint = \"c\"\nearlier = [\"3\"]\n",
        ] {
            std::fs::write(&path, damaged).expect("it is written");
            assert!(matches!(recall(&home, "https://example.com/"), Err(HomeError::Damaged { .. })), "{damaged}");
        }
    }
}
