//! Cosignatures for the log's own checkpoints: every witness is asked at once, and what does not come in time is left out.
//!
//! A checkpoint that a witness saw is a promise: no other history of that length will ever get its cosignature. So the line that a
//! checkpoint publishes is on the disk before any witness hears of it.

mod ask;
mod tiles;

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future;
use pocket_index::log::{Checkpoint, Cosignature, NoteKey};

pub use ask::AskError;

use crate::RegistryError;
use crate::config::{WitnessAt, Witnesses};
use crate::error::chain;
use crate::storage::Storage;

/// Asks witnesses.
#[derive(Debug)]
pub(crate) struct Collector {
    witnesses: Witnesses,
    asking: Option<Asking>,
}

#[derive(Debug)]
struct Asking {
    client: reqwest::Client,
    /// For each witness the size of the log that it saw last, as far as this process knows.
    seen: Vec<AtomicU64>,
}

/// A checkpoint that fewer witnesses cosigned than must.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found} of the {needed} witnesses that must see a checkpoint cosigned it; {}", reasons.join("; "))]
pub struct TooFewWitnesses {
    /// How many cosigned.
    pub found: usize,
    /// How many must.
    pub needed: usize,
    /// Why each of the others did not.
    pub reasons: Vec<String>,
}

impl Collector {
    pub(crate) fn new(witnesses: &Witnesses) -> Result<Self, RegistryError> {
        witnesses.check()?;
        let asking = if witnesses.asked.is_empty() { None } else { Some(Asking::start(witnesses)?) };
        Ok(Self { witnesses: witnesses.clone(), asking })
    }

    /// The checkpoint with the cosignatures that came in time. The tiles of its tree are in the storage already.
    ///
    /// # Errors
    /// Fewer came than must.
    pub(crate) async fn cosigned(
        &self,
        checkpoint: &Checkpoint,
        log: &NoteKey,
        storage: &dyn Storage,
    ) -> Result<Checkpoint, TooFewWitnesses> {
        let Some(asking) = &self.asking else { return Ok(checkpoint.clone()) };
        let answers = asking.ask(&self.witnesses, checkpoint, log, storage).await;
        let mut reasons = Vec::new();
        let mut found = Vec::new();
        for (witness, answer) in self.witnesses.asked.iter().zip(answers) {
            match answer {
                Ok(cosignature) => found.push((&witness.key, cosignature)),
                Err(error) => {
                    let reason = format!("`{}` at {} did not: {}", witness.key.name(), witness.url, chain(&error));
                    tracing::warn!("{reason}");
                    reasons.push(reason);
                }
            }
        }
        let cosigned = checkpoint.with_cosignatures(found.iter().map(|(key, cosignature)| (*key, cosignature)));
        let cosigned = cosigned.expect("a checkpoint has room for as many witnesses as a server may ask");
        let needed = self.witnesses.quorum;
        let mut keys: Vec<_> = self.that_saw(&cosigned).map(|witness| witness.key.public()).collect();
        keys.sort();
        keys.dedup();
        if keys.len() < needed {
            return Err(TooFewWitnesses { found: keys.len(), needed, reasons });
        }
        Ok(cosigned)
    }

    /// Whether the cosignature of a witness that is asked is not on a checkpoint.
    pub(crate) fn misses(&self, checkpoint: &Checkpoint) -> bool {
        self.that_saw(checkpoint).count() < self.witnesses.asked.len()
    }

    /// The witnesses whose cosignature is on a checkpoint, of whatever time.
    fn that_saw<'a>(&'a self, checkpoint: &'a Checkpoint) -> impl Iterator<Item = &'a WitnessAt> {
        self.witnesses.asked.iter().filter(|witness| matches!(checkpoint.cosignature(&witness.key), Ok(Some(_))))
    }
}

impl Asking {
    fn start(witnesses: &Witnesses) -> Result<Self, RegistryError> {
        let client = ask::client(witnesses.patience).map_err(|source| RegistryError::Client { source })?;
        Ok(Self { client, seen: witnesses.asked.iter().map(|_| AtomicU64::default()).collect() })
    }

    /// Each witness's answer, in their order.
    async fn ask(
        &self,
        witnesses: &Witnesses,
        checkpoint: &Checkpoint,
        log: &NoteKey,
        storage: &dyn Storage,
    ) -> Vec<Result<Cosignature, AskError>> {
        let asked = witnesses.asked.iter().zip(&self.seen).map(async |(witness, seen)| {
            let question = ask::Question { witness, checkpoint, log };
            let patience = witnesses.patience;
            let old = seen.load(Ordering::Relaxed);
            let answer = tokio::time::timeout(patience, question.ask(&self.client, old, storage)).await;
            let cosignature = answer.map_err(|_| AskError::TimedOut { patience })??;
            seen.store(checkpoint.size(), Ordering::Relaxed);
            Ok(cosignature)
        });
        future::join_all(asked).await
    }
}
