//! The same question put to `resolvo`, a SAT solver: a second opinion on registries too large to try everything.

use std::collections::BTreeMap;
use std::fmt::Display;

use pocket_index::manifest::Runtime;
use resolvo::utils::{Pool, VersionSet};
use resolvo::{
    Candidates, Condition, ConditionId, ConditionalRequirement, Dependencies, DependencyProvider, Interner,
    KnownDependencies, NameId, Problem, SolvableId, Solver, SolverCache, StringId, UnsolvableOrCancelled, VersionSetId,
    VersionSetUnionId,
};
use semver::Version;

use super::matching::compatible;
use super::*;

/// Some solvables of one name, by their record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Positions(Vec<u32>);

impl VersionSet for Positions {
    type V = u32;
}

/// Each compatible range is a name of its own; a native version also requires its range's solvable of the name `<plugin> slot`.
struct Sat<'a> {
    pool: Pool<Positions>,
    records: &'a Records,
    /// Ascending.
    versions: BTreeMap<PackageName, Vec<(Version, Details)>>,
    by_name: BTreeMap<String, Vec<SolvableId>>,
    needs: BTreeMap<(String, u32), Vec<ConditionalRequirement>>,
}

/// Whether `resolvo` finds an answer.
pub(super) fn has_answer(records: &Records, packages: &[PackageName], roots: &[Need]) -> bool {
    let mut sat =
        Sat { pool: Pool::new(), records, versions: BTreeMap::new(), by_name: BTreeMap::new(), needs: BTreeMap::new() };
    packages.iter().for_each(|package| sat.add_plugin(package));
    packages.iter().for_each(|package| sat.add_needs(package));
    let requirements = roots.iter().map(|need| sat.requirement(need)).collect();
    match Solver::new(sat).solve(Problem::new().requirements(requirements)) {
        Ok(_) => true,
        Err(UnsolvableOrCancelled::Unsolvable(_)) => false,
        Err(UnsolvableOrCancelled::Cancelled(_)) => panic!("nobody cancels"),
    }
}

impl Sat<'_> {
    fn add_plugin(&mut self, package: &PackageName) {
        let Lookup::Known(candidates) = self.records.candidates(package) else { return };
        let details = |position| self.records.details(package, position).unwrap().clone();
        let mut versions: Vec<_> =
            candidates.iter().enumerate().map(|(position, found)| (found.version.clone(), details(position))).collect();
        versions.sort_by(|a, b| a.0.cmp(&b.0));
        for (position, (version, _)) in versions.iter().enumerate() {
            self.add_solvable(range_name(package, version), position as u32);
            let slot = slot_value(version);
            self.add_solvable(slot_name(package), slot);
        }
        self.versions.insert(package.clone(), versions);
    }

    fn add_solvable(&mut self, name: String, value: u32) {
        let name_id = self.pool.intern_package_name(name.as_str());
        let known = self.by_name.entry(name).or_default();
        if !known.iter().any(|&id| self.pool.resolve_solvable(id).record == value) {
            known.push(self.pool.intern_solvable(name_id, value));
        }
    }

    fn add_needs(&mut self, package: &PackageName) {
        let versions = self.versions.get(package).cloned().unwrap_or_default();
        for (position, (version, details)) in versions.iter().enumerate() {
            let mut needs: Vec<_> = details.dependencies.iter().map(|need| self.requirement(need)).collect();
            if details.runtime == Runtime::Native {
                let name = self.pool.intern_package_name(slot_name(package));
                needs.push(self.pool.intern_version_set(name, Positions(vec![slot_value(version)])).into());
            }
            self.needs.insert((range_name(package, version), position as u32), needs);
        }
    }

    fn requirement(&self, need: &Need) -> ConditionalRequirement {
        let mut sets: BTreeMap<String, Positions> = BTreeMap::new();
        for (position, (version, _)) in self.versions.get(&need.package).into_iter().flatten().enumerate() {
            if need.requirement.matches(version) {
                sets.entry(range_name(&need.package, version)).or_default().0.push(position as u32);
            }
        }
        if sets.is_empty() {
            sets.insert("nothing".to_owned(), Positions::default());
        }
        let intern = |(name, set)| self.pool.intern_version_set(self.pool.intern_package_name::<String>(name), set);
        let mut ids = sets.into_iter().map(intern);
        let first = ids.next().unwrap();
        self.pool.intern_version_set_union(first, ids).into()
    }
}

fn range_name(package: &PackageName, version: &Version) -> String {
    format!("{package} {:?}", compatible(version))
}

fn slot_name(package: &PackageName) -> String {
    format!("{package} slot")
}

/// Small numbers, told apart by their place.
fn slot_value(version: &Version) -> u32 {
    let (major, minor, patch) = compatible(version);
    u32::try_from(major * 10_000 + minor * 100 + patch).unwrap()
}

impl Interner for Sat<'_> {
    type NameId = NameId;
    type SolvableId = SolvableId;

    fn display_solvable(&self, solvable: SolvableId) -> impl Display + '_ {
        self.pool.resolve_solvable(solvable).record
    }

    fn display_name(&self, name: NameId) -> impl Display + '_ {
        self.pool.resolve_package_name(name)
    }

    fn display_version_set(&self, version_set: VersionSetId) -> impl Display + '_ {
        format!("{:?}", self.pool.resolve_version_set(version_set))
    }

    fn display_string(&self, string: StringId) -> impl Display + '_ {
        self.pool.resolve_string(string)
    }

    fn version_set_name(&self, version_set: VersionSetId) -> NameId {
        self.pool.resolve_version_set_package_name(version_set)
    }

    fn solvable_name(&self, solvable: SolvableId) -> NameId {
        self.pool.resolve_solvable(solvable).name
    }

    fn version_sets_in_union(&self, union: VersionSetUnionId) -> impl Iterator<Item = VersionSetId> {
        self.pool.resolve_version_set_union(union)
    }

    fn resolve_condition(&self, condition: ConditionId) -> Condition {
        self.pool.resolve_condition(condition).clone()
    }
}

impl DependencyProvider for Sat<'_> {
    async fn filter_candidates(&self, candidates: &[SolvableId], set: VersionSetId, inverse: bool) -> Vec<SolvableId> {
        let set = self.pool.resolve_version_set(set);
        let is_in = |id: &SolvableId| set.0.contains(&self.pool.resolve_solvable(*id).record) != inverse;
        candidates.iter().copied().filter(is_in).collect()
    }

    async fn get_candidates(&self, name: NameId) -> Option<Candidates<SolvableId>> {
        let candidates = self.by_name.get(self.pool.resolve_package_name(name))?.clone();
        Some(Candidates { candidates, ..Candidates::default() })
    }

    async fn sort_candidates(&self, _solver: &SolverCache<Self>, solvables: &mut [SolvableId]) {
        solvables.sort_by_key(|&id| std::cmp::Reverse(self.pool.resolve_solvable(id).record));
    }

    async fn get_dependencies(&self, solvable: SolvableId) -> Dependencies {
        let solvable = self.pool.resolve_solvable(solvable);
        let key = (self.pool.resolve_package_name(solvable.name).clone(), solvable.record);
        let requirements = self.needs.get(&key).cloned().unwrap_or_default();
        Dependencies::Known(KnownDependencies { requirements, constrains: Vec::new() })
    }
}
