//! A log computed from its leaves.

use std::collections::BTreeMap;

use pocket_index::digest::Digest;
use pocket_index::log::{
    Checkpoint, ComputedTile, EntriesPath, Frontier, Leaf, TILE_WIDTH, decode_entries, encode_entry,
};
use pocket_index::name::PluginName;

use super::{Copy, Wanted};
use crate::RegistryError;
use crate::error::chain;

/// A whole log.
pub(super) struct Log {
    /// Its bundles and tiles.
    pub files: Vec<(String, Vec<u8>)>,
    lines: BTreeMap<PluginName, Lines>,
}

/// A plugin's lines by their number, as the log has them.
pub(super) type Lines = BTreeMap<u64, Placed>;

/// A line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    /// Its digest.
    pub line: Digest,
    /// The number of its leaf.
    pub log: u64,
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
        let mut leaves = read_bundle(copy, path).await?;
        leaves.truncate(path.width.into());
        log.files.push((path.to_string(), leaves.iter().flat_map(encode_entry).collect()));
        for leaf in leaves {
            if let Some(earlier) = earlier.filter(|earlier| earlier.size() == frontier.size()) {
                same_root(&frontier, earlier)?;
            }
            let placed = Placed { line: leaf.line, log: frontier.size() };
            log.files.extend(frontier.push(leaf.hash()).iter().map(file_of));
            log.place(leaf, placed).map_err(|message| copy.wrong("log", message))?;
        }
    }
    if let Some(earlier) = earlier.filter(|earlier| earlier.size() == size) {
        same_root(&frontier, earlier)?;
    }
    same_root(&frontier, checkpoint)?;
    log.files.extend(frontier.partial_tiles().map(|tile| file_of(&tile)));
    Ok(log)
}

/// The leaves of a bundle. A begun one is cleared away some time after the full one came.
async fn read_bundle(copy: &Copy<'_>, path: EntriesPath) -> Result<Vec<Leaf>, RegistryError> {
    let full = EntriesPath { width: TILE_WIDTH, ..path };
    let (path, bytes) = match copy.find(&path.to_string()).await? {
        Some(bytes) => (path, bytes),
        None if path != full => match copy.find(&full.to_string()).await? {
            Some(bytes) => (full, bytes),
            None => return Err(copy.wrong(&path.to_string(), format!("it is missing, and so is `{full}`"))),
        },
        None => return Err(copy.wrong(&path.to_string(), "it is missing".to_owned())),
    };
    decode_entries(&bytes, path.width).map_err(|error| copy.wrong(&path.to_string(), chain(&error)))
}

fn file_of(tile: &ComputedTile) -> (String, Vec<u8>) {
    (tile.path.to_string(), tile.hashes.iter().flat_map(|hash| *hash.as_bytes()).collect())
}

impl Log {
    fn place(&mut self, leaf: Leaf, placed: Placed) -> Result<(), String> {
        let Leaf { name, seq, .. } = leaf;
        match self.lines.entry(name.clone()).or_default().insert(seq, placed) {
            None => Ok(()),
            Some(before) => Err(format!(
                "it has two lines {} of `{name}`: {} as leaf {}, and {} as leaf {}",
                seq + 1,
                before.line,
                before.log,
                placed.line,
                placed.log
            )),
        }
    }

    /// How many plugins it has.
    pub fn count(&self) -> usize {
        self.lines.len()
    }

    /// A plugin of it.
    pub fn plugin(&self, name: &PluginName) -> Option<(&PluginName, &Lines)> {
        self.lines.get_key_value(name)
    }

    /// The wanted plugins; one that the log does not have is an error.
    pub fn plugins(&self, wanted: &Wanted) -> Result<BTreeMap<&PluginName, &Lines>, PluginName> {
        match wanted {
            Wanted::All => Ok(self.lines.iter().collect()),
            Wanted::Named(names) => names.iter().map(|name| self.plugin(name).ok_or_else(|| name.clone())).collect(),
        }
    }
}
