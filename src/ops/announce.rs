//! Events that bring no archive: `plugin yank|unyank|revoke|deprecate`, and `plugin owner`.

use std::collections::BTreeSet;

use pocket_index::name::PluginName;
use pocket_index::publish::PublishHeader;
use pocket_index::record::{Event, OwnerKeys, Owners};
use pocket_index::signature::{PublicKey, SecretKey};

use super::recovery::{Notice, Stage, notices};
use super::{OpsError, Reach, Workspace, plugins};
use crate::registry::now;

/// An event that the registry took.
#[derive(Debug, Clone)]
pub struct Announced {
    /// What was signed.
    pub event: Event,
    /// Where it went.
    pub registry: String,
    /// Its place in the registry's log.
    pub log: Option<u64>,
}

/// A change of the keys that sign for a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnerChange {
    /// One more key.
    Add(PublicKey),
    /// One key less.
    Remove(PublicKey),
    /// How many keys must sign.
    Threshold(u32),
}

/// Signs an event with every key given and sends it.
///
/// # Errors
/// The registry does not have the plugin, takes no publishes, or refuses the event.
pub async fn announce(
    workspace: &Workspace,
    event: Event,
    secrets: &[SecretKey],
    reach: &Reach,
) -> Result<Announced, OpsError> {
    let registry = workspace.open_registry(reach).await?;
    plugins::history(&registry, event.name()).await?;
    registry.remember()?;
    let header = sign(&event, secrets);
    let receipt = registry.publish(header.encode(), &mut |_, _| {}).await?;
    Ok(Announced { event, registry: registry.location().to_string(), log: Some(receipt.log) })
}

/// The event's text with a signature of each key.
pub fn sign(event: &Event, secrets: &[SecretKey]) -> PublishHeader {
    let text = event.to_text();
    let signatures = secrets.iter().map(|secret| secret.sign_event(event.kind(), &text)).collect();
    PublishHeader { event: text, signatures }
}

/// Who signs for a plugin now.
#[derive(Debug, Clone)]
pub struct Ownership {
    /// The keys, and how many of them must sign.
    pub owners: Owners,
    /// Owners that the registry replaced or will replace.
    pub recoveries: Vec<Notice>,
}

/// The keys that sign for a plugin now, and what the registry did about them.
pub async fn ownership(workspace: &Workspace, name: &PluginName, reach: &Reach) -> Result<Ownership, OpsError> {
    let registry = workspace.open_registry(reach).await?;
    let history = plugins::history(&registry, name).await?;
    registry.remember()?;
    let now = now();
    let owners = history.owners_at(now).expect("a history with a release has owners").clone();
    let recoveries = notices(name, &registry.location().to_string(), history.recoveries(), now);
    Ok(Ownership { owners, recoveries })
}

/// The event that signs the present keys again, which cancels what is pending.
///
/// # Errors
/// Nothing is pending.
pub fn keep_owners(name: &PluginName, ownership: &Ownership) -> Result<Event, OpsError> {
    if !ownership.recoveries.iter().any(|notice| notice.stage == Stage::Pending) {
        return Err(OpsError::Owners { name: name.clone(), reason: "no recovery is pending".to_owned() });
    }
    let (keys, threshold) = (ownership.owners.keys().copied().collect(), ownership.owners.threshold());
    Ok(Event::OwnerKeys(OwnerKeys { name: name.clone(), keys, threshold }))
}

/// The event that changes the keys that sign for a plugin.
///
/// # Errors
/// The change would change nothing, or leave fewer keys than must sign.
pub fn change_owners(name: &PluginName, owners: &Owners, change: &OwnerChange) -> Result<Event, OpsError> {
    let mut keys: BTreeSet<PublicKey> = owners.keys().copied().collect();
    let mut threshold = owners.threshold();
    let refused = |reason: String| OpsError::Owners { name: name.clone(), reason };
    match change {
        OwnerChange::Add(key) => {
            if !keys.insert(*key) {
                return Err(refused(format!("{key} signs for it already")));
            }
        }
        OwnerChange::Remove(key) => {
            if !keys.remove(key) {
                return Err(refused(format!("{key} does not sign for it")));
            }
        }
        OwnerChange::Threshold(number) => threshold = *number,
    }
    if threshold == 0 || threshold as usize > keys.len() {
        return Err(refused(format!("{threshold} of {} keys would have to sign", keys.len())));
    }
    Ok(Event::OwnerKeys(OwnerKeys { name: name.clone(), keys: keys.into_iter().collect(), threshold }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> PublicKey {
        SecretKey::from_seed(&[seed; 32]).public()
    }

    fn owners(keys: &[u8], threshold: u32) -> Owners {
        let name = name();
        Owners::from(&OwnerKeys { name, keys: keys.iter().map(|&seed| key(seed)).collect(), threshold })
    }

    fn name() -> PluginName {
        "geo".parse().expect("a name")
    }

    #[test]
    fn owners_change_one_step_at_a_time() {
        let changed = |owners: &Owners, change| match change_owners(&name(), owners, &change).expect("it is allowed") {
            Event::OwnerKeys(event) => Owners::from(&event),
            other => panic!("{other:?}"),
        };
        let two = changed(&owners(&[1], 1), OwnerChange::Add(key(2)));
        assert_eq!(two, owners(&[1, 2], 1));
        assert_eq!(changed(&two, OwnerChange::Threshold(2)), owners(&[1, 2], 2));
        assert_eq!(changed(&two, OwnerChange::Remove(key(1))), owners(&[2], 1));
    }

    #[test]
    fn a_change_that_would_lock_everybody_out_is_refused() {
        let refused =
            |owners: &Owners, change| change_owners(&name(), owners, &change).expect_err("refused").to_string();
        let both = owners(&[1, 2], 2);
        assert!(refused(&both, OwnerChange::Remove(key(1))).contains("2 of 1 keys would have to sign"));
        assert!(refused(&both, OwnerChange::Threshold(0)).contains("0 of 2 keys"));
        assert!(refused(&both, OwnerChange::Add(key(2))).contains("signs for it already"));
        assert!(refused(&both, OwnerChange::Remove(key(3))).contains("does not sign for it"));
    }
}
