//! A change of owners that a registry announced, as it is printed for programs.

use pocket_index::record::{Owners, Recovery, RecoveryOutcome};
use pocket_index::time::UtcTime;
use serde_json::{Value, json};

use crate::ops::recovery::Notice;

/// What a user is told, with all its values.
pub fn notice_document(notice: &Notice) -> Value {
    let Notice { name, registry, recovery, stage } = notice;
    let mut document = document(recovery);
    document["name"] = json!(name);
    document["registry"] = json!(registry);
    document["state"] = json!(stage.as_str());
    document
}

/// Where a recovery stands, and between whom.
pub fn document(recovery: &Recovery) -> Value {
    json!({
        "state": state(recovery.outcome),
        "at": UtcTime(recovery.at).to_string(),
        "effective": UtcTime(recovery.effective).to_string(),
        "old": owners(&recovery.before),
        "new": owners(&recovery.after),
        "signers": recovery.signers.iter().map(|key| key.fingerprint().to_string()).collect::<Vec<_>>(),
        "reason": recovery.reason,
    })
}

/// What became of a recovery, in one word.
pub fn state(outcome: RecoveryOutcome) -> &'static str {
    match outcome {
        RecoveryOutcome::Pending => "pending",
        RecoveryOutcome::Done { .. } => "done",
        RecoveryOutcome::Cancelled { .. } => "cancelled",
        RecoveryOutcome::Replaced { .. } => "replaced",
    }
}

fn owners(owners: &Owners) -> Value {
    let keys = owners.keys().map(|key| json!({ "key": key, "fingerprint": key.fingerprint().to_string() }));
    json!({ "threshold": owners.threshold(), "keys": keys.collect::<Vec<_>>() })
}
