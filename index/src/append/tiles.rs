//! The tiles that a new leaf changes, on top of those that are stored.

use std::collections::BTreeMap;
use std::io;

use super::Files;
use crate::log::{NodeHash, TILE_WIDTH, TileError, TilePath, TileSource, node_hash};

/// Tiles as they will be, before any is written.
pub(super) struct Overlay<'a, F> {
    files: &'a F,
    changed: BTreeMap<TilePath, Vec<u8>>,
}

/// The begun tiles of a tree: one in each level, at most.
pub(super) fn right_edge(size: u64) -> impl Iterator<Item = TilePath> {
    (0..8).map(move |level| TilePath::at(level, size >> (8 * u32::from(level)), size)).filter(|tile| tile.width > 0)
}

impl<'a, F: Files> Overlay<'a, F> {
    pub(super) fn new(files: &'a F) -> Self {
        Self { files, changed: BTreeMap::new() }
    }

    /// Adds the hash of leaf number `leaf`. A tile that becomes full gives one hash to the level above.
    pub(super) fn push(&mut self, leaf: u64, hash: NodeHash) -> Result<(), TileError> {
        let (mut number, mut hash) = (leaf, hash);
        for level in 0.. {
            // Up to here the level has `number` hashes.
            let begun =
                TilePath { width: (number % u64::from(TILE_WIDTH)) as u16, ..TilePath::at(level, number, leaf) };
            let mut bytes = self.begun(&begun)?;
            bytes.extend_from_slice(hash.as_bytes());
            let path = TilePath { width: begun.width + 1, ..begun };
            let root = (path.width == TILE_WIDTH).then(|| root_of_full(&bytes));
            self.changed.insert(path, bytes);
            let Some(root) = root else { break };
            (number, hash) = (number / u64::from(TILE_WIDTH), root);
        }
        Ok(())
    }

    /// The changed tiles, lower levels first.
    pub(super) fn into_changed(self) -> impl Iterator<Item = (TilePath, Vec<u8>)> {
        self.changed.into_iter()
    }

    fn begun(&self, path: &TilePath) -> Result<Vec<u8>, TileError> {
        if path.width == 0 {
            return Ok(Vec::new());
        }
        let bytes = self.tile(path).map_err(|source| TileError::Read { path: *path, source })?;
        let expected = usize::from(path.width) * 32;
        if bytes.len() != expected {
            return Err(TileError::Length { path: *path, bytes: bytes.len(), expected });
        }
        Ok(bytes)
    }
}

impl<F: Files> TileSource for Overlay<'_, F> {
    fn tile(&self, path: &TilePath) -> io::Result<Vec<u8>> {
        if let Some(bytes) = self.changed.get(path) {
            return Ok(bytes.clone());
        }
        let missing = || io::Error::new(io::ErrorKind::NotFound, "there is no such file");
        self.files.read(&path.to_string())?.ok_or_else(missing)
    }
}

fn root_of_full(bytes: &[u8]) -> NodeHash {
    let (hashes, _) = bytes.as_chunks::<32>();
    let mut nodes: Vec<_> = hashes.iter().map(|hash| NodeHash::from_bytes(*hash)).collect();
    while nodes.len() > 1 {
        nodes = nodes.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
    }
    nodes[0]
}
