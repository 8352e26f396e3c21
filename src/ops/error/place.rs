//! Where in a configuration file something is wrong.

use std::path::Path;

use super::OpsError;
use crate::project::ExpandError;
use crate::workflow::{self, Position};

/// `:3:18`, as editors take it.
pub(super) fn shown(place: Option<Position>) -> String {
    place.map_or_else(String::new, |Position { line, column }| format!(":{line}:{column}"))
}

impl OpsError {
    /// A variable in a configuration file that cannot be replaced, with its place there.
    pub(in crate::ops) fn expand(path: &Path, source: ExpandError) -> Self {
        let text = std::fs::read_to_string(path).ok();
        // The setting is told in any case.
        let place = text.and_then(|text| workflow::locate(&text, source.key()));
        Self::Expand { path: path.to_owned(), place, source }
    }
}
