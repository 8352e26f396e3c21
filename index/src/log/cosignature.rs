//! Cosignatures: somebody saw a checkpoint, and when. Format: C2SP `tlog-cosignature`.
//!
//! Witnesses make them, each with a key and name of its own, once a checkpoint is consistent with the one they saw before.
//! The log makes one as well, with its own key and name: that is what shows how old a checkpoint is.

use std::fmt;
use std::str::FromStr;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::note::{self, NoteSigner, SignatureLine};
use super::vkey::{Algorithm, NamedKey, NoteKeyError};
use crate::record::MAX_INTEGER;
use crate::signature::{PublicKey, SecretKey};

/// A key that cosigns checkpoints under a name; written as a C2SP vkey, `<name>+<8 hex>+<base64>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CosignerKey(NamedKey);

/// Cosigns checkpoints.
#[derive(Debug)]
pub struct Cosigner<'a> {
    key: CosignerKey,
    secret: &'a SecretKey,
}

/// A cosignature that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// When the cosigner saw the checkpoint, by its own clock: seconds since 1970-01-01 UTC.
    pub time: u64,
    line: String,
}

/// Why a cosignature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CosignatureError {
    /// A line under the key's name and number is not the key's.
    #[error("the cosignature of {key} does not verify over the checkpoint of {size} leaves")]
    Mismatch {
        /// The key.
        key: CosignerKey,
        /// The checkpoint's size.
        size: u64,
    },
    /// It is the key's, but not 8 bytes of time and 64 of signature.
    #[error("the cosignature of {key} has {found} bytes, expected 72")]
    Length {
        /// The key.
        key: CosignerKey,
        /// How many bytes it has.
        found: usize,
    },
    /// A time that no clock shows.
    #[error("the cosignature of {key} is of second {time}, at most {MAX_INTEGER} is allowed")]
    Time {
        /// The key.
        key: CosignerKey,
        /// The time.
        time: u64,
    },
}

impl CosignerKey {
    /// A key under a name.
    pub fn new(name: &str, key: PublicKey) -> Result<Self, NoteKeyError> {
        NamedKey::new(name, key, Algorithm::CosignatureV1).map(Self)
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The key itself.
    pub fn public(&self) -> PublicKey {
        self.0.key
    }
}

impl fmt::Display for CosignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(Algorithm::CosignatureV1, f)
    }
}

impl FromStr for CosignerKey {
    type Err = NoteKeyError;

    fn from_str(text: &str) -> Result<Self, NoteKeyError> {
        NamedKey::parse(text, Algorithm::CosignatureV1).map(Self)
    }
}

impl<'a> Cosigner<'a> {
    /// Cosigns under `name` with `secret`.
    pub fn new(name: &str, secret: &'a SecretKey) -> Result<Self, NoteKeyError> {
        Ok(Self { key: CosignerKey::new(name, secret.public())?, secret })
    }

    /// The log itself, which states when it signed.
    pub fn of_log(signer: &'a NoteSigner) -> Self {
        let name = signer.key().name();
        let key = CosignerKey::new(name, signer.key().public()).expect("the log signs notes under this name");
        Self { key, secret: signer.secret() }
    }

    /// The public half.
    pub fn key(&self) -> &CosignerKey {
        &self.key
    }

    /// Says that the checkpoint was seen at `time`, in seconds since 1970-01-01 UTC. Whoever calls this has checked that it is
    /// consistent with all that was seen before.
    pub fn cosign(&self, checkpoint: &Checkpoint, time: u64) -> Cosignature {
        let mut bytes = time.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.secret.sign(&message(checkpoint, time)));
        Cosignature { time, line: note::write_signature(&self.key.0, &bytes) }
    }
}

impl Cosignature {
    /// The signature line, with its newline.
    pub fn line(&self) -> &str {
        &self.line
    }
}

impl Checkpoint {
    /// The newest cosignature of this key; none if the key made none. Every line that is said to be the key's must verify.
    pub fn cosignature(&self, key: &CosignerKey) -> Result<Option<Cosignature>, CosignatureError> {
        let (_, lines) = note::split(self.note()).expect("a checkpoint is a well-formed note");
        let of_key = lines.iter().filter(|line| line.is_of(&key.0));
        let checked = of_key.map(|line| check(self, key, line)).collect::<Result<Vec<_>, _>>()?;
        Ok(checked.into_iter().max_by_key(|cosignature| cosignature.time))
    }

    /// The newest cosignature that the log's own key made: when the log signed this checkpoint last.
    pub fn signed_at(&self, log: &super::NoteKey) -> Result<Option<u64>, CosignatureError> {
        let key = CosignerKey::new(log.name(), log.public()).expect("a log signs notes under this name");
        Ok(self.cosignature(&key)?.map(|cosignature| cosignature.time))
    }

    /// The checkpoint with further cosignatures below those that it has. A cosigner's newer line replaces its older ones.
    pub fn with_cosignatures<'a>(
        &self,
        cosignatures: impl IntoIterator<Item = (&'a CosignerKey, &'a Cosignature)>,
    ) -> Result<Self, CheckpointError> {
        let mut note = self.note().to_owned();
        for (key, cosignature) in cosignatures {
            let (text, lines) = note::split(&note)?;
            let others = lines.iter().filter(|line| !line.is_of(&key.0)).map(SignatureLine::to_text);
            note = format!("{text}\n{}{}", others.collect::<String>(), cosignature.line);
        }
        note::split(&note)?;
        Ok(self.with_note(note))
    }
}

