//! The lines of one index file, with the releases read when somebody asks for them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use semver::{Version, VersionReq};

use super::history::{MAX_FILE_BYTES, ReleaseEntry, Status};
use super::ownership::{self, Owners};
use super::problem::{HistoryError, Problem};
use super::recovery::{Recoveries, Recovery};
use super::sketch::Sketch;
use super::{Deprecation, Event, Line, Place, Policy, Release, Withdrawal};
use crate::digest::Digest;
use crate::log::{Checkpoint, Leaf, LogError, TileSource, check_inclusion};
use crate::name::PluginName;
use crate::signature::PublicKey;

/// The history of one plugin, as much of it as it takes to choose a version.
///
/// Of every line, the place, the chain of digests and the keys that are said to have signed are checked; of `owner-keys` and
/// `owner-recovery` events, the signatures as well. A release is read and its signatures are checked by [`Outline::release`], which is the only way
/// to anything in it but its version.
///
/// That leaves lines that could be others than their publishers signed. So an outline is worth nothing before
/// [`Outline::check_last`] has shown that the file is the one which the registry took line by line and tells everybody of. What
/// could be wrong even then, the registry could have done under its own name: it may withdraw any version, and the owners of a
/// plugin are those that it was first published with.
#[derive(Debug, Clone)]
pub struct Outline {
    name: PluginName,
    policy: Arc<Policy>,
    text: String,
    lines: Vec<Digest>,
    last_log: Option<u64>,
    last_at: u64,
    owners: Option<Arc<Owners>>,
    recoveries: Recoveries,
    releases: BTreeMap<Version, Listed>,
    deprecations: Vec<Deprecation>,
    unpublished: usize,
    /// Lines whose signatures were not checked, releases aside.
    claims: Vec<Claim>,
}

/// A line whose signatures were not checked.
#[derive(Debug, Clone)]
struct Claim {
    seq: u64,
    range: Range<usize>,
    /// Who owned the plugin before the line.
    owners: Option<Arc<Owners>>,
}

/// A release that the file lists.
#[derive(Debug, Clone)]
pub struct Listed {
    status: Status,
    seq: u64,
    line: Digest,
    log: u64,
    at: u64,
    /// Where its line stands in the text, without its newline.
    range: Range<usize>,
    /// Who owned the plugin before the line.
    owners: Option<Arc<Owners>>,
    read: OnceLock<Arc<Signed>>,
}

/// What a release line holds once it has been read in full.
#[derive(Debug)]
pub(super) struct Signed {
    pub release: Release,
    /// Sorted.
    pub signers: Vec<PublicKey>,
}

impl Outline {
    /// Goes through an index file. See [`Outline`] for what is checked here and what is left for later.
    ///
    /// # Errors
    /// The first line that does not hold: nothing after it can be judged.
    pub fn read(name: &PluginName, text: String, policy: Arc<Policy>) -> Result<Self, HistoryError> {
        let mut outline = Self::empty(name.clone(), policy);
        if text.len() > MAX_FILE_BYTES {
            return Err(outline.refuse(0, Problem::FileTooLarge { bytes: text.len() }));
        }
        if text.is_empty() {
            return Err(outline.refuse(0, Problem::Empty));
        }
        let mut start = 0;
        for (index, line) in text.split_inclusive('\n').enumerate() {
            let taken = outline.take(line, start).map_err(|problem| outline.refuse(index, problem))?;
            outline.unpublished += usize::from(taken == Taken::Unpublished);
            start += line.len();
        }
        outline.text = text;
        Ok(outline)
    }

    /// A plugin that nobody has published yet.
    pub(super) fn empty(name: PluginName, policy: Arc<Policy>) -> Self {
        Self {
            name,
            policy,
            text: String::new(),
            lines: Vec::new(),
            last_log: None,
            last_at: 0,
            owners: None,
            recoveries: Recoveries::default(),
            releases: BTreeMap::new(),
            deprecations: Vec::new(),
            unpublished: 0,
            claims: Vec::new(),
        }
    }

    /// The plugin.
    pub fn name(&self) -> &PluginName {
        &self.name
    }

    /// All versions, the lowest first.
    pub fn listed(&self) -> impl DoubleEndedIterator<Item = (&Version, &Listed)> {
        self.releases.iter()
    }

    /// What the file says of a version without reading its line in full.
    pub fn find(&self, version: &Version) -> Option<&Listed> {
        self.releases.get(version)
    }

    /// Reads a release in full and checks its signatures; once, however often it is asked for.
    ///
    /// # Errors
    /// The line does not hold. The whole file is then to be refused, as if the line had been read at once.
    pub fn release(&self, version: &Version) -> Result<Option<ReleaseEntry>, HistoryError> {
        let Some(listed) = self.releases.get(version) else { return Ok(None) };
        let signed = match listed.read.get() {
            Some(signed) => signed,
            None => {
                let signed = self.read_release(version, listed);
                let signed = signed.map_err(|problem| self.refuse(listed.seq as usize, problem))?;
                listed.read.get_or_init(|| Arc::new(signed))
            }
        };
        Ok(Some(ReleaseEntry::new(Arc::clone(signed), listed)))
    }

