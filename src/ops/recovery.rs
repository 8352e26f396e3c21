//! Other owners that a registry named for a plugin: what a user is told of them.

use std::fmt;

use pocket_index::name::PluginName;
use pocket_index::record::{Owners, Recovery, RecoveryOutcome};
use pocket_index::signature::PublicKey;
use pocket_index::time::UtcTime;

/// A recovery that is pending or done, as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The plugin.
    pub name: PluginName,
    /// The registry.
    pub registry: String,
    /// Who is replaced by whom, and why.
    pub recovery: Recovery,
    /// Whether the new owners sign already.
    pub stage: Stage,
}

/// How far a recovery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The old owners sign, and can cancel it.
    Pending,
    /// The new owners sign.
    Done,
}

impl Stage {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Done => "done",
        }
    }
}

impl Notice {
    fn of(name: &PluginName, registry: &str, recovery: &Recovery, stage: Stage) -> Self {
        Self { name: name.clone(), registry: registry.to_owned(), recovery: recovery.clone(), stage }
    }
}

/// What there is to tell of a plugin's recoveries at this time: what is pending, and the last one that is done. What was cancelled
/// or replaced changes nothing for anybody.
pub fn notices(name: &PluginName, registry: &str, recoveries: &[Recovery], now: u64) -> Vec<Notice> {
    let notice = |recovery: &Recovery, stage| Notice::of(name, registry, recovery, stage);
    let done = recoveries.iter().rev().find(|one| one.counts_at(now)).map(|one| notice(one, Stage::Done));
    let pending = recoveries.last().filter(|last| last.outcome == RecoveryOutcome::Pending && !last.counts_at(now));
    done.into_iter().chain(pending.map(|one| notice(one, Stage::Pending))).collect()
}

/// The last recovery that took effect between two lines of a file: after the one, and not after the other.
pub fn between(name: &PluginName, registry: &str, recoveries: &[Recovery], one: u64, other: u64) -> Option<Notice> {
    let is_between =
        |recovery: &&Recovery| matches!(recovery.outcome, RecoveryOutcome::Done { seq } if one < seq && seq <= other);
    recoveries.iter().rev().find(is_between).map(|recovery| Notice::of(name, registry, recovery, Stage::Done))
}

impl Notice {
    /// Whether a release that stands in the line with this `seq` was taken from the new owners.
    pub fn covers(&self, seq: u64) -> bool {
        matches!(self.recovery.outcome, RecoveryOutcome::Done { seq: first } if seq >= first)
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, registry, recovery, stage } = self;
        let (old, new) = (fingerprints(&recovery.before), fingerprints(&recovery.after));
        let (from, by) = (UtcTime(recovery.effective).to_string(), keys(&recovery.signers));
        match stage {
            Stage::Pending => write!(
                f,
                "the owners of `{name}` are to be replaced: from {from} on it is signed by {new} instead of {old}, says the \
                 registry {registry} with its key {by}"
            )?,
            Stage::Done => write!(
                f,
                "the owners of `{name}` were replaced: since {from} it is signed by {new} instead of {old}, says the registry \
                 {registry} with its key {by}"
            )?,
        }
        if !recovery.reason.is_empty() {
            write!(f, " ({})", recovery.reason)?;
        }
        match stage {
            Stage::Pending => write!(f, "; whoever holds {old} cancels this with `pocket plugin owner keep {name}`"),
            Stage::Done => {
                write!(f, "; compare the new fingerprints with what the publisher says elsewhere before you take more")
            }
        }
    }
}

/// The fingerprints of owners; how many of them must sign, where it is not one of one.
pub fn fingerprints(owners: &Owners) -> String {
    let all: Vec<PublicKey> = owners.keys().copied().collect();
    match (all.len(), owners.threshold()) {
        (1, _) => keys(&all),
        (_, threshold) => format!("{threshold} of [{}]", keys(&all)),
    }
}

