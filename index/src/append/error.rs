//! Why an event does not get into an index.

use std::io;

use crate::log::{CheckpointError, ClockBehind, CosignatureError, EntriesError, TileError};
use crate::name::PluginName;
use crate::record::{HistoryError, LineError};

/// Why an event does not get into an index. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// A file of the index cannot be read.
    #[error("cannot read `{path}` of the index")]
    Read {
        /// Its path.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file that must be there is not.
    #[error("`{path}` of the index is missing")]
    Missing {
        /// Its path.
        path: String,
    },
    /// An index file is not UTF-8.
    #[error("`{path}` of the index is not UTF-8 text")]
    NotText {
        /// Its path.
        path: String,
    },
    /// The checkpoint there is not one of this log.
    #[error("the index has a checkpoint that this log did not sign")]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint there does not say in a way that holds when it was signed.
    #[error("the index has a checkpoint whose time does not hold")]
    Time(#[from] CosignatureError),
    /// What is appended now would seem to come before what is there.
    #[error("nothing is appended while the clock is wrong")]
    Clock(#[from] ClockBehind),
    /// A bundle of leaves there is malformed.
    #[error("`{path}` of the index is malformed")]
    Entries {
        /// Its path.
        path: String,
        /// Why.
        #[source]
        source: EntriesError,
    },
    /// A tile there is missing or malformed.
    #[error(transparent)]
    Tile(#[from] TileError),
    /// The event, or a line there, is malformed.
    #[error("the line is refused")]
    Line(#[from] LineError),
    /// This writer does not know who may sign such an event.
    #[error("events of kind `{kind}` are not known here")]
    UnknownKind {
        /// The kind.
        kind: String,
    },
    /// The event does not hold after the lines there.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// With the line, no reader would take the plugin's file any more.
    #[error(
        "the index file of `{name}` has {bytes} bytes and would have {more}; events of kind `{kind}` are taken up to {most}"
    )]
    FileFull {
        /// Whose file.
        name: PluginName,
        /// The event's kind.
        kind: String,
        /// Its length now.
        bytes: usize,
        /// Its length with the line.
        more: usize,
        /// Its greatest length with such a line.
        most: usize,
    },
    /// A crash left a line without a checkpoint.
    #[error("line {seq} of `{name}` waits for its checkpoint since a write was cut off; recover first")]
    Unfinished {
        /// Whose line.
        name: PluginName,
        /// Its `seq`.
        seq: u64,
    },
}
