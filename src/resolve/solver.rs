//! The plugins as `pubgrub` sees them.
//!
//! Each compatible range of a plugin is a package of its own, so that incompatible versions stand beside each other. A need
//! that reaches over several ranges goes through a *choice*, whose versions are the ranges. A native version also takes its
//! plugin's *native slot*, which holds one range.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

use pocket_index::manifest::Runtime;
use pubgrub::{Dependencies, DependencyProvider, Map, PackageResolutionStatistics, PubGrubError, VersionSet};

use super::ResolveError;
use super::explain::Explanation;
use super::index_set::IndexSet;
use super::preferences::{Reason, Request};
use super::resolution::{self, Resolution};
use super::source::{Details, Need, RecordSource};
use super::table::{Link, PluginId, PluginRecords, Table, Versions, required};

/// What `pubgrub` takes for a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Node {
    /// What everything starts from.
    Project,
    /// A compatible range; its versions are positions in the plugin's list.
    Bucket(PluginId, u32),
    /// A need that several ranges can meet; its versions are the ranges.
    Choice(u32),
    /// The one range of a plugin whose native code may be loaded; its versions are the ranges.
    NativeSlot(PluginId),
    /// A plugin that was not fetched.
    Unfetched(PluginId),
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// Why the search stopped without an answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stop {
    #[error("records are needed")]
    Records,
    #[error("too many steps")]
    Steps,
}

/// One search.
pub(super) struct Provider<'a> {
    pub table: Table<'a>,
    steps: Cell<u32>,
}

/// Searches, and searches again for the whole conflict where there is no answer: what was passed over without a search is in
/// no proof. An explanation comes without remedies.
pub(super) fn attempt(request: &Request, source: &dyn RecordSource) -> Result<Resolution, ResolveError> {
    match search(request, source, Pruning::Forced) {
        Err(ResolveError::NoSolution(_)) => search(request, source, Pruning::None),
        outcome => outcome,
    }
}

/// What is passed over although no rule forbids it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pruning {
    /// Nothing.
    None,
    /// Versions that no answer can hold, as far as that is seen at once.
    Forced,
}

/// Searches once.
pub(super) fn search(
    request: &Request,
    source: &dyn RecordSource,
    pruning: Pruning,
) -> Result<Resolution, ResolveError> {
    let provider = Provider { table: Table::new(request, source), steps: Cell::new(0) };
    if pruning == Pruning::Forced {
        provider.table.prune();
    }
    let hopeless = Explanation::of_roots(&provider.table);
    if !hopeless.facts.is_empty() {
        return Err(ResolveError::NoSolution(Box::new(hopeless)));
    }
    match pubgrub::resolve(&provider, Node::Project, 0u32) {
        Ok(selected) => {
            let positions = selected.iter().filter_map(|(node, &position)| match node {
                Node::Bucket(plugin, bucket) => Some(((*plugin, *bucket), position)),
                _ => None,
            });
            let positions: Map<_, _> = positions.collect();
            Ok(resolution::read(&provider.table, &positions, provider.steps.get()))
        }
        Err(PubGrubError::NoSolution(tree)) => {
            Err(ResolveError::NoSolution(Box::new(Explanation::of_conflict(&provider.table, tree))))
        }
        Err(
            PubGrubError::ErrorChoosingVersion { source: stop, .. }
            | PubGrubError::ErrorRetrievingDependencies { source: stop, .. }
            | PubGrubError::ErrorInShouldCancel(stop),
        ) => Err(match stop {
            Stop::Records => ResolveError::NeedRecords(provider.table.unfetched()),
            Stop::Steps => ResolveError::TooManySteps { steps: request.steps },
        }),
    }
}

