//! A log read from its first leaf to its last: the tiles and the root that its leaves give, whatever its files say.

use super::merkle::{NodeHash, node_hash, root_of_nothing};
use super::tiles::{TILE_HEIGHT, TILE_WIDTH, TilePath};

/// The right edge of a tree that grows leaf by leaf. It keeps at most 256 hashes a level of tiles.
#[derive(Debug, Clone, Default)]
pub struct Frontier {
    size: u64,
    /// For each level of tiles, the number of its last tile, and the hashes in that.
    levels: Vec<(u64, Vec<NodeHash>)>,
}

/// A tile as the leaves give it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComputedTile {
    /// Where it stands.
    pub path: TilePath,
    /// Its hashes.
    pub hashes: Vec<NodeHash>,
}

impl Frontier {
    /// Adds a leaf by its hash, and returns the tiles that it completes, the lowest first.
    pub fn push(&mut self, leaf: NodeHash) -> Vec<ComputedTile> {
        self.size += 1;
        let mut complete = Vec::new();
        let mut next = Some(leaf);
        let mut level = 0;
        while let Some(hash) = next {
            if self.levels.len() == level {
                self.levels.push((0, Vec::new()));
            }
            let (index, hashes) = &mut self.levels[level];
            hashes.push(hash);
            next = None;
            if hashes.len() == usize::from(TILE_WIDTH) {
                let hashes = std::mem::take(hashes);
                next = Some(root_of_complete(&hashes));
                complete.push(ComputedTile { path: path(level, *index, TILE_WIDTH), hashes });
                *index += 1;
            }
            level += 1;
        }
        complete
    }

    /// The tiles at the right edge that are not full, the lowest first.
    pub fn partial_tiles(&self) -> impl Iterator<Item = ComputedTile> {
        let partial = self.levels.iter().enumerate().filter(|(_, (_, hashes))| !hashes.is_empty());
        partial.map(|(level, (index, hashes))| {
            let width = u16::try_from(hashes.len()).expect("a full tile is taken away at once");
            ComputedTile { path: path(level, *index, width), hashes: hashes.clone() }
        })
    }

    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root over all leaves.
    pub fn root(&self) -> NodeHash {
        // Complete subtrees from left to right: no two neighbours are equally high, so each is higher than the next.
        let mut subtrees: Vec<(usize, NodeHash)> = Vec::new();
        for (level, (_, hashes)) in self.levels.iter().enumerate().rev() {
            for hash in hashes {
                let (mut height, mut hash) = (level * TILE_HEIGHT as usize, *hash);
                while let Some((_, left)) = subtrees.pop_if(|(left, _)| *left == height) {
                    (height, hash) = (height + 1, node_hash(&left, &hash));
                }
                subtrees.push((height, hash));
            }
        }
        let hashes = subtrees.into_iter().rev().map(|(_, hash)| hash);
        hashes.reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(root_of_nothing)
    }
}

fn path(level: usize, index: u64, width: u16) -> TilePath {
    TilePath { level: u8::try_from(level).expect("a tree has at most 8 levels of tiles"), index, width }
}

fn root_of_complete(hashes: &[NodeHash]) -> NodeHash {
    let mut level = hashes.to_vec();
    while level.len() > 1 {
        level = level.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    level[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Tiles, leaf_hash, tree_root};

    #[test]
    fn leaf_by_leaf_gives_the_tiles_and_the_root_that_proofs_use() {
        let mut frontier = Frontier::default();
        let mut full = Tiles::new();
        let insert = |tiles: &mut Tiles, tile: ComputedTile| {
            tiles.insert(tile.path, tile.hashes.iter().flat_map(|hash| *hash.as_bytes()).collect());
        };
        assert_eq!(frontier.root(), root_of_nothing());
        for leaf in 0..70_000_u64 {
            for tile in frontier.push(leaf_hash(&leaf.to_be_bytes())) {
                insert(&mut full, tile);
            }
            let size = leaf + 1;
            assert_eq!(frontier.size(), size);
            if size < 600 || size.is_multiple_of(4_099) || (65_534..65_540).contains(&size) {
                let mut tiles = full.clone();
                frontier.partial_tiles().for_each(|tile| insert(&mut tiles, tile));
                assert_eq!(tree_root(size, &tiles).expect("all tiles are there"), frontier.root(), "{size} leaves");
            }
        }
    }
}
