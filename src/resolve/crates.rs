//! A slice of crates.io, and what cargo chose there: `benches/crates/` tells how both were made.

use std::collections::BTreeSet;

use pocket_index::manifest::Runtime;
use pocket_index::name::Target;
use pocket_index::permissions::Permissions;
use semver::Version;

use super::tests::{need, package, request};
use super::*;

const GRAPH: &str = include_str!("../../fixtures/resolve/crates.txt");
const ANSWERS: &str = include_str!("../../fixtures/resolve/answers.txt");

/// `name version[ yanked][: name requirement; name requirement]`, a line a release.
fn graph(text: &str) -> Records {
    let mut records = Records::default();
    for line in lines(text) {
        let (head, needs) = line.split_once(": ").unwrap_or((line, ""));
        let words: Vec<_> = head.split(' ').collect();
        let status = if words.get(2) == Some(&"yanked") { Status::Yanked } else { Status::Available };
        let candidate = Candidate { version: words[1].parse().unwrap(), status, published_at: 0 };
        let details = Details {
            runtime: Runtime::Lua,
            dependencies: needs.split("; ").filter(|need| !need.is_empty()).map(need).collect(),
            engine: None,
            targets: vec![Target::any()],
            permissions: Permissions::default(),
        };
        records.add(package(words[0]), candidate, details);
    }
    records
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// What is needed, and what cargo chose; none where it found no answer.
fn answers() -> impl Iterator<Item = (Vec<&'static str>, Option<BTreeSet<PackageVersion>>)> {
    lines(ANSWERS).map(|line| {
        let (needs, answer) = line.split_once(" = ").unwrap();
        let release = |text: &str| {
            let (name, version) = text.split_once(' ').unwrap();
            PackageVersion { package: package(name), version: version.parse::<Version>().unwrap() }
        };
        let answer = (answer != "nothing").then(|| answer.split(", ").map(release).collect());
        (needs.split("; ").collect(), answer)
    })
}

#[test]
fn the_answers_are_those_of_cargo() {
    let records = graph(GRAPH);
    let mut compared = 0;
    for (needs, expected) in answers() {
        let found = match resolve(&request(&needs), &records) {
            Ok(resolution) => Some(resolution.plugins.into_iter().map(|chosen| chosen.release).collect()),
            Err(ResolveError::NoSolution(_)) => None,
            Err(other) => panic!("{needs:?}: {other}"),
        };
        assert_eq!(found, expected, "{needs:?}");
        compared += 1;
    }
    assert_eq!(compared, 40);
}

#[test]
fn what_was_foreseen_is_nearly_all_that_is_needed() {
    let records = graph(GRAPH);
    for (needs, _) in answers() {
        let request = request(&needs);
        let mut world = Fetching::new(&records);
        let mut foresight = Foresight::new(&request);
        loop {
            let next = foresight.advance(&request, &world);
            if next.is_empty() {
                break;
            }
            world.fetched.extend(next.iter().map(|need| need.package.clone()));
        }
        let foreseen = world.fetched.len();
        while let Err(ResolveError::NeedRecords(next)) = resolve(&request, &world) {
            world.fetched.extend(next);
        }
        assert_eq!(resolve(&request, &world), resolve(&request, &records), "{needs:?}");
        let missed = world.fetched.len() - foreseen;
        assert!(missed * 10 <= foreseen, "{needs:?}: {foreseen} foreseen, {missed} more needed");
    }
}

/// Records of which only some were fetched.
struct Fetching<'r> {
    records: &'r Records,
    fetched: BTreeSet<PackageName>,
}

impl<'r> Fetching<'r> {
    fn new(records: &'r Records) -> Self {
        Self { records, fetched: BTreeSet::new() }
    }
}

impl RecordSource for Fetching<'_> {
    fn candidates(&self, package: &PackageName) -> Lookup<'_> {
        if self.fetched.contains(package) { self.records.candidates(package) } else { Lookup::Pending }
    }

    fn details(&self, package: &PackageName, position: usize) -> Result<&Details, Unreadable> {
        self.records.details(package, position)
    }
}
