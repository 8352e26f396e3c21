//! Every byte of what is signed or proven is changed in three ways, and every beginning of it is tried as the whole: none of
//! it is taken.

use pocket_index::digest::Digest;
use pocket_index::layout;
use pocket_index::log::{
    Checkpoint, Leaf, LogError, TILE_WIDTH, TilePath, Tiles, check_consistency, check_inclusion, tiles_for_inclusion,
};
use pocket_index::record::{History, Policy};
use pocket_index::signature::{Signature, verify};
use pocket_index::verify::VerifiedRelease;

use crate::index::{ALICE, AT, Index, REGISTRY, key, path};

/// Everything that one byte in another place, or a cut, makes of `bytes`, with a word about it.
fn mangled(bytes: &[u8]) -> impl Iterator<Item = (String, Vec<u8>)> {
    let changed = (0..bytes.len()).flat_map(move |at| {
        let ways = [bytes[at] ^ 1, bytes[at] ^ 0x80, b'A'];
        ways.into_iter().filter(move |byte| *byte != bytes[at]).map(move |byte| {
            let mut changed = bytes.to_vec();
            changed[at] = byte;
            (format!("byte {at} is {byte:#04x}"), changed)
        })
    });
    changed.chain((0..bytes.len()).map(|end| (format!("cut at {end}"), bytes[..end].to_vec())))
}

fn checkpoint(index: &Index) -> Checkpoint {
    Checkpoint::open(&index.files[layout::CHECKPOINT], index.signer().key()).unwrap()
}

/// The tile of all leaves, of which there are fewer than 256.
fn tile(size: u64) -> TilePath {
    let width = u16::try_from(size).unwrap();
    assert!(width < TILE_WIDTH);
    TilePath { level: 0, index: 0, width }
}

fn tiles(index: &Index) -> Tiles {
    let mut tiles = Tiles::new();
    let path = tile(checkpoint(index).size());
    tiles.insert(path, index.files[&path.to_string()].clone());
    tiles
}

/// Whether every release in this file of `plugin` may be installed.
fn is_taken(index: &Index, plugin: &str, file: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(file) else { return false };
    let checkpoint = checkpoint(index);
    let policy = Policy::new([key(REGISTRY).public()]).published_up_to(checkpoint.size());
    let Ok(history) = History::replay(&plugin.parse().unwrap(), text, &policy) else { return false };
    let is_logged = history.outline().check_last(&checkpoint, &tiles(index)).is_ok();
    let mut versions = history.releases().map(|entry| &entry.release().version);
    is_logged && versions.all(|version| VerifiedRelease::check(&history, version, &checkpoint, &tiles(index)).is_ok())
}

/// A release, a change of owners, and a release by the new one.
#[test]
fn no_line_is_taken_with_another_byte_or_without_its_end() {
    let index = Index::honest();
    let file = &index.files[&path("moved")];
    assert!(is_taken(&index, "moved", file));
    let whole_lines: Vec<usize> =
        file.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    for (what, changed) in mangled(file) {
        // A file that ends after a whole line is an older one: that is for the memory to find.
        if !whole_lines.contains(&changed.len()) || changed.len() == file.len() {
            assert!(!is_taken(&index, "moved", &changed), "{what}");
        }
    }
}

#[test]
fn no_bit_of_a_signature_can_be_flipped() {
    let event = r#"{"kind":"yank","name":"geo","version":"1.0.0","reason":""}"#;
    let good = key(ALICE).sign_event("yank", event);
    verify("yank", event, &good).unwrap();
    for bit in 0..64 * 8 {
        let (at, digits) = (bit / 8 * 2, good.sig.clone());
        let byte = u8::from_str_radix(&digits[at..at + 2], 16).unwrap() ^ (1 << (bit % 8));
        let sig = format!("{}{byte:02x}{}", &digits[..at], &digits[at + 2..]);
        assert!(verify("yank", event, &Signature { key: good.key, sig }).is_err(), "bit {bit}");
    }
    for (what, changed) in mangled(good.sig.as_bytes()) {
        let Ok(sig) = String::from_utf8(changed) else { continue };
        assert!(verify("yank", event, &Signature { key: good.key, sig }).is_err(), "{what}");
    }
    for (what, changed) in mangled(event.as_bytes()) {
        let Ok(changed) = String::from_utf8(changed) else { continue };
        assert!(verify("yank", &changed, &good).is_err(), "{what}");
    }
}

#[test]
fn no_checkpoint_is_taken_with_another_byte_or_without_its_end() {
    let index = Index::honest();
    let note = &index.files[layout::CHECKPOINT];
    let signer = index.signer();
    // Without the line that states its time it is a checkpoint still, but one that nothing is chosen by.
    let is_taken = |note: &[u8]| {
        Checkpoint::open(note, signer.key()).is_ok_and(|checkpoint| checkpoint.signed_at(signer.key()) == Ok(Some(AT)))
    };
    assert!(is_taken(note));
    for (what, changed) in mangled(note) {
        assert!(!is_taken(&changed), "{what}");
    }
}

