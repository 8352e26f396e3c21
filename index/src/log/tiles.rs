//! The log as files: tiles of hashes and bundles of leaves. Format: C2SP `tlog-tiles`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::io;
use std::ops::Range;

use super::leaf::Leaf;
use super::merkle::{NodeHash, Subtree, join, node_hash, root_of_nothing, subtrees};

/// 256 hashes, or leaves, in a full tile.
pub const TILE_WIDTH: u16 = 256;
/// A tile spans 8 levels of the tree.
pub(super) const TILE_HEIGHT: u32 = 8;

/// A tile of hashes: those of `width` complete subtrees of height 8 * `level`, from number 256 * `index` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TilePath {
    /// 0 for the leaves' own hashes.
    pub level: u8,
    /// Its number in the level.
    pub index: u64,
    /// 1 to 256 hashes; fewer than 256 only at the tree's right edge.
    pub width: u16,
}

/// A bundle of leaves: `width` of them from number 256 * `index` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntriesPath {
    /// Its number.
    pub index: u64,
    /// 1 to 256 leaves; fewer than 256 only at the log's end.
    pub width: u16,
}

/// Where tiles come from. An answer may be the full tile where a partial one was asked for: it starts with the same hashes.
pub trait TileSource {
    /// The bytes of a tile.
    fn tile(&self, path: &TilePath) -> io::Result<Vec<u8>>;

    /// The hash over the 2^`height` hashes of a tile that follow number 2^`height` * `index`. Who is asked for many of them
    /// may keep what lies between.
    ///
    /// # Errors
    /// The tile cannot be read, or is not as long as its width says.
    fn node(&self, path: &TilePath, height: u32, index: usize) -> Result<NodeHash, TileError> {
        let hashes = read(path, self)?;
        let levels = levels(hashes[index << height..(index + 1) << height].to_vec());
        Ok(levels[height as usize][0])
    }
}

/// Tiles in memory: what a client has fetched.
#[derive(Debug, Clone, Default)]
pub struct Tiles {
    bytes: BTreeMap<TilePath, Vec<u8>>,
    /// The hashes of the tiles that were asked for nodes, with all that lies above them.
    levels: RefCell<BTreeMap<TilePath, Vec<Vec<NodeHash>>>>,
}

/// Why a tile gives no hash.
#[derive(Debug, thiserror::Error)]
pub enum TileError {
    /// The tile cannot be read.
    #[error("cannot read the log's tile `{path}`")]
    Read {
        /// Its path.
        path: TilePath,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The tile has another length than its width says.
    #[error("the log's tile `{path}` has {bytes} bytes, expected {expected}, 32 for each hash")]
    Length {
        /// Its path.
        path: TilePath,
        /// Its length.
        bytes: usize,
        /// 32 for each hash.
        expected: usize,
    },
}

/// Why bytes are no bundle of leaves.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntriesError {
    /// The bundle ends inside a leaf.
    #[error("the bundle of leaves ends inside leaf {leaf}")]
    Truncated {
        /// Which one, from 0.
        leaf: usize,
    },
    /// A leaf is not what this version of the format writes.
    #[error("leaf {leaf} of the bundle is malformed")]
    Leaf {
        /// Which one, from 0.
        leaf: usize,
        /// Why.
        #[source]
        source: super::LeafError,
    },
    /// A leaf is not UTF-8.
    #[error("leaf {leaf} of the bundle is not UTF-8 text")]
    NotText {
        /// Which one, from 0.
        leaf: usize,
    },
    /// More leaves, or fewer, than the bundle's width says.
    #[error("the bundle has {found} leaves, expected {expected}")]
    Width {
        /// What its path says.
        expected: usize,
        /// How many there are.
        found: usize,
    },
}

impl Tiles {
    /// No tiles.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tile.
    pub fn insert(&mut self, path: TilePath, bytes: Vec<u8>) {
        self.levels.get_mut().remove(&path);
        self.bytes.insert(path, bytes);
    }
}

impl TileSource for Tiles {
    fn tile(&self, path: &TilePath) -> io::Result<Vec<u8>> {
        self.bytes.get(path).cloned().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the tile was not fetched"))
    }

    fn node(&self, path: &TilePath, height: u32, index: usize) -> Result<NodeHash, TileError> {
        let mut known = self.levels.borrow_mut();
        let levels = match known.entry(*path) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(levels(read(path, self)?)),
        };
        Ok(levels[height as usize][index])
    }
}

/// The `width` leaves of a bundle: each a big-endian 16-bit length and that many bytes.
pub fn decode_entries(mut bytes: &[u8], width: u16) -> Result<Vec<Leaf>, EntriesError> {
    let mut leaves = Vec::new();
    while !bytes.is_empty() {
        let leaf = leaves.len();
        let truncated = EntriesError::Truncated { leaf };
        let Some((length, rest)) = bytes.split_first_chunk::<2>() else { return Err(truncated) };
        let Some((entry, rest)) = rest.split_at_checked(u16::from_be_bytes(*length).into()) else {
            return Err(truncated);
        };
        let text = str::from_utf8(entry).map_err(|_| EntriesError::NotText { leaf })?;
        leaves.push(text.parse().map_err(|source| EntriesError::Leaf { leaf, source })?);
        bytes = rest;
    }
    if leaves.len() != usize::from(width) {
        return Err(EntriesError::Width { expected: width.into(), found: leaves.len() });
    }
    Ok(leaves)
}

