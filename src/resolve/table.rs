//! The plugins met so far: versions sorted and cut into compatible ranges, each judged at most once.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use pubgrub::{Map, VersionSet};
use semver::{Version, VersionReq};

use super::forced::Forced;
use super::index_set::{IndexSet, as_position};
use super::matching::{compatible, matching};
use super::preferences::{Reason, Request};
use super::source::{Candidate, Details, Lookup, Necessity, Need, PackageName, RecordSource};

/// A plugin's number in the table.
pub(super) type PluginId = u32;

/// Everything the solver remembers while it runs.
pub(super) struct Table<'a> {
    source: &'a dyn RecordSource,
    pub request: &'a Request,
    /// What the project needs, sorted: the order of judging must not depend on the order of asking.
    pub roots: Vec<&'a Need>,
    ids: RefCell<Map<PackageName, PluginId>>,
    plugins: RefCell<Vec<Rc<Plugin<'a>>>>,
    choices: RefCell<Choices>,
    forced: OnceCell<Forced>,
}

/// Requirements that reach over several compatible ranges.
#[derive(Default)]
struct Choices {
    ids: Map<(PluginId, IndexSet), u32>,
    all: Vec<(PluginId, IndexSet)>,
}

/// One plugin.
pub(super) struct Plugin<'a> {
    pub package: PackageName,
    pub records: PluginRecords<'a>,
}

/// What is known of a plugin.
pub(super) enum PluginRecords<'a> {
    Known(Versions<'a>),
    Missing,
    Unfetched,
}

/// A plugin's versions, ascending.
pub(super) struct Versions<'a> {
    entries: Vec<Entry<'a>>,
    /// Where each compatible range starts; the last element is the number of versions.
    bounds: Vec<u32>,
    /// Positions that the lock holds, highest first.
    pub locked: Vec<u32>,
    matches: RefCell<Map<VersionReq, IndexSet>>,
}

/// One version, with what was found out about it.
pub(super) struct Entry<'a> {
    pub candidate: &'a Candidate,
    /// Its position in the source's slice.
    position: usize,
    policy: OnceCell<Result<&'a Details, Reason>>,
    verdict: RefCell<Verdict>,
}

/// What is known of a version's chances, whatever is chosen elsewhere.
#[derive(Debug, Clone, PartialEq)]
enum Verdict {
    Open,
    /// Being judged further up: plugins that need each other. Taken for usable; the search itself will see.
    Underway,
    Usable,
    Dead(Reason),
}

/// How far needs of needs are followed to find that nothing meets them. Enough for any real plugin; a longer chain is left to
/// the search, so that a hostile one cannot exhaust the stack.
const DEPTH: u32 = 64;

/// What a need comes to.
pub(super) enum Link {
    /// The plugin was not fetched; anything may come of it.
    Unfetched(PluginId),
    /// Positions within one compatible range.
    One { plugin: PluginId, bucket: u32, allowed: IndexSet },
    /// Positions in several ranges; the number is the choice's.
    Several(u32),
    /// Nothing.
    Dead(Reason),
}

impl<'a> Table<'a> {
    pub fn new(request: &'a Request, source: &'a dyn RecordSource) -> Self {
        let mut roots: Vec<_> = request.roots.iter().collect();
        roots.sort_by_cached_key(|need| (&need.package, need.requirement.to_string()));
        Self {
            source,
            request,
            roots,
            ids: RefCell::default(),
            plugins: RefCell::default(),
            choices: RefCell::default(),
            forced: OnceCell::new(),
        }
    }

    /// Passes over, from here on, what no answer can hold.
    pub fn prune(&self) {
        let forced = Forced::of(self);
        assert!(self.forced.set(forced).is_ok(), "a table is pruned once, before the search");
    }

    /// A plugin's number; meets it if it is new.
    pub fn id(&self, package: &PackageName) -> PluginId {
        if let Some(&id) = self.ids.borrow().get(package) {
            return id;
        }
        let records = match self.source.candidates(package) {
            Lookup::Known(candidates) => PluginRecords::Known(Versions::new(self.request, package, candidates)),
            Lookup::Missing => PluginRecords::Missing,
            Lookup::Pending => PluginRecords::Unfetched,
        };
        let mut plugins = self.plugins.borrow_mut();
        let id = as_position(plugins.len());
        plugins.push(Rc::new(Plugin { package: package.clone(), records }));
        self.ids.borrow_mut().insert(package.clone(), id);
        id
    }

