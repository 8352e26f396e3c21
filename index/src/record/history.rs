//! What the lines of one index file add up to, if every one of them holds.

use std::collections::BTreeMap;

use semver::Version;

use super::ownership::{self, Owners};
use super::problem::{HistoryError, Problem};
use super::{Deprecation, Event, Line, Policy, Release, Withdrawal};
use crate::digest::Digest;
use crate::name::PluginName;
use crate::signature::PublicKey;

/// 16 MiB for one plugin's file: some 8,000 releases of 2 KiB.
pub const MAX_FILE_BYTES: usize = 16 * 1024 * 1024;

/// The checked history of one plugin. It comes from [`History::replay`] alone.
#[derive(Debug, Clone)]
pub struct History {
    name: PluginName,
    lines: Vec<Digest>,
    last_log: Option<u64>,
    owners: Option<Owners>,
    releases: BTreeMap<Version, ReleaseEntry>,
    deprecations: Vec<Deprecation>,
    unpublished: usize,
}

/// A release as the whole history leaves it.
#[derive(Debug, Clone)]
pub struct ReleaseEntry {
    release: Release,
    status: Status,
    seq: u64,
    line: Digest,
    log: u64,
    at: u64,
    signers: Vec<PublicKey>,
}

/// Whether a version may be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Yes.
    Available,
    /// Only where it is locked already, with a warning.
    Yanked {
        /// Why.
        reason: String,
    },
    /// Nowhere, and what is installed must not run. Nothing takes this back.
    Revoked {
        /// Why.
        reason: String,
    },
}

impl History {
    /// Reads an index file and checks every line: form, place, chain, signatures and who may sign.
    ///
    /// What it does not check is the log: [`crate::verify::VerifiedRelease`] does, for the release that is installed.
    pub fn replay(name: &PluginName, text: &str, policy: &Policy) -> Result<Self, HistoryError> {
        let refuse = |line: usize, problem| HistoryError { line, name: name.clone(), problem: Box::new(problem) };
        if text.len() > MAX_FILE_BYTES {
            return Err(refuse(1, Problem::FileTooLarge { bytes: text.len() }));
        }
        if text.is_empty() {
            return Err(refuse(1, Problem::Empty));
        }
        let mut history = Self::empty(name.clone());
        for (index, text) in text.split_inclusive('\n').enumerate() {
            let taken = history.take(text, policy).map_err(|problem| refuse(index + 1, problem))?;
            history.unpublished += usize::from(taken == Taken::Unpublished);
        }
        Ok(history)
    }

    /// A plugin that nobody has published yet.
    pub fn empty(name: PluginName) -> Self {
        Self {
            name,
            lines: Vec::new(),
            last_log: None,
            owners: None,
            releases: BTreeMap::new(),
            deprecations: Vec::new(),
            unpublished: 0,
        }
    }

    /// The plugin.
    pub fn name(&self) -> &PluginName {
        &self.name
    }

    /// All releases, the lowest version first.
    pub fn releases(&self) -> impl DoubleEndedIterator<Item = &ReleaseEntry> {
        self.releases.values()
    }

    /// One release.
    pub fn release(&self, version: &Version) -> Option<&ReleaseEntry> {
        self.releases.get(version)
    }

    /// What is not recommended any more, the oldest statement first.
    pub fn deprecations(&self) -> &[Deprecation] {
        &self.deprecations
    }

    /// Who signs for the plugin now; none before the first release.
    pub fn owners(&self) -> Option<&Owners> {
        self.owners.as_ref()
    }

    /// The digest of the line with this `seq`. A reader that remembers the last line it saw asks here whether it is still
    /// there: a shorter file, or another line in its place, is an older or a second view of the same plugin.
    pub fn line(&self, seq: u64) -> Option<Digest> {
        self.lines.get(usize::try_from(seq).ok()?).copied()
    }

    /// The last line's digest.
    pub fn head(&self) -> Option<Digest> {
        self.lines.last().copied()
    }

