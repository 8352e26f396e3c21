//! Opening a registry: its configuration and checkpoint against what is known of it, what was seen of it, and the clock.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use pocket_index::config::{Config, LogRequirement};
use pocket_index::digest::Digest;
use pocket_index::log::{self, Checkpoint, LogError, LogTimes, NoteKey, Recent, TreeHead, Witnessed};
use pocket_index::name::RegistryName;
use pocket_index::record::Policy;
use pocket_index::signature::PublicKey;
use pocket_index::{bundled, layout};

use super::age::{self, Access, DEFAULT_MAX_AGE, Notice, Staleness};
use super::client::{Registry, SMALL_FILE, refused, unproven};
use super::dated::Dated;
use super::error::RegistryError;
use super::memory::{Keeping, Memory};
use super::transport::{Freshness, Transport};
use super::witnesses::{self, DemandedWitnesses};
use super::{ArchiveCache, Location, Token};
use crate::home::Home;

/// What is known of a registry before it is read: from the configuration, or from a lock that the team reviewed.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// The key that must sign its log.
    pub key: Option<String>,
    /// A state that its log must have grown from.
    pub head: Option<TreeHead>,
    /// A partial copy of the registry, read instead of it. It is as old as it is: only `head` bounds its age.
    pub copy: Option<PathBuf>,
    /// The keys that signed its own events then. The log may state others since, and its user is told.
    pub event_keys: Option<Vec<PublicKey>>,
    /// How old its checkpoint may be, in seconds; none is [`DEFAULT_MAX_AGE`].
    pub max_age: Option<u64>,
    /// What it is shown with each request.
    pub token: Option<Token>,
    /// Who must have seen its checkpoint. What is compiled in was seen by everybody who has this program.
    pub witnesses: Vec<DemandedWitnesses>,
}

/// A registry, and whether it was met for the first time.
pub struct Opened {
    /// The registry.
    pub registry: Registry,
    /// The fingerprint of its key, if it was not known before.
    pub first_seen: Option<String>,
    /// What a person should know of it.
    pub notices: Vec<Notice>,
}

impl Registry {
    /// Reads the registry's configuration and checkpoint, and checks them against what was seen of it before, and against the clock.
    pub async fn open(
        name: RegistryName,
        location: Location,
        expected: &Expected,
        home: &Home,
        access: Access,
    ) -> Result<Opened, RegistryError> {
        let shown = location.to_string();
        let transport_error = |source| RegistryError::Transport { registry: shown.clone(), source };
        let archives = ArchiveCache::at(&home.cache());
        let transport = match &expected.copy {
            Some(folder) => Transport::Folder(folder.clone()),
            None => {
                let (cache, trouble) = (home.cache(), archives.trouble().clone());
                let opened = Transport::new(&location, &cache, access.network, trouble, expected.token.as_ref());
                opened.map_err(transport_error)?
            }
        };
        let is_exempt = expected.copy.is_some() || location == Location::Bundled;
        let keeping = if is_exempt { Keeping::Exempt } else { Keeping::Remembered };
        // Before the checkpoint is read: what another process remembers meanwhile may be newer than that.
        let memory = Memory::recall(home, &location, keeping)?;
        let config =
            transport.read(layout::CONFIG, SMALL_FILE, Freshness::Revalidate).await.map_err(transport_error)?;
        let note = transport.read(layout::CHECKPOINT, SMALL_FILE, Freshness::Revalidate).await;
        let note = note.map_err(|source| unproven(&shown, source))?;
        let (config, log_key, Dated { checkpoint, signed }) =
            check_start(&shown, &config, &note, expected, &memory).inspect_err(|_| transport.distrust())?;
        // What is compiled in, or was copied into a project, is as old as that.
        let is_ageless = is_exempt || is_bundled(&note);
        let max_age = expected.max_age.unwrap_or(DEFAULT_MAX_AGE);
        let judged = if is_ageless { Ok(None) } else { age::judge(signed, access.now, max_age) };
        let stale = judged.map_err(|source| {
            transport.distrust();
            RegistryError::Ahead { registry: shown.clone(), source }
        })?;
        let times = LogTimes::of(&checkpoint, &log_key).map_err(|error| refused(&shown, error))?;
        let policy = Policy::new(config.keys.iter().copied())
            .published_up_to(checkpoint.size())
            .within(times.after(memory.times()?))
            .with_development_lines(bundled::line_digests());
        let mut registry = Self {
            name,
            location,
            transport,
            api: config.api,
            auth_required: config.auth_required,
            keys: config.keys,
            log_key,
            checkpoint,
            signed,
            stale,
            witnessed: Vec::new(),
            policy: Arc::new(policy),
            tiles: Mutex::default(),
            archives,
            memory,
        };
        registry.check_growth(expected.head.as_ref()).await?;
        registry.witnessed = registry.check_witnesses(expected, access)?;
        let dated = Dated { checkpoint: registry.checkpoint.clone(), signed };
        registry.memory.check_time(&dated).inspect_err(|_| registry.transport.distrust())?;
        registry.memory.saw(&registry.log_key, &dated, &registry.keys)?;
        if access.staleness == Staleness::Refused {
            registry.require_fresh()?;
        }
        let is_new =
            registry.memory.before().is_none() && expected.key.is_none() && registry.location != Location::Bundled;
        let first_seen = is_new.then(|| registry.log_key.public().fingerprint().to_string());
        Ok(Opened { notices: registry.notices(expected), registry, first_seen })
    }

