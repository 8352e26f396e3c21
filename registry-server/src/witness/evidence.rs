//! What a log signed that does not fit together, kept for those who can judge it.

use std::path::{Path, PathBuf};

use pocket_index::digest::Digest;
use pocket_index::log::{Checkpoint, LogError, NodeHash};

use super::error::WitnessFolderError;
use super::{folder, state};

/// Two checkpoints of one log, and the proof that does not join them.
pub(super) struct Evidence<'a> {
    pub(super) seen: &'a Checkpoint,
    pub(super) new: &'a Checkpoint,
    pub(super) proof: &'a [NodeHash],
    pub(super) error: &'a LogError,
}

impl Evidence<'_> {
    /// Writes it to a file. There is one for each tree that the log signed and that does not fit, however often it is sent.
    pub(super) fn keep(&self, root: &Path) -> Result<PathBuf, WitnessFolderError> {
        let head = self.new.head();
        let tree = Digest::of(format!("{}\n{}\n", head.size, head.root).as_bytes()).hex()[..16].to_owned();
        let path = root.join("evidence").join(format!("{}-{tree}.txt", state::name(&head.origin)));
        if !path.exists() {
            folder::write(&path, &self.text())?;
        }
        Ok(path)
    }

    fn text(&self) -> String {
        let proof: String = self.proof.iter().map(|hash| format!("{hash}\n")).collect();
        format!(
            "The log {} signed two checkpoints that do not fit together:\n{}.\n\n\
             ==== cosigned before ====\n\n{}\n==== now ====\n\n{}\n==== the proof that came with it ====\n\n{proof}",
            self.new.head().origin,
            self.error,
            self.seen.note(),
            self.new.note(),
        )
    }
}
