use std::fs;
use std::sync::{Arc, Barrier};

use pocket_index::log::{Frontier, NoteSigner, Tiles, keys_digest, leaf_hash};

use super::*;

const NOW: u64 = 1_790_000_000;

/// A log whose leaves are the numbers up to its size, from leaf `fork` on with another text.
struct Log {
    signer: NoteSigner,
    fork: u64,
}

impl Log {
    fn new(origin: &str) -> Self {
        Self { signer: NoteSigner::new(origin, SecretKey::from_seed(&[9; 32])).unwrap(), fork: u64::MAX }
    }

    /// The same log, with another history from there on.
    fn forked_at(fork: u64) -> Self {
        Self { fork, ..Self::new("example.org/log") }
    }

    fn tree(&self, size: u64) -> (Checkpoint, Tiles) {
        let (mut frontier, mut tiles) = (Frontier::default(), Tiles::new());
        let mut computed = Vec::new();
        for leaf in 0..size {
            let text = if leaf < self.fork { leaf.to_string() } else { format!("other {leaf}") };
            computed.extend(frontier.push(leaf_hash(text.as_bytes())));
        }
        computed.extend(frontier.partial_tiles());
        for tile in computed {
            tiles.insert(tile.path, tile.hashes.iter().flat_map(|hash| *hash.as_bytes()).collect());
        }
        (Checkpoint::sign(size, frontier.root(), keys_digest([]), &self.signer), tiles)
    }

    fn request(&self, old: u64, size: u64) -> AddCheckpoint {
        let (checkpoint, tiles) = self.tree(size);
        AddCheckpoint::prove(&checkpoint, old, &tiles).unwrap().unwrap()
    }

    /// The same, with the log's statement that it signed at `time`.
    fn request_at(&self, old: u64, size: u64, time: u64) -> AddCheckpoint {
        let (checkpoint, _) = self.tree(size);
        let cosigner = Cosigner::of_log(&self.signer);
        let dated = checkpoint.with_cosignatures([(cosigner.key(), &cosigner.cosign(&checkpoint, time))]).unwrap();
        AddCheckpoint { note: dated.note().to_owned(), ..self.request(old, size) }
    }
}

struct Fixture {
    folder: tempfile::TempDir,
    log: Log,
    witness: Witness,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::new("example.org/log");
        let witness = Witness::init(&folder.path().join("w"), "witness.example/one").unwrap();
        witness.add_log(log.signer.key()).unwrap();
        Self { folder, log, witness }
    }

    fn sent(&self, request: &AddCheckpoint) -> Result<Cosignature, Refusal> {
        self.witness.cosign(request, Way::Sent, NOW)
    }

    fn evidence(&self) -> Vec<String> {
        let Ok(files) = fs::read_dir(self.folder.path().join("w/evidence")) else { return Vec::new() };
        files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect()
    }

    fn seen(&self) -> u64 {
        self.witness.seen("example.org/log").unwrap()
    }
}

#[test]
fn a_log_that_grows_is_cosigned_and_a_restart_changes_nothing() {
    let fixture = Fixture::new();
    let opened = |size| {
        let request = fixture.log.request(0, size);
        Checkpoint::open(request.note.as_bytes(), fixture.log.signer.key()).unwrap()
    };
    for (old, size) in [(0, 3), (3, 3), (3, 300), (300, 701)] {
        let made = fixture.sent(&fixture.log.request(old, size)).unwrap();
        let cosigned = opened(size).with_cosignatures([(fixture.witness.key(), &made)]).unwrap();
        assert_eq!(cosigned.cosignature(fixture.witness.key()).unwrap().unwrap().time, NOW);
    }
    let again = Witness::open(&fixture.folder.path().join("w")).unwrap();
    assert_eq!(again.key(), fixture.witness.key());
    assert_eq!(again.logs().unwrap(), [KnownLog { key: fixture.log.signer.key().clone(), size: Some(701) }]);
    let refused = again.cosign(&fixture.log.request(3, 702), Way::Sent, NOW);
    assert!(matches!(refused, Err(Refusal::OtherSize { size: 701, old: 3 })), "{refused:?}");
    again.cosign(&fixture.log.request(701, 702), Way::Sent, NOW).unwrap();
}

#[test]
fn a_second_history_is_refused_and_both_notes_are_kept_once() {
    let fixture = Fixture::new();
    fixture.sent(&fixture.log.request(0, 5)).unwrap();
    let fork = Log::forked_at(4);
    for _ in 0..2 {
        let refused = fixture.sent(&fork.request(5, 5));
        assert!(matches!(refused, Err(Refusal::Forked { size: 5, .. })), "{refused:?}");
    }
    let kept = fixture.evidence();
    let [one] = &kept[..] else { panic!("{kept:?}") };
    assert!(one.contains(&fixture.log.request(5, 5).note) && one.contains(&fork.request(5, 5).note), "{one}");
    // With more leaves the proof cannot be right.
    let refused = fixture.sent(&fork.request(5, 9));
    assert!(matches!(refused, Err(Refusal::Unproved { .. })), "{refused:?}");
    assert_eq!(fixture.evidence().len(), 2);
    assert_eq!(fixture.seen(), 5);
    fixture.sent(&fixture.log.request(5, 9)).unwrap();
}

