//! The solver against brute force and a SAT solver, on generated registries.

use std::collections::BTreeSet;

use pocket_index::manifest::Runtime;
use pocket_index::name::Target;
use pocket_index::permissions::Permissions;
use proptest::prelude::*;
use semver::Version;

use super::brute_force::{self, Selection};
use super::tests::{package, request};
use super::*;

/// A registry and what a project needs of it.
#[derive(Debug, Clone)]
struct Case {
    versions: Vec<(PackageName, Version, Runtime, Vec<Need>)>,
    roots: Vec<Need>,
}

impl Case {
    fn records(&self) -> Records {
        let mut records = Records::default();
        for (name, version, runtime, needs) in &self.versions {
            let candidate = Candidate { version: version.clone(), status: Status::Available, published_at: 0 };
            let details = Details {
                runtime: *runtime,
                dependencies: needs.clone(),
                engine: None,
                targets: vec![Target::any()],
                permissions: Permissions::default(),
            };
            records.add(name.clone(), candidate, details);
        }
        records
    }

    fn request(&self) -> Request {
        Request { roots: self.roots.clone(), ..request(&[]) }
    }

    fn packages(&self) -> Vec<PackageName> {
        self.versions.iter().map(|(name, ..)| name.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
const VERSIONS: [&str; 9] = ["0.0.1", "0.1.0", "0.1.1", "1.0.0", "1.1.0", "1.2.0-rc.1", "1.2.0", "2.0.0", "2.0.1"];
const REQUIREMENTS: [&str; 12] =
    ["*", "^1", "^1.1", "=1.0.0", "=1.1.0", ">=1, <2.0.1", "^2", "=2.0.0", "^0.1", "<1.1", ">=1.2.0-rc", "~1.2"];

/// Registries of the first `plugins` names, each version with up to `needs` needs.
fn cases(plugins: usize, needs: usize) -> impl Strategy<Value = Case> {
    let a_need = (0..plugins, prop::sample::select(&REQUIREMENTS[..]))
        .prop_map(|(name, requirement)| Need::required(package(NAMES[name]), requirement.parse().unwrap()));
    let some_needs = move |least| {
        prop::collection::vec(a_need.clone(), least..=needs).prop_map(|mut needs| {
            needs.sort_by(|a, b| a.package.cmp(&b.package));
            needs.dedup_by(|a, b| a.package == b.package);
            needs
        })
    };
    let runtime = prop_oneof![4 => Just(Runtime::Lua), 1 => Just(Runtime::Native)];
    let version = (prop::sample::select(&VERSIONS[..]), runtime, some_needs(0));
    let plugin = prop::collection::vec(version, 0..6);
    (prop::collection::vec(plugin, plugins), some_needs(1)).prop_map(|(plugins, roots)| {
        let mut versions = Vec::new();
        for (number, of_plugin) in plugins.into_iter().enumerate() {
            let mut seen = BTreeSet::new();
            let unique = of_plugin.into_iter().filter(|(version, ..)| seen.insert(*version));
            let name = package(NAMES[number]);
            versions.extend(unique.map(|(version, runtime, mut needs)| {
                needs.retain(|need| need.package != name);
                (name.clone(), version.parse().unwrap(), runtime, needs)
            }));
        }
        Case { versions, roots }
    })
}

fn selection(resolution: &Resolution) -> Selection {
    let mut selection = Selection::new();
    for chosen in &resolution.plugins {
        selection.entry(chosen.release.package.clone()).or_default().push(chosen.release.version.clone());
    }
    selection
}

/// Whether a chosen version could be raised within its compatible range while everything else stays, and everything that it
/// meets is still met by it.
fn can_be_raised(case: &Case, records: &Records, resolution: &Resolution) -> Option<(PackageVersion, Version)> {
    for chosen in &resolution.plugins {
        let PackageVersion { package, version } = &chosen.release;
        let of_package = case.versions.iter().filter(|(name, ..)| name == package).map(|(_, higher, ..)| higher);
        let needs: Vec<_> = resolution
            .plugins
            .iter()
            .flat_map(|other| {
                let PackageVersion { package, version } = &other.release;
                brute_force::details_of(records, package, version).dependencies
            })
            .collect();
        let is_as_good = |higher: &&Version| {
            let mut on_it = needs.iter().chain(&case.roots).filter(|need| need.package == *package);
            matching::compatible(higher) == matching::compatible(version)
                && on_it.all(|need| !need.requirement.matches(version) || need.requirement.matches(higher))
        };
        for higher in of_package.filter(|higher| *higher > version).filter(is_as_good) {
            let mut raised = selection(resolution);
            raised.get_mut(package)?.iter_mut().filter(|old| *old == version).for_each(|old| *old = higher.clone());
            if brute_force::holds(records, &case.roots, &raised) {
                return Some((chosen.release.clone(), higher.clone()));
            }
        }
    }
    None
}

/// Everything reached from the roots over the links of the answer.
fn reached(resolution: &Resolution) -> BTreeSet<PackageVersion> {
    let mut open = resolution.roots.clone();
    let mut reached = BTreeSet::new();
    while let Some(release) = open.pop() {
        let chosen = resolution.plugins.iter().find(|chosen| chosen.release == release).unwrap();
        if reached.insert(release) {
            open.extend(chosen.dependencies.iter().cloned());
        }
    }
    reached
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn there_is_an_answer_exactly_where_brute_force_finds_one(case in cases(4, 3)) {
        let records = case.records();
        let expected = brute_force::has_answer(&records, &case.roots, &mut Selection::new());
        match resolve(&case.request(), &records) {
            Ok(resolution) => {
                prop_assert!(expected, "brute force finds nothing");
                prop_assert!(brute_force::holds(&records, &case.roots, &selection(&resolution)), "{resolution:?}");
                prop_assert_eq!(reached(&resolution).len(), resolution.plugins.len());
                prop_assert_eq!(can_be_raised(&case, &records, &resolution), None);
            }
            Err(ResolveError::NoSolution(explanation)) => {
                prop_assert!(!expected, "brute force finds an answer");
                prop_assert!(!explanation.facts.is_empty());
            }
            other => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn there_is_an_answer_exactly_where_a_sat_solver_finds_one(case in cases(8, 4)) {
        let records = case.records();
        let expected = sat::has_answer(&records, &case.packages(), &case.roots);
        let resolution = resolve(&case.request(), &records);
        prop_assert_eq!(resolution.is_ok(), expected, "{:?}", resolution);
        if let Ok(resolution) = resolution {
            prop_assert!(brute_force::holds(&records, &case.roots, &selection(&resolution)));
        }
    }

    #[test]
    fn the_order_of_the_facts_does_not_matter(case in cases(6, 3), shuffled in any::<u64>()) {
        let mut other = case.clone();
        let key = |text: String| std::hash::BuildHasher::hash_one(&pubgrub::Map::<u8, u8>::default().hasher().clone(), (shuffled, text));
        other.versions.sort_by_cached_key(|(name, version, ..)| key(format!("{name} {version}")));
        other.versions.iter_mut().for_each(|(.., needs)| needs.sort_by_cached_key(|need| key(need.package.to_string())));
        other.roots.sort_by_cached_key(|need| key(need.package.to_string()));
        prop_assert_eq!(resolve(&case.request(), &case.records()), resolve(&other.request(), &other.records()));
    }

    #[test]
    fn an_answer_is_kept_when_it_is_locked(case in cases(6, 3)) {
        let records = case.records();
        if let Ok(first) = resolve(&case.request(), &records) {
            let mut request = case.request();
            request.locked = first.plugins.iter().map(|chosen| chosen.release.clone()).collect();
            let again = resolve(&request, &records).unwrap();
            prop_assert_eq!(again.plugins, first.plugins);
        }
    }

    #[test]
    fn fetching_records_step_by_step_comes_to_an_answer_as_well(case in cases(6, 3)) {
        let whole = resolve(&case.request(), &case.records());
        let mut pending: BTreeSet<_> = NAMES.iter().map(|name| package(name)).collect();
        let stepwise = loop {
            let mut records = case.records();
            pending.iter().for_each(|name| records.set_pending(name.clone()));
            match resolve(&case.request(), &records) {
                Err(ResolveError::NeedRecords(needed)) => {
                    prop_assert!(needed.iter().any(|name| pending.contains(name)));
                    pending.retain(|name| !needed.contains(name));
                }
                other => break other,
            }
        };
        prop_assert_eq!(stepwise.is_ok(), whole.is_ok());
        if let Ok(resolution) = stepwise {
            prop_assert!(brute_force::holds(&case.records(), &case.roots, &selection(&resolution)));
        }
    }
}
