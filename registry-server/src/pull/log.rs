//! Files of the log: each belongs to the tree of the newest checkpoint, or is not taken.

use bytes::Bytes;
use pocket_index::layout;
use pocket_index::log::{
    Checkpoint, EntriesPath, Leaf, NodeHash, TILE_WIDTH, TilePath, TileSource as _, Tiles, check_consistency,
    check_inclusion, decode_entries, node_hash, tiles_for_consistency, tiles_for_inclusion,
};

use super::Pull;
use crate::error::chain;
use crate::storage::{Condition, Storage, StorageError, in_tree};

/// A hash of a tile in bytes.
const HASH: usize = 32;

/// A tile, or with no level a bundle of leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    level: Option<u8>,
    index: u64,
    width: u16,
}

impl Place {
    /// Reads a path as the log's format writes it; none if it is written otherwise.
    pub fn of(name: &str) -> Option<Self> {
        let (level, rest) = name.strip_prefix("log/tile/")?.split_once('/')?;
        let level = if level == "entries" { None } else { Some(level.parse().ok()?) };
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, width.parse().ok().filter(|width| (1..TILE_WIDTH).contains(width))?),
            None => (rest, TILE_WIDTH),
        };
        let mut groups = index.split('/').map(|group| group.trim_start_matches('x').parse::<u64>().ok());
        let index = groups.try_fold(0_u64, |index, group| index.checked_mul(1_000)?.checked_add(group?))?;
        let place = Self { level, index, width };
        (level.is_none_or(|level| level < 8) && place.path() == name).then_some(place)
    }

    fn path(self) -> String {
        let Self { level, index, width } = self;
        match level {
            Some(level) => TilePath { level, index, width }.to_string(),
            None => EntriesPath { index, width }.to_string(),
        }
    }

    /// The same place as wide as it is in a tree of `size`; none if it is not there, or not as wide as is asked for.
    fn in_tree_of(self, size: u64) -> Option<Self> {
        let hashes = size.checked_shr(u32::from(self.level.unwrap_or(0)) * 8)?;
        let rest = hashes.checked_sub(self.index.checked_mul(TILE_WIDTH.into())?)?;
        let width = rest.min(TILE_WIDTH.into()) as u16;
        (width >= self.width).then_some(Self { width, ..self })
    }

    /// Leaves whose proofs may read it: the first below it, and the log's last.
    fn leaves(self, size: u64) -> [u64; 2] {
        let below = u32::from(self.level.unwrap_or(0)) * 8 + 8;
        [self.index.checked_shl(below).unwrap_or(u64::MAX).min(size.saturating_sub(1)), size.saturating_sub(1)]
    }
}

impl Pull {
    /// The other registry's checkpoint, if it is signed, newer than the one that is here, and of the same log.
    pub(super) async fn checked_checkpoint(&self, note: &[u8]) -> Result<Option<Bytes>, StorageError> {
        let refused = |message: String| self.refused(layout::CHECKPOINT, message);
        let newer = Checkpoint::open(note, &self.key).map_err(|error| refused(chain(&error)))?;
        let signed = |checkpoint: &Checkpoint| {
            let signed = checkpoint.signed_at(&self.key);
            signed.map_err(|error| self.refused(layout::CHECKPOINT, chain(&error)))
        };
        if self.local.entry(&in_tree(layout::CHECKPOINT)).await?.is_some() {
            let here = self.checkpoint().await?;
            let tiles = self.tiles(tiles_for_consistency(here.size(), newer.size())).await?;
            check_consistency(here.head(), &newer, &tiles).map_err(|error| refused(chain(&error)))?;
            if (newer.size(), signed(&newer)?) < (here.size(), signed(&here)?) {
                return Ok(None);
            }
        }
        Ok(Some(Bytes::copy_from_slice(note)))
    }

    /// Brings a tile or a bundle, once its hashes are shown to be those of the log.
    pub(super) async fn bring_log(&self, name: &str, wanted: Place) -> Result<(), StorageError> {
        let mut checkpoint = self.checkpoint().await?;
        if wanted.in_tree_of(checkpoint.size()).is_none() {
            self.fetch_checkpoint().await?;
            checkpoint = self.checkpoint().await?;
        }
        let Some(whole) = wanted.in_tree_of(checkpoint.size()) else { return Ok(()) };
        let bytes = match whole.level {
            None => self.bundle(whole.index, &checkpoint).await?,
            Some(level) => {
                let path = TilePath { level, index: whole.index, width: whole.width };
                self.tile(path, &checkpoint).await?
            }
        };
        let begun = match wanted.level {
            Some(_) => bytes.get(..usize::from(wanted.width) * HASH).map(Bytes::copy_from_slice),
            None => begun_bundle(&bytes, wanted.width),
        };
        let begun = begun.ok_or_else(|| self.refused(name, "it is too short".to_owned()))?;
        self.local.put(&in_tree(name), begun, Condition::Always).await.map(drop)
    }

    /// The hashes of a tile. The proof of a leaf reads every hash of each of its tiles, so that all of them are those of the log.
    async fn tile(&self, path: TilePath, checkpoint: &Checkpoint) -> Result<Bytes, StorageError> {
        let place = Place { level: Some(path.level), index: path.index, width: path.width };
        let holds = |leaf: &u64| tiles_for_inclusion(*leaf, checkpoint.size()).contains(&path);
        let Some(leaf) = place.leaves(checkpoint.size()).into_iter().find(holds) else {
            return self.single(path, checkpoint).await;
        };
        let tiles = self.proven(leaf, checkpoint).await?;
        tiles.tile(&path).map(Bytes::from).map_err(|error| self.refused(&path.to_string(), error.to_string()))
    }

