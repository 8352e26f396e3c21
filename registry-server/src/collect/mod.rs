//! Cosignatures for the log's own checkpoints: every witness is asked at once, and what does not come in time is left out.
//!
//! A checkpoint that a witness saw is a promise: no other history of that length will ever get its cosignature. So the line that a
//! checkpoint publishes is on the disk before any witness hears of it.

mod ask;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use futures_util::future;
use pocket_index::log::{Checkpoint, Cosignature, NoteKey, TilePath, TileSource};
use tokio::runtime::Runtime;

pub use ask::AskError;

use crate::RegistryError;
use crate::config::{WitnessAt, Witnesses};
use crate::error::chain;

/// Asks witnesses.
#[derive(Debug)]
pub(crate) struct Collector {
    witnesses: Witnesses,
    asking: Option<Asking>,
}

/// A runtime of its own: a publish waits on a thread that may or may not belong to another one.
#[derive(Debug)]
struct Asking {
    runtime: Option<Runtime>,
    client: reqwest::Client,
    /// For each witness the size of the log that it saw last, as far as this process knows.
    seen: Vec<Arc<AtomicU64>>,
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

/// The tiles of the static tree.
#[derive(Clone)]
struct TreeTiles(PathBuf);

impl TileSource for TreeTiles {
    fn tile(&self, path: &TilePath) -> std::io::Result<Vec<u8>> {
        std::fs::read(self.0.join(path.to_string()))
    }
}

impl Collector {
    pub(crate) fn new(witnesses: &Witnesses) -> Result<Self, RegistryError> {
        witnesses.check()?;
        let asking = if witnesses.asked.is_empty() { None } else { Some(Asking::start(witnesses)?) };
        Ok(Self { witnesses: witnesses.clone(), asking })
    }

    /// The checkpoint with the cosignatures that came in time. The tiles of its tree are below `tree` already.
    ///
    /// # Errors
    /// Fewer came than must.
    pub(crate) fn cosigned(
        &self,
        checkpoint: &Checkpoint,
        log: &NoteKey,
        tree: PathBuf,
    ) -> Result<Checkpoint, TooFewWitnesses> {
        let Some(asking) = &self.asking else { return Ok(checkpoint.clone()) };
        let answers = asking.ask(&self.witnesses, checkpoint, log, TreeTiles(tree));
        let mut reasons = Vec::new();
        let mut found = Vec::new();
        for (witness, answer) in self.witnesses.asked.iter().zip(answers) {
            match answer {
                Ok(cosignature) => found.push((&witness.key, cosignature)),
                Err(error) => {
                    let reason = format!("`{}` at {} did not: {}", witness.key.name(), witness.url, chain(&error));
                    eprintln!("{reason}");
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
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).thread_name("witnesses").enable_all().build();
        let runtime = runtime.map_err(|source| RegistryError::Runtime { source })?;
        let client = ask::client(witnesses.patience).map_err(|source| RegistryError::Client { source })?;
        let seen = witnesses.asked.iter().map(|_| Arc::default()).collect();
        Ok(Self { runtime: Some(runtime), client, seen })
    }

    /// Each witness's answer, in their order.
    fn ask(
        &self,
        witnesses: &Witnesses,
        checkpoint: &Checkpoint,
        log: &NoteKey,
        tiles: TreeTiles,
    ) -> Vec<Result<Cosignature, AskError>> {
        let asked = witnesses.asked.iter().zip(&self.seen).map(|(witness, seen)| {
            let (client, witness, seen) = (self.client.clone(), witness.clone(), Arc::clone(seen));
            let (checkpoint, log, tiles, patience) =
                (checkpoint.clone(), log.clone(), tiles.clone(), witnesses.patience);
            async move { one(&client, &witness, &seen, &checkpoint, &log, &tiles, patience).await }
        });
        let all = future::join_all(asked.collect::<Vec<_>>());
        let (answered, answers) = mpsc::channel();
        let runtime = self.runtime.as_ref().expect("it is there until this is dropped");
        runtime.spawn(async move { answered.send(all.await) });
        answers.recv().expect("each witness is given up after a while")
    }
}

async fn one(
    client: &reqwest::Client,
    witness: &WitnessAt,
    seen: &AtomicU64,
    checkpoint: &Checkpoint,
    log: &NoteKey,
    tiles: &TreeTiles,
    patience: Duration,
) -> Result<Cosignature, AskError> {
    let old = seen.load(Ordering::Relaxed);
    let question = ask::Question { witness, checkpoint, log };
    let answer = tokio::time::timeout(patience, question.ask(client, old, tiles)).await;
    let cosignature = answer.map_err(|_| AskError::TimedOut { patience })??;
    seen.store(checkpoint.size(), Ordering::Relaxed);
    Ok(cosignature)
}

impl Drop for Asking {
    fn drop(&mut self) {
        // A runtime must not be waited for on a thread of another one.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