#[test]
fn an_old_checkpoint_is_evidence_only_if_the_log_itself_shows_it_later() {
    let fixture = Fixture::new();
    fixture.sent(&fixture.log.request_at(0, 7, 100)).unwrap();
    // Anybody may send what the log signed once.
    for replayed in [fixture.log.request(3, 3), fixture.log.request_at(3, 3, 50)] {
        let refused = fixture.sent(&replayed);
        assert!(matches!(refused, Err(Refusal::Smaller { size: 7, new: 3, evidence: None })), "{refused:?}");
    }
    let refused = fixture.sent(&fixture.log.request_at(2, 4, 101));
    assert!(matches!(refused, Err(Refusal::Smaller { evidence: Some(_), .. })), "{refused:?}");
    let read = fixture.witness.cosign(&fixture.log.request(3, 3), Way::Read, NOW);
    assert!(matches!(read, Err(Refusal::Smaller { evidence: Some(_), .. })), "{read:?}");
    assert_eq!(fixture.evidence().len(), 2);
    assert_eq!(fixture.seen(), 7);
}

#[test]
fn what_is_not_of_a_known_log_is_refused_for_what_it_is() {
    let fixture = Fixture::new();
    let unknown = fixture.sent(&Log::new("example.org/other").request(0, 3));
    assert!(matches!(unknown, Err(Refusal::UnknownLog { .. })), "{unknown:?}");
    let forger = NoteSigner::new("example.org/log", SecretKey::from_seed(&[8; 32])).unwrap();
    let forged = fixture.sent(&Log { signer: forger, fork: u64::MAX }.request(0, 3));
    assert!(matches!(forged, Err(Refusal::NotSigned(_))), "{forged:?}");
    let mut request = fixture.log.request(0, 3);
    request.note = request.note.replace("\n3\n", "\n4\n");
    assert!(matches!(fixture.sent(&request), Err(Refusal::NotSigned(_))));
    let backwards = AddCheckpoint { old: 4, ..fixture.log.request(0, 3) };
    assert!(matches!(fixture.sent(&backwards), Err(Refusal::Backwards { old: 4, size: 3 })));
    let superfluous = AddCheckpoint { proof: vec![leaf_hash(b"")], ..fixture.log.request(0, 3) };
    assert!(matches!(fixture.sent(&superfluous), Err(Refusal::SuperfluousProof { hashes: 1 })));
    assert_eq!(fixture.seen(), 0);
    assert_eq!(fixture.evidence(), Vec::<String>::new());
}

#[test]
fn every_changed_hash_of_a_proof_is_refused() {
    let fixture = Fixture::new();
    fixture.sent(&fixture.log.request(0, 5)).unwrap();
    let honest = fixture.log.request(5, 300);
    assert!(honest.proof.len() > 2);
    for at in 0..honest.proof.len() {
        let mut request = honest.clone();
        let mut bytes = *request.proof[at].as_bytes();
        bytes[at] ^= 1;
        request.proof[at] = pocket_index::log::NodeHash::from_bytes(bytes);
        assert!(matches!(fixture.sent(&request), Err(Refusal::Unproved { .. })), "hash {at}");
        let mut shorter = honest.clone();
        shorter.proof.remove(at);
        assert!(matches!(fixture.sent(&shorter), Err(Refusal::Unproved { .. })), "without hash {at}");
        let mut longer = honest.clone();
        longer.proof.insert(at, honest.proof[at]);
        assert!(matches!(fixture.sent(&longer), Err(Refusal::Unproved { .. })), "hash {at} twice");
    }
    fixture.sent(&honest).unwrap();
}