    /// What a person should know: that it may not show what is new, that it has other keys than before.
    fn notices(&self, expected: &Expected) -> Vec<Notice> {
        let registry = || self.location.to_string();
        let stale = self.stale.map(|stale| Notice::Stale { registry: registry(), stale });
        let seen = self.memory.before().and_then(|before| before.keys.clone());
        let before = seen.or_else(|| expected.event_keys.clone());
        let changed = before.filter(|before| log::keys_digest(before) != self.checkpoint.keys());
        let changed =
            changed.map(|before| Notice::KeysChanged { registry: registry(), before, now: self.keys.clone() });
        stale.into_iter().chain(changed).collect()
    }

    /// Checks the checkpoint against the newest one that this user saw, and against the one that a lock names.
    async fn check_growth(&self, locked: Option<&TreeHead>) -> Result<(), RegistryError> {
        if let Some(seen) = self.memory.before() {
            let before = Checkpoint::open(seen.checkpoint.as_bytes(), &self.log_key);
            let before = before.map_err(|error| self.refused(error))?;
            self.check_grew_from(before.head(), before.note()).await?;
        }
        if let Some(head) = locked {
            let TreeHead { origin, size, root } = head;
            let shown = format!("{origin}\n{size}\n{root}\n\nas pocket.lock has it, which keeps no signatures\n");
            self.check_grew_from(head, &shown).await?;
        }
        Ok(())
    }

    /// The witnesses that are demanded and saw the checkpoint. Where it may be older than usual, their cosignatures may be, too.
    fn check_witnesses(&self, expected: &Expected, access: Access) -> Result<Vec<Witnessed>, RegistryError> {
        if self.location == Location::Bundled {
            return Ok(Vec::new());
        }
        let excess = match (access.staleness, self.stale) {
            (Staleness::Told, Some(stale)) => stale.signed.map_or(u64::MAX, |signed| access.now.saturating_sub(signed)),
            _ => 0,
        };
        let max_age = expected.max_age.unwrap_or(DEFAULT_MAX_AGE).saturating_add(excess);
        let recent = expected.copy.is_none().then_some(Recent { now: access.now, max_age });
        let found = witnesses::check(&expected.witnesses, &self.checkpoint, &self.log_key, recent);
        found.map_err(|error| {
            let (registry, source) = (self.location.to_string(), Box::new(error));
            RegistryError::Witnesses { registry, source }
        })
    }

    /// Checks that the log begins with an older state of it, which is kept as `shown` if it does not.
    async fn check_grew_from(&self, head: &TreeHead, shown: &str) -> Result<(), RegistryError> {
        let needed = log::tiles_for_consistency(head.size, self.checkpoint.size());
        self.fetch_tiles(needed).await?;
        let tiles = self.tiles.lock().expect("no holder of this lock panics");
        log::check_consistency(head, &self.checkpoint, &*tiles).map_err(|error| match error {
            LogError::Tile(_) => self.refused(error),
            error => {
                self.transport.distrust();
                self.memory.other_view(shown, self.checkpoint.note(), error)
            }
        })
    }
}

/// What the registry says of itself, its key and its checkpoint, if they are those that are expected and fit each other.
fn check_start(
    registry: &str,
    config: &[u8],
    note: &[u8],
    expected: &Expected,
    memory: &Memory,
) -> Result<(Config, NoteKey, Dated), RegistryError> {
    let config = text(config).and_then(|text| Ok(Config::parse(text, LogRequirement::Required)?));
    let config = config.map_err(|source| RegistryError::Refused { registry: registry.to_owned(), source })?;
    let log_key = config.log.clone().expect("`LogRequirement::Required` refuses a registry without one");
    check_key(registry, &log_key, expected.key.as_deref(), memory)?;
    let checkpoint = open_checkpoint(registry, note, &log_key)?;
    // Whoever serves `config.json` could add a key of his own to those that may withdraw versions.
    config.check_keys(&checkpoint).map_err(|error| refused(registry, error))?;
    let dated = Dated::of(checkpoint, &log_key).map_err(|error| refused(registry, error))?;
    Ok((config, log_key, dated))
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

/// A development key proves nothing, since anyone has it: with one, only the very checkpoint that is compiled in counts.
fn open_checkpoint(registry: &str, note: &[u8], key: &NoteKey) -> Result<Checkpoint, RegistryError> {
    if is_bundled(note) {
        return Checkpoint::open_pinned(note, bundled::checkpoint_digest()).map_err(|error| refused(registry, error));
    }
    if key.public().is_development() {
        return Err(RegistryError::DevelopmentKey { registry: registry.to_owned() });
    }
    Checkpoint::open(note, key).map_err(|error| refused(registry, error))
}

fn is_bundled(note: &[u8]) -> bool {
    Digest::of(note) == bundled::checkpoint_digest()
}

fn text(content: &[u8]) -> Result<&str, Box<dyn std::error::Error + Send + Sync>> {
    Ok(str::from_utf8(content)?)
}