fn keys(keys: &[PublicKey]) -> String {
    keys.iter().map(|key| key.fingerprint().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pocket_index::digest::Digest;
    use pocket_index::record::OwnerKeys;
    use pocket_index::signature::SecretKey;

    use super::*;

    fn name() -> PluginName {
        "geo".parse().expect("a name")
    }

    fn recovery(seq: u64, outcome: RecoveryOutcome) -> Recovery {
        let key = |seed| SecretKey::from_seed(&[seed; 32]).public();
        let owners = |seeds: &[u8], threshold| {
            let keys = seeds.iter().map(|seed| key(*seed)).collect();
            Arc::new(Owners::from(&OwnerKeys { name: name(), keys, threshold }))
        };
        Recovery {
            seq,
            line: Digest::of(b"line"),
            at: 1_767_225_600,
            effective: 1_767_830_400,
            before: owners(&[1], 1),
            after: owners(&[2, 3], 2),
            signers: vec![key(9)],
            reason: "a burnt laptop".to_owned(),
            outcome,
        }
    }

    fn told(recoveries: &[Recovery], now: u64) -> Vec<(u64, Stage)> {
        let notices = notices(&name(), "https://example.com/", recoveries, now);
        notices.iter().map(|notice| (notice.recovery.seq, notice.stage)).collect()
    }

    #[test]
    fn what_is_pending_and_what_was_done_last_is_told() {
        use RecoveryOutcome::{Cancelled, Done, Pending, Replaced};
        let (before, after) = (1_767_830_399, 1_767_830_400);
        assert_eq!(told(&[], after), []);
        assert_eq!(told(&[recovery(1, Pending)], before), [(1, Stage::Pending)]);
        assert_eq!(told(&[recovery(1, Pending)], after), [(1, Stage::Done)]);
        assert_eq!(told(&[recovery(1, Cancelled { seq: 2 })], after), []);
        let row = [recovery(1, Done { seq: 2 }), recovery(3, Replaced { seq: 4 }), recovery(4, Pending)];
        assert_eq!(told(&row, before), [(1, Stage::Done), (4, Stage::Pending)]);
        assert_eq!(told(&row, after), [(4, Stage::Done)]);
    }

    #[test]
    fn every_recovery_between_what_is_locked_and_what_would_be_counts() {
        use RecoveryOutcome::{Cancelled, Done};
        let row = [recovery(1, Done { seq: 2 }), recovery(3, Cancelled { seq: 4 }), recovery(5, Done { seq: 6 })];
        let found = |one, other| between(&name(), "", &row, one, other).map(|notice| notice.recovery.seq);
        assert_eq!([found(0, 1), found(0, 2), found(0, 5), found(0, 6)], [None, Some(1), Some(1), Some(5)]);
        assert_eq!([found(2, 5), found(2, 6), found(6, 9), found(9, 0)], [None, Some(5), None, None]);
    }

    #[test]
    fn a_notice_says_who_is_replaced_by_whom_when_and_what_can_be_done() {
        let say = |now| {
            let told = notices(&name(), "https://example.com/", &[recovery(1, RecoveryOutcome::Pending)], now);
            told.first().expect("one notice").to_string()
        };
        insta::assert_snapshot!(say(0), @"the owners of `geo` are to be replaced: from 2026-01-08T00:00:00Z on it is signed by 2 of [SHA256:ajgD1fBZkCocba+8m6RykhL3yqwIY0zDrnaydSnwOCc, SHA256:ti6Gf6LzOv5i1daxZC4WIdVDMHhGsqV7iX5xCRm3Zwk] instead of SHA256:NHUPmL1Z/PyUbaRaqr6TO+FUpLUJThxKv0KGZQXzyX4, says the registry https://example.com/ with its key SHA256:28KYJRxRMhtyZueNHBUcK2Kv+MuVspMJbTRjAYVE+s4 (a burnt laptop); whoever holds SHA256:NHUPmL1Z/PyUbaRaqr6TO+FUpLUJThxKv0KGZQXzyX4 cancels this with `pocket plugin owner keep geo`");
        insta::assert_snapshot!(say(u64::MAX), @"the owners of `geo` were replaced: since 2026-01-08T00:00:00Z it is signed by 2 of [SHA256:ajgD1fBZkCocba+8m6RykhL3yqwIY0zDrnaydSnwOCc, SHA256:ti6Gf6LzOv5i1daxZC4WIdVDMHhGsqV7iX5xCRm3Zwk] instead of SHA256:NHUPmL1Z/PyUbaRaqr6TO+FUpLUJThxKv0KGZQXzyX4, says the registry https://example.com/ with its key SHA256:28KYJRxRMhtyZueNHBUcK2Kv+MuVspMJbTRjAYVE+s4 (a burnt laptop); compare the new fingerprints with what the publisher says elsewhere before you take more");
    }
}
