//! Against the literature (RFC 6962 test vectors) and two independent implementations of the C2SP formats.

use data_encoding::{BASE64, HEXLOWER};
use signed_note::{StandardVerifier, VerifierList};
use tlog_tiles::{HashReader, Tile, TileHashReader, TileReader};

use super::*;
use crate::digest::Digest;
use crate::record::Event;
use crate::testing::{AT, MemoryFiles, TestIndex, key, name, release};

/// The eight leaves of the reference implementation's tests and the root over each number of them.
const LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/// Replaying a file checks all its signatures, so the releases are spread over many files.
const PLUGINS: u64 = 20;

/// An index with `count` releases, of 20 plugins in turn.
fn index_of(count: u64) -> TestIndex {
    let index = TestIndex::new();
    for number in 0..count {
        let release = release(&format!("plugin-{}", number % PLUGINS), &format!("1.{}.0", number / PLUGINS));
        index.append(Event::from(release), &[&key(1)]);
    }
    index
}

/// Leaf number `number` of such an index.
fn leaf(index: &TestIndex, number: u64) -> Leaf {
    let (plugin, seq) = (format!("plugin-{}", number % PLUGINS), number / PLUGINS);
    let text = index.text(&plugin);
    let line = text.lines().nth(seq as usize).expect("the release was appended");
    Leaf { name: name(&plugin), seq, line: Digest::of(line.as_bytes()) }
}

/// A tree of `count` leaves `0`, `1`, … as its tiles of level 0 (and 1, from 256 on).
fn tree_of(count: u64) -> (Tiles, Vec<NodeHash>) {
    let hashes: Vec<_> = (0..count).map(|number| leaf_hash(number.to_string().as_bytes())).collect();
    let mut tiles = Tiles::new();
    let mut level: Vec<NodeHash> = hashes.clone();
    for height in 0..2 {
        for (index, chunk) in level.chunks(256).enumerate() {
            let path = TilePath { level: height, index: index as u64, width: chunk.len() as u16 };
            tiles.insert(path, chunk.iter().flat_map(|hash| *hash.as_bytes()).collect());
        }
        level = level
            .chunks_exact(256)
            .map(|chunk| {
                let mut nodes = chunk.to_vec();
                while nodes.len() > 1 {
                    nodes = nodes.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
                }
                nodes[0]
            })
            .collect();
    }
    (tiles, hashes)
}

