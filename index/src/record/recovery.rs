//! Owners who lost their keys: the registry names others, everybody sees it, and only after a delay do they count.

use std::sync::Arc;

use super::ownership::Owners;
use super::problem::Problem;
use super::{Line, OwnerRecovery, Policy};
use crate::digest::Digest;
use crate::signature::PublicKey;

/// 3 days: the least time between a recovery's line and the first one that the new owners sign. Long enough that owners who still
/// have their keys notice over a weekend; a registry may ask for more, and usually does.
pub const MIN_RECOVERY_DELAY: u64 = 3 * 86_400;

/// Other owners that the registry named for a plugin, and what became of that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The line's place in the plugin's file, from 0.
    pub seq: u64,
    /// The line's digest.
    pub line: Digest,
    /// When the registry took it: seconds since 1970-01-01 UTC, by the registry's clock.
    pub at: u64,
    /// From when on the new owners sign, in the same seconds.
    pub effective: u64,
    /// Who owned the plugin until then.
    pub before: Arc<Owners>,
    /// Who owns it from then on.
    pub after: Arc<Owners>,
    /// The registry's keys that signed, in the order of the line, each once.
    pub signers: Vec<PublicKey>,
    /// Why, in one line.
    pub reason: String,
    /// What became of it in the lines that follow.
    pub outcome: Outcome,
}

/// What became of a recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// No line is old enough to say. The old owners stand until [`Recovery::effective`], and can cancel it.
    Pending,
    /// The new owners sign since the line with this `seq`, the first one that came at or after [`Recovery::effective`].
    Done {
        /// That line.
        seq: u64,
    },
    /// The old owners took it back with an `owner-keys` event.
    Cancelled {
        /// Its line.
        seq: u64,
    },
    /// The registry named yet others, and the delay began anew.
    Replaced {
        /// The line of the next recovery.
        seq: u64,
    },
}

/// The recoveries of one file, the oldest first. Only the last one can be pending.
#[derive(Debug, Clone, Default)]
pub(super) struct Recoveries(Vec<Recovery>);

impl Recovery {
    /// Whether the new owners sign what comes at this time.
    pub fn counts_at(&self, at: u64) -> bool {
        match self.outcome {
            Outcome::Pending => at >= self.effective,
            Outcome::Done { .. } => true,
            Outcome::Cancelled { .. } | Outcome::Replaced { .. } => false,
        }
    }
}

impl Recoveries {
    pub(super) fn all(&self) -> &[Recovery] {
        &self.0
    }

    /// The owners that a line of this time has because of a recovery that is pending up to then.
    pub(super) fn due(&self, at: u64) -> Option<&Arc<Owners>> {
        let last = self.0.last().filter(|last| last.outcome == Outcome::Pending && last.counts_at(at))?;
        Some(&last.after)
    }

    /// A line of this time comes next: a recovery that is due takes effect, and its owners are returned.
    pub(super) fn settle(&mut self, at: u64, seq: u64) -> Option<Arc<Owners>> {
        let owners = Arc::clone(self.due(at)?);
        self.end(Outcome::Done { seq });
        Some(owners)
    }

    /// The owners spoke: what is pending is void.
    pub(super) fn cancel(&mut self, seq: u64) {
        self.end(Outcome::Cancelled { seq });
    }

    /// Takes the registry's word for new owners, with the delay that gives the old ones time to object.
    pub(super) fn announce(
        &mut self,
        line: &Line,
        event: &OwnerRecovery,
        before: Arc<Owners>,
        policy: &Policy,
    ) -> Result<(), Problem> {
        let (at, effective) = (line.at, event.effective);
        // Checked as a sum, which two numbers below 2^53 do not overflow: `effective` may lie before `at`.
        if effective < at + MIN_RECOVERY_DELAY {
            return Err(Problem::RecoveryTooSoon { at, effective });
        }
        self.end(Outcome::Replaced { seq: line.seq });
        let mut signers: Vec<PublicKey> = Vec::new();
        for key in line.signatures.iter().map(|one| one.key).filter(|key| policy.is_registry_key(key)) {
            if !signers.contains(&key) {
                signers.push(key);
            }
        }
        self.0.push(Recovery {
            seq: line.seq,
            line: line.digest,
            at,
            effective,
            before,
            after: Arc::new(event.into()),
            signers,
            reason: event.reason.clone(),
            outcome: Outcome::Pending,
        });
        Ok(())
    }

    fn end(&mut self, outcome: Outcome) {
        if let Some(last) = self.0.last_mut().filter(|last| last.outcome == Outcome::Pending) {
            last.outcome = outcome;
        }
    }
}
