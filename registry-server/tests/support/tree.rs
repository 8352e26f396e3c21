//! Whether the files of a static tree fit together, as every client and a monitor would find.

use std::collections::{BTreeMap, BTreeSet};

use pocket_index::digest::Digest;
use pocket_index::layout;
use pocket_index::log::{Checkpoint, ComputedTile, EntriesPath, Frontier, Leaf, NoteKey, decode_entries};
use pocket_index::record::{Event, Line};

/// Files by their path relative to the tree.
pub type Files = BTreeMap<String, Vec<u8>>;

/// What is published: each event as plugin and number of its line.
pub type Published = BTreeSet<(String, u64)>;

/// Checks a whole tree: every leaf has its line, every tile and the bundle of the checkpoint's tree is there and right, and so is
/// every archive of a published release.
pub fn check(files: &Files, key: &NoteKey) -> Published {
    let note = files.get(layout::CHECKPOINT).expect("there is a checkpoint");
    let checkpoint = Checkpoint::open(note, key).expect("the log signed it");
    let size = checkpoint.size();
    let lines = lines(files, size);
    let logs: Vec<u64> = lines.keys().copied().collect();
    assert_eq!(logs, (0..size).collect::<Vec<_>>(), "each leaf has one line");
    let mut frontier = Frontier::default();
    for (leaf, _) in lines.values() {
        frontier.push(leaf.hash()).iter().for_each(|tile| check_tile(files, tile));
    }
    frontier.partial_tiles().for_each(|tile| check_tile(files, &tile));
    assert_eq!(frontier.root(), checkpoint.head().root, "the root is that of the lines");
    check_bundles(files, size, &lines);
    for (_, line) in lines.values() {
        check_archives(files, line);
    }
    lines.into_values().map(|(leaf, _)| (leaf.name.to_string(), leaf.seq)).collect()
}

/// The published lines by their place in the log.
fn lines(files: &Files, size: u64) -> BTreeMap<u64, (Leaf, Line)> {
    let mut found = BTreeMap::new();
    for (path, content) in files.iter().filter(|(path, _)| path.starts_with("index/")) {
        let name = path.rsplit('/').next().expect("a path has a last part");
        let text = str::from_utf8(content).expect("an index file is text");
        let mut prev = None;
        for (seq, line) in text.lines().enumerate() {
            let line = Line::parse(line).expect("a line");
            assert_eq!((line.seq, line.prev), (seq as u64, prev), "the chain of {path}");
            prev = Some(line.digest);
            if line.log < size {
                let leaf = Leaf { name: name.parse().expect("a name"), seq: line.seq, line: line.digest };
                let other = found.insert(line.log, (leaf, line));
                assert!(other.is_none(), "two lines have the same leaf: {other:?}");
            }
        }
    }
    found
}

fn check_tile(files: &Files, tile: &ComputedTile) {
    let bytes: Vec<u8> = tile.hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
    assert_eq!(files.get(&tile.path.to_string()), Some(&bytes), "{}", tile.path);
}

fn check_bundles(files: &Files, size: u64, lines: &BTreeMap<u64, (Leaf, Line)>) {
    let mut at = 0;
    while at < size {
        let path = EntriesPath::holding(at, size);
        let bytes = files.get(&path.to_string()).unwrap_or_else(|| panic!("{path} is missing"));
        let leaves = decode_entries(bytes, path.width).expect("a bundle");
        for (leaf, log) in leaves.iter().zip(at..) {
            assert_eq!(*leaf, lines[&log].0, "{path}");
        }
        at += u64::from(path.width);
    }
}

fn check_archives(files: &Files, line: &Line) {
    let Some(Event::Release(release)) = &line.event else { return };
    for record in &release.archives {
        let path = layout::archive(&record.sha256);
        let bytes = files.get(&path).unwrap_or_else(|| panic!("{path} is missing"));
        assert_eq!(Digest::of(bytes), record.sha256, "{path}");
    }
}