    /// The plugin of that number.
    pub fn plugin(&self, id: PluginId) -> Rc<Plugin<'a>> {
        Rc::clone(&self.plugins.borrow()[id as usize])
    }

    /// The plugin and the positions of a choice.
    pub fn choice(&self, id: u32) -> (PluginId, IndexSet) {
        self.choices.borrow().all[id as usize].clone()
    }

    /// Every plugin that was asked for and not fetched.
    pub fn unfetched(&self) -> BTreeSet<PackageName> {
        let plugins = self.plugins.borrow();
        let unfetched = plugins.iter().filter(|plugin| matches!(plugin.records, PluginRecords::Unfetched));
        unfetched.map(|plugin| plugin.package.clone()).collect()
    }

    /// Turns a need into positions.
    pub fn link(&self, need: &Need) -> Link {
        self.link_to(need, DEPTH)
    }

    fn link_to(&self, need: &Need, depth: u32) -> Link {
        let id = self.id(&need.package);
        let plugin = self.plugin(id);
        let versions = match &plugin.records {
            PluginRecords::Known(versions) => versions,
            PluginRecords::Missing => return Link::Dead(Reason::MissingDependency(need.package.clone())),
            PluginRecords::Unfetched => return Link::Unfetched(id),
        };
        let allowed = versions.matching(&need.requirement);
        if versions.descending(&allowed).next().is_none() {
            return Link::Dead(Reason::UnmatchedDependency(need.package.clone(), need.requirement.clone()));
        }
        let one = versions.in_one_bucket(&allowed);
        if let (Some((bucket, allowed)), Some(forced)) = (&one, self.forced.get())
            && !forced.permits(id, *bucket, allowed)
        {
            return Link::Dead(Reason::Conflict(need.package.clone(), need.requirement.clone()));
        }
        let is_usable = |position| self.judge(&plugin.package, versions.entry(position), depth).is_none();
        if !versions.descending(&allowed).any(is_usable) {
            return Link::Dead(Reason::UnusableDependency(need.package.clone(), need.requirement.clone()));
        }
        match one {
            Some((bucket, allowed)) => Link::One { plugin: id, bucket, allowed },
            None => Link::Several(self.choices.borrow_mut().intern(id, allowed)),
        }
    }

    /// The details of a version, or the rule that passes it over.
    pub fn policy(&self, package: &PackageName, entry: &Entry<'a>) -> Result<&'a Details, Reason> {
        let judge = || {
            if let Some(reason) = Reason::at_first_sight(self.request, package, entry.candidate) {
                return Err(reason);
            }
            let details = self.source.details(package, entry.position);
            let details = details.map_err(|unreadable| Reason::Unreadable(unreadable.to_string()))?;
            match Reason::in_details(self.request, details) {
                Some(reason) => Err(reason),
                None => Ok(details),
            }
        };
        entry.policy.get_or_init(judge).clone()
    }

    /// Why a version cannot be picked whatever else is, if so: a rule, or a need that nothing meets.
    pub fn verdict(&self, package: &PackageName, entry: &Entry<'a>) -> Option<Reason> {
        self.judge(package, entry, DEPTH)
    }

    fn judge(&self, package: &PackageName, entry: &Entry<'a>, depth: u32) -> Option<Reason> {
        let verdict = entry.verdict.borrow().clone();
        match verdict {
            Verdict::Dead(reason) => return Some(reason),
            Verdict::Underway | Verdict::Usable => return None,
            Verdict::Open if depth == 0 => return self.policy(package, entry).err(),
            Verdict::Open => {}
        }
        entry.verdict.replace(Verdict::Underway);
        let reason = match self.policy(package, entry) {
            Ok(details) => {
                required(details).into_iter().find_map(|need| self.unmet(package, entry.version(), need, depth - 1))
            }
            Err(reason) => Some(reason),
        };
        entry.verdict.replace(reason.clone().map_or(Verdict::Usable, Verdict::Dead));
        reason
    }

    /// Why nothing meets a need of `version`, if so.
    fn unmet(&self, package: &PackageName, version: &Version, need: &Need, depth: u32) -> Option<Reason> {
        if need.package == *package {
            return (!need.requirement.matches(version)).then(|| Reason::NeedsAnotherSelf(need.requirement.clone()));
        }
        match self.link_to(need, depth) {
            Link::Dead(reason) => Some(reason),
            Link::Unfetched(_) | Link::One { .. } | Link::Several(_) => None,
        }
    }
}

/// The needs without which a version does not work; sorted, so that the answer does not depend on the order in a record.
pub(super) fn required(details: &Details) -> Vec<&Need> {
    let mut needs: Vec<_> = details.dependencies.iter().filter(|need| need.necessity == Necessity::Required).collect();
    needs.sort_by(|a, b| a.package.cmp(&b.package));
    needs
}

