//! Checkpoints, keys, tiles and bundles of leaves.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pocket_index::digest::Digest;
use pocket_index::log::{
    Checkpoint, Leaf, NoteKey, NoteSigner, Tiles, check_consistency, check_inclusion, decode_entries, keys_digest,
    leaf_hash, tiles_for_consistency, tiles_for_inclusion,
};
use pocket_index::signature::SecretKey;

fuzz_target!(|data: &[u8]| {
    let Some((choice, data)) = data.split_first() else { return };
    match choice % 4 {
        0 => open(data),
        1 => decode(data),
        2 => prove(data),
        _ => drop(pocket_fuzz::text(data).map(str::parse::<NoteKey>)),
    }
});

/// A note that is accepted states its head in one way.
fn open(note: &[u8]) {
    let Ok(checkpoint) = Checkpoint::open_pinned(note, Digest::of(note)) else { return };
    assert_eq!(checkpoint.note().as_bytes(), note);
    assert!(note.starts_with(format!("{}\n{}\n", checkpoint.head().origin, checkpoint.size()).as_bytes()));
}

fn decode(data: &[u8]) {
    let Some((width, bundle)) = data.split_first() else { return };
    let Ok(leaves) = decode_entries(bundle, u16::from(*width) + 1) else { return };
    for leaf in leaves {
        assert_eq!(leaf.to_string().parse::<Leaf>().ok(), Some(leaf));
    }
}

/// Tiles of noise prove nothing, whatever they and the numbers are.
fn prove(data: &[u8]) {
    let Some((numbers, noise)) = data.split_at_checked(24) else { return };
    let number = |at: usize| u64::from_le_bytes(numbers[at..at + 8].try_into().expect("8 bytes")) >> (numbers[at] % 64);
    let (index, old, size) = (number(0), number(8), number(16));
    let signer = NoteSigner::new("fuzz", SecretKey::from_seed(&[1; 32])).expect("a valid name");
    let head = |size| Checkpoint::sign(size, leaf_hash(b"another tree"), keys_digest([]), &signer);
    let mut tiles = Tiles::new();
    for path in tiles_for_inclusion(index, size).into_iter().chain(tiles_for_consistency(old, size)) {
        let hashes = noise.iter().copied().cycle().take(32 * 256).collect::<Vec<_>>();
        tiles.insert(path, hashes);
    }
    let leaf = Leaf { name: "fuzz".parse().expect("a valid name"), seq: 0, line: Digest::of(b"a line") };
    assert!(check_inclusion(&head(size), &leaf, index, &tiles).is_err());
    let consistent = check_consistency(head(old).head(), &head(size), &tiles).is_ok();
    assert!(!consistent || old == size || old == 0);
}
