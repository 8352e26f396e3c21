//! Why a journal cannot be written or read.

use std::path::PathBuf;
use std::sync::Arc;

/// Why a journal cannot be written or read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// A file could not be read or written.
    #[error("cannot {doing} the journal `{}`", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: Arc<std::io::Error>,
    },
    /// A file of that name is there already.
    #[error("there is a journal `{}` already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file is something else, or was cut off before its first record.
    #[error("`{}` is no journal of a run", path.display())]
    NotOne {
        /// The file.
        path: PathBuf,
    },
    /// What had reached the disk is not there any more.
    #[error("the journal `{}` is damaged at byte {offset}: {message}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What is wrong.
        message: String,
    },
    /// Another process has the run.
    #[error("the run `{run}` is still going on in another process")]
    Running {
        /// The run.
        run: String,
    },
    /// A run has no such event.
    #[error("{0}")]
    NoSeed(String),
}

impl JournalError {
    /// What an I/O error becomes.
    pub(super) fn io(doing: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source: Arc::new(source) }
    }
}
