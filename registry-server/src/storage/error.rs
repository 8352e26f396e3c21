//! Why a place cannot be read or written.

use std::io;
use std::path::Path;

/// Why a file cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} `{path}`")]
pub struct StorageError {
    /// What was tried.
    pub doing: &'static str,
    /// On what.
    pub path: String,
    /// Whether it helps to try again, or to make room.
    pub fault: Fault,
    /// Why not.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// There is no room left.
    Full,
    /// The place cannot be reached now.
    Unreachable,
    /// The file is another one by now, or gone.
    Changed,
    /// Something else.
    Broken,
}

impl StorageError {
    pub(crate) fn of_io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let full = matches!(source.kind(), StorageFull | QuotaExceeded | FileTooLarge);
        let fault = if full { Fault::Full } else { Fault::Broken };
        Self { doing, path: path.display().to_string(), fault, source: source.into() }
    }

    /// A file that was looked at is not there any more.
    pub(crate) fn changed(path: impl ToString) -> Self {
        let source = "it was replaced meanwhile".into();
        Self { doing: "read", path: path.to_string(), fault: Fault::Changed, source }
    }

    pub(crate) fn of_bucket(doing: &'static str, path: impl ToString, source: object_store::Error) -> Self {
        use object_store::Error as E;
        // What is no answer to the request is a bucket that does not answer.
        let fault = if matches!(source, E::Generic { .. }) { Fault::Unreachable } else { Fault::Broken };
        Self { doing, path: path.to_string(), fault, source: source.into() }
    }
}