impl Choices {
    fn intern(&mut self, plugin: PluginId, allowed: IndexSet) -> u32 {
        let Choices { ids, all } = self;
        *ids.entry((plugin, allowed.clone())).or_insert_with(|| {
            all.push((plugin, allowed));
            as_position(all.len() - 1)
        })
    }
}

impl Entry<'_> {
    /// Says that the search has found a reason against the version.
    pub fn condemn(&self, reason: Reason) {
        self.verdict.replace(Verdict::Dead(reason));
    }

    /// The reason that was found against the version, if it was considered.
    pub fn reason_found(&self) -> Option<Reason> {
        match &*self.verdict.borrow() {
            Verdict::Dead(reason) => Some(reason.clone()),
            Verdict::Open | Verdict::Underway | Verdict::Usable => None,
        }
    }
}

impl<'a> Versions<'a> {
    fn new(request: &Request, package: &PackageName, candidates: &'a [Candidate]) -> Self {
        let mut entries: Vec<_> = candidates.iter().enumerate().map(Entry::new).collect();
        entries.sort_by(|a, b| a.candidate.version.cmp(&b.candidate.version));
        entries.dedup_by(|b, a| a.candidate.version == b.candidate.version);
        let mut bounds = Vec::new();
        for (position, entry) in entries.iter().enumerate() {
            let before = position.checked_sub(1).map(|before| &entries[before]);
            if before.is_none_or(|before| compatible(before.version()) != compatible(entry.version())) {
                bounds.push(as_position(position));
            }
        }
        bounds.push(as_position(entries.len()));
        let of_package = request.locked.iter().rev().filter(|locked| locked.package == *package);
        let position = |version: &Version| entries.binary_search_by(|entry| entry.version().cmp(version)).ok();
        let locked = of_package.filter_map(|locked| position(&locked.version)).map(as_position).collect();
        Self { entries, bounds, locked, matches: RefCell::default() }
    }

    /// The version at a position.
    pub fn entry(&self, position: u32) -> &Entry<'a> {
        &self.entries[position as usize]
    }

    /// All versions, ascending.
    pub fn all(&self) -> impl Iterator<Item = &'a Version> {
        self.entries.iter().map(|entry| entry.version())
    }

    /// The positions that a requirement matches.
    pub fn matching(&self, requirement: &VersionReq) -> IndexSet {
        if let Some(known) = self.matches.borrow().get(requirement) {
            return known.clone();
        }
        let set = matching(&self.entries, requirement);
        self.matches.borrow_mut().insert(requirement.clone(), set.clone());
        set
    }

    /// The members of `set`, highest first.
    pub fn descending<'s>(&self, set: &'s IndexSet) -> impl Iterator<Item = u32> + 's {
        set.descending(0, as_position(self.entries.len()))
    }

    /// Which compatible range a position lies in.
    pub fn bucket_of(&self, position: u32) -> u32 {
        as_position(self.bounds.partition_point(|&bound| bound <= position) - 1)
    }

    /// Where a compatible range starts and ends.
    pub fn bucket(&self, bucket: u32) -> (u32, u32) {
        (self.bounds[bucket as usize], self.bounds[bucket as usize + 1])
    }

    /// The compatible range that all of `set` lies in, if it is one, and the set.
    pub fn in_one_bucket(&self, set: &IndexSet) -> Option<(u32, IndexSet)> {
        let bucket = self.bucket_of(self.descending(set).next()?);
        let (start, end) = self.bucket(bucket);
        set.subset_of(&IndexSet::run(start, end)).then(|| (bucket, set.clone()))
    }

    /// The compatible ranges that `set` reaches into, highest first.
    pub fn buckets(&self, set: &IndexSet) -> impl Iterator<Item = u32> {
        let last = as_position(self.bounds.len() - 1);
        (0..last).rev().filter(move |&bucket| {
            let (start, end) = self.bucket(bucket);
            set.count(start, end) > 0
        })
    }
}

impl<'a> Entry<'a> {
    fn new((position, candidate): (usize, &'a Candidate)) -> Self {
        Self { candidate, position, policy: OnceCell::new(), verdict: RefCell::new(Verdict::Open) }
    }

    /// The version.
    pub fn version(&self) -> &'a Version {
        &self.candidate.version
    }
}

impl AsRef<Version> for Entry<'_> {
    fn as_ref(&self) -> &Version {
        self.version()
    }
}
