//! What the log remembers of a line.

use std::fmt;
use std::str::FromStr;

use super::merkle::{NodeHash, leaf_hash};
use crate::digest::Digest;
use crate::name::PluginName;

/// One leaf: whose line, which one, and its digest. Written `pocket/leaf/v1 <name> <seq> sha256:<hex>` and a newline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// The plugin.
    pub name: PluginName,
    /// The line's place in the plugin's file, from 0.
    pub seq: u64,
    /// The line's digest.
    pub line: Digest,
}

/// Why bytes are no leaf.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no leaf: expected `pocket/leaf/v1 <name> <seq> sha256:<hex>` and a newline", value.escape_debug())]
pub struct LeafError {
    value: String,
}

impl Leaf {
    /// The leaf's hash in the tree.
    pub fn hash(&self) -> NodeHash {
        leaf_hash(self.to_string().as_bytes())
    }
}

impl fmt::Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, seq, line } = self;
        writeln!(f, "pocket/leaf/v1 {name} {seq} {line}")
    }
}

impl FromStr for Leaf {
    type Err = LeafError;

    fn from_str(text: &str) -> Result<Self, LeafError> {
        let error = || LeafError { value: text.to_owned() };
        let words: Vec<_> = text.strip_suffix('\n').ok_or_else(error)?.split(' ').collect();
        let ["pocket/leaf/v1", name, seq, line] = words[..] else { return Err(error()) };
        let leaf = Self {
            name: name.parse().map_err(|_| error())?,
            seq: seq.parse().map_err(|_| error())?,
            line: line.parse().map_err(|_| error())?,
        };
        // `+1` and `01` are numbers too, but not the one spelling.
        if leaf.to_string() == text { Ok(leaf) } else { Err(error()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_has_one_spelling() {
        let digest = Digest::of(b"line");
        let text = format!("pocket/leaf/v1 redis 12 {digest}\n");
        let leaf: Leaf = text.parse().expect("the one spelling");
        assert_eq!(leaf, Leaf { name: "redis".parse().expect("a name"), seq: 12, line: digest });
        assert_eq!(leaf.to_string(), text);
        for bad in [
            text.trim_end().to_owned(),
            text.replace(" 12", " 012"),
            text.replace(" 12", "  12"),
            text.replace("/v1", "/v2"),
        ] {
            assert!(bad.parse::<Leaf>().is_err(), "{bad}");
        }
    }
}
