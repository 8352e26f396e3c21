//! Why there is no answer: the facts that contradict each other, in the order of the way from the project.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use pubgrub::{DerivationTree, Derived, External, VersionSet};
use semver::VersionReq;

use super::facts::{Fact, VersionList};
use super::index_set::{IndexSet, as_position};
use super::preferences::Reason;
use super::remedy::Remedy;
use super::solver::Node;
use super::source::{Need, PackageName};
use super::table::{Entry, Link, PluginId, PluginRecords, Table, Versions, required};

type Tree = DerivationTree<Node, IndexSet, String>;

/// Why no choice of versions meets every need.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// What cannot hold at once, in the order of the way from the project.
    pub facts: Vec<Fact>,
    /// What would make it work; each was tried.
    pub remedies: Vec<Remedy>,
}

impl Explanation {
    /// The project's own needs that nothing meets, whatever is chosen elsewhere.
    pub(super) fn of_roots(table: &Table<'_>) -> Self {
        let mut collector = Collector::new(table);
        for need in &table.roots {
            if let Link::Dead(reason) = table.link(need) {
                collector.add_root(need);
                collector.add_cause(&reason);
            }
        }
        collector.finish()
    }

    /// The facts at the leaves of a proof.
    pub(super) fn of_conflict(table: &Table<'_>, proof: Tree) -> Self {
        let mut collector = Collector::new(table);
        for leaf in leaves(proof) {
            match leaf {
                External::NotRoot(..) => {}
                External::NoVersions(node, set) | External::Custom(node, set, _) => {
                    collector.add_no_versions(node, &set)
                }
                External::FromDependencyOf(node, set, needed, _) => collector.add_dependency(node, &set, needed),
            }
        }
        collector.finish()
    }

    /// The plugins on the way from the project to one that the project does not need itself.
    fn path<'e>(&'e self, package: &'e PackageName) -> Option<Vec<&'e PackageName>> {
        let parents: BTreeMap<_, _> = self.facts.iter().rev().filter_map(step).map(|(from, to)| (to, from)).collect();
        let mut path = vec![package];
        let mut current = package;
        while let Some(Some(parent)) = parents.get(current) {
            if path.contains(parent) {
                return None;
            }
            path.push(parent);
            current = parent;
        }
        path.reverse();
        (path.len() > 1 && parents.contains_key(current)).then_some(path)
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, fact) in self.facts.iter().enumerate() {
            f.write_str(if number == 0 { "" } else { "\n" })?;
            fact.fmt(f)?;
            let has_one_way = matches!(fact, Fact::PassedOver { .. } | Fact::Unmatched { .. } | Fact::Missing { .. });
            if let Some(path) = self.path(fact.package()).filter(|_| has_one_way) {
                let names: Vec<_> = path.iter().map(|name| format!("`{name}`")).collect();
                write!(f, " (the project → {})", names.join(" → "))?;
            }
        }
        for remedy in &self.remedies {
            write!(f, "\n{remedy}")?;
        }
        Ok(())
    }
}

/// The edge that a fact makes; none as its start is the project.
fn step(fact: &Fact) -> Option<(Option<&PackageName>, &PackageName)> {
    match fact {
        Fact::ProjectNeeds { package, .. } => Some((None, package)),
        Fact::Needs { package, needed, .. } => Some((Some(package), needed)),
        Fact::PassedOver { package, reason, .. } => Some((Some(package), reason.needed()?)),
        _ => None,
    }
}

/// The facts that a proof rests on. The tree is taken apart piece by piece: it is as deep as the search was long, and dropping
/// it whole would recurse as deep.
fn leaves(proof: Tree) -> Vec<External<Node, IndexSet, String>> {
    let mut leaves = Vec::new();
    let mut open = vec![Arc::new(proof)];
    let mut seen = BTreeSet::new();
    // Shared branches are kept alive, so that no address is used twice.
    let mut kept = Vec::new();
    while let Some(tree) = open.pop() {
        match Arc::try_unwrap(tree) {
            Ok(DerivationTree::External(leaf)) => leaves.push(leaf),
            Ok(DerivationTree::Derived(Derived { cause1, cause2, .. })) => open.extend([cause1, cause2]),
            Err(shared) => {
                if !seen.insert(Arc::as_ptr(&shared).addr()) {
                    continue;
                }
                match shared.as_ref() {
                    DerivationTree::External(leaf) => leaves.push(leaf.clone()),
                    DerivationTree::Derived(derived) => {
                        open.extend([Arc::clone(&derived.cause1), Arc::clone(&derived.cause2)]);
                    }
                }
                kept.push(shared);
            }
        }
    }
    // The ones met first hold the others, and go last.
    while kept.pop().is_some() {}
    leaves
}

