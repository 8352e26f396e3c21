//! Sets of positions in a sorted list of versions.
//!
//! A requirement is turned into the set of known versions that `semver` says it matches, so every rule of that crate holds
//! exactly, pre-releases included. Unlike ranges of versions, positions are discrete: forbidding 2,000 neighbours one after the
//! other leaves one run, where `pubgrub::Ranges` would keep 2,000 gaps and take quadratic time.

use std::fmt;
use std::ops::Range;

use pubgrub::VersionSet;
use smallvec::SmallVec;

/// A set of positions: the places where membership changes, ascending. `[2, 5]` holds 2, 3, 4; `[7]` holds 7 and all above.
/// Each set has one form, so equal sets are equal values.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct IndexSet {
    edges: SmallVec<[u32; 4]>,
}

impl IndexSet {
    /// `start` and all up to, not including, `end`.
    pub fn run(start: u32, end: u32) -> Self {
        let mut edges = SmallVec::new();
        if start < end {
            edges.extend([start, end]);
        }
        Self { edges }
    }

    /// The positions within `range` for which `holds`.
    pub fn of(range: Range<usize>, mut holds: impl FnMut(usize) -> bool) -> Self {
        let mut edges = SmallVec::new();
        let mut inside = false;
        for position in range.start..=range.end {
            let now = position < range.end && holds(position);
            if now != inside {
                edges.push(as_position(position));
                inside = now;
            }
        }
        Self { edges }
    }

    /// The members within `start..end`, highest first.
    pub fn descending(&self, start: u32, end: u32) -> impl Iterator<Item = u32> + '_ {
        self.runs(start, end).rev().flat_map(|(from, to)| (from..to).rev())
    }

    /// How many members lie within `start..end`.
    pub fn count(&self, start: u32, end: u32) -> u32 {
        self.runs(start, end).map(|(from, to)| to - from).sum()
    }

    fn runs(&self, start: u32, end: u32) -> impl DoubleEndedIterator<Item = (u32, u32)> + '_ {
        self.edges
            .chunks(2)
            .map(move |run| (run[0].max(start), run.get(1).map_or(end, |&last| last.min(end))))
            .filter(|(from, to)| from < to)
    }

    /// Combines two sets position by position.
    fn merge(&self, other: &Self, rule: impl Fn(bool, bool) -> bool) -> Self {
        let mut edges = SmallVec::new();
        let (mut left, mut right) = (0, 0);
        let mut inside = false;
        loop {
            let next = match (self.edges.get(left), other.edges.get(right)) {
                (None, None) => return Self { edges },
                (Some(&edge), None) | (None, Some(&edge)) => edge,
                (Some(&a), Some(&b)) => a.min(b),
            };
            left += usize::from(self.edges.get(left) == Some(&next));
            right += usize::from(other.edges.get(right) == Some(&next));
            let now = rule(left % 2 == 1, right % 2 == 1);
            if now != inside {
                edges.push(next);
                inside = now;
            }
        }
    }

    /// Whether `rule` holds at no position.
    fn nowhere(&self, other: &Self, rule: impl Fn(bool, bool) -> bool) -> bool {
        let (mut left, mut right) = (0, 0);
        loop {
            let next = match (self.edges.get(left), other.edges.get(right)) {
                (None, None) => return true,
                (Some(&edge), None) | (None, Some(&edge)) => edge,
                (Some(&a), Some(&b)) => a.min(b),
            };
            left += usize::from(self.edges.get(left) == Some(&next));
            right += usize::from(other.edges.get(right) == Some(&next));
            if rule(left % 2 == 1, right % 2 == 1) {
                return false;
            }
        }
    }
}

/// A position as the solver counts. An index file of 4 billion lines does not fit the size limits.
pub(super) fn as_position(position: usize) -> u32 {
    u32::try_from(position).expect("a plugin has fewer than 2^32 versions")
}

impl VersionSet for IndexSet {
    type V = u32;

    fn empty() -> Self {
        Self { edges: SmallVec::new() }
    }

    fn full() -> Self {
        Self { edges: SmallVec::from_slice(&[0]) }
    }

    fn singleton(position: u32) -> Self {
        let mut edges = SmallVec::from_slice(&[position]);
        edges.extend(position.checked_add(1));
        Self { edges }
    }

    fn complement(&self) -> Self {
        let edges = match self.edges.split_first() {
            Some((0, rest)) => SmallVec::from_slice(rest),
            _ => std::iter::once(0).chain(self.edges.iter().copied()).collect(),
        };
        Self { edges }
    }

    fn intersection(&self, other: &Self) -> Self {
        self.merge(other, |a, b| a && b)
    }

    fn union(&self, other: &Self) -> Self {
        self.merge(other, |a, b| a || b)
    }

    fn contains(&self, position: &u32) -> bool {
        self.edges.partition_point(|edge| edge <= position) % 2 == 1
    }

    fn is_disjoint(&self, other: &Self) -> bool {
        self.nowhere(other, |a, b| a && b)
    }

    fn subset_of(&self, other: &Self) -> bool {
        self.nowhere(other, |a, b| a && !b)
    }
}

impl fmt::Display for IndexSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.edges)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Positions above every edge that `sets` makes, so that open ends are seen.
    const WIDTH: u32 = 12;

    fn sets() -> impl Strategy<Value = IndexSet> {
        (any::<u16>(), any::<bool>()).prop_map(|(bits, open)| {
            let set = IndexSet::of(0..10, |position| bits >> position & 1 == 1);
            if open { set.complement() } else { set }
        })
    }

    fn members(set: &IndexSet) -> Vec<u32> {
        (0..WIDTH).filter(|position| set.contains(position)).collect()
    }

    proptest! {
        #[test]
        fn set_operations_agree_with_asking_each_position(a in sets(), b in sets()) {
            let each = |rule: &dyn Fn(bool, bool) -> bool| -> Vec<u32> {
                (0..WIDTH).filter(|p| rule(a.contains(p), b.contains(p))).collect()
            };
            prop_assert_eq!(members(&a.intersection(&b)), each(&|x, y| x && y));
            prop_assert_eq!(members(&a.union(&b)), each(&|x, y| x || y));
            prop_assert_eq!(members(&a.complement()), each(&|x, _| !x));
            prop_assert_eq!(a.is_disjoint(&b), each(&|x, y| x && y).is_empty());
            prop_assert_eq!(a.subset_of(&b), each(&|x, y| x && !y).is_empty());
            prop_assert_eq!(a == b, members(&a) == members(&b));
            prop_assert_eq!(a.complement().complement(), a.clone());
            prop_assert_eq!(a.descending(2, 9).collect::<Vec<_>>().len() as u32, a.count(2, 9));
        }
    }

    #[test]
    fn forbidding_neighbours_leaves_one_run() {
        let forbidden = (5..2_000).map(IndexSet::singleton).fold(IndexSet::empty(), |all, one| all.union(&one));
        assert_eq!(forbidden, IndexSet::run(5, 2_000));
        assert_eq!(forbidden.complement().edges.len(), 3);
    }
}
