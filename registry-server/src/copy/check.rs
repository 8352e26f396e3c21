//! A log computed from its leaves.

use std::collections::BTreeMap;

use pocket_index::digest::Digest;
use pocket_index::log::{Checkpoint, ComputedTile, EntriesPath, Frontier, decode_entries};
use pocket_index::name::PluginName;

use super::{Copy, Wanted};
use crate::RegistryError;
use crate::error::chain;

/// A whole log.
pub(super) struct Log {
    /// Its bundles and tiles.
    pub files: Vec<(String, Vec<u8>)>,
    /// For each plugin, the digests of its lines by their number.
    lines: BTreeMap<PluginName, BTreeMap<u64, Digest>>,
}

/// Reads every leaf, and compares the roots that they give with those of the checkpoint and of an earlier one.
pub(super) async fn read_log(
    copy: &Copy<'_>,
    checkpoint: &Checkpoint,
    earlier: Option<&Checkpoint>,
) -> Result<Log, RegistryError> {
    let size = checkpoint.size();
    let mut log = Log { files: Vec::new(), lines: BTreeMap::new() };
    let mut frontier = Frontier::default();
    let same_root = |frontier: &Frontier, expected: &Checkpoint| {
        let (found, stated) = (frontier.root(), expected.head().root);
        let message =
            format!("its first {} leaves have the root {found}, the checkpoint says {stated}", frontier.size());
        if found == stated { Ok(()) } else { Err(copy.wrong("log", message)) }
    };
    if let Some(earlier) = earlier.filter(|earlier| earlier.size() > size) {
        let message = format!("it has {size} events, the copy that is there {}", earlier.size());
        return Err(copy.wrong("log", message));
    }
    while frontier.size() < size {
        let path = EntriesPath::holding(frontier.size(), size);
        let bytes = copy.read(&path.to_string()).await?;
        let leaves =
            decode_entries(&bytes, path.width).map_err(|error| copy.wrong(&path.to_string(), chain(&error)))?;
        log.files.push((path.to_string(), bytes));
        for leaf in leaves {
            if let Some(earlier) = earlier.filter(|earlier| earlier.size() == frontier.size()) {
                same_root(&frontier, earlier)?;
            }
            log.files.extend(frontier.push(leaf.hash()).iter().map(file_of));
            log.lines.entry(leaf.name).or_default().insert(leaf.seq, leaf.line);
        }
    }
    if let Some(earlier) = earlier.filter(|earlier| earlier.size() == size) {
        same_root(&frontier, earlier)?;
    }
    same_root(&frontier, checkpoint)?;
    log.files.extend(frontier.partial_tiles().map(|tile| file_of(&tile)));
    Ok(log)
}

fn file_of(tile: &ComputedTile) -> (String, Vec<u8>) {
    (tile.path.to_string(), tile.hashes.iter().flat_map(|hash| *hash.as_bytes()).collect())
}

impl Log {
    /// The wanted plugins; one that the log does not have is an error.
    pub fn plugins(&self, wanted: &Wanted) -> Result<BTreeMap<&PluginName, &BTreeMap<u64, Digest>>, PluginName> {
        match wanted {
            Wanted::All => Ok(self.lines.iter().collect()),
            Wanted::Named(names) => {
                names.iter().map(|name| self.lines.get_key_value(name).ok_or_else(|| name.clone())).collect()
            }
        }
    }
}