/// Gathers facts; each once.
struct Collector<'t, 'a> {
    table: &'t Table<'a>,
    facts: Vec<Fact>,
    causes_seen: BTreeSet<(PackageName, String)>,
    /// Native versions, by plugin.
    native: BTreeMap<PluginId, BTreeSet<u32>>,
}

impl<'a> Collector<'_, 'a> {
    fn new<'t>(table: &'t Table<'a>) -> Collector<'t, 'a> {
        Collector { table, facts: Vec::new(), causes_seen: BTreeSet::new(), native: BTreeMap::new() }
    }

    fn add(&mut self, fact: Fact) {
        if !self.facts.contains(&fact) {
            self.facts.push(fact);
        }
    }

    fn add_root(&mut self, need: &Need) {
        self.add(Fact::ProjectNeeds { package: need.package.clone(), requirement: need.requirement.clone() });
    }

    /// A dependency of the proof: who needs what, in the words of the records.
    fn add_dependency(&mut self, node: Node, set: &IndexSet, needed: Node) {
        let plugin = match (node, needed) {
            (Node::Project, needed) => return self.add_roots_for(needed),
            (Node::Bucket(plugin, bucket), Node::NativeSlot(_)) => return self.note_native(plugin, bucket, set),
            (Node::Bucket(plugin, _), Node::Bucket(..) | Node::Choice(_)) => plugin,
            _ => return,
        };
        let Some(needed) = self.plugin_of(needed) else { return };
        let needed = self.table.plugin(needed).package.clone();
        let table = self.table;
        self.with_group(plugin, node, set, |package, entry| {
            let details = table.policy(package, entry).ok()?;
            let needs = required(details).into_iter().find(|need| need.package == needed)?;
            Some(needs.requirement.clone())
        })
        .into_iter()
        .for_each(|(requirement, package, versions)| {
            self.add(Fact::Needs { package, versions, needed: needed.clone(), requirement });
        });
    }

    fn add_roots_for(&mut self, needed: Node) {
        let Some(plugin) = self.plugin_of(needed) else { return };
        let package = self.table.plugin(plugin).package.clone();
        for need in self.table.roots.iter().filter(|need| need.package == package) {
            self.add_root(need);
        }
    }

    fn note_native(&mut self, plugin: PluginId, bucket: u32, set: &IndexSet) {
        if let PluginRecords::Known(versions) = &self.table.plugin(plugin).records {
            let (start, end) = versions.bucket(bucket);
            self.native.entry(plugin).or_default().extend(set.descending(start, end));
        }
    }

    fn add_native(&mut self) {
        for (plugin, positions) in std::mem::take(&mut self.native) {
            let plugin = self.table.plugin(plugin);
            if let PluginRecords::Known(versions) = &plugin.records {
                let versions = VersionList::new(versions.all(), |position| positions.contains(&as_position(position)));
                self.add(Fact::Native { package: plugin.package.clone(), versions });
            }
        }
    }

    /// Says where the requirements on a plugin leave nothing.
    fn add_disjoint(&mut self) {
        let mut asked: BTreeMap<PackageName, BTreeMap<String, VersionReq>> = BTreeMap::new();
        for fact in &self.facts {
            if let Fact::ProjectNeeds { package, requirement } | Fact::Needs { needed: package, requirement, .. } = fact
            {
                asked.entry(package.clone()).or_default().insert(requirement.to_string(), requirement.clone());
            }
        }
        for (package, requirements) in asked.into_iter().filter(|(_, requirements)| requirements.len() > 1) {
            let plugin = self.table.plugin(self.table.id(&package));
            let PluginRecords::Known(versions) = &plugin.records else { continue };
            let sets = requirements.values().map(|requirement| versions.matching(requirement));
            let common = sets.fold(IndexSet::full(), |common, set| common.intersection(&set));
            if versions.descending(&common).next().is_none() {
                self.add(Fact::Disjoint { package, requirements: requirements.into_keys().collect() });
            }
        }
    }

    fn add_no_versions(&mut self, node: Node, set: &IndexSet) {
        let Some(plugin) = self.plugin_of(node) else { return };
        let allowed = match node {
            Node::Choice(choice) => self.table.choice(choice).1,
            _ => set.clone(),
        };
        self.add_passed_over(plugin, node, &allowed);
    }

    fn add_passed_over(&mut self, plugin: PluginId, node: Node, set: &IndexSet) {
        let table = self.table;
        let groups = self.with_group(plugin, node, set, |package, entry| table.verdict(package, entry));
        for (reason, package, versions) in groups {
            self.add_cause(&reason);
            self.add(Fact::PassedOver { package, versions, reason });
        }
    }

    /// What stands behind a reason that names another plugin.
    fn add_cause(&mut self, reason: &Reason) {
        match reason {
            Reason::MissingDependency(package) => self.add(Fact::Missing { package: package.clone() }),
            Reason::UnmatchedDependency(package, requirement) => {
                let plugin = self.table.plugin(self.table.id(package));
                let PluginRecords::Known(versions) = &plugin.records else { return };
                let published = VersionList::new(versions.all(), |_| true);
                self.add(Fact::Unmatched { package: package.clone(), requirement: requirement.clone(), published });
            }
            Reason::UnusableDependency(package, requirement) => self.add_unusable(package, requirement),
            _ => {}
        }
    }

    /// Why each version that would do cannot be used; once, as plugins may need each other.
    fn add_unusable(&mut self, package: &PackageName, requirement: &VersionReq) {
        if !self.causes_seen.insert((package.clone(), requirement.to_string())) {
            return;
        }
        let id = self.table.id(package);
        if let PluginRecords::Known(versions) = &self.table.plugin(id).records {
            self.add_passed_over(id, Node::Project, &versions.matching(requirement));
        }
    }

    /// The plugin that a node is about.
    fn plugin_of(&self, node: Node) -> Option<PluginId> {
        match node {
            Node::Bucket(plugin, _) | Node::NativeSlot(plugin) | Node::Unfetched(plugin) => Some(plugin),
            Node::Choice(choice) => Some(self.table.choice(choice).0),
            Node::Project => None,
        }
    }

    /// The versions of a plugin in `set`, within the node's range if it is one, grouped by what `key` says of them.
    fn with_group<K: PartialEq>(
        &self,
        plugin: PluginId,
        node: Node,
        set: &IndexSet,
        key: impl Fn(&PackageName, &Entry<'a>) -> Option<K>,
    ) -> Vec<(K, PackageName, VersionList)> {
        let plugin = self.table.plugin(plugin);
        let PluginRecords::Known(versions) = &plugin.records else { return Vec::new() };
        let set = match node {
            Node::Bucket(_, bucket) => {
                let (start, end) = versions.bucket(bucket);
                set.intersection(&IndexSet::run(start, end))
            }
            _ => set.clone(),
        };
        let groups = group(versions, &set, |entry| key(&plugin.package, entry));
        let listed = |positions: Vec<u32>| {
            let positions: BTreeSet<usize> = positions.into_iter().map(|position| position as usize).collect();
            VersionList::new(versions.all(), |position| positions.contains(&position))
        };
        groups.into_iter().map(|(key, positions)| (key, plugin.package.clone(), listed(positions))).collect()
    }

    /// Orders the facts by their distance from the project.
    fn finish(mut self) -> Explanation {
        self.add_native();
        self.add_disjoint();
        let mut distance: BTreeMap<PackageName, usize> = BTreeMap::new();
        let mut open: VecDeque<_> = VecDeque::from([None]);
        while let Some(from) = open.pop_front() {
            let next = from.as_ref().map_or(0, |from| distance[from] + 1);
            for (_, to) in self.facts.iter().filter_map(step).filter(|(start, _)| *start == from.as_ref()) {
                if !distance.contains_key(to) {
                    distance.insert(to.clone(), next);
                    open.push_back(Some(to.clone()));
                }
            }
        }
        let mut facts = self.facts;
        facts.sort_by_cached_key(|fact| {
            let place = match fact {
                Fact::ProjectNeeds { .. } => 0,
                Fact::Disjoint { .. } => 2,
                _ => 1,
            };
            let far = distance.get(fact.package()).copied().unwrap_or(usize::MAX);
            (place, far, fact.package().clone(), fact.to_string())
        });
        Explanation { facts, remedies: Vec::new() }
    }
}

/// Versions with the same key, each group ascending; groups in the order of their highest version.
fn group<'a, K: PartialEq>(
    versions: &Versions<'a>,
    set: &IndexSet,
    key: impl Fn(&Entry<'a>) -> Option<K>,
) -> Vec<(K, Vec<u32>)> {
    let mut groups: Vec<(K, Vec<u32>)> = Vec::new();
    for position in versions.descending(set) {
        let Some(key) = key(versions.entry(position)) else { continue };
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, positions)) => positions.push(position),
            None => groups.push((key, vec![position])),
        }
    }
    groups
}
