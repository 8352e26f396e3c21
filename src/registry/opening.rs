//! The first two files of a registry, held against what is known of it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use pocket_index::bundled;
use pocket_index::config::{Config, LogRequirement};
use pocket_index::digest::Digest;
use pocket_index::log::{Checkpoint, NoteKey, TreeHead};
use pocket_index::signature::PublicKey;

use super::RegistryError;
use super::client::refused;
use super::memory::Memory;

/// What is known of a registry before it is read: from the configuration, or from a lock that the team reviewed.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// The key that must sign its log.
    pub key: Option<String>,
    /// The keys that sign its own events.
    pub event_keys: Option<Vec<PublicKey>>,
    /// A state that its log must have grown from.
    pub head: Option<TreeHead>,
    /// A partial copy of the registry, read instead of it. It is as old as it is: only `head` bounds its age.
    pub copy: Option<PathBuf>,
}

/// What the registry says of itself, its key and its checkpoint, if they are those that are expected.
pub(super) fn check_start(
    registry: &str,
    config: &[u8],
    note: &[u8],
    expected: &Expected,
    memory: &Memory,
) -> Result<(Config, NoteKey, Checkpoint), RegistryError> {
    let config = text(config).and_then(|text| Ok(Config::parse(text, LogRequirement::Required)?));
    let config = config.map_err(|source| RegistryError::Refused { registry: registry.to_owned(), source })?;
    let log_key = config.log.clone().expect("`LogRequirement::Required` refuses a registry without one");
    check_key(registry, &log_key, expected.key.as_deref(), memory)?;
    check_event_keys(registry, &config.keys, expected.event_keys.as_deref(), memory)?;
    let checkpoint = open_checkpoint(registry, note, &log_key)?;
    Ok((config, log_key, checkpoint))
}

/// The key must be the one that the user configured, or that the lock names, or the one that was seen first.
fn check_key(registry: &str, found: &NoteKey, expected: Option<&str>, memory: &Memory) -> Result<(), RegistryError> {
    let pinned = expected.or(memory.before().map(|seen| seen.log_key.as_str()));
    match pinned {
        Some(pinned) if pinned != found.to_string() => Err(RegistryError::KeyChanged {
            registry: registry.to_owned(),
            pinned: pinned.to_owned(),
            found: found.to_string(),
            file: expected.is_none().then(|| memory.file()),
        }),
        _ => Ok(()),
    }
}

/// No signature covers `config.json`: who serves it could add a key of his own to those that may withdraw versions.
fn check_event_keys(
    registry: &str,
    found: &[PublicKey],
    expected: Option<&[PublicKey]>,
    memory: &Memory,
) -> Result<(), RegistryError> {
    let Some(pinned) = expected.or(memory.before().and_then(|seen| seen.keys.as_deref())) else { return Ok(()) };
    if pinned.iter().collect::<BTreeSet<_>>() == found.iter().collect::<BTreeSet<_>>() {
        return Ok(());
    }
    let (pinned, found) = (pinned.to_vec(), found.to_vec());
    let file = expected.is_none().then(|| memory.file());
    Err(RegistryError::EventKeysChanged { registry: registry.to_owned(), pinned, found, file })
}

/// A development key proves nothing, since anyone has it: with one, only the very checkpoint that is compiled in counts.
fn open_checkpoint(registry: &str, note: &[u8], key: &NoteKey) -> Result<Checkpoint, RegistryError> {
    let is_bundled = Digest::of(note) == bundled::checkpoint_digest();
    if is_bundled {
        return Checkpoint::open_pinned(note, bundled::checkpoint_digest()).map_err(|error| refused(registry, error));
    }
    if key.public().is_development() {
        return Err(RegistryError::DevelopmentKey { registry: registry.to_owned() });
    }
    Checkpoint::open(note, key).map_err(|error| refused(registry, error))
}

fn text(content: &[u8]) -> Result<&str, Box<dyn std::error::Error + Send + Sync>> {
    Ok(str::from_utf8(content)?)
}