    /// A tile of one hash, which no proof reads: it is computed from what is below.
    async fn single(&self, path: TilePath, checkpoint: &Checkpoint) -> Result<Bytes, StorageError> {
        let refused = |message: &str| self.refused(&path.to_string(), message.to_owned());
        if path.width != 1 {
            return Err(refused("no proof reads it"));
        }
        let Some(level) = path.level.checked_sub(1) else {
            let leaves = self.leaves(path.index, checkpoint).await?.1;
            self.proven(path.index * u64::from(TILE_WIDTH), checkpoint).await?;
            let leaf = leaves.first().ok_or_else(|| refused("its bundle is empty"))?;
            return Ok(Bytes::copy_from_slice(leaf.hash().as_bytes()));
        };
        let below = TilePath { level, index: path.index * u64::from(TILE_WIDTH), width: TILE_WIDTH };
        let bytes = Box::pin(self.tile(below, checkpoint)).await?;
        let mut hashes: Vec<NodeHash> =
            bytes.as_chunks::<HASH>().0.iter().map(|hash| NodeHash::from_bytes(*hash)).collect();
        while hashes.len() > 1 {
            hashes = hashes.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(left, right)).collect();
        }
        let hash = hashes.first().ok_or_else(|| refused("what is below it is empty"))?;
        Ok(Bytes::copy_from_slice(hash.as_bytes()))
    }

    /// The tiles that prove a leaf, as they came.
    pub(super) async fn tiles_for(&self, leaf: u64, checkpoint: &Checkpoint) -> Result<Tiles, StorageError> {
        self.tiles(tiles_for_inclusion(leaf, checkpoint.size())).await
    }

    async fn tiles(&self, paths: Vec<TilePath>) -> Result<Tiles, StorageError> {
        let mut tiles = Tiles::new();
        for path in paths {
            let bytes = self.part_of_log(&path.to_string(), &path.full().to_string()).await?;
            tiles.insert(path, bytes.to_vec());
        }
        Ok(tiles)
    }

    /// The tiles that prove a leaf; and they do.
    async fn proven(&self, leaf: u64, checkpoint: &Checkpoint) -> Result<Tiles, StorageError> {
        let leaves = self.leaves(leaf / u64::from(TILE_WIDTH), checkpoint).await?.1;
        let tiles = self.tiles_for(leaf, checkpoint).await?;
        let place = usize::try_from(leaf % u64::from(TILE_WIDTH)).unwrap_or_default();
        let path = EntriesPath::holding(leaf, checkpoint.size()).to_string();
        let found = leaves.get(place).ok_or_else(|| self.refused(&path, "it is too short".to_owned()))?;
        check_inclusion(checkpoint, found, leaf, &tiles).map_err(|error| self.refused(&path, chain(&error)))?;
        Ok(tiles)
    }

    /// A bundle of which every leaf is in the log.
    async fn bundle(&self, index: u64, checkpoint: &Checkpoint) -> Result<Bytes, StorageError> {
        let first = index * u64::from(TILE_WIDTH);
        let path = EntriesPath::holding(first, checkpoint.size());
        let (bytes, leaves) = self.leaves(index, checkpoint).await?;
        let hashes = self.tile(TilePath { level: 0, index, width: path.width }, checkpoint).await?;
        for (leaf, hash) in leaves.iter().zip(hashes.as_chunks::<HASH>().0) {
            if leaf.hash().as_bytes() != hash {
                return Err(self.refused(&path.to_string(), format!("the log has another leaf than `{leaf}`")));
            }
        }
        Ok(bytes)
    }

    async fn leaves(&self, index: u64, checkpoint: &Checkpoint) -> Result<(Bytes, Vec<Leaf>), StorageError> {
        let path = EntriesPath::holding(index * u64::from(TILE_WIDTH), checkpoint.size());
        let full = EntriesPath { width: TILE_WIDTH, ..path };
        let mut bytes = self.part_of_log(&path.to_string(), &full.to_string()).await?;
        if path.width < TILE_WIDTH {
            let refused = || self.refused(&path.to_string(), "it is too short".to_owned());
            bytes = begun_bundle(&bytes, path.width).ok_or_else(refused)?;
        }
        let leaves = decode_entries(&bytes, path.width);
        Ok((bytes, leaves.map_err(|error| self.refused(&path.to_string(), chain(&error)))?))
    }

    /// A file of the log: the one that is here, or the other registry's, which may be full by now.
    async fn part_of_log(&self, name: &str, full: &str) -> Result<Bytes, StorageError> {
        for name in [name, full] {
            if let Some(stored) = self.local.read(&in_tree(name)).await? {
                return Ok(stored.bytes);
            }
        }
        for name in [name, full] {
            if let Some(stored) = self.remote.read(&in_tree(name)).await? {
                return Ok(stored.bytes);
            }
        }
        Err(self.refused(name, "it is missing".to_owned()))
    }
}

/// The first `width` leaves of a bundle: each has two bytes of length before it.
fn begun_bundle(bytes: &Bytes, width: u16) -> Option<Bytes> {
    let mut end = 0;
    for _ in 0..width {
        let length: [u8; 2] = bytes.get(end..end + 2)?.try_into().ok()?;
        end += 2 + usize::from(u16::from_be_bytes(length));
    }
    (end <= bytes.len()).then(|| bytes.slice(..end))
}