/// One leaf as it stands in a bundle.
pub fn encode_entry(leaf: &Leaf) -> Vec<u8> {
    let text = leaf.to_string();
    let length = u16::try_from(text.len()).expect("a leaf has at most 64 + 20 + 71 bytes and its words");
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

/// The root of a tree from the tiles at its right edge.
pub(crate) fn tree_root(size: u64, source: &impl TileSource) -> Result<NodeHash, TileError> {
    if size == 0 {
        return Ok(root_of_nothing());
    }
    range_hash(0..size, size, source)
}

/// The tiles that [`range_hash`] reads.
pub(super) fn range_tiles(range: Range<u64>, size: u64) -> impl Iterator<Item = TilePath> {
    subtrees(range).into_iter().map(move |subtree| TilePath::holding(subtree, size))
}

/// The hash over a range of leaves in a tree of `size`.
pub(super) fn range_hash(range: Range<u64>, size: u64, source: &impl TileSource) -> Result<NodeHash, TileError> {
    let hashes: Result<Vec<_>, _> =
        subtrees(range).into_iter().map(|subtree| subtree_hash(subtree, size, source)).collect();
    Ok(join(&hashes?).expect("the ranges of a proof have at least one leaf"))
}

fn subtree_hash(subtree: Subtree, size: u64, source: &impl TileSource) -> Result<NodeHash, TileError> {
    let path = TilePath::holding(subtree, size);
    // A tile holds every 8th level; what lies between is computed from it.
    let inside = subtree.height % TILE_HEIGHT;
    let index = subtree.index % (u64::from(TILE_WIDTH) >> inside);
    source.node(&path, inside, index as usize)
}

/// The hashes of a tile, and above them those over complete pairs, level by level.
fn levels(hashes: Vec<NodeHash>) -> Vec<Vec<NodeHash>> {
    let mut levels = vec![hashes];
    while let Some(below) = levels.last().filter(|below| below.len() > 1) {
        let above = below.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
        levels.push(above);
    }
    levels
}

fn read(path: &TilePath, source: &(impl TileSource + ?Sized)) -> Result<Vec<NodeHash>, TileError> {
    let bytes = source.tile(path).map_err(|source| TileError::Read { path: *path, source })?;
    let (expected, full) = (usize::from(path.width) * 32, usize::from(TILE_WIDTH) * 32);
    if bytes.len() != expected && bytes.len() != full {
        return Err(TileError::Length { path: *path, bytes: bytes.len(), expected });
    }
    let (hashes, _) = bytes.as_chunks::<32>();
    Ok(hashes.iter().map(|hash| NodeHash::from_bytes(*hash)).collect())
}

impl TilePath {
    /// The tile at `level` that holds hash `number` of that level, in a tree of `size`.
    pub(crate) fn at(level: u8, number: u64, size: u64) -> Self {
        let index = number / u64::from(TILE_WIDTH);
        let hashes = size >> (u32::from(level) * TILE_HEIGHT);
        Self { level, index, width: width(index, hashes) }
    }

    fn holding(subtree: Subtree, size: u64) -> Self {
        let level = subtree.height / TILE_HEIGHT;
        let number = subtree.index << (subtree.height % TILE_HEIGHT);
        Self::at(u8::try_from(level).expect("a tree has at most 64 levels"), number, size)
    }

    /// The full tile in this place: what to ask for where a partial one is gone.
    pub fn full(&self) -> Self {
        Self { width: TILE_WIDTH, ..*self }
    }
}

impl EntriesPath {
    /// The bundle that holds a leaf, in a log of `size`.
    pub fn holding(leaf: u64, size: u64) -> Self {
        let index = leaf / u64::from(TILE_WIDTH);
        Self { index, width: width(index, size) }
    }
}

/// How wide tile `index` is when there are `count` hashes.
fn width(index: u64, count: u64) -> u16 {
    let rest = count.saturating_sub(index * u64::from(TILE_WIDTH));
    rest.min(u64::from(TILE_WIDTH)) as u16
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "log/tile/{}/", self.level)?;
        write_place(f, self.index, self.width)
    }
}

impl fmt::Display for EntriesPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("log/tile/entries/")?;
        write_place(f, self.index, self.width)
    }
}

/// `x001/x234/067` for 1,234,067, and `.p/<width>` for a partial tile.
fn write_place(f: &mut fmt::Formatter<'_>, index: u64, width: u16) -> fmt::Result {
    let mut groups = vec![index % 1000];
    let mut rest = index / 1000;
    while rest > 0 {
        groups.push(rest % 1000);
        rest /= 1000;
    }
    for group in groups[1..].iter().rev() {
        write!(f, "x{group:03}/")?;
    }
    write!(f, "{:03}", groups[0])?;
    if width < TILE_WIDTH { write!(f, ".p/{width}") } else { Ok(()) }
}