    /// How many lines there are; the next one's `seq`.
    pub fn len(&self) -> u64 {
        self.lines.len() as u64
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// How many lines at the end wait for the checkpoint that covers them; see [`Policy::published_up_to`].
    pub fn unpublished(&self) -> usize {
        self.unpublished
    }

    /// Adds a line after the last one, if it holds there.
    pub(crate) fn push(&mut self, line: &Line, policy: &Policy) -> Result<(), HistoryError> {
        let number = self.lines.len() + 1;
        self.accept(line, policy).map_err(|problem| HistoryError {
            line: number,
            name: self.name.clone(),
            problem: Box::new(problem),
        })
    }

    fn take(&mut self, text: &str, policy: &Policy) -> Result<Taken, Problem> {
        let text = text.strip_suffix('\n').ok_or(Problem::Unterminated)?;
        // Everything after an unpublished line is unpublished too: `log` only grows.
        if self.unpublished > 0 {
            return Ok(Taken::Unpublished);
        }
        let line = Line::parse(text)?;
        if !policy.is_published(line.log) {
            return Ok(Taken::Unpublished);
        }
        self.accept(&line, policy)?;
        Ok(Taken::Accepted)
    }

    fn accept(&mut self, line: &Line, policy: &Policy) -> Result<(), Problem> {
        self.check_place(line)?;
        let carried = ownership::check(self.owners.as_ref(), line, policy)?;
        if let Some(event) = &line.event {
            self.apply(line, event, carried.signers)?;
        }
        self.owners = carried.owners;
        self.lines.push(line.digest);
        self.last_log = Some(line.log);
        Ok(())
    }

    fn check_place(&self, line: &Line) -> Result<(), Problem> {
        if line.seq != self.len() {
            return Err(Problem::Sequence { expected: self.len(), found: line.seq });
        }
        if line.prev != self.head() {
            return Err(Problem::Chain { expected: self.head(), found: line.prev });
        }
        if let Some(previous) = self.last_log.filter(|previous| line.log <= *previous) {
            return Err(Problem::LogOrder { previous, found: line.log });
        }
        match line.event.as_ref().map(Event::name).filter(|name| **name != self.name) {
            Some(other) => Err(Problem::Name { expected: self.name.clone(), found: other.clone() }),
            None => Ok(()),
        }
    }

    fn apply(&mut self, line: &Line, event: &Event, signers: Vec<PublicKey>) -> Result<(), Problem> {
        match event {
            Event::Release(release) => self.add_release(line, release, signers),
            Event::Yank(event) => self.change_status(line, event, Status::Yanked { reason: event.reason.clone() }),
            Event::Unyank(event) => self.change_status(line, event, Status::Available),
            Event::Revoke(event) => self.change_status(line, event, Status::Revoked { reason: event.reason.clone() }),
            Event::Deprecate(event) => {
                if let Some(version) = &event.version {
                    self.known(line, version)?;
                }
                self.deprecations.push(event.clone());
                Ok(())
            }
            // The owners are already those after the line.
            Event::OwnerKeys(_) => Ok(()),
        }
    }

    fn add_release(&mut self, line: &Line, release: &Release, signers: Vec<PublicKey>) -> Result<(), Problem> {
        if let Some(first) = self.releases.get(&release.version) {
            let version = release.version.clone();
            return Err(Problem::DuplicateVersion { version, first: first.seq as usize + 1 });
        }
        let entry = ReleaseEntry {
            release: release.clone(),
            status: Status::Available,
            seq: line.seq,
            line: line.digest,
            log: line.log,
            at: line.at,
            signers,
        };
        self.releases.insert(release.version.clone(), entry);
        Ok(())
    }

    fn change_status(&mut self, line: &Line, event: &Withdrawal, next: Status) -> Result<(), Problem> {
        let entry = self.known(line, &event.version)?;
        // A revoked version is known to do harm; a stolen or careless `unyank` must not bring it back.
        if !matches!(entry.status, Status::Revoked { .. }) {
            entry.status = next;
        }
        Ok(())
    }

    fn known(&mut self, line: &Line, version: &Version) -> Result<&mut ReleaseEntry, Problem> {
        let unknown = || Problem::UnknownVersion { kind: line.kind.clone(), version: version.clone() };
        self.releases.get_mut(version).ok_or_else(unknown)
    }
}

impl ReleaseEntry {
    /// What the publisher signed.
    pub fn release(&self) -> &Release {
        &self.release
    }

    /// Whether it may be installed.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// The line's place in the plugin's file, from 0.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The digest of its line: what a lock pins.
    pub fn line(&self) -> Digest {
        self.line
    }

    /// The index of its leaf in the registry's log.
    pub fn log(&self) -> u64 {
        self.log
    }

    /// When the registry took it: seconds since 1970-01-01 UTC, by the registry's clock.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The owner keys that signed it, sorted: at least as many as the threshold at the time. Signatures of other keys hold too,
    /// but are nobody's word here.
    pub fn signers(&self) -> &[PublicKey] {
        &self.signers
    }
}

#[derive(PartialEq, Eq)]
enum Taken {
    Accepted,
    Unpublished,
}
