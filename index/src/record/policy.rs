//! Who may sign besides a plugin's owners, and which lines of the development keys count.

use std::collections::BTreeSet;

use super::ownership::OwnershipError;
use crate::digest::Digest;
use crate::log::{LineTimeError, LogTimes, keys_digest};
use crate::signature::{DEVELOPMENT_KEYS, PublicKey};

/// What a reader of index files brings along: the registry's keys, how much of the log is published, and which lines signed
/// by development keys it accepts (none, unless told).
#[derive(Debug, Clone)]
pub struct Policy {
    registry_keys: BTreeSet<PublicKey>,
    development_keys: BTreeSet<PublicKey>,
    development_lines: DevelopmentLines,
    published: Option<u64>,
    times: LogTimes,
}

#[derive(Debug, Clone)]
enum DevelopmentLines {
    Listed(BTreeSet<Digest>),
    Any,
}

impl Policy {
    /// Accepts the owners' signatures and, for yank, unyank, revoke, deprecate and owner-recovery, those of the registry's keys.
    pub fn new(registry_keys: impl IntoIterator<Item = PublicKey>) -> Self {
        Self {
            registry_keys: registry_keys.into_iter().collect(),
            development_keys: DEVELOPMENT_KEYS.iter().map(|key| key.parse().expect("the list is tested")).collect(),
            development_lines: DevelopmentLines::Listed(BTreeSet::new()),
            published: None,
            times: LogTimes::default(),
        }
    }

    /// Ignores lines that the log does not hold yet: those from leaf `size` of the verified checkpoint on.
    ///
    /// A registry writes a line before the checkpoint that covers it, so a reader can meet one in between.
    pub fn published_up_to(mut self, size: u64) -> Self {
        self.published = Some(size);
        self
    }

    /// Refuses lines whose `at` goes against what is known of when the log grew.
    pub fn within(mut self, times: LogTimes) -> Self {
        self.times = times;
        self
    }

    /// Accepts these lines although development keys signed them: the ones compiled into the program.
    pub fn with_development_lines(mut self, lines: impl IntoIterator<Item = Digest>) -> Self {
        self.development_lines = DevelopmentLines::Listed(lines.into_iter().collect());
        self
    }

    /// Accepts every line that development keys signed. For the one tool that makes the bundled index; anywhere else it would
    /// let everybody publish.
    pub fn for_making_the_bundled_index(mut self) -> Self {
        self.development_lines = DevelopmentLines::Any;
        self
    }

    #[cfg(test)]
    pub(crate) fn with_development_keys(mut self, keys: impl IntoIterator<Item = PublicKey>) -> Self {
        self.development_keys.extend(keys);
        self
    }

    /// The digest of the registry's keys, as its checkpoints state it.
    pub fn keys_digest(&self) -> Digest {
        keys_digest(&self.registry_keys)
    }

    pub(super) fn check_time(&self, log: u64, at: u64) -> Result<(), LineTimeError> {
        self.times.check(log, at)
    }

    pub(super) fn is_published(&self, log: u64) -> bool {
        self.published.is_none_or(|size| log < size)
    }

    pub(super) fn is_registry_key(&self, key: &PublicKey) -> bool {
        self.registry_keys.contains(key)
    }

    pub(super) fn registry_keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.registry_keys.iter()
    }

    pub(super) fn check_development_keys(
        &self,
        mut signers: impl Iterator<Item = PublicKey>,
        line: Digest,
    ) -> Result<(), OwnershipError> {
        let Some(key) = signers.find(|key| self.development_keys.contains(key)) else { return Ok(()) };
        match &self.development_lines {
            DevelopmentLines::Any => Ok(()),
            DevelopmentLines::Listed(lines) if lines.contains(&line) => Ok(()),
            DevelopmentLines::Listed(_) => Err(OwnershipError::DevelopmentKey { key, line }),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_development_key_is_a_key() {
        for key in super::DEVELOPMENT_KEYS {
            assert!(key.parse::<super::PublicKey>().is_ok(), "{key}");
        }
    }
}
