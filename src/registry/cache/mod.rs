//! What was fetched before. Nothing here is trusted: every byte is verified again when it is used. Nothing here is needed: an
//! install goes on without it, and says so.

mod archives;
mod files;
mod partial;

use std::path::Path;
use std::sync::{Arc, OnceLock};

pub use archives::ArchiveCache;
pub(super) use files::FileCache;
pub(super) use partial::Partial;

/// The first thing that could not be written to the cache, for one warning.
#[derive(Debug, Clone, Default)]
pub(super) struct Trouble(Arc<OnceLock<String>>);

impl Trouble {
    pub fn note(&self, path: &Path, error: &std::io::Error) {
        // Later ones say the same.
        let _ = self.0.set(format!("cannot write `{}`: {error}", path.display()));
    }

    pub fn first(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}
