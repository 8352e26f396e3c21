//! The two questions a client asks of a log: is this line in it, and did it only grow.

use std::collections::BTreeSet;

use super::checkpoint::{Checkpoint, TreeHead};
use super::leaf::Leaf;
use super::merkle::{NodeHash, consistency_ranges, inclusion_ranges, root_of_nothing};
use super::proof::{prove_consistency, prove_inclusion, root_of_inclusion, roots_of_consistency};
use super::tiles::{TileError, TilePath, TileSource, range_tiles};

/// Why the log does not bear out what the index says.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A tile is missing or malformed.
    #[error(transparent)]
    Tile(#[from] TileError),
    /// The checkpoint does not cover the line yet.
    #[error("leaf {index} is not in the log's checkpoint, which has {size} leaves")]
    NotPublished {
        /// The leaf.
        index: u64,
        /// The checkpoint's size.
        size: u64,
    },
    /// The line is not the log's leaf in this place.
    #[error("the log does not hold `{}` as leaf {index} of {size}: its root is {root}, the proof leads to {computed}", leaf.trim_end())]
    NotIncluded {
        /// The leaf in words.
        leaf: String,
        /// Where it should be.
        index: u64,
        /// The checkpoint's size.
        size: u64,
        /// The checkpoint's root.
        root: NodeHash,
        /// The root that leaf and tiles give.
        computed: NodeHash,
    },
    /// The two checkpoints are of two logs.
    #[error("the checkpoint is of the log `{new}`, the one seen before was of `{old}`")]
    OtherLog {
        /// The log seen before.
        old: String,
        /// The log now.
        new: String,
    },
    /// The log lost leaves.
    #[error("the log shrank: {new} leaves, but {old} were seen before")]
    Smaller {
        /// The size seen before.
        old: u64,
        /// The size now.
        new: u64,
    },
    /// Two logs of one size under one key: somebody was shown another history.
    #[error("the log has two roots for {size} leaves: {old} was seen before, now it is {new}")]
    Forked {
        /// The size of both.
        size: u64,
        /// The root seen before.
        old: NodeHash,
        /// The root now.
        new: NodeHash,
    },
    /// A list of hashes that no tree of these sizes gives.
    #[error("the proof has {hashes} hashes, which lead from no log of {old} leaves to one of {new}")]
    ProofLength {
        /// The size seen before.
        old: u64,
        /// The size now.
        new: u64,
        /// How many hashes the proof has.
        hashes: usize,
    },
    /// The new tree does not begin with the leaves of the old one, or the tiles are not those of the checkpoint.
    #[error("the log of {} leaves did not grow out of the one of {} leaves seen before: {}", .0.new.size, .0.old.size, .0)]
    Inconsistent(Box<Inconsistency>),
}

/// Two trees of one log, and where the proof between them leads instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the roots are {} and {}, the proof leads to {computed_old} and {computed_new}", old.root, new.root)]
pub struct Inconsistency {
    /// The tree seen before.
    pub old: TreeHead,
    /// The tree now.
    pub new: TreeHead,
    /// What the proof gives for the old root.
    pub computed_old: NodeHash,
    /// What the proof gives for the new root.
    pub computed_new: NodeHash,
}

/// The tiles that [`check_inclusion`] will read.
pub fn tiles_for_inclusion(index: u64, size: u64) -> Vec<TilePath> {
    if index >= size {
        return Vec::new();
    }
    distinct(inclusion_ranges(index, size).into_iter().flat_map(|range| range_tiles(range, size)))
}

/// The tiles that [`check_consistency`] will read.
pub fn tiles_for_consistency(old: u64, new: u64) -> Vec<TilePath> {
    if old == 0 || old >= new {
        return Vec::new();
    }
    distinct(consistency_ranges(old, new).into_iter().flat_map(|range| range_tiles(range, new)))
}

/// Checks that `leaf` stands at `index` of the checkpoint's tree.
pub fn check_inclusion(
    checkpoint: &Checkpoint,
    leaf: &Leaf,
    index: u64,
    tiles: &impl TileSource,
) -> Result<(), LogError> {
    let TreeHead { size, root, .. } = *checkpoint.head();
    let proof = prove_inclusion(index, size, tiles)?.ok_or(LogError::NotPublished { index, size })?;
    let computed =
        root_of_inclusion(index, size, leaf.hash(), &proof).expect("the proof was made for this index and size");
    if computed != root {
        return Err(LogError::NotIncluded { leaf: leaf.to_string(), index, size, root, computed });
    }
    Ok(())
}

/// Checks that the new checkpoint's tree begins with all leaves of the old one. On an error, the caller keeps both
/// checkpoints: together they are the evidence.
pub fn check_consistency(old: &TreeHead, new: &Checkpoint, tiles: &impl TileSource) -> Result<(), LogError> {
    match compare(old, new.head())? {
        Growth::Plain => Ok(()),
        Growth::ToBeProved => {
            let proof = prove_consistency(old.size, new.size(), tiles)?.expect("both sizes were compared before");
            check_growth(old, new.head(), &proof)
        }
    }
}

/// The same with the hashes of a proof instead of tiles. Where none are needed there must be none.
pub fn check_consistency_proof(old: &TreeHead, new: &Checkpoint, proof: &[NodeHash]) -> Result<(), LogError> {
    match compare(old, new.head())? {
        Growth::Plain if proof.is_empty() => Ok(()),
        Growth::Plain => Err(LogError::ProofLength { old: old.size, new: new.size(), hashes: proof.len() }),
        Growth::ToBeProved => check_growth(old, new.head(), proof),
    }
}

/// What two heads that fit together still need.
enum Growth {
    /// Nothing: they are the same, or the old one has no leaves.
    Plain,
    /// A proof.
    ToBeProved,
}

fn compare(old: &TreeHead, new: &TreeHead) -> Result<Growth, LogError> {
    if old.origin != new.origin {
        return Err(LogError::OtherLog { old: old.origin.clone(), new: new.origin.clone() });
    }
    if new.size < old.size {
        return Err(LogError::Smaller { old: old.size, new: new.size });
    }
    // The root of nothing is known, so a remembered one that differs was never signed by an honest log.
    let expected = if old.size == 0 { root_of_nothing() } else { old.root };
    if old.root != expected {
        return Err(LogError::Forked { size: 0, old: old.root, new: expected });
    }
    if old.size == new.size && old.root != new.root {
        return Err(LogError::Forked { size: old.size, old: old.root, new: new.root });
    }
    Ok(if old.size == 0 || old.size == new.size { Growth::Plain } else { Growth::ToBeProved })
}

fn check_growth(old: &TreeHead, new: &TreeHead, proof: &[NodeHash]) -> Result<(), LogError> {
    let (computed_old, computed_new) = roots_of_consistency(old.size, new.size, old.root, proof)
        .ok_or(LogError::ProofLength { old: old.size, new: new.size, hashes: proof.len() })?;
    if computed_old == old.root && computed_new == new.root {
        return Ok(());
    }
    let (old, new) = (old.clone(), new.clone());
    Err(LogError::Inconsistent(Box::new(Inconsistency { old, new, computed_old, computed_new })))
}

fn distinct(tiles: impl Iterator<Item = TilePath>) -> Vec<TilePath> {
    tiles.collect::<BTreeSet<_>>().into_iter().collect()
}
