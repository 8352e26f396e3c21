//! Who may sign for a plugin: bound by its first release, changed only by the keys that hold it.

use std::collections::BTreeSet;

use super::{Event, Line, OwnerKeys, OwnerRecovery, Policy};
use crate::digest::Digest;
use crate::signature::{PublicKey, SignatureError, verify};

/// The keys that sign for a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owners {
    keys: BTreeSet<PublicKey>,
    threshold: u32,
}

/// Why a line's signatures do not carry it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OwnershipError {
    /// One of the signatures is bad. All must hold, also those that would not be needed.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// Before the first release nobody owns the plugin.
    #[error("a `{kind}` event stands before the first release, so nobody could sign it")]
    NoOwners {
        /// The event's kind.
        kind: String,
    },
    /// Too few of those who may sign did.
    #[error(
        "the `{kind}` event is signed by {found} of the owner keys [{}], {needed} needed; it is signed by [{}]",
        fingerprints(owners),
        fingerprints(signers)
    )]
    NotEnoughOwners {
        /// The event's kind.
        kind: String,
        /// How many owner keys signed, each counted once.
        found: usize,
        /// The threshold.
        needed: u32,
        /// The keys that may sign.
        owners: Vec<PublicKey>,
        /// The keys that did.
        signers: Vec<PublicKey>,
    },
    /// Who owns a plugin anew says the registry, and nobody else: neither old nor new owners.
    #[error(
        "the `{kind}` event is signed by none of the registry's keys [{}]; it is signed by [{}]",
        fingerprints(registry),
        fingerprints(signers)
    )]
    NotRegistry {
        /// The event's kind.
        kind: String,
        /// The registry's keys.
        registry: Vec<PublicKey>,
        /// The keys that did sign.
        signers: Vec<PublicKey>,
    },
    /// A key that everybody has signed a line that is not part of the program.
    #[error("{key} is a development key that anybody can sign with, and {line} is no line of the bundled index")]
    DevelopmentKey {
        /// The key.
        key: PublicKey,
        /// The line's digest.
        line: Digest,
    },
}

impl Owners {
    /// The keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.keys.iter()
    }

    /// How many of them must sign.
    pub fn threshold(&self) -> u32 {
        self.threshold
    }

    /// Who signed the first release owns the plugin, each of them.
    pub(super) fn first(signers: &[PublicKey]) -> Self {
        Self { keys: signers.iter().copied().collect(), threshold: 1 }
    }

    fn count(&self, signers: &BTreeSet<PublicKey>) -> usize {
        self.keys.intersection(signers).count()
    }
}

impl From<&OwnerKeys> for Owners {
    fn from(event: &OwnerKeys) -> Self {
        Self { keys: event.keys.iter().copied().collect(), threshold: event.threshold }
    }
}

impl From<&OwnerRecovery> for Owners {
    fn from(event: &OwnerRecovery) -> Self {
        Self { keys: event.keys.iter().copied().collect(), threshold: event.threshold }
    }
}

/// What a line's signatures carry.
pub(super) struct Carried {
    /// The owners from the next line on.
    pub(super) owners: Option<Owners>,
    /// The owners that signed, sorted, each once.
    pub(super) signers: Vec<PublicKey>,
}

/// Checks a line's signatures against the owners that the lines before it left.
pub(super) fn check(owners: Option<&Owners>, line: &Line, policy: &Policy) -> Result<Carried, OwnershipError> {
    let carried = check_claims(owners, line, policy);
    // A claim by a development key is the more telling error.
    if !matches!(carried, Err(OwnershipError::DevelopmentKey { .. })) {
        for signature in &line.signatures {
            verify(&line.kind, &line.event_bytes, signature)?;
        }
    }
    carried
}

/// Checks who is said to have signed a line. It takes the signatures themselves to believe it.
pub(super) fn check_claims(owners: Option<&Owners>, line: &Line, policy: &Policy) -> Result<Carried, OwnershipError> {
    policy.check_development_keys(line.signatures.iter().map(|signature| signature.key), line.digest)?;
    let signers: BTreeSet<_> = line.signatures.iter().map(|signature| signature.key).collect();
    let Some(event) = &line.event else {
        return Ok(Carried { owners: owners.cloned(), signers: Vec::new() });
    };
    let owners = match (event, owners) {
        (_, Some(owners)) => owners.clone(),
        // Trust on first use: the registry's log makes the first release the same for everybody.
        (Event::Release(_), None) => Owners::first(&line.signatures.iter().map(|one| one.key).collect::<Vec<_>>()),
        (_, None) => return Err(OwnershipError::NoOwners { kind: line.kind.clone() }),
    };
    let has_registry = signers.iter().any(|key| policy.is_registry_key(key));
    match authority(event) {
        Authority::Registry if !has_registry => return Err(not_registry(&line.kind, &signers, policy)),
        Authority::Owners => require_threshold(&owners, &line.kind, &signers)?,
        Authority::OwnersOrRegistry if !has_registry => require_threshold(&owners, &line.kind, &signers)?,
        Authority::Registry | Authority::OwnersOrRegistry => {}
    }
    let signers = owners.keys.intersection(&signers).copied().collect();
    let next = if let Event::OwnerKeys(next) = event { next.into() } else { owners };
    Ok(Carried { owners: Some(next), signers })
}

/// Checks who is said to have signed a release that was not read, as [`check_claims`] does.
pub(super) fn check_release_claim(
    owners: &Owners,
    signers: &[PublicKey],
    line: Digest,
    policy: &Policy,
) -> Result<(), OwnershipError> {
    policy.check_development_keys(signers.iter().copied(), line)?;
    let found = owners.keys.iter().filter(|key| signers.contains(key)).count();
    if found >= owners.threshold as usize {
        return Ok(());
    }
    require_threshold(owners, "release", &signers.iter().copied().collect())
}

/// Whose signatures carry an event.
enum Authority {
    Owners,
    OwnersOrRegistry,
    Registry,
}

/// A registry can warn of a version or withdraw it, but neither publish nor hand a plugin to somebody else at once.
fn authority(event: &Event) -> Authority {
    match event {
        Event::Release(_) | Event::OwnerKeys(_) => Authority::Owners,
        Event::Yank(_) | Event::Unyank(_) | Event::Revoke(_) | Event::Deprecate(_) => Authority::OwnersOrRegistry,
        Event::OwnerRecovery(_) => Authority::Registry,
    }
}

fn not_registry(kind: &str, signers: &BTreeSet<PublicKey>, policy: &Policy) -> OwnershipError {
    let (registry, signers) = (policy.registry_keys().copied().collect(), signers.iter().copied().collect());
    OwnershipError::NotRegistry { kind: kind.to_owned(), registry, signers }
}

fn require_threshold(owners: &Owners, kind: &str, signers: &BTreeSet<PublicKey>) -> Result<(), OwnershipError> {
    let found = owners.count(signers);
    if found >= owners.threshold as usize {
        return Ok(());
    }
    Err(OwnershipError::NotEnoughOwners {
        kind: kind.to_owned(),
        found,
        needed: owners.threshold,
        owners: owners.keys.iter().copied().collect(),
        signers: signers.iter().copied().collect(),
    })
}

fn fingerprints(keys: &[PublicKey]) -> String {
    keys.iter().map(|key| key.fingerprint().to_string()).collect::<Vec<_>>().join(", ")
}
