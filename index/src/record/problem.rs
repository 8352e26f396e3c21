//! Why an index file is refused.

use semver::Version;

use super::LineError;
use super::history::MAX_FILE_BYTES;
use super::ownership::OwnershipError;
use super::recovery::MIN_RECOVERY_DELAY;
use crate::digest::Digest;
use crate::log::LineTimeError;
use crate::name::PluginName;

/// Why an index file is refused.
#[derive(Debug, thiserror::Error)]
#[error("line {line} of the index file of `{name}` is refused")]
pub struct HistoryError {
    /// The line, counted from 1.
    pub line: usize,
    /// Whose file.
    pub name: PluginName,
    /// What is wrong with it.
    #[source]
    pub problem: Box<Problem>,
}

/// What is wrong with a line in its place.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The file is larger than [`MAX_FILE_BYTES`].
    #[error("the file has {bytes} bytes, at most {MAX_FILE_BYTES} are allowed")]
    FileTooLarge {
        /// Its length.
        bytes: usize,
    },
    /// A plugin without events has no file.
    #[error("the file is empty")]
    Empty,
    /// The last line lacks its newline: the file was cut off.
    #[error("the line does not end with a newline, so the file was cut off")]
    Unterminated,
    /// The line itself is malformed.
    #[error(transparent)]
    Line(#[from] LineError),
    /// A line is missing, twice or moved.
    #[error("`seq` is {found}, expected {expected}")]
    Sequence {
        /// The number of this line.
        expected: u64,
        /// The number that stands there.
        found: u64,
    },
    /// The line before is another one than the writer saw.
    #[error("`prev` is {}, but the line before has {}", written(found), written(expected))]
    Chain {
        /// The digest of the line before.
        expected: Option<Digest>,
        /// The digest that stands there.
        found: Option<Digest>,
    },
    /// Lines enter the log in the order in which they stand.
    #[error("`log` is {found}, but the line before has {previous}, which must be smaller")]
    LogOrder {
        /// The leaf of the line before.
        previous: u64,
        /// The leaf of this line.
        found: u64,
    },
    /// What it says of its time cannot be.
    #[error(transparent)]
    Time(#[from] LineTimeError),
    /// Time decides who may sign, so it does not go back within a file.
    #[error("`at` is {found}, but the line before came at {previous}, which must not be later")]
    TimeOrder {
        /// When the line before came: seconds since 1970-01-01 UTC.
        previous: u64,
        /// When this one says that it came.
        found: u64,
    },
    /// The old owners would not have the time to object.
    #[error(
        "the `owner-recovery` takes effect at {effective}, {} seconds after it came at {at}; at least \
         {MIN_RECOVERY_DELAY} are needed",
        i128::from(*effective) - i128::from(*at)
    )]
    RecoveryTooSoon {
        /// When the line came: seconds since 1970-01-01 UTC.
        at: u64,
        /// From when on it would count.
        effective: u64,
    },
    /// A line of another plugin's file.
    #[error("the event is about `{found}`, expected `{expected}`")]
    Name {
        /// Whose file this is.
        expected: PluginName,
        /// Whose event it is.
        found: PluginName,
    },
    /// The signatures do not carry the line.
    #[error(transparent)]
    Ownership(#[from] OwnershipError),
    /// A version comes out once.
    #[error("version {version} was released before, in line {first}")]
    DuplicateVersion {
        /// The version.
        version: Version,
        /// The line of the first release, counted from 1.
        first: usize,
    },
    /// Read in full, the line is not the release that it looked like.
    #[error("the line looks like the release {version}, but says something else")]
    NotAsListed {
        /// The version that it looked like.
        version: Version,
    },
    /// The event is about a version that no line before released.
    #[error("the `{kind}` event is about version {version}, which was not released before")]
    UnknownVersion {
        /// The event's kind.
        kind: String,
        /// The version.
        version: Version,
    },
}

fn written(digest: &Option<Digest>) -> String {
    digest.map_or_else(|| "none".to_owned(), |digest| digest.to_string())
}
