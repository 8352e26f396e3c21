//! The same question for `resolvo`: each compatible range is a name of its own, and a need is a set of versions of one name,
//! or a union of such sets.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Display;

use pocket::resolve::{Need, PackageName};
use resolvo::utils::{Pool, VersionSet};
use resolvo::{
    Candidates, Condition, ConditionId, ConditionalRequirement, Dependencies, DependencyProvider, Interner,
    KnownDependencies, NameId, Problem, SolvableId, Solver, SolverCache, StringId, VersionSetId, VersionSetUnionId,
};
use semver::{Version, VersionReq};

use super::cases::Case;

/// The records, sorted, as Pocket's solver is given them: nothing is matched with a requirement yet.
pub struct World<'a> {
    plugins: HashMap<&'a PackageName, Plugin<'a>>,
}

struct Plugin<'a> {
    /// Ascending.
    versions: Vec<&'a (Version, Vec<Need>)>,
}

impl<'a> World<'a> {
    pub fn new(case: &'a Case) -> Self {
        let plugin = |versions: &'a Vec<(Version, Vec<Need>)>| {
            let mut versions: Vec<_> = versions.iter().collect();
            versions.sort_by(|a, b| a.0.cmp(&b.0));
            Plugin { versions }
        };
        Self { plugins: case.versions.iter().map(|(name, versions)| (name, plugin(versions))).collect() }
    }
}

/// Whether there is an answer, and of how many versions.
pub fn solve(world: &World<'_>, roots: &[Need]) -> Option<usize> {
    let provider = Provider { world, pool: Pool::new(), ranges: RefCell::default(), needs: RefCell::default() };
    let requirements = roots.iter().map(|need| provider.requirement(need)).collect();
    Solver::new(provider).solve(Problem::new().requirements(requirements)).ok().map(|answer| answer.len())
}

/// Positions within a plugin's versions, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Positions(Vec<u32>);

impl VersionSet for Positions {
    type V = u32;
}

type Range<'a> = (&'a PackageName, (u64, u64, u64));

struct Provider<'w, 'a> {
    world: &'w World<'a>,
    pool: Pool<Positions>,
    ranges: RefCell<HashMap<NameId, Range<'a>>>,
    needs: RefCell<HashMap<(&'a PackageName, VersionReq), ConditionalRequirement>>,
}

impl<'a> Provider<'_, 'a> {
    fn requirement(&self, need: &Need) -> ConditionalRequirement {
        let Some((&name, plugin)) = self.world.plugins.get_key_value(&need.package) else {
            let nothing = self.pool.intern_package_name("nothing");
            return self.pool.intern_version_set(nothing, Positions(Vec::new())).into();
        };
        let key = (name, need.requirement.clone());
        if let Some(known) = self.needs.borrow().get(&key) {
            return *known;
        }
        let mut sets: Vec<(NameId, Positions)> = Vec::new();
        for (position, (version, _)) in plugin.versions.iter().enumerate().rev() {
            if !need.requirement.matches(version) {
                continue;
            }
            let id = self.name(name, compatible(version));
            match sets.last_mut().filter(|(last, _)| *last == id) {
                Some((_, positions)) => positions.0.insert(0, position as u32),
                None => sets.push((id, Positions(vec![position as u32]))),
            }
        }
        let mut sets = sets.into_iter().map(|(id, set)| self.pool.intern_version_set(id, set));
        let requirement: ConditionalRequirement = match (sets.next(), sets.len()) {
            (None, _) => {
                let nothing = self.pool.intern_package_name("nothing");
                self.pool.intern_version_set(nothing, Positions(Vec::new())).into()
            }
            (Some(only), 0) => only.into(),
            (Some(first), _) => self.pool.intern_version_set_union(first, sets).into(),
        };
        self.needs.borrow_mut().insert(key, requirement);
        requirement
    }

    fn name(&self, package: &'a PackageName, range: (u64, u64, u64)) -> NameId {
        let id = self.pool.intern_package_name(format!("{package} {range:?}"));
        self.ranges.borrow_mut().entry(id).or_insert((package, range));
        id
    }
}

fn compatible(version: &Version) -> (u64, u64, u64) {
    match (version.major, version.minor, version.patch) {
        (0, 0, patch) => (0, 0, patch),
        (0, minor, _) => (0, minor, 0),
        (major, ..) => (major, 0, 0),
    }
}

impl Interner for Provider<'_, '_> {
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

impl DependencyProvider for Provider<'_, '_> {
    async fn filter_candidates(&self, candidates: &[SolvableId], set: VersionSetId, inverse: bool) -> Vec<SolvableId> {
        let set = self.pool.resolve_version_set(set);
        let is_in = |id: &SolvableId| set.0.binary_search(&self.pool.resolve_solvable(*id).record).is_ok() != inverse;
        candidates.iter().copied().filter(is_in).collect()
    }

    async fn get_candidates(&self, name: NameId) -> Option<Candidates<SolvableId>> {
        let (package, range) = *self.ranges.borrow().get(&name)?;
        let versions = self.world.plugins[package].versions.iter().enumerate();
        let within = versions.filter(|(_, (version, _))| compatible(version) == range);
        let candidates = within.map(|(position, _)| self.pool.intern_solvable(name, position as u32)).collect();
        Some(Candidates { candidates, ..Candidates::default() })
    }

    async fn sort_candidates(&self, _solver: &SolverCache<Self>, solvables: &mut [SolvableId]) {
        solvables.sort_by_key(|&id| std::cmp::Reverse(self.pool.resolve_solvable(id).record));
    }

    async fn get_dependencies(&self, solvable: SolvableId) -> Dependencies {
        let solvable = self.pool.resolve_solvable(solvable);
        let (package, _) = self.ranges.borrow()[&solvable.name];
        let (_, needs) = self.world.plugins[package].versions[solvable.record as usize];
        let requirements = needs.iter().map(|need| self.requirement(need)).collect();
        Dependencies::Known(KnownDependencies { requirements, constrains: Vec::new() })
    }
}