fn check(
    checkpoint: &Checkpoint,
    key: &CosignerKey,
    line: &SignatureLine<'_>,
) -> Result<Cosignature, CosignatureError> {
    let (time, signature) = line
        .signature
        .split_first_chunk::<8>()
        .and_then(|(time, rest)| Some((u64::from_be_bytes(*time), <&[u8; 64]>::try_from(rest).ok()?)))
        .ok_or_else(|| CosignatureError::Length { key: key.clone(), found: line.signature.len() })?;
    if time > MAX_INTEGER {
        return Err(CosignatureError::Time { key: key.clone(), time });
    }
    if !key.public().verifies(&message(checkpoint, time), signature) {
        return Err(CosignatureError::Mismatch { key: key.clone(), size: checkpoint.size() });
    }
    Ok(Cosignature { time, line: line.to_text() })
}

/// The first line separates this from the text of any note: no log can have it as its origin.
fn message(checkpoint: &Checkpoint, time: u64) -> Vec<u8> {
    format!("{DOMAIN}\ntime {time}\n{}", checkpoint.text()).into_bytes()
}

/// The first line of what a cosigner signs.
pub(super) const DOMAIN: &str = "cosignature/v1";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestIndex, key, release};

    fn checkpoint() -> Checkpoint {
        let index = TestIndex::new();
        index.append(crate::record::Event::Release(Box::new(release("redis", "1.0.0"))), &[&key(1)]);
        index.checkpoint()
    }

    #[test]
    fn a_cosignature_tells_who_saw_the_checkpoint_and_when() {
        let (checkpoint, secret) = (checkpoint(), key(7));
        let witness = Cosigner::new("witness.example/one", &secret).expect("a name");
        let made = witness.cosign(&checkpoint, 1_790_000_000);
        let cosigned = checkpoint.with_cosignatures([(witness.key(), &made)]).expect("it fits");
        assert_eq!(cosigned.cosignature(witness.key()), Ok(Some(made)));
        assert_eq!(checkpoint.cosignature(witness.key()), Ok(None));
        assert_eq!(witness.key().to_string().parse(), Ok(witness.key().clone()));

        let index = TestIndex::new();
        assert_eq!(Checkpoint::open(cosigned.note().as_bytes(), index.signer.key()), Ok(cosigned));
    }

    #[test]
    fn the_newest_of_a_cosigners_lines_is_kept() {
        let index = TestIndex::new();
        let checkpoint = Checkpoint::of_nothing(crate::log::keys_digest([]), &index.signer);
        let log = Cosigner::of_log(&index.signer);
        let (old, new) = (log.cosign(&checkpoint, 10), log.cosign(&checkpoint, 20));
        let both = Checkpoint::open(
            format!("{}{}{}", checkpoint.note(), new.line(), old.line()).as_bytes(),
            index.signer.key(),
        );
        assert_eq!(both.expect("a note").signed_at(index.signer.key()), Ok(Some(20)));
        let first = checkpoint.with_cosignatures([(log.key(), &old)]).expect("it fits");
        let second = first.with_cosignatures([(log.key(), &new)]).expect("it fits");
        assert_eq!(second.signed_at(index.signer.key()), Ok(Some(20)));
        assert_eq!(second.note().lines().count(), first.note().lines().count());
    }

    #[test]
    fn every_changed_byte_and_every_cut_of_a_cosignature_is_refused() {
        let (checkpoint, secret) = (checkpoint(), key(7));
        let witness = Cosigner::new("w", &secret).expect("a name");
        let made = witness.cosign(&checkpoint, 1_790_000_000);
        let (note, line) = (checkpoint.note().as_bytes(), made.line().as_bytes());
        let signer = TestIndex::new().signer;
        let counts = |line: &[u8]| {
            let cosigned = Checkpoint::open(&[note, line].concat(), signer.key()).ok()?;
            cosigned.cosignature(witness.key()).ok().flatten()
        };
        assert!(counts(line).is_some());
        for at in 0..line.len() {
            for bit in 0..8 {
                let mut bytes = line.to_vec();
                bytes[at] ^= 1 << bit;
                assert_eq!(counts(&bytes), None, "byte {at}, bit {bit}");
            }
        }
        for end in 0..line.len() {
            assert_eq!(counts(&line[..end]), None, "cut at {end}");
        }
    }

    #[test]
    fn a_cosignature_is_of_one_checkpoint_and_one_name() {
        let (seen, secret) = (checkpoint(), key(7));
        let witness = Cosigner::new("w", &secret).expect("a name");
        let made = witness.cosign(&seen, 5);
        let other = TestIndex::new().checkpoint().with_cosignatures([(witness.key(), &made)]).expect("a note");
        let refused = CosignatureError::Mismatch { key: witness.key().clone(), size: 0 };
        assert_eq!(other.cosignature(witness.key()), Err(refused));
        let namesake = CosignerKey::new("w", key(8).public()).expect("a name");
        assert_eq!(seen.with_cosignatures([(witness.key(), &made)]).expect("a note").cosignature(&namesake), Ok(None));
    }

    #[test]
    fn a_signature_of_the_log_is_no_statement_of_time() {
        let index = TestIndex::new();
        let checkpoint = Checkpoint::of_nothing(crate::log::keys_digest([]), &index.signer);
        assert_eq!(checkpoint.signed_at(index.signer.key()), Ok(None));
        let log = index.signer.key().to_string();
        assert!(matches!(log.parse::<CosignerKey>(), Err(NoteKeyError::Shape { .. })));
        assert!(
            NoteSigner::new(DOMAIN, key(1)).is_err(),
            "a log of this name could sign what looks like a cosignature"
        );
    }
}