    /// Reads the highest available release that a requirement matches, so that [`Outline::release`] has it at hand.
    pub fn read_ahead(&self, requirement: &VersionReq) {
        let is_likely = |(version, listed): &(&Version, &Listed)| {
            *listed.status() == Status::Available && requirement.matches(version)
        };
        if let Some((version, _)) = self.listed().rev().find(is_likely) {
            // An error is met again by whoever asks for the release.
            let _ = self.release(version);
        }
    }

    /// Asks the log for the file's last line. Every line names the one before by its digest, so this makes each of them the one
    /// that the registry took. Fetch [`crate::log::tiles_for_inclusion`] for [`Outline::last_log`] first.
    ///
    /// # Errors
    /// The log does not hold it.
    pub fn check_last(&self, checkpoint: &Checkpoint, tiles: &impl TileSource) -> Result<(), LogError> {
        let (Some(log), Some(line)) = (self.last_log, self.head()) else { return Ok(()) };
        let leaf = Leaf { name: self.name.clone(), seq: self.len() - 1, line };
        check_inclusion(checkpoint, &leaf, log, tiles)
    }

    /// The index of the last line's leaf in the log.
    pub fn last_log(&self) -> Option<u64> {
        self.last_log
    }

    /// The digest of the line with this `seq`.
    pub fn line(&self, seq: u64) -> Option<Digest> {
        self.lines.get(usize::try_from(seq).ok()?).copied()
    }

