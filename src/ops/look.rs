//! Why a workflow cannot be looked at.

use std::path::PathBuf;

use crate::workflow::drawing::DrawingError;

/// Why a workflow cannot be drawn or checked.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// A picture that cannot be drawn.
    #[error(transparent)]
    Drawing(#[from] DrawingError),
    /// A file whose ending stands for no picture.
    #[error("`{}` is not the name of a picture", path.display())]
    NoPicture {
        /// The file.
        path: PathBuf,
    },
    /// A folder without workflows.
    #[error("there is no workflow in `{}`", path.display())]
    NoWorkflow {
        /// The folder.
        path: PathBuf,
    },
}
