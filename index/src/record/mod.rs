//! The index file of one plugin: an event a line, append-only, each with its place, its signatures and the digest of the
//! line before.
//!
//! [`Line`] is one line as it stands there, [`History`] what a file's lines add up to when every one of them holds. [`Outline`] is
//! the same for a reader that wants a few of many releases.

mod check;
mod describe;
mod history;
mod line;
mod outline;
mod ownership;
mod policy;
mod problem;
mod recovery;
mod sketch;

use std::collections::BTreeMap;

use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};

use crate::digest::{Digest, TreeDigest};
use crate::json::{object, object_of_objects, objects};
use crate::manifest::{Dependency, Runtime};
use crate::name::{NodeType, PluginName, Target};
use crate::permissions::Permissions;
use crate::signature::{PublicKey, Signature};

pub use check::{EventError, MAX_ARCHIVES, MAX_OWNER_KEYS, MAX_REASON_BYTES};
pub use history::{History, MAX_FILE_BYTES, ReleaseEntry, Status};
pub(crate) use line::parse_event;
pub use line::{LineError, MAX_INTEGER, MAX_LINE_BYTES, MAX_SIGNATURES, Place};
pub use outline::{Listed, Outline};
pub use ownership::{Owners, OwnershipError};
pub use policy::Policy;
pub use problem::{HistoryError, Problem};
pub use recovery::{MIN_RECOVERY_DELAY, Outcome as RecoveryOutcome, Recovery};

/// What happened to a plugin. The publisher signs exactly these bytes as they stand in the line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Event {
    /// A version came out. In a box, for it is several times as large as the others.
    Release(Box<Release>),
    /// A version is not picked anew.
    Yank(Withdrawal),
    /// A yank is taken back.
    Unyank(Withdrawal),
    /// A version is refused even where it is locked.
    Revoke(Withdrawal),
    /// A version, or the whole plugin, is not recommended any more.
    Deprecate(Deprecation),
    /// From here on these keys sign.
    OwnerKeys(OwnerKeys),
    /// From some later time on these keys sign, says the registry, for the owners lost theirs.
    OwnerRecovery(OwnerRecovery),
}

/// A version with everything a resolver and an installer need.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Release {
    /// The plugin.
    pub name: PluginName,
    /// The version.
    pub version: Version,
    /// The manifest's description.
    pub description: String,
    /// What runs it.
    pub runtime: Runtime,
    /// The engine's versions it works with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<VersionReq>,
    /// Equal to the manifest's.
    #[serde(default, deserialize_with = "object_of_objects")]
    pub dependencies: BTreeMap<PluginName, Dependency>,
    /// Equal to the manifest's.
    #[serde(default, deserialize_with = "object")]
    pub permissions: Permissions,
    /// The node types it provides.
    pub nodes: Vec<NodeType>,
    /// Equal to the manifest's.
    #[serde(default)]
    pub categories: Vec<String>,
    /// Equal to the manifest's.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// One for each target.
    #[serde(deserialize_with = "objects")]
    pub archives: Vec<ArchiveRecord>,
}

/// One target's archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveRecord {
    /// What it runs on.
    pub target: Target,
    /// Its file name: `<name>-<version>[-<target>].tar.gz`.
    pub file: String,
    /// Bytes of the archive.
    pub size: u64,
    /// Bytes of the files in it.
    pub unpacked: u64,
    /// How many files are in it. Folders do not count.
    pub entries: u64,
    /// The digest of the archive's bytes.
    pub sha256: Digest,
    /// The digest of the unpacked files.
    pub tree: TreeDigest,
}

/// A version that is withdrawn, or given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// The plugin.
    pub name: PluginName,
    /// The version.
    pub version: Version,
    /// Why, in one line.
    #[serde(default)]
    pub reason: String,
}

/// A plugin, or one version of it, that is not recommended any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deprecation {
    /// The plugin.
    pub name: PluginName,
    /// The version; absent means all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// Why, and what to use instead.
    #[serde(default)]
    pub reason: String,
}

/// The keys that sign for a plugin from here on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerKeys {
    /// The plugin.
    pub name: PluginName,
    /// All of them; what is not listed does not count any more.
    pub keys: Vec<PublicKey>,
    /// How many of them must sign; 1 or more.
    pub threshold: u32,
}

/// The keys that sign for a plugin once a delay is over, unless those who sign now object. Signed by the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerRecovery {
    /// The plugin.
    pub name: PluginName,
    /// All of them; what is not listed does not count any more.
    pub keys: Vec<PublicKey>,
    /// How many of them must sign; 1 or more.
    pub threshold: u32,
    /// From when on: seconds since 1970-01-01 UTC, at least [`MIN_RECOVERY_DELAY`] after the line came.
    pub effective: u64,
    /// Why, in one line.
    #[serde(default)]
    pub reason: String,
}

/// A line's frame around the event: where it stands, when it came, who signed.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// 0 for the file's first line, then one more for each.
    pub seq: u64,
    /// The digest of the line before, without its newline; none for the first.
    pub prev: Option<Digest>,
    /// The index of this line's leaf in the registry's log.
    pub log: u64,
    /// When the registry took it: seconds since 1970-01-01 UTC.
    pub at: u64,
    /// The event's kind, such as `release`; part of what is signed.
    pub kind: String,
    /// The signed bytes, as they stand in the line.
    pub event_bytes: String,
    /// What they say; none for a kind this version does not know.
    pub event: Option<Event>,
    /// Who signed them.
    pub signatures: Vec<Signature>,
    /// The digest of the whole line, without its newline.
    pub digest: Digest,
}

impl Event {
    /// The event's kind as it stands in the line and in what is signed.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Release(_) => "release",
            Self::Yank(_) => "yank",
            Self::Unyank(_) => "unyank",
            Self::Revoke(_) => "revoke",
            Self::Deprecate(_) => "deprecate",
            Self::OwnerKeys(_) => "owner-keys",
            Self::OwnerRecovery(_) => "owner-recovery",
        }
    }

    /// The plugin it is about.
    pub fn name(&self) -> &PluginName {
        match self {
            Self::Release(release) => &release.name,
            Self::Yank(event) | Self::Unyank(event) | Self::Revoke(event) => &event.name,
            Self::Deprecate(event) => &event.name,
            Self::OwnerKeys(event) => &event.name,
            Self::OwnerRecovery(event) => &event.name,
        }
    }

    /// Compact JSON, ready to be signed. From here on these bytes are the event: nobody writes them anew.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("an event has text keys and finite numbers only")
    }
}

impl From<Release> for Event {
    fn from(release: Release) -> Self {
        Self::Release(Box::new(release))
    }
}

impl Release {
    /// The archive for a target: its own, else the one that runs everywhere.
    pub fn archive_for(&self, target: &Target) -> Option<&ArchiveRecord> {
        let exact = self.archives.iter().find(|archive| archive.target == *target);
        exact.or_else(|| self.archives.iter().find(|archive| archive.target.is_any()))
    }
}

#[cfg(test)]
mod outline_tests;
#[cfg(test)]
mod recovery_properties;
#[cfg(test)]
mod recovery_tests;
#[cfg(test)]
mod tests;
