//! How many witnesses a client demands of a checkpoint, and whether they saw it.

use std::collections::BTreeMap;
use std::fmt;

use super::checkpoint::Checkpoint;
use super::cosignature::{CosignatureError, CosignerKey};
use super::note::{self, NoteKey};
use crate::signature::PublicKey;
use crate::time::{Age, CLOCK_DIFFERENCE};

/// Witnesses, and how many of them must have cosigned a checkpoint. One key counts once, whatever names it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessDemand {
    keys: Vec<CosignerKey>,
    threshold: usize,
}

/// Why keys and a number are no demand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WitnessDemandError {
    /// Nobody could ever meet it, or everybody does.
    #[error("expected a threshold of 1 to {keys}, the number of different keys, found {threshold}")]
    Threshold {
        /// How many witnesses are demanded.
        threshold: usize,
        /// How many different keys there are.
        keys: usize,
    },
    /// No key.
    #[error("expected at least one witness's key")]
    NoKeys,
}

/// From when a cosignature must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recent {
    /// Seconds since 1970-01-01 UTC, by the clock of the one who reads.
    pub now: u64,
    /// How many seconds old it may be.
    pub max_age: u64,
}

/// A witness whose cosignature counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnessed {
    /// Its key.
    pub key: CosignerKey,
    /// When it saw the checkpoint, in seconds since 1970-01-01 UTC.
    pub time: u64,
}

/// A witness whose cosignature does not count, or is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingWitness {
    /// Its key.
    pub key: CosignerKey,
    /// Why.
    pub why: Missing,
}

/// Why a witness does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// There is no cosignature of it.
    Absent,
    /// It saw the checkpoint too long ago.
    Old {
        /// How long, in seconds.
        age: u64,
        /// How long is allowed.
        max_age: u64,
    },
    /// It says that it saw the checkpoint in the future.
    Ahead {
        /// How far, in seconds.
        by: u64,
    },
    /// It is the log itself, which cannot vouch for itself.
    Log,
}

/// A cosignature of somebody whose key is not known: nothing of it was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedCosignature {
    /// The name on the line.
    pub name: String,
    /// The time in it.
    pub time: u64,
}

/// Why the witnesses do not vouch for a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WitnessError {
    /// Too few of them cosigned it.
    #[error(
        "the checkpoint of {size} leaves has {found} of the {needed} cosignatures that {place} demands; missing: {}",
        listed(missing)
    )]
    TooFew {
        /// The checkpoint's size.
        size: u64,
        /// Who demands it.
        place: String,
        /// How many are demanded.
        needed: usize,
        /// How many count.
        found: usize,
        /// Who is missing.
        missing: Vec<MissingWitness>,
    },
    /// Under the name of a demanded witness stands what it did not sign.
    #[error("a witness that {place} demands has not signed what stands under its name")]
    Forged {
        /// Who demands it.
        place: String,
        /// What does not hold.
        source: CosignatureError,
    },
}

impl WitnessDemand {
    /// `threshold` of these witnesses.
    pub fn new(keys: Vec<CosignerKey>, threshold: usize) -> Result<Self, WitnessDemandError> {
        let mut different: Vec<PublicKey> = keys.iter().map(CosignerKey::public).collect();
        different.sort();
        different.dedup();
        match different.len() {
            0 => Err(WitnessDemandError::NoKeys),
            keys if threshold == 0 || threshold > keys => Err(WitnessDemandError::Threshold { threshold, keys }),
            _ => Ok(Self { keys, threshold }),
        }
    }

    /// The keys, as they were given.
    pub fn keys(&self) -> &[CosignerKey] {
        &self.keys
    }

    /// How many of them must have cosigned.
    pub fn threshold(&self) -> usize {
        self.threshold
    }

    /// The demanded witnesses that cosigned a checkpoint of `log`; `place` says who demands them. Without `recent` a
    /// cosignature may be of any time.
    pub fn check(
        &self,
        checkpoint: &Checkpoint,
        log: &NoteKey,
        recent: Option<Recent>,
        place: &str,
    ) -> Result<Vec<Witnessed>, WitnessError> {
        let mut counted = BTreeMap::new();
        let mut missing = Vec::new();
        for key in &self.keys {
            let found = checkpoint.cosignature(key);
            let found = found.map_err(|source| WitnessError::Forged { place: place.to_owned(), source })?;
            let time = found.map(|cosignature| cosignature.time);
            let is_log = key.public() == log.public();
            match time.map_or(Some(Missing::Absent), |time| recent.and_then(|recent| recent.misses(time))) {
                _ if is_log => missing.push(MissingWitness { key: key.clone(), why: Missing::Log }),
                Some(why) => missing.push(MissingWitness { key: key.clone(), why }),
                None => {
                    let seen = Witnessed { key: key.clone(), time: time.unwrap_or_default() };
                    counted.entry(key.public()).or_insert(seen);
                }
            }
        }
        missing.retain(|missing| !counted.contains_key(&missing.key.public()));
        if counted.len() >= self.threshold {
            return Ok(counted.into_values().collect());
        }
        let (size, place, needed, found) = (checkpoint.size(), place.to_owned(), self.threshold, counted.len());
        Err(WitnessError::TooFew { size, place, needed, found, missing })
    }
}