#[test]
fn roots_are_those_of_the_reference_implementation() {
    for (count, expected) in ROOTS.iter().enumerate() {
        let leaves = &LEAVES[..=count];
        let hashes: Vec<u8> = leaves
            .iter()
            .flat_map(|leaf| *leaf_hash(&HEXLOWER.decode(leaf.as_bytes()).expect("hexadecimal")).as_bytes())
            .collect();
        let size = leaves.len() as u64;
        let mut tiles = Tiles::new();
        tiles.insert(TilePath { level: 0, index: 0, width: leaves.len() as u16 }, hashes);
        let root = tree_root(size, &tiles).expect("the tile is there");
        assert_eq!(HEXLOWER.encode(root.as_bytes()), *expected, "{size} leaves");
    }
    let nothing = tree_root(0, &Tiles::new()).expect("no tile is needed");
    assert_eq!(nothing.to_string(), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

#[test]
fn every_leaf_of_every_small_tree_is_proved_and_no_other_root_is_reached() {
    for size in 1..70 {
        let (tiles, hashes) = tree_of(size);
        let root = tree_root(size, &tiles).expect("the tiles are there");
        for (index, hash) in hashes.iter().enumerate() {
            let index = index as u64;
            let proof = prove_inclusion(index, size, &tiles).expect("tiles").expect("index is below size");
            let reached = |proof: &[NodeHash]| proof::root_of_inclusion(index, size, *hash, proof);
            assert_eq!(reached(&proof), Some(root), "leaf {index} of {size}");
            assert_ne!(reached(&[&proof[..], &[root]].concat()), Some(root));
            if !proof.is_empty() {
                assert_ne!(reached(&proof[1..]), Some(root));
            }
        }
    }
}

#[test]
fn every_pair_of_sizes_is_proved_and_agrees_with_the_oracle() {
    struct Oracle<'a>(&'a [NodeHash]);
    impl HashReader for Oracle<'_> {
        fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
            let subtree = |index: &u64| {
                let (level, number) = tlog_tiles::split_stored_hash_index(*index);
                let mut nodes = self.0[(number << level) as usize..((number + 1) << level) as usize].to_vec();
                while nodes.len() > 1 {
                    nodes = nodes.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
                }
                tlog_tiles::Hash(*nodes[0].as_bytes())
            };
            Ok(indexes.iter().map(subtree).collect())
        }
    }
    for new in 2..40 {
        let (tiles, hashes) = tree_of(new);
        let new_root = tree_root(new, &tiles).expect("tiles");
        for old in 1..new {
            let old_root = tree_root(old, &tree_of(old).0).expect("tiles");
            let proof = prove_consistency(old, new, &tiles).expect("tiles").expect("0 < old <= new");
            let roots = proof::roots_of_consistency(old, new, old_root, &proof);
            assert_eq!(roots, Some((old_root, new_root)), "{old} to {new}");
            let oracle = tlog_tiles::prove_tree(new, old, &Oracle(&hashes)).expect("the oracle has all hashes");
            assert_eq!(
                proof.iter().map(|hash| *hash.as_bytes()).collect::<Vec<_>>(),
                oracle.iter().map(|hash| hash.0).collect::<Vec<_>>()
            );
        }
        for index in 0..new {
            let proof = prove_inclusion(index, new, &tiles).expect("tiles").expect("below");
            let oracle = tlog_tiles::prove_record(new, index, &Oracle(&hashes)).expect("the oracle has all hashes");
            assert_eq!(
                proof.iter().map(|hash| *hash.as_bytes()).collect::<Vec<_>>(),
                oracle.iter().map(|hash| hash.0).collect::<Vec<_>>()
            );
        }
    }
}

#[test]
fn another_implementation_reads_our_tiles_checkpoint_and_key() {
    struct Oracle<'a>(&'a MemoryFiles);
    impl TileReader for Oracle<'_> {
        fn height(&self) -> u8 {
            8
        }
        fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
            let read = |tile: &Tile| {
                // The oracle writes Go's `tile/8/…`, C2SP leaves the height out.
                let path = format!("log/{}", tile.path().replacen("tile/8/", "tile/", 1));
                self.0.0.borrow().get(&path).cloned().unwrap_or_else(|| panic!("{path} was not written"))
            };
            Ok(tiles.iter().map(read).collect())
        }
        fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
    }

    let index = index_of(300);
    let checkpoint = index.checkpoint();
    let verifier = StandardVerifier::new(&index.signer.key().to_string()).expect("the oracle reads our vkey");
    let note = signed_note::Note::from_bytes(checkpoint.note().as_bytes()).expect("the oracle reads our note");
    let (verified, _) = note.verify(&VerifierList::new(vec![Box::new(verifier)])).expect("the signature holds");
    assert_eq!(verified.len(), 1);
    let theirs = tlog_tiles::Checkpoint::from_bytes(note.text()).expect("the oracle reads our checkpoint");
    assert_eq!((theirs.origin(), theirs.size()), ("example.org/log", 300));
    assert_eq!(theirs.hash().0, *checkpoint.head().root.as_bytes());

    let oracle = Oracle(&index.files);
    let reader = TileHashReader::new(300, *theirs.hash(), &oracle);
    for number in [0, 1, 255, 256, 299] {
        let leaf = leaf(&index, number);
        let proof = tlog_tiles::prove_record(300, number, &reader).expect("the oracle authenticates our tiles");
        let hash = tlog_tiles::Hash(*leaf.hash().as_bytes());
        tlog_tiles::check_record(&proof, 300, *theirs.hash(), number, hash).expect("the leaf is there");
    }
}

