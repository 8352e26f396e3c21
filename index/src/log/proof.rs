//! Proofs that a leaf is in a tree and that a tree grew out of another: made from tiles, verified without them.

use super::merkle::{NodeHash, consistency_ranges, inclusion_ranges, node_hash};
use super::tiles::{TileError, TileSource, range_hash};

/// The hashes that prove leaf `index` in a tree of `size`, from the leaf up (RFC 6962, section 2.1.1). None if `index` is not
/// below `size`.
pub fn prove_inclusion(index: u64, size: u64, source: &impl TileSource) -> Result<Option<Vec<NodeHash>>, TileError> {
    if index >= size {
        return Ok(None);
    }
    inclusion_ranges(index, size)
        .into_iter()
        .map(|range| range_hash(range, size, source))
        .collect::<Result<_, _>>()
        .map(Some)
}

/// The hashes that prove that a tree of `old` leaves became one of `new` (RFC 6962, section 2.1.2). None unless
/// 0 < `old` <= `new`.
pub fn prove_consistency(old: u64, new: u64, source: &impl TileSource) -> Result<Option<Vec<NodeHash>>, TileError> {
    if old == 0 || old > new {
        return Ok(None);
    }
    consistency_ranges(old, new)
        .into_iter()
        .map(|range| range_hash(range, new, source))
        .collect::<Result<_, _>>()
        .map(Some)
}

/// The root that a proof leads to, starting at leaf `index` with hash `leaf`: RFC 9162, section 2.1.3.2. None if the proof is
/// too long or too short.
pub(super) fn root_of_inclusion(index: u64, size: u64, leaf: NodeHash, proof: &[NodeHash]) -> Option<NodeHash> {
    let mut place = index;
    let mut last = size.checked_sub(1).filter(|last| index <= *last)?;
    let mut hash = leaf;
    for step in proof {
        if last == 0 {
            return None;
        }
        if place % 2 == 1 || place == last {
            hash = node_hash(step, &hash);
            // On the right edge a node without sibling moves up as it is.
            while place.is_multiple_of(2) && place != 0 {
                (place, last) = (place / 2, last / 2);
            }
        } else {
            hash = node_hash(&hash, step);
        }
        (place, last) = (place / 2, last / 2);
    }
    (last == 0).then_some(hash)
}

/// The two roots that a proof leads to: RFC 9162, section 2.1.4.2, for 0 < `old` < `new`. None if the proof is too long or too
/// short.
pub(super) fn roots_of_consistency(
    old: u64,
    new: u64,
    old_root: NodeHash,
    proof: &[NodeHash],
) -> Option<(NodeHash, NodeHash)> {
    // The root of a complete subtree is not part of the proof: the verifier has it.
    let (first, steps) =
        if old.is_power_of_two() { (old_root, proof) } else { proof.split_first().map(|(a, b)| (*a, b))? };
    let ones = (old - 1).trailing_ones();
    let (mut place, mut last) = ((old - 1) >> ones, (new - 1) >> ones);
    let (mut before, mut after) = (first, first);
    for step in steps {
        if last == 0 {
            return None;
        }
        if place % 2 == 1 || place == last {
            before = node_hash(step, &before);
            after = node_hash(step, &after);
            while place.is_multiple_of(2) && place != 0 {
                (place, last) = (place / 2, last / 2);
            }
        } else {
            after = node_hash(&after, step);
        }
        (place, last) = (place / 2, last / 2);
    }
    (last == 0).then_some((before, after))
}