impl<'a> Provider<'a> {
    /// Runs `look` on the versions of a plugin that a node stands for. A node is made from known versions only.
    fn with_versions<T>(&self, plugin: PluginId, look: impl FnOnce(&Versions<'a>) -> Option<T>) -> Option<T> {
        match &self.table.plugin(plugin).records {
            PluginRecords::Known(versions) => look(versions),
            PluginRecords::Missing | PluginRecords::Unfetched => None,
        }
    }

    fn is_usable(&self, plugin: PluginId, versions: &Versions<'a>, position: u32) -> bool {
        self.table.verdict(&self.table.plugin(plugin).package, versions.entry(position)).is_none()
    }

    /// The locked version if it is among them, else the highest.
    fn choose_in_bucket(&self, plugin: PluginId, bucket: u32, set: &IndexSet) -> Option<u32> {
        self.with_versions(plugin, |versions| {
            let (start, end) = versions.bucket(bucket);
            let in_bucket = |position: &u32| (start..end).contains(position) && set.contains(position);
            let locked = versions.locked.iter().copied().filter(in_bucket);
            locked.chain(set.descending(start, end)).find(|&position| self.is_usable(plugin, versions, position))
        })
    }

    /// The range of a locked version if it will do, else the highest range with a version that can be used.
    fn choose_bucket(&self, choice: u32, set: &IndexSet) -> Option<u32> {
        let (plugin, allowed) = self.table.choice(choice);
        self.with_versions(plugin, |versions| {
            let locked = versions.locked.iter().copied().filter(|position| allowed.contains(position));
            let locked = locked.filter(|&position| self.is_usable(plugin, versions, position));
            let of_locked = locked.map(|position| versions.bucket_of(position));
            let usable = versions.buckets(&allowed).filter(|&bucket| {
                let (start, end) = versions.bucket(bucket);
                set.contains(&bucket)
                    && allowed.descending(start, end).any(|position| self.is_usable(plugin, versions, position))
            });
            of_locked.filter(|bucket| set.contains(bucket)).chain(usable).next()
        })
    }

    /// What a choice comes to once its range is chosen.
    fn needs_of_choice(&self, choice: u32, bucket: u32) -> Vec<(Node, IndexSet)> {
        let (plugin, allowed) = self.table.choice(choice);
        let (start, end) = self.with_versions(plugin, |versions| Some(versions.bucket(bucket))).unwrap_or_default();
        vec![(Node::Bucket(plugin, bucket), allowed.intersection(&IndexSet::run(start, end)))]
    }

    fn needs_of_version(&self, plugin: PluginId, bucket: u32, position: u32) -> Dependencies<Node, IndexSet, String> {
        let of = self.table.plugin(plugin);
        let PluginRecords::Known(versions) = &of.records else {
            return Dependencies::Unavailable(format!("`{}` has no versions", of.package));
        };
        let details: &Details = match self.table.policy(&of.package, versions.entry(position)) {
            Ok(details) => details,
            Err(reason) => return Dependencies::Unavailable(reason.to_string()),
        };
        // The verdict has already found that a version which needs itself is the one it needs.
        let others = required(details).into_iter().filter(|need| need.package != of.package);
        let mut needs = match self.nodes(others) {
            Ok(needs) => needs,
            Err(reason) => {
                // Plugins that need each other were taken for usable while one of them was being judged.
                let unavailable = Dependencies::Unavailable(reason.to_string());
                versions.entry(position).condemn(reason);
                return unavailable;
            }
        };
        if details.runtime == Runtime::Native {
            needs.push((Node::NativeSlot(plugin), IndexSet::singleton(bucket)));
        }
        Dependencies::Available(needs.into_iter().collect())
    }

    /// One node for each need; the reason where nothing meets one.
    fn nodes<'n>(&self, needs: impl Iterator<Item = &'n Need>) -> Result<Vec<(Node, IndexSet)>, Reason> {
        let mut nodes: BTreeMap<Node, IndexSet> = BTreeMap::new();
        for need in needs {
            let (node, set) = match self.table.link(need) {
                Link::Unfetched(plugin) => (Node::Unfetched(plugin), IndexSet::full()),
                Link::One { plugin, bucket, allowed } => (Node::Bucket(plugin, bucket), allowed),
                Link::Several(choice) => (Node::Choice(choice), IndexSet::full()),
                Link::Dead(reason) => return Err(reason),
            };
            let merged = nodes.get(&node).map(|before| before.intersection(&set));
            nodes.insert(node, merged.unwrap_or(set));
        }
        Ok(nodes.into_iter().collect())
    }
}

/// Which node is decided next: the largest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Priority {
    class: Class,
    conflicts: u32,
    few_versions: Reverse<u32>,
}

/// Unfetched plugins come last: when nothing else is left to decide, every record that matters has been asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Unfetched,
    Open,
    Given,
}

impl DependencyProvider for Provider<'_> {
    type P = Node;
    type V = u32;
    type VS = IndexSet;
    type Priority = Priority;
    type M = String;
    type Err = Stop;

    fn prioritize(&self, node: &Node, set: &IndexSet, statistics: &PackageResolutionStatistics) -> Priority {
        let (class, versions) = match *node {
            Node::Project | Node::NativeSlot(_) => (Class::Given, 1),
            Node::Unfetched(_) => (Class::Unfetched, u32::MAX),
            Node::Bucket(plugin, bucket) => {
                let bounds = self.with_versions(plugin, |versions| Some(versions.bucket(bucket)));
                (Class::Open, bounds.map_or(0, |(start, end)| set.count(start, end)))
            }
            Node::Choice(choice) => {
                let (plugin, allowed) = self.table.choice(choice);
                let count = |versions: &Versions<'_>| versions.buckets(&allowed).filter(|b| set.contains(b)).count();
                (Class::Open, self.with_versions(plugin, |versions| u32::try_from(count(versions)).ok()).unwrap_or(0))
            }
        };
        // A node with no version left shows the conflict at once.
        let class = if versions == 0 { Class::Given } else { class };
        Priority { class, conflicts: statistics.conflict_count(), few_versions: Reverse(versions) }
    }

    fn choose_version(&self, node: &Node, set: &IndexSet) -> Result<Option<u32>, Stop> {
        match *node {
            Node::Project => Ok(Some(0)),
            Node::Bucket(plugin, bucket) => Ok(self.choose_in_bucket(plugin, bucket, set)),
            Node::Choice(choice) => Ok(self.choose_bucket(choice, set)),
            Node::NativeSlot(_) => Ok(set.descending(0, u32::MAX).next()),
            Node::Unfetched(_) => Err(Stop::Records),
        }
    }

    fn get_dependencies(&self, node: &Node, version: &u32) -> Result<Dependencies<Node, IndexSet, String>, Stop> {
        Ok(match *node {
            Node::Project => match self.nodes(self.table.roots.iter().copied()) {
                Ok(needs) => Dependencies::Available(needs.into_iter().collect()),
                Err(reason) => Dependencies::Unavailable(reason.to_string()),
            },
            Node::Bucket(plugin, bucket) => self.needs_of_version(plugin, bucket, *version),
            Node::Choice(choice) => {
                Dependencies::Available(self.needs_of_choice(choice, *version).into_iter().collect())
            }
            Node::NativeSlot(_) | Node::Unfetched(_) => Dependencies::Available(std::iter::empty().collect()),
        })
    }

    fn should_cancel(&self) -> Result<(), Stop> {
        let steps = self.steps.get() + 1;
        self.steps.set(steps);
        if steps > self.table.request.steps { Err(Stop::Steps) } else { Ok(()) }
    }
}