#[test]
fn tiles_and_bundles_have_the_paths_of_c2sp() {
    let tile = |level, index, width| TilePath { level, index, width }.to_string();
    assert_eq!(tile(0, 1_234_067, 256), "log/tile/0/x001/x234/067");
    assert_eq!(tile(1, 0, 3), "log/tile/1/000.p/3");
    assert_eq!(tile(2, 1_000, 256), "log/tile/2/x001/000");
    assert_eq!(EntriesPath::holding(70_000, 70_001).to_string(), "log/tile/entries/273.p/113");
}

#[test]
fn a_client_that_fetches_what_it_is_told_can_check() {
    let index = index_of(300);
    let (checkpoint, old) = (index.checkpoint(), index_of(129).checkpoint());
    let fetch = |paths: Vec<TilePath>| {
        let mut tiles = Tiles::new();
        for path in paths {
            tiles.insert(path, index.files.tile(&path).expect("the registry has it"));
        }
        tiles
    };
    let leaf = leaf(&index, 290);
    check_inclusion(&checkpoint, &leaf, 290, &fetch(tiles_for_inclusion(290, 300))).expect("all that is needed");
    check_consistency(old.head(), &checkpoint, &fetch(tiles_for_consistency(129, 300))).expect("all that is needed");
    let error = check_inclusion(&checkpoint, &leaf, 290, &Tiles::new()).expect_err("nothing was fetched");
    assert!(matches!(error, LogError::Tile(TileError::Read { .. })), "{error}");
}

#[test]
fn a_full_tile_stands_in_for_a_partial_one_that_is_gone() {
    let (all, hashes) = tree_of(300);
    let mut tiles = Tiles::new();
    for path in tiles_for_inclusion(3, 200) {
        tiles.insert(path, all.tile(&path.full()).expect("tile 0 is full by now"));
    }
    let proof = prove_inclusion(3, 200, &tiles).expect("the full tile starts alike").expect("below");
    let root = tree_root(200, &tree_of(200).0).expect("tiles");
    assert_eq!(proof::root_of_inclusion(3, 200, hashes[3], &proof), Some(root));
}

#[test]
fn every_changed_byte_of_the_tiles_of_a_proof_is_refused() {
    let index = index_of(5);
    let checkpoint = index.checkpoint();
    let leaf = leaf(&index, 0);
    let [path] = tiles_for_inclusion(0, 5)[..] else { panic!("five leaves stand in one tile") };
    let good = index.files.tile(&path).expect("written");
    let check = |bytes: Vec<u8>| {
        let mut tiles = Tiles::new();
        tiles.insert(path, bytes);
        check_inclusion(&checkpoint, &leaf, 0, &tiles)
    };
    check(good.clone()).expect("untouched");
    // The leaf's own hash is computed, not read: the proof begins after it.
    for at in 32..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        assert!(matches!(check(bytes), Err(LogError::NotIncluded { .. })), "byte {at}");
    }
    for end in 0..good.len() {
        assert!(matches!(check(good[..end].to_vec()), Err(LogError::Tile(TileError::Length { .. }))), "cut at {end}");
    }
    let elsewhere = check_inclusion(&checkpoint, &leaf, 1, &index.files).expect_err("it stands at 0");
    assert!(matches!(elsewhere, LogError::NotIncluded { .. }), "{elsewhere}");
    let outside = check_inclusion(&checkpoint, &leaf, 5, &index.files).expect_err("there are five");
    assert!(matches!(outside, LogError::NotPublished { index: 5, size: 5 }), "{outside}");
}

#[test]
fn every_changed_byte_and_every_cut_of_a_checkpoint_is_refused() {
    let index = index_of(1);
    let (note, key) = (index.checkpoint().note().as_bytes().to_vec(), index.signer.key().clone());
    // Without its line of time it is a checkpoint still, but one of no age.
    let counts =
        |note: &[u8]| Checkpoint::open(note, &key).is_ok_and(|checkpoint| checkpoint.signed_at(&key) == Ok(Some(AT)));
    assert!(counts(&note));
    for at in 0..note.len() {
        for bit in [0x01, 0x20, 0x80] {
            let mut bytes = note.clone();
            bytes[at] ^= bit;
            assert!(!counts(&bytes), "byte {at}, bit {bit:#x}");
        }
    }
    for end in 0..note.len() {
        assert!(!counts(&note[..end]), "cut at {end}");
    }
}