#[test]
fn no_key_is_taken_with_another_letter() {
    let index = Index::honest();
    let (note, text) = (&index.files[layout::CHECKPOINT], index.signer().key().to_string());
    for (what, changed) in mangled(text.as_bytes()) {
        let Some(key) = String::from_utf8(changed).ok().and_then(|text| text.parse().ok()) else { continue };
        assert!(Checkpoint::open(note, &key).is_err(), "{what}");
    }
}

/// Logs of sizes around the first powers of two, each leaf in each of them. A log of one leaf needs no proof.
#[test]
fn no_inclusion_is_proven_by_another_byte_or_by_less() {
    let mut index = Index::honest();
    for number in 0..4_u8 {
        index.log_leaf("extra", number.into(), Digest::of(&[number]));
    }
    for size in [2, 3, 5, 7, 8, 9, 13] {
        let index = first_leaves(&index, size);
        let checkpoint = checkpoint(&index);
        for (at, leaf) in index.leaves().iter().enumerate() {
            every_inclusion_fails(&index, &checkpoint, at, leaf);
        }
    }
}

fn every_inclusion_fails(index: &Index, checkpoint: &Checkpoint, at: usize, leaf: &Leaf) {
    let prove = |tiles: &Tiles| check_inclusion(checkpoint, leaf, at as u64, tiles);
    prove(&tiles(index)).unwrap();
    let path = tile(checkpoint.size());
    for (what, changed) in mangled(&index.files[&path.to_string()]) {
        let own = at * 32..(at + 1) * 32;
        let is_own = changed.len() == usize::from(path.width) * 32
            && index.files[&path.to_string()]
                .iter()
                .zip(&changed)
                .position(|(a, b)| a != b)
                .is_some_and(|at| own.contains(&at));
        let mut tiles = Tiles::new();
        tiles.insert(path, changed);
        // The leaf's own hash is computed from the line: what the tile has there is not looked at.
        assert_eq!(prove(&tiles).is_ok(), is_own, "leaf {at} of {}: {what}", checkpoint.size());
    }
}

#[test]
fn no_inclusion_is_proven_for_another_leaf_or_place() {
    let index = Index::honest();
    let (checkpoint, tiles) = (checkpoint(&index), tiles(&index));
    for (at, leaf) in index.leaves().iter().enumerate() {
        for place in (0..12).filter(|place| *place != at as u64) {
            assert!(check_inclusion(&checkpoint, leaf, place, &tiles).is_err(), "leaf {at} in place {place}");
        }
        let others = [
            Leaf { name: "other".parse().unwrap(), ..leaf.clone() },
            Leaf { seq: leaf.seq + 1, ..leaf.clone() },
            Leaf { line: Digest::of(b"another line"), ..leaf.clone() },
        ];
        assert!(others.iter().all(|other| check_inclusion(&checkpoint, other, at as u64, &tiles).is_err()));
        assert!(tiles_for_inclusion(at as u64, checkpoint.size()).iter().all(|path| *path == tile(checkpoint.size())));
    }
}

#[test]
fn no_growth_is_proven_by_another_byte_or_by_less() {
    let index = Index::honest();
    let all = checkpoint(&index).size();
    for old in 1..all {
        let before = checkpoint(&first_leaves(&index, old));
        for new in old + 1..=all {
            let grown = first_leaves(&index, new);
            let after = checkpoint(&grown);
            let prove = |tiles: &Tiles| check_consistency(before.head(), &after, tiles);
            prove(&tiles(&grown)).unwrap();
            let path = tile(new);
            let honest = &grown.files[&path.to_string()];
            for (what, changed) in mangled(honest) {
                let place = honest.iter().zip(&changed).position(|(a, b)| a != b);
                // Of a complete old tree the client has the root already.
                let is_known = old.is_power_of_two() && place.is_some_and(|at| at < old as usize * 32);
                let mut tiles = Tiles::new();
                tiles.insert(path, changed);
                assert_eq!(prove(&tiles).is_ok(), is_known, "from {old} to {new}: {what}");
            }
        }
    }
}

#[test]
fn no_growth_is_proven_from_another_root() {
    let index = Index::honest();
    let after = checkpoint(&index);
    for old in 1..=after.size() {
        let mut before = checkpoint(&first_leaves(&index, old)).head().clone();
        for (at, bit) in (0..32).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut root = *before.root.as_bytes();
            root[at] ^= 1 << bit;
            let honest = std::mem::replace(&mut before.root, pocket_index::log::NodeHash::from_bytes(root));
            let refused = check_consistency(&before, &after, &tiles(&index)).unwrap_err();
            assert!(matches!(refused, LogError::Inconsistent(_) | LogError::Forked { .. }), "{refused}");
            before.root = honest;
        }
    }
}

fn first_leaves(index: &Index, size: u64) -> Index {
    let mut first = index.clone();
    first.forget(first.leaves().len() - usize::try_from(size).unwrap());
    first
}