#[test]
fn of_two_histories_sent_at_once_one_is_cosigned() {
    for round in 0..20 {
        let fixture = Fixture::new();
        fixture.sent(&fixture.log.request(0, 4)).unwrap();
        let threads = 8;
        let barrier = Arc::new(Barrier::new(threads));
        let outcomes: Vec<bool> = std::thread::scope(|scope| {
            let running: Vec<_> = (0..threads)
                .map(|number| {
                    let (barrier, root) = (Arc::clone(&barrier), fixture.folder.path().join("w"));
                    scope.spawn(move || {
                        let log = if number % 2 == 0 { Log::forked_at(5) } else { Log::new("example.org/log") };
                        // As another process would: opened by itself.
                        let witness = Witness::open(&root).unwrap();
                        let request = log.request(4, 9);
                        barrier.wait();
                        let first = witness.cosign(&request, Way::Sent, NOW).is_ok();
                        first || witness.cosign(&log.request(9, 9), Way::Sent, NOW).is_ok()
                    })
                })
                .collect();
            running.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let (one, other): (Vec<_>, Vec<_>) = outcomes.iter().enumerate().partition(|(number, _)| number % 2 == 0);
        let is_cosigned = |side: &[(usize, &bool)]| side.iter().any(|(_, is_cosigned)| **is_cosigned);
        assert!(is_cosigned(&one) != is_cosigned(&other), "round {round}: {outcomes:?}");
    }
}

#[test]
fn a_lost_or_damaged_memory_is_no_first_sight() {
    let fixture = Fixture::new();
    fixture.sent(&fixture.log.request(0, 5)).unwrap();
    let state = fixture.folder.path().join("w/state");
    let file = fs::read_dir(&state).unwrap().next().unwrap().unwrap().path();
    let note = fs::read(&file).unwrap();
    fs::write(&file, &note[..note.len() - 9]).unwrap();
    let refused = fixture.sent(&fixture.log.request(5, 6));
    assert!(matches!(refused, Err(Refusal::Failed(WitnessFolderError::Damaged { .. }))), "{refused:?}");
    fs::remove_file(&file).unwrap();
    let refused = fixture.sent(&fixture.log.request(0, 6));
    assert!(matches!(refused, Err(Refusal::Failed(WitnessFolderError::StateGone { .. }))), "{refused:?}");
}

#[test]
fn a_log_that_was_removed_and_added_again_is_still_remembered() {
    let fixture = Fixture::new();
    let key = fixture.log.signer.key();
    fixture.sent(&fixture.log.request(0, 5)).unwrap();
    fixture.witness.remove_log(key).unwrap();
    let unknown = fixture.sent(&fixture.log.request(5, 6));
    assert!(matches!(unknown, Err(Refusal::UnknownLog { .. })), "{unknown:?}");
    assert!(matches!(fixture.witness.remove_log(key), Err(WitnessFolderError::NoLog { .. })));
    // Under another key it would be another log.
    let other = NoteSigner::new(key.name(), SecretKey::from_seed(&[8; 32])).unwrap();
    assert!(matches!(fixture.witness.add_log(other.key()), Err(WitnessFolderError::Damaged { .. })));
    fixture.witness.add_log(key).unwrap();
    assert!(matches!(fixture.witness.add_log(other.key()), Err(WitnessFolderError::OtherKey { .. })));
    assert_eq!(fixture.seen(), 5);
}

#[test]
fn a_witness_is_made_once_and_its_key_is_its_owners_alone() {
    let fixture = Fixture::new();
    let root = fixture.folder.path().join("w");
    assert!(matches!(Witness::init(&root, "other"), Err(WitnessFolderError::Exists { .. })));
    assert!(matches!(Witness::init(&fixture.folder.path().join("x"), "a b"), Err(WitnessFolderError::Name(_))));
    assert!(matches!(Witness::open(&fixture.folder.path().join("x")), Err(WitnessFolderError::None { .. })));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(root.join("witness.key")).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn every_cut_and_every_changed_byte_of_a_request_is_the_senders_fault() {
    let fixture = Fixture::new();
    fixture.sent(&fixture.log.request(0, 5)).unwrap();
    let body = fixture.log.request(5, 8).encode().into_bytes();
    let status = |body: &[u8]| serve::answer(&fixture.witness, body).status();
    for end in 0..body.len() {
        assert!(status(&body[..end]).is_client_error(), "cut at {end}");
    }
    for at in 0..body.len() {
        for bit in 0..8 {
            let mut changed = body.clone();
            changed[at] ^= 1 << bit;
            assert!(status(&changed).is_client_error(), "byte {at}, bit {bit}: {}", status(&changed));
        }
    }
    assert_eq!(status(&body), 200);
    // Sent once more, it begins at a size that is not the one seen last any more.
    assert_eq!(status(&body), 409);
}

#[test]
fn each_refusal_has_the_status_of_the_standard() {
    let fixture = Fixture::new();
    let answer = |request: &AddCheckpoint| {
        let response = serve::answer(&fixture.witness, request.encode().as_bytes());
        let kind = response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        (response.status().as_u16(), kind.unwrap_or_default() == "text/x.tlog.size")
    };
    assert_eq!(answer(&fixture.log.request(0, 5)), (200, false));
    assert_eq!(answer(&Log::new("example.org/other").request(0, 5)), (404, false));
    assert_eq!(answer(&AddCheckpoint { old: 9, ..fixture.log.request(0, 5) }), (400, false));
    assert_eq!(answer(&fixture.log.request(3, 8)), (409, true));
    assert_eq!(answer(&fixture.log.request(0, 8)), (409, true));
    assert_eq!(answer(&fixture.log.request(2, 4)), (409, true));
    assert_eq!(answer(&Log::forked_at(3).request(5, 5)), (409, true));
    assert_eq!(answer(&Log::forked_at(3).request(5, 8)), (422, false));
    let forger = NoteSigner::new("example.org/log", SecretKey::from_seed(&[8; 32])).unwrap();
    assert_eq!(answer(&Log { signer: forger, fork: u64::MAX }.request(5, 8)), (403, false));
    fs::remove_dir_all(fixture.folder.path().join("w/state")).unwrap();
    assert_eq!(answer(&fixture.log.request(5, 8)), (500, false));
}
