//! What the lines of one index file add up to, if every one of them holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use semver::Version;

use super::outline::{Listed, Outline, Signed};
use super::ownership::Owners;
use super::problem::HistoryError;
use super::{Deprecation, Line, Policy, Recovery, Release};
use crate::digest::Digest;
use crate::name::PluginName;
use crate::signature::PublicKey;

/// 16 MiB for one plugin's file: some 8,000 releases of 2 KiB.
pub const MAX_FILE_BYTES: usize = 16 * 1024 * 1024;

/// The checked history of one plugin: an [`Outline`] of which every release was read. It comes from [`History::replay`] alone.
#[derive(Debug, Clone)]
pub struct History {
    outline: Outline,
    releases: BTreeMap<Version, ReleaseEntry>,
}

/// A release as the whole history leaves it.
#[derive(Debug, Clone)]
pub struct ReleaseEntry {
    signed: Arc<Signed>,
    status: Status,
    seq: u64,
    line: Digest,
    log: u64,
    at: u64,
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
        let mut history = Self {
            outline: Outline::read(name, text.to_owned(), Arc::new(policy.clone()))?,
            releases: BTreeMap::new(),
        };
        history.read_releases()?;
        history.outline.check_claims()?;
        Ok(history)
    }

    /// A plugin that nobody has published yet.
    pub fn empty(name: PluginName, policy: &Policy) -> Self {
        Self { outline: Outline::empty(name, Arc::new(policy.clone())), releases: BTreeMap::new() }
    }

    /// The plugin.
    pub fn name(&self) -> &PluginName {
        self.outline.name()
    }

    /// What every line adds up to without the releases' contents.
    pub fn outline(&self) -> &Outline {
        &self.outline
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
        self.outline.deprecations()
    }

    /// Who signs for the plugin at this time, in seconds since 1970-01-01 UTC, if no line follows until then; none before the
    /// first release.
    pub fn owners_at(&self, at: u64) -> Option<&Owners> {
        self.outline.owners_at(at)
    }

    /// Every time the registry named other owners, the oldest first.
    pub fn recoveries(&self) -> &[Recovery] {
        self.outline.recoveries()
    }

    /// The digest of the line with this `seq`. A reader that remembers the last line it saw asks here whether it is still
    /// there: a shorter file, or another line in its place, is an older or a second view of the same plugin.
    pub fn line(&self, seq: u64) -> Option<Digest> {
        self.outline.line(seq)
    }

    /// The last line's digest.
    pub fn head(&self) -> Option<Digest> {
        self.outline.head()
    }

    /// How many lines there are; the next one's `seq`.
    pub fn len(&self) -> u64 {
        self.outline.len()
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.outline.is_empty()
    }

    /// How many lines at the end wait for the checkpoint that covers them; see [`Policy::published_up_to`].
    pub fn unpublished(&self) -> usize {
        self.outline.unpublished()
    }

    /// Adds a line after the last one, if it holds there.
    pub(crate) fn push(&mut self, line: &Line) -> Result<(), HistoryError> {
        self.outline.push(line)?;
        self.read_releases()?;
        self.outline.check_claims()
    }

    /// What was read before is not read again.
    fn read_releases(&mut self) -> Result<(), HistoryError> {
        let versions = self.outline.listed().map(|(version, _)| version);
        let entries = versions.map(|version| Ok((version.clone(), self.outline.release(version)?)));
        let entries: BTreeMap<_, _> = entries.collect::<Result<_, HistoryError>>()?;
        self.releases = entries.into_iter().filter_map(|(version, entry)| Some((version, entry?))).collect();
        Ok(())
    }
}

impl ReleaseEntry {
    pub(super) fn new(signed: Arc<Signed>, listed: &Listed) -> Self {
        Self {
            signed,
            status: listed.status().clone(),
            seq: listed.seq(),
            line: listed.line(),
            log: listed.log(),
            at: listed.at(),
        }
    }

    /// What the publisher signed.
    pub fn release(&self) -> &Release {
        &self.signed.release
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
        &self.signed.signers
    }
}