impl Recent {
    /// Why a cosignature of this time does not count, if it does not.
    pub fn misses(self, time: u64) -> Option<Missing> {
        let Self { now, max_age } = self;
        if time > now.saturating_add(CLOCK_DIFFERENCE) {
            return Some(Missing::Ahead { by: time - now });
        }
        let age = now.saturating_sub(time);
        (age > max_age).then_some(Missing::Old { age, max_age })
    }
}

impl Checkpoint {
    /// The cosignatures on this checkpoint of others than the log, by what their lines say. None of them is checked.
    pub fn claimed_cosignatures(&self, log: &NoteKey) -> Vec<ClaimedCosignature> {
        let (_, lines) = note::split(self.note()).expect("a checkpoint is a well-formed note");
        let of_others = lines.iter().filter(|line| line.name != log.name() && line.signature.len() == 72);
        let claimed = of_others.filter_map(|line| {
            let time = line.signature.first_chunk::<8>().map(|time| u64::from_be_bytes(*time))?;
            Some(ClaimedCosignature { name: line.name.to_owned(), time })
        });
        claimed.collect()
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("it did not cosign"),
            Self::Old { age, max_age } => {
                write!(f, "it cosigned {} ago, at most {} are allowed", Age(*age), Age(*max_age))
            }
            Self::Ahead { by } => {
                write!(f, "it cosigned {} in the future, at most {} are allowed", Age(*by), Age(CLOCK_DIFFERENCE))
            }
            Self::Log => f.write_str("it is the log's own key"),
        }
    }
}

