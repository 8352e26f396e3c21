//! How a checkpoint names the registry's event keys: by digest, in an extension line that the log signs with the tree.
//!
//! The host of the files could otherwise put a key of its own into `config.json`, and withdraw what it likes with it.

use std::collections::BTreeSet;

use super::checkpoint::CheckpointError;
use crate::digest::Digest;
use crate::signature::PublicKey;

/// How the line starts.
const WORD: &str = "keys ";

/// The digest of some keys: of their texts, sorted, each once, with newlines between them.
pub fn keys_digest<'a>(keys: impl IntoIterator<Item = &'a PublicKey>) -> Digest {
    let texts: BTreeSet<String> = keys.into_iter().map(PublicKey::to_string).collect();
    Digest::of(texts.into_iter().collect::<Vec<_>>().join("\n").as_bytes())
}

/// The line with its newline; none for a registry without keys.
pub(super) fn write(keys: Digest) -> String {
    if keys == keys_digest([]) { String::new() } else { format!("{WORD}{keys}\n") }
}

/// What the extension lines of a checkpoint say of the keys. No line stands for no keys.
pub(super) fn parse<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Digest, CheckpointError> {
    let mut stated = lines.filter_map(|line| line.strip_prefix(WORD));
    let Some(digest) = stated.next() else { return Ok(keys_digest([])) };
    let malformed = |what, value: &str| CheckpointError::Malformed { what, value: value.to_owned() };
    if let Some(second) = stated.next() {
        return Err(malformed("the registry's keys are stated a second time, as", second));
    }
    digest.parse().map_err(|_| malformed("expected the digest of the registry's keys, found", digest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Checkpoint, NoteSigner, leaf_hash};
    use crate::testing::key;

    fn signer() -> NoteSigner {
        NoteSigner::new("example.org/log", key(100)).expect("a name")
    }

    fn checkpoint(extensions: &str) -> Result<Checkpoint, CheckpointError> {
        let note = signer().sign(&format!("example.org/log\n1\n{}\n{extensions}", leaf_hash(b"a leaf")));
        Checkpoint::open(note.as_bytes(), signer().key())
    }

    #[test]
    fn neither_order_nor_repetition_of_the_keys_counts() {
        let [one, other] = [key(1).public(), key(2).public()];
        assert_eq!(keys_digest([&one, &other]), keys_digest([&other, &one, &other]));
        assert_ne!(keys_digest([&one, &other]), keys_digest([&one]));
        let texts = [one.to_string(), other.to_string()];
        let sorted = texts.iter().min().zip(texts.iter().max()).map(|(low, high)| format!("{low}\n{high}"));
        assert_eq!(keys_digest([&one, &other]), Digest::of(sorted.expect("two").as_bytes()));
    }

    #[test]
    fn a_checkpoint_states_the_keys_it_was_signed_with_and_none_where_there_are_none() {
        let (root, one) = (leaf_hash(b"a leaf"), key(1).public());
        let with = Checkpoint::sign(1, root, keys_digest([&one]), &signer());
        let opened = Checkpoint::open(with.note().as_bytes(), signer().key()).expect("just signed");
        assert_eq!(opened.keys(), keys_digest([&one]));
        let without = Checkpoint::sign(1, root, keys_digest([]), &signer());
        assert!(!without.note().contains("keys"), "{}", without.note());
        assert_eq!(without.keys(), keys_digest([]));
    }

    #[test]
    fn other_extensions_are_passed_over_and_a_malformed_line_of_keys_is_not() {
        let keys = keys_digest([&key(1).public()]);
        let opened = checkpoint(&format!("something else\nkeys {keys}\nkeysmith 3\n")).expect("it is one");
        assert_eq!(opened.keys(), keys);
        for malformed in [
            format!("keys {keys}\nkeys {keys}\n"),
            format!("keys {keys} \n"),
            "keys \n".to_owned(),
            format!("keys {}\n", keys.to_string().to_uppercase()),
        ] {
            let error = checkpoint(&malformed).expect_err(&malformed);
            assert!(matches!(error, CheckpointError::Malformed { .. }), "{error}");
        }
    }
}