#[test]
fn signatures_of_witnesses_are_passed_over_but_do_not_count() {
    let index = index_of(1);
    let note = index.checkpoint().note().to_owned();
    let witness = format!("— witness.example+x {}\n", BASE64.encode(&[7; 68])).replace('+', "-");
    let open = |note: String| Checkpoint::open(note.as_bytes(), index.signer.key());
    assert!(open(format!("{note}{witness}")).is_ok());

    let (text, _) = note.split_once("\n\n").expect("text and signatures");
    let error = open(format!("{text}\n\n{witness}")).expect_err("only a witness signed");
    assert!(matches!(error, CheckpointError::Note(NoteError::NotSigned { .. })), "{error}");
}

#[test]
fn another_implementation_takes_and_refuses_the_same_notes() {
    let index = index_of(1);
    let note = index.checkpoint().note().to_owned();
    let (text, signature) = note.split_once("\n\n").expect("text and signatures");
    let (other, unseparated) = (signature.replace("example.org/log", "example.org/other"), note.replace("\n\n", "\n"));
    let signed = |text: &str| index.signer.sign(text);
    let root = text.lines().nth(2).expect("the root");
    let accepted = [
        note.clone(),
        format!("{note}{other}"),
        format!("{text}\n\n{other}{signature}"),
        signed(&format!("{text}\nextension\n")),
    ];
    let refused = [
        format!("{text}\n\n{other}"),
        format!("{text}\n\n"),
        format!("{text}\n{signature}"),
        format!("{note}\n"),
        format!("{note}{}", &signature[..signature.len() - 1]),
        format!("{text} \n\n{signature}"),
        format!("{text}\nextension\n\n{signature}"),
        note.replace('\n', "\r\n"),
        note.replace("— ", "- "),
        unseparated,
        String::new(),
        signed("example.org/log\n"),
        signed("example.org/log\n1\n"),
        signed(&format!("example.org/log\n01\n{root}\n")),
        signed(&format!("example.org/log\n-1\n{root}\n")),
        signed(&format!("\n1\n{root}\n")),
        signed(&format!("example.org/log\n1\n{}\n", &root[1..])),
    ];
    let key = index.signer.key();
    for (notes, expected) in [(&accepted[..], true), (&refused[..], false)] {
        for note in notes {
            assert_eq!(Checkpoint::open(note.as_bytes(), key).is_ok(), expected, "we: {note:?}");
            assert_eq!(oracle_opens(note, key), expected, "the oracle: {note:?}");
        }
    }
}

/// Whether the other implementation takes a checkpoint.
fn oracle_opens(note: &str, key: &NoteKey) -> bool {
    let verifier = StandardVerifier::new(&key.to_string()).expect("the oracle reads our vkey");
    let Ok(note) = signed_note::Note::from_bytes(note.as_bytes()) else { return false };
    let is_signed = note.verify(&VerifierList::new(vec![Box::new(verifier)])).is_ok();
    is_signed && tlog_tiles::Checkpoint::from_bytes(note.text()).is_ok()
}

#[test]
fn a_checkpoint_is_of_the_log_that_signed_it() {
    let signer = NoteSigner::new("example.org/log", key(3)).expect("a valid origin");
    let head = index_of(1).checkpoint().head().clone();
    let checkpoint = Checkpoint::sign(head.size, head.root, keys_digest([]), &signer);
    assert_eq!(Checkpoint::open(checkpoint.note().as_bytes(), signer.key()), Ok(checkpoint.clone()));
    let other = NoteKey::new("example.org/log", key(4).public()).expect("a valid origin");
    assert!(Checkpoint::open(checkpoint.note().as_bytes(), &other).is_err());

    let digest = Digest::of(checkpoint.note().as_bytes());
    assert_eq!(Checkpoint::open_pinned(checkpoint.note().as_bytes(), digest), Ok(checkpoint.clone()));
    let error = Checkpoint::open_pinned(b"x", digest).expect_err("other bytes");
    assert!(matches!(error, CheckpointError::Pinned { .. }), "{error}");
}