fn listed(missing: &[MissingWitness]) -> String {
    let told = |missing: &MissingWitness| {
        let MissingWitness { key, why } = missing;
        format!("`{}` {} ({why})", key.name(), key.public().fingerprint())
    };
    missing.iter().map(told).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Cosigner;
    use crate::signature::SecretKey;
    use crate::testing::{TestIndex, key};

    const DAY: u64 = 86_400;
    const NOW: u64 = 1_790_000_000;

    fn witness(name: &str, secret: &SecretKey) -> CosignerKey {
        CosignerKey::new(name, secret.public()).expect("a name")
    }

    fn cosigned(index: &TestIndex, by: &[(&str, u8, u64)]) -> Checkpoint {
        by.iter().fold(index.checkpoint(), |checkpoint, (name, seed, time)| {
            let secret = key(*seed);
            let cosigner = Cosigner::new(name, &secret).expect("a name");
            let made = cosigner.cosign(&checkpoint, *time);
            checkpoint.with_cosignatures([(cosigner.key(), &made)]).expect("it fits")
        })
    }

    fn demand(keys: &[(&str, u8)], threshold: usize) -> WitnessDemand {
        let keys = keys.iter().map(|(name, seed)| witness(name, &key(*seed))).collect();
        WitnessDemand::new(keys, threshold).expect("it can be met")
    }

    fn check(demand: &WitnessDemand, checkpoint: &Checkpoint, index: &TestIndex) -> Result<usize, String> {
        let recent = Some(Recent { now: NOW, max_age: 7 * DAY });
        let found = demand.check(checkpoint, index.signer.key(), recent, "`trust.yaml`");
        found.map(|seen| seen.len()).map_err(|error| error.to_string())
    }

    #[test]
    fn two_of_three_are_enough_and_one_names_the_others() {
        let index = TestIndex::new();
        let demand = demand(&[("a", 1), ("b", 2), ("c", 3)], 2);
        assert_eq!(check(&demand, &cosigned(&index, &[("a", 1, NOW), ("c", 3, NOW - DAY)]), &index), Ok(2));
        let error = check(&demand, &cosigned(&index, &[("b", 2, NOW)]), &index).expect_err("one is missing");
        let (a, c) = (key(1).public().fingerprint(), key(3).public().fingerprint());
        assert_eq!(
            error,
            format!(
                "the checkpoint of 0 leaves has 1 of the 2 cosignatures that `trust.yaml` demands; \
                 missing: `a` {a} (it did not cosign), `c` {c} (it did not cosign)"
            )
        );
    }

    #[test]
    fn one_key_under_two_names_is_one_witness() {
        let twice = vec![witness("a", &key(1)), witness("b", &key(1))];
        let refused = WitnessDemandError::Threshold { threshold: 2, keys: 1 };
        assert_eq!(WitnessDemand::new(twice.clone(), 2), Err(refused));
        assert_eq!(WitnessDemand::new(Vec::new(), 1), Err(WitnessDemandError::NoKeys));
        assert!(WitnessDemand::new(twice, 0).is_err());
        let index = TestIndex::new();
        let demand = demand(&[("a", 1), ("b", 1), ("c", 3)], 2);
        let checkpoint = cosigned(&index, &[("a", 1, NOW), ("b", 1, NOW)]);
        assert!(check(&demand, &checkpoint, &index).is_err_and(|error| error.contains("1 of the 2")));
        assert_eq!(check(&demand, &cosigned(&index, &[("b", 1, NOW), ("c", 3, NOW)]), &index), Ok(2));
    }

    #[test]
    fn the_log_is_no_witness_of_itself() {
        let index = TestIndex::new();
        let origin = index.signer.key().name();
        let demand = demand(&[(origin, 100), ("b", 2)], 2);
        let checkpoint = cosigned(&index, &[(origin, 100, NOW), ("b", 2, NOW)]);
        let error = check(&demand, &checkpoint, &index).expect_err("one is the log");
        assert!(error.contains("it is the log's own key"), "{error}");
    }

    #[test]
    fn old_and_future_cosignatures_do_not_count() {
        let index = TestIndex::new();
        let demand = demand(&[("a", 1)], 1);
        for (time, outcome) in [
            (NOW - 7 * DAY, Ok(())),
            (NOW - 7 * DAY - 1, Err("it cosigned 7d ago, at most 7d are allowed")),
            (NOW + CLOCK_DIFFERENCE, Ok(())),
            (NOW + CLOCK_DIFFERENCE + 1, Err("it cosigned 5m in the future, at most 5m are allowed")),
        ] {
            let found = check(&demand, &cosigned(&index, &[("a", 1, time)]), &index);
            match outcome {
                Ok(()) => assert_eq!(found, Ok(1)),
                Err(said) => assert!(found.as_ref().is_err_and(|error| error.contains(said)), "{found:?}"),
            }
        }
        let old = cosigned(&index, &[("a", 1, 0)]);
        assert!(demand.check(&old, index.signer.key(), None, "a copy").is_ok());
    }

    #[test]
    fn a_forged_line_is_refused_even_where_others_are_enough() {
        let (index, other) = (TestIndex::new(), TestIndex::new());
        other.append(crate::record::Event::Release(Box::new(crate::testing::release("redis", "1.0.0"))), &[&key(1)]);
        let secret = key(1);
        let cosigner = Cosigner::new("a", &secret).expect("a name");
        let of_another = cosigner.cosign(&other.checkpoint(), NOW);
        let checkpoint = cosigned(&index, &[("b", 2, NOW)]);
        let forged = checkpoint.with_cosignatures([(cosigner.key(), &of_another)]).expect("it is a note");
        let demand = demand(&[("a", 1), ("b", 2)], 1);
        let recent = Some(Recent { now: NOW, max_age: DAY });
        let refused = demand.check(&forged, index.signer.key(), recent, "`trust.yaml`");
        assert!(matches!(refused, Err(WitnessError::Forged { .. })), "{refused:?}");
        // Who does not demand that witness does not care.
        assert_eq!(check(&self::demand(&[("b", 2)], 1), &forged, &index), Ok(1));
    }

    #[test]
    fn the_example_of_the_standard_says_who_saw_it_and_when() {
        let note = crate::witness::tests::EXAMPLE_NOTE;
        let checkpoint = Checkpoint::open_pinned(note.as_bytes(), crate::digest::Digest::of(note.as_bytes()));
        let checkpoint = checkpoint.expect("the note is well-formed");
        let log = NoteKey::new("example.com/behind-the-sofa", key(1).public()).expect("a name");
        let seen = ClaimedCosignature { name: "witness.example.com/w1".to_owned(), time: 1_679_315_147 };
        assert_eq!(checkpoint.claimed_cosignatures(&log), [seen]);
        assert_eq!(checkpoint.size(), 20_852_163);
    }
}
