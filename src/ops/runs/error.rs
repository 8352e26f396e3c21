//! Why a run cannot be found, taken up or repeated.

use std::path::PathBuf;

use pocket_index::digest::Digest;

use crate::workflow::journal::JournalError;

/// Why a run cannot be found, taken up or repeated.
#[derive(Debug, thiserror::Error)]
pub enum RunsError {
    /// Its journal cannot be written or read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// There is no such run.
    #[error("there is no journal of a run `{run}` in `{}`", folder.display())]
    NoRun {
        /// What was typed.
        run: String,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// Several runs begin like this.
    #[error("several runs begin with `{run}`: {}", runs.join(", "))]
    Several {
        /// What was typed.
        run: String,
        /// The runs.
        runs: Vec<String>,
    },
    /// The workflow was changed since.
    #[error("the run `{run}` is of another `{}`: its digest was {then}, now it is {now}", path.display())]
    OtherDocument {
        /// The run.
        run: String,
        /// The workflow's file.
        path: PathBuf,
        /// Its digest when the run began.
        then: Digest,
        /// Its digest now.
        now: Digest,
    },
    /// A plugin is another one.
    #[error("the run `{run}` is with another plugin `{plugin}`: it was {then}, now it is {now}")]
    OtherPlugin {
        /// The run.
        run: String,
        /// The plugin.
        plugin: String,
        /// Its digest when the run began.
        then: String,
        /// Its digest now.
        now: String,
    },
    /// The workflow has no such node.
    #[error("the workflow `{}` has no node `{node}` to begin at", path.display())]
    NoNode {
        /// What was typed.
        node: String,
        /// The workflow's file.
        path: PathBuf,
        /// The node that it resembles.
        near: Option<String>,
    },
}