    /// The line with this `seq`, without its newline.
    pub fn line_text(&self, seq: u64) -> Option<&str> {
        self.text.lines().nth(usize::try_from(seq).ok()?)
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

    /// When the last line came, 0 without any: no later line may say less.
    pub fn last_at(&self) -> u64 {
        self.last_at
    }

    /// Every time the registry named other owners, the oldest first.
    pub fn recoveries(&self) -> &[Recovery] {
        self.recoveries.all()
    }

    /// Who signs for the plugin at this time, in seconds since 1970-01-01 UTC, if no line follows until then; none before the
    /// first release.
    pub fn owners_at(&self, at: u64) -> Option<&Owners> {
        self.recoveries.due(at).or(self.owners.as_ref()).map(Arc::as_ref)
    }

    pub(super) fn deprecations(&self) -> &[Deprecation] {
        &self.deprecations
    }

    pub(super) fn unpublished(&self) -> usize {
        self.unpublished
    }

    /// Checks the signatures of everything that is not a release.
    pub(super) fn check_claims(&self) -> Result<(), HistoryError> {
        for claim in &self.claims {
            let line = Line::parse(&self.text[claim.range.clone()]).map_err(Problem::from);
            let checked = line.and_then(|line| Ok(ownership::check(claim.owners.as_deref(), &line, &self.policy)?));
            checked.map_err(|problem| self.refuse(claim.seq as usize, problem))?;
        }
        Ok(())
    }

    /// Whether those who signed a line may say it after the last one.
    pub(crate) fn check_signers(&self, line: &Line) -> Result<(), HistoryError> {
        let checked = ownership::check(self.owners_at(line.at), line, &self.policy);
        checked.map(drop).map_err(|error| self.refuse(self.lines.len(), error.into()))
    }

    /// Adds a line after the last one, if it holds there.
    pub(super) fn push(&mut self, line: &Line) -> Result<(), HistoryError> {
        let start = self.text.len();
        let text = line.to_text();
        self.accept(line, start..start + text.len()).map_err(|problem| self.refuse(self.lines.len(), problem))?;
        self.text.push_str(&text);
        self.text.push('\n');
        Ok(())
    }

    /// `index` counts lines from 0.
    fn refuse(&self, index: usize, problem: Problem) -> HistoryError {
        HistoryError { line: index + 1, name: self.name.clone(), problem: Box::new(problem) }
    }

    fn take(&mut self, text: &str, start: usize) -> Result<Taken, Problem> {
        let text = text.strip_suffix('\n').ok_or(Problem::Unterminated)?;
        // Everything after an unpublished line is unpublished too: `log` only grows.
        if self.unpublished > 0 {
            return Ok(Taken::Unpublished);
        }
        let range = start..start + text.len();
        if let Some(sketch) = Sketch::of(text).filter(|sketch| sketch.name == self.name.as_str()) {
            return self.list(&sketch, Digest::of(text.as_bytes()), range);
        }
        let line = Line::parse(text)?;
        if !self.policy.is_published(line.log) {
            return Ok(Taken::Unpublished);
        }
        self.accept(&line, range)?;
        Ok(Taken::Accepted)
    }

    /// Takes a release without reading it.
    fn list(&mut self, sketch: &Sketch<'_>, digest: Digest, range: Range<usize>) -> Result<Taken, Problem> {
        if !self.policy.is_published(sketch.place.log) {
            return Ok(Taken::Unpublished);
        }
        self.check_place(sketch.place)?;
        let before = self.owners_before(sketch.place);
        let owners = before.clone().unwrap_or_else(|| Arc::new(Owners::first(&sketch.signers)));
        ownership::check_release_claim(&owners, &sketch.signers, digest, &self.policy)?;
        self.add_release(sketch.version.clone(), Listed::new(sketch.place, digest, before, range))?;
        self.owners = Some(owners);
        self.move_on(sketch.place, digest);
        Ok(Taken::Accepted)
    }

    /// Takes a line that was read in full.
    fn accept(&mut self, line: &Line, range: Range<usize>) -> Result<(), Problem> {
        let place = Place { seq: line.seq, prev: line.prev, log: line.log, at: line.at };
        self.check_place(place)?;
        if let Some(other) = line.event.as_ref().map(Event::name).filter(|name| **name != self.name) {
            return Err(Problem::Name { expected: self.name.clone(), found: other.clone() });
        }
        let before = self.owners_before(place);
        let carried = match &line.event {
            // What they say decides who signs the lines that follow, which may not be read.
            Some(Event::OwnerKeys(_) | Event::OwnerRecovery(_)) => {
                ownership::check(before.as_deref(), line, &self.policy)?
            }
            _ => ownership::check_claims(before.as_deref(), line, &self.policy)?,
        };
        match &line.event {
            Some(Event::Release(release)) => {
                self.add_release(release.version.clone(), Listed::new(place, line.digest, before, range))?;
            }
            event => {
                if let Some(event) = event {
                    self.apply(line, event)?;
                }
                self.claims.push(Claim { seq: line.seq, range, owners: before });
            }
        }
        if carried.owners.as_ref() != self.owners.as_deref() {
            self.owners = carried.owners.map(Arc::new);
        }
        self.move_on(place, line.digest);
        Ok(())
    }

    /// Who owns the plugin when a line in this place comes: a recovery that is due by then has taken effect.
    fn owners_before(&mut self, place: Place) -> Option<Arc<Owners>> {
        if let Some(owners) = self.recoveries.settle(place.at, place.seq) {
            self.owners = Some(owners);
        }
        self.owners.clone()
    }

    fn move_on(&mut self, place: Place, line: Digest) {
        self.lines.push(line);
        self.last_log = Some(place.log);
        self.last_at = place.at;
    }

    fn check_place(&self, place: Place) -> Result<(), Problem> {
        if place.seq != self.len() {
            return Err(Problem::Sequence { expected: self.len(), found: place.seq });
        }
        if place.prev != self.head() {
            return Err(Problem::Chain { expected: self.head(), found: place.prev });
        }
        if let Some(previous) = self.last_log.filter(|previous| place.log <= *previous) {
            return Err(Problem::LogOrder { previous, found: place.log });
        }
        if place.at < self.last_at {
            return Err(Problem::TimeOrder { previous: self.last_at, found: place.at });
        }
        Ok(self.policy.check_time(place.log, place.at)?)
    }

    fn add_release(&mut self, version: Version, listed: Listed) -> Result<(), Problem> {
        if let Some(first) = self.releases.get(&version) {
            return Err(Problem::DuplicateVersion { version, first: first.seq as usize + 1 });
        }
        self.releases.insert(version, listed);
        Ok(())
    }

    fn apply(&mut self, line: &Line, event: &Event) -> Result<(), Problem> {
        match event {
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
            Event::OwnerRecovery(event) => {
                let before = self.owners.clone().expect("without owners the line was refused");
                self.recoveries.announce(line, event, before, &self.policy)
            }
            Event::OwnerKeys(_) => {
                self.recoveries.cancel(line.seq);
                Ok(())
            }
            // Releases are listed.
            Event::Release(_) => Ok(()),
        }
    }

    fn change_status(&mut self, line: &Line, event: &Withdrawal, next: Status) -> Result<(), Problem> {
        let listed = self.known(line, &event.version)?;
        // A revoked version is known to do harm; a stolen or careless `unyank` must not bring it back.
        if !matches!(listed.status, Status::Revoked { .. }) {
            listed.status = next;
        }
        Ok(())
    }

    fn known(&mut self, line: &Line, version: &Version) -> Result<&mut Listed, Problem> {
        let unknown = || Problem::UnknownVersion { kind: line.kind.clone(), version: version.clone() };
        self.releases.get_mut(version).ok_or_else(unknown)
    }

    fn read_release(&self, version: &Version, listed: &Listed) -> Result<Signed, Problem> {
        let line = Line::parse(&self.text[listed.range.clone()])?;
        let carried = ownership::check(listed.owners.as_deref(), &line, &self.policy)?;
        match line.event {
            Some(Event::Release(release)) if release.name == self.name && release.version == *version => {
                Ok(Signed { release: *release, signers: carried.signers })
            }
            _ => Err(Problem::NotAsListed { version: version.clone() }),
        }
    }
}

impl Listed {
    fn new(place: Place, line: Digest, owners: Option<Arc<Owners>>, range: Range<usize>) -> Self {
        let Place { seq, log, at, .. } = place;
        Self { status: Status::Available, seq, line, log, at, range, owners, read: OnceLock::new() }
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
}

#[derive(PartialEq, Eq)]
enum Taken {
    Accepted,
    Unpublished,
}
