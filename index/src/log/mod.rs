//! The registry's transparency log: every line of every index file is a leaf of one Merkle tree, which the registry signs.
//!
//! Who rewrites history, or shows two histories to two users, needs two trees under the same key, and everybody who holds a
//! checkpoint of one can prove it against the other. Formats: RFC 6962 (tree and proofs) and the C2SP documents
//! `signed-note`, `tlog-checkpoint` and `tlog-tiles` (files).
//!
//! A network client asks [`tiles_for_inclusion`] or [`tiles_for_consistency`] what to fetch, puts it into [`Tiles`], and
//! then calls [`check_inclusion`] or [`check_consistency`].

mod check;
mod checkpoint;
mod cosignature;
mod frontier;
mod keys;
mod leaf;
mod merkle;
mod note;
mod proof;
mod tiles;
mod times;
mod vkey;
mod witnesses;

pub use check::{
    Inconsistency, LogError, check_consistency, check_consistency_proof, check_inclusion, tiles_for_consistency,
    tiles_for_inclusion,
};
pub use checkpoint::{Checkpoint, CheckpointError, TreeHead};
pub use cosignature::{Cosignature, CosignatureError, Cosigner, CosignerKey};
pub use frontier::{ComputedTile, Frontier};
pub use keys::keys_digest;
pub use leaf::{Leaf, LeafError};
pub use merkle::{NodeHash, NodeHashError, leaf_hash, node_hash};
pub use note::{NoteError, NoteKey, NoteSigner};
pub use proof::{prove_consistency, prove_inclusion};
pub use tiles::{
    EntriesError, EntriesPath, TILE_WIDTH, TileError, TilePath, TileSource, Tiles, decode_entries, encode_entry,
};
pub use times::{ClockBehind, LineTimeError, LogTimes, SeenCheckpoint, next_time};
pub use vkey::NoteKeyError;
pub use witnesses::{
    ClaimedCosignature, Missing, MissingWitness, Recent, WitnessDemand, WitnessDemandError, WitnessError, Witnessed,
};

pub(crate) use tiles::tree_root;

#[cfg(test)]
mod tests;
