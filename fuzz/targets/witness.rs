//! What is sent to a witness, and what it answers.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pocket_index::digest::Digest;
use pocket_index::log::{Checkpoint, CosignerKey, NoteSigner, leaf_hash};
use pocket_index::signature::SecretKey;
use pocket_index::witness::{AddCheckpoint, read_answer, read_size};

fuzz_target!(|data: &[u8]| {
    if let Ok(request) = AddCheckpoint::decode(data) {
        // Each request has one spelling.
        assert_eq!(request.encode().as_bytes(), data);
    }
    let Some(text) = pocket_fuzz::text(data) else { return };
    if let Some(size) = read_size(text) {
        assert_eq!(format!("{size}\n"), text);
    }
    let secret = SecretKey::from_seed(&[2; 32]);
    let key = CosignerKey::new("witness", secret.public()).expect("a valid name");
    let signer = NoteSigner::new("fuzz", SecretKey::from_seed(&[1; 32])).expect("a valid name");
    let checkpoint = Checkpoint::sign(1, leaf_hash(b"a tree"), Digest::of(b""), &signer);
    // Noise is no cosignature.
    assert!(read_answer(text, &checkpoint, signer.key(), &key).is_err());
});
