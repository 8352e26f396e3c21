//! What must hold inside an event before anybody asks who signed it.

use std::collections::BTreeSet;

use semver::Version;

use super::{ArchiveRecord, Event, MAX_INTEGER, OwnerRecovery, Release};
use crate::archive::archive_file_name;
use crate::name::Target;
use crate::signature::PublicKey;

/// 64 archives: three times as many targets as Rust builds its own compiler for.
pub const MAX_ARCHIVES: usize = 64;
/// 16 keys: a team's people and their CI.
pub const MAX_OWNER_KEYS: usize = 16;
/// 1,024 bytes: a line that fits a terminal a few times over.
pub const MAX_REASON_BYTES: usize = 1024;

/// What is wrong inside an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Two versions that differ in build metadata alone have no order.
    #[error("version `{version}` has build metadata, which a published version must not have")]
    BuildMetadata {
        /// The version.
        version: Version,
    },
    /// There is nothing to install.
    #[error("the release {version} lists no archive")]
    NoArchives {
        /// The release's version.
        version: Version,
    },
    /// More archives than [`MAX_ARCHIVES`].
    #[error("the release {version} lists {count} archives, at most {MAX_ARCHIVES} are allowed")]
    TooManyArchives {
        /// The release's version.
        version: Version,
        /// How many it lists.
        count: usize,
    },
    /// Two archives for one target: which one would be installed?
    #[error("the release {version} lists two archives for `{target}`")]
    TargetTwice {
        /// The release's version.
        version: Version,
        /// The target.
        target: Target,
    },
    /// An archive's file name is not the one its release and target give.
    #[error("the archive for `{target}` is named `{}`, expected `{expected}`", found.escape_debug())]
    FileName {
        /// The archive's target.
        target: Target,
        /// The name that follows from name, version and target.
        expected: String,
        /// The name that stands there.
        found: String,
    },
    /// A number above [`MAX_INTEGER`].
    #[error("`{field}` of the archive for `{target}` is {value}, at most {MAX_INTEGER} is allowed")]
    Integer {
        /// The archive's target.
        target: Target,
        /// Which of its numbers.
        field: &'static str,
        /// The number.
        value: u64,
    },
    /// A reason longer than [`MAX_REASON_BYTES`].
    #[error("the reason has {bytes} bytes, at most {MAX_REASON_BYTES} are allowed")]
    ReasonTooLong {
        /// Its length.
        bytes: usize,
    },
    /// A reason with a control character, which could rewrite the terminal it is shown in.
    #[error("the reason `{}` contains a control character", reason.escape_debug())]
    ReasonControl {
        /// The reason.
        reason: String,
    },
    /// Nobody could ever sign again, or more keys than [`MAX_OWNER_KEYS`].
    #[error("the event lists {count} owner keys, expected 1 to {MAX_OWNER_KEYS}")]
    KeyCount {
        /// How many it lists.
        count: usize,
    },
    /// A key that stands twice would make a threshold look harder than it is.
    #[error("the owner key {key} stands twice")]
    KeyTwice {
        /// The key.
        key: PublicKey,
    },
    /// A threshold that nobody, or everybody, reaches.
    #[error("the threshold is {threshold}, expected 1 to {keys}, the number of keys")]
    Threshold {
        /// The threshold.
        threshold: u32,
        /// How many keys there are.
        keys: usize,
    },
    /// A time above [`MAX_INTEGER`].
    #[error("`effective` is {value}, at most {MAX_INTEGER} is allowed")]
    Effective {
        /// The time.
        value: u64,
    },
}

pub(super) fn check_event(event: &Event) -> Result<(), EventError> {
    match event {
        Event::Release(release) => check_release(release),
        Event::Yank(event) | Event::Unyank(event) | Event::Revoke(event) => check_reason(&event.reason),
        Event::Deprecate(event) => check_reason(&event.reason),
        Event::OwnerKeys(event) => check_owners(&event.keys, event.threshold),
        Event::OwnerRecovery(event) => check_recovery(event),
    }
}

fn check_release(release: &Release) -> Result<(), EventError> {
    let version = || release.version.clone();
    if !release.version.build.is_empty() {
        return Err(EventError::BuildMetadata { version: version() });
    }
    if release.archives.is_empty() {
        return Err(EventError::NoArchives { version: version() });
    }
    if release.archives.len() > MAX_ARCHIVES {
        return Err(EventError::TooManyArchives { version: version(), count: release.archives.len() });
    }
    let mut targets = BTreeSet::new();
    for archive in &release.archives {
        if !targets.insert(&archive.target) {
            return Err(EventError::TargetTwice { version: version(), target: archive.target.clone() });
        }
        check_archive(release, archive)?;
    }
    Ok(())
}

fn check_archive(release: &Release, archive: &ArchiveRecord) -> Result<(), EventError> {
    let target = || archive.target.clone();
    let expected = archive_file_name(&release.name, &release.version, &archive.target);
    if archive.file != expected {
        return Err(EventError::FileName { target: target(), expected, found: archive.file.clone() });
    }
    for (field, value) in [("size", archive.size), ("unpacked", archive.unpacked), ("entries", archive.entries)] {
        if value > MAX_INTEGER {
            return Err(EventError::Integer { target: target(), field, value });
        }
    }
    Ok(())
}

fn check_reason(reason: &str) -> Result<(), EventError> {
    if reason.len() > MAX_REASON_BYTES {
        return Err(EventError::ReasonTooLong { bytes: reason.len() });
    }
    if reason.chars().any(char::is_control) {
        return Err(EventError::ReasonControl { reason: reason.to_owned() });
    }
    Ok(())
}

fn check_recovery(event: &OwnerRecovery) -> Result<(), EventError> {
    check_owners(&event.keys, event.threshold)?;
    if event.effective > MAX_INTEGER {
        return Err(EventError::Effective { value: event.effective });
    }
    check_reason(&event.reason)
}

fn check_owners(keys: &[PublicKey], threshold: u32) -> Result<(), EventError> {
    let count = keys.len();
    if count == 0 || count > MAX_OWNER_KEYS {
        return Err(EventError::KeyCount { count });
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = keys.iter().find(|key| !seen.insert(**key)) {
        return Err(EventError::KeyTwice { key: *twice });
    }
    if threshold == 0 || threshold as usize > count {
        return Err(EventError::Threshold { threshold, keys: count });
    }
    Ok(())
}
