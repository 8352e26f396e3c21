//! The operator names other owners for a plugin whose owners lost their keys. They count after a delay that everybody sees.

use pocket_index::name::PluginName;
use pocket_index::publish::PublishReceipt;
use pocket_index::record::{Event, MIN_RECOVERY_DELAY, OwnerRecovery, Recovery};
use pocket_index::signature::PublicKey;

use crate::writer::{Outcome, Proposal, Step};
use crate::{Registry, RegistryError};

/// Other owners for a plugin.
#[derive(Debug, Clone)]
pub struct NewOwners {
    /// The plugin.
    pub name: PluginName,
    /// All keys that will sign for it.
    pub keys: Vec<PublicKey>,
    /// How many of them must.
    pub threshold: u32,
    /// Why, in one line that everybody reads.
    pub reason: String,
    /// How long the present owners have to object, in seconds.
    pub delay: u64,
}

/// A recovery that stands in the index.
#[derive(Debug, Clone)]
pub struct Announced {
    /// What it says, and whom it replaces.
    pub recovery: Recovery,
    /// Its place in the log.
    pub receipt: PublishReceipt,
}

impl Registry {
    /// Signs a recovery with the registry's key and writes it as any other event.
    ///
    /// # Errors
    /// The delay is too short, the plugin is not there, or the event would not hold.
    pub async fn recover_owners(&self, new: &NewOwners) -> Result<Announced, RegistryError> {
        if new.delay < MIN_RECOVERY_DELAY {
            return Err(RegistryError::DelayTooShort { delay: new.delay, least: MIN_RECOVERY_DELAY });
        }
        let secret = self.event_key()?;
        let writer = self.write().await;
        let outcome = writer.add(&new.name, &[], |view| {
            if view.history.is_empty() {
                return Err(RegistryError::NoPlugin { name: new.name.clone() });
            }
            let at = view.at.max(view.history.outline().last_at());
            let event = Event::OwnerRecovery(OwnerRecovery {
                name: new.name.clone(),
                keys: new.keys.clone(),
                threshold: new.threshold,
                effective: at.saturating_add(new.delay),
                reason: new.reason.clone(),
            });
            let text = event.to_text();
            let signatures = vec![secret.sign_event(event.kind(), &text)];
            Ok(Step::Add(Proposal { event: text, signatures, at }))
        });
        let Outcome::Added(added) = outcome.await? else { unreachable!("it is always added") };
        let recovery = added.history.recoveries().last().expect("it was just added").clone();
        Ok(Announced { recovery, receipt: added.receipt })
    }
}
