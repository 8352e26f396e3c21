//! The hashes and shapes of RFC 6962, section 2.1.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The hash of a node of the tree; written in base64, as in a checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeHash([u8; 32]);

/// Why a text is no hash of a node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no tree hash: expected the base64 of 32 bytes", value.escape_debug())]
pub struct NodeHashError {
    value: String,
}

/// SHA-256 of 0x00 and the leaf. The first byte keeps a leaf from being shown as a node.
pub fn leaf_hash(leaf: &[u8]) -> NodeHash {
    NodeHash(Sha256::new().chain_update([0]).chain_update(leaf).finalize().into())
}

/// SHA-256 of 0x01 and both children.
pub fn node_hash(left: &NodeHash, right: &NodeHash) -> NodeHash {
    NodeHash(Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0).finalize().into())
}

/// The root of a tree without leaves: SHA-256 of nothing.
pub(crate) fn root_of_nothing() -> NodeHash {
    NodeHash(Sha256::digest([]).into())
}

/// A complete subtree: 2^`height` leaves from `index` * 2^`height` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Subtree {
    pub(super) height: u32,
    pub(super) index: u64,
}

/// The complete subtrees, from left to right, that a range of leaves consists of.
///
/// The range must be one that RFC 6962 splits off: it starts at a multiple of the largest of its subtrees.
pub(super) fn subtrees(range: Range<u64>) -> Vec<Subtree> {
    let Range { mut start, end } = range;
    let mut found = Vec::new();
    while start < end {
        let height = (end - start).ilog2();
        found.push(Subtree { height, index: start >> height });
        start += 1 << height;
    }
    found
}

/// The hash over neighbouring complete subtrees, from left to right: the smaller ones on the right are joined first.
pub(super) fn join(hashes: &[NodeHash]) -> Option<NodeHash> {
    hashes.iter().copied().rev().reduce(|right, left| node_hash(&left, &right))
}

/// The ranges of leaves whose hashes prove that leaf `index` is in a tree of `size`: RFC 6962, section 2.1.1. From the leaf up.
pub(super) fn inclusion_ranges(index: u64, size: u64) -> Vec<Range<u64>> {
    let (mut start, mut end) = (0, size);
    let mut ranges = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            ranges.push(middle..end);
            end = middle;
        } else {
            ranges.push(start..middle);
            start = middle;
        }
    }
    ranges.reverse();
    ranges
}

/// The ranges whose hashes prove that a tree of `old` leaves became one of `new`: RFC 6962, section 2.1.2, for 0 < old < new.
pub(super) fn consistency_ranges(old: u64, new: u64) -> Vec<Range<u64>> {
    let (mut start, mut end) = (0, new);
    let mut ranges = Vec::new();
    // Ends: each step halves the range or better, and a range that ends at `old` stays inside.
    while end != old {
        let middle = start + split(end - start);
        if old <= middle {
            ranges.push(middle..end);
            end = middle;
        } else {
            ranges.push(start..middle);
            start = middle;
        }
    }
    // If the old tree is a complete subtree, the verifier has its hash already: it is the old root.
    if start > 0 {
        ranges.push(start..end);
    }
    ranges.reverse();
    ranges
}

/// The largest power of two below `leaves`, which must be 2 or more.
fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

impl NodeHash {
    /// A hash that was computed elsewhere.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for NodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(&self.0))
    }
}

impl fmt::Debug for NodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for NodeHash {
    type Err = NodeHashError;

    fn from_str(text: &str) -> Result<Self, NodeHashError> {
        let bytes = BASE64.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| NodeHashError { value: text.to_owned() })
    }
}

impl TryFrom<String> for NodeHash {
    type Error = NodeHashError;

    fn try_from(text: String) -> Result<Self, NodeHashError> {
        text.parse()
    }
}

impl From<NodeHash> for String {
    fn from(hash: NodeHash) -> String {
        hash.to_string()
    }
}
