//! Which of a plugin's versions a requirement matches, and which versions are compatible with each other.

use std::ops::Range;

use semver::{Comparator, Op, Version, VersionReq};

use super::index_set::IndexSet;

type Numbers = (u64, u64, u64);

/// The positions in `versions` (ascending) that `requirement` matches. `semver` is asked about each version that can match; the
/// others are left out by bisection, so that 2,000 requirements on 2,000 versions stay cheap.
pub(super) fn matching(versions: &[impl AsRef<Version>], requirement: &VersionReq) -> IndexSet {
    let window = window(versions, requirement);
    IndexSet::of(window, |position| requirement.matches(versions[position].as_ref()))
}

/// Where every match lies.
fn window(versions: &[impl AsRef<Version>], requirement: &VersionReq) -> Range<usize> {
    let bounds = requirement.comparators.iter().map(bounds);
    let (lowest, highest) = bounds.fold(ALL, |(low, high), (lower, upper)| (low.max(lower), high.min(upper)));
    let numbers = |version: &Version| (version.major, version.minor, version.patch);
    let start = versions.partition_point(|version| numbers(version.as_ref()) < lowest);
    let end = versions.partition_point(|version| numbers(version.as_ref()) <= highest);
    start..end.max(start)
}

const ALL: (Numbers, Numbers) = ((0, 0, 0), (u64::MAX, u64::MAX, u64::MAX));

/// The lowest and the highest numbers, pre-release aside, that a comparator can match.
fn bounds(comparator: &Comparator) -> (Numbers, Numbers) {
    let Comparator { op, major, minor, patch, .. } = comparator;
    let floor = (*major, minor.unwrap_or(0), patch.unwrap_or(0));
    let ceiling = (*major, minor.unwrap_or(u64::MAX), patch.unwrap_or(u64::MAX));
    match op {
        Op::Exact | Op::Wildcard => (floor, ceiling),
        Op::Tilde => (floor, (*major, minor.unwrap_or(u64::MAX), u64::MAX)),
        Op::Caret => (floor, caret_ceiling(*major, *minor, *patch)),
        Op::Greater | Op::GreaterEq => (floor, ALL.1),
        Op::Less | Op::LessEq => (ALL.0, ceiling),
        _ => ALL,
    }
}

fn caret_ceiling(major: u64, minor: Option<u64>, patch: Option<u64>) -> Numbers {
    match (major, minor, patch) {
        (0, Some(0), Some(patch)) => (0, 0, patch),
        (0, Some(minor), _) => (0, minor, u64::MAX),
        (major, ..) => (major, u64::MAX, u64::MAX),
    }
}

/// What two versions share when cargo takes them for compatible: the numbers up to the first that is not zero.
pub(super) fn compatible(version: &Version) -> Numbers {
    match (version.major, version.minor, version.patch) {
        (0, 0, patch) => (0, 0, patch),
        (0, minor, _) => (0, minor, 0),
        (major, ..) => (major, 0, 0),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug)]
    struct Published(Version);

    impl AsRef<Version> for Published {
        fn as_ref(&self) -> &Version {
            &self.0
        }
    }

    fn versions() -> impl Strategy<Value = Vec<Published>> {
        let version = (0..3u64, 0..3u64, 0..3u64, prop_oneof![3 => Just(""), 1 => Just("-a"), 1 => Just("-b.1")]);
        proptest::collection::btree_set(version.prop_map(|(x, y, z, pre)| format!("{x}.{y}.{z}{pre}")), 0..40).prop_map(
            |texts| {
                let mut versions: Vec<Version> = texts.iter().map(|text| text.parse().unwrap()).collect();
                versions.sort();
                versions.into_iter().map(Published).collect()
            },
        )
    }

    fn requirements() -> impl Strategy<Value = VersionReq> {
        let numbers = prop_oneof![
            (0..3u64).prop_map(|x| format!("{x}")),
            (0..3u64, 0..3u64).prop_map(|(x, y)| format!("{x}.{y}")),
            (0..3u64, 0..3u64, 0..3u64).prop_map(|(x, y, z)| format!("{x}.{y}.{z}")),
            (0..3u64, 0..3u64, 0..3u64).prop_map(|(x, y, z)| format!("{x}.{y}.{z}-a")),
            (0..3u64).prop_map(|x| format!("{x}.*")),
        ];
        let operator = prop::sample::select(vec!["", "^", "~", "=", ">", ">=", "<", "<="]);
        let comparator = (operator, numbers).prop_map(|(operator, numbers)| match numbers.ends_with('*') {
            true => numbers,
            false => format!("{operator}{numbers}"),
        });
        proptest::collection::vec(comparator, 1..3).prop_map(|all| all.join(", ").parse().unwrap())
    }

    proptest! {
        #[test]
        fn a_requirement_matches_exactly_what_semver_says(versions in versions(), requirement in requirements()) {
            let each = IndexSet::of(0..versions.len(), |position| requirement.matches(&versions[position].0));
            prop_assert_eq!(matching(&versions, &requirement), each);
        }
    }
}
