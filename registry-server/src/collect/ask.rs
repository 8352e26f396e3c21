//! One witness is asked: C2SP `tlog-witness`, as the log's side of it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pocket_index::log::{Checkpoint, Cosignature, Missing, NoteKey, Recent, TileError};
use pocket_index::time::CLOCK_DIFFERENCE;
use pocket_index::witness::{ADD_CHECKPOINT, AddCheckpoint, AnswerError, MAX_ANSWER_BYTES, read_answer, read_size};
use reqwest::{Client, Response, StatusCode};

use super::tiles;
use crate::config::WitnessAt;
use crate::storage::Storage;

/// The witness says what it saw, then hears the proof from there; once more, if somebody else was faster.
const ATTEMPTS: usize = 3;
/// What is shown of a refusal.
const SHOWN_BYTES: usize = 200;

/// Why a witness's cosignature is missing.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It cannot be reached, or the connection broke.
    #[error("it cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// It did not answer in time.
    #[error("it did not answer within {} s", patience.as_secs_f32())]
    TimedOut {
        /// How long was waited.
        patience: Duration,
    },
    /// It refused.
    #[error("it answered {status}: {}", said.escape_debug())]
    Status {
        /// The HTTP status.
        status: u16,
        /// The beginning of what it said.
        said: String,
    },
    /// More came than an answer has.
    #[error("its answer is larger than {MAX_ANSWER_BYTES} bytes")]
    TooLarge,
    /// What it signed does not count.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// It saw a longer log than there is.
    #[error(
        "it saw a log of {seen} leaves, and this one has {size}: was the registry's folder taken from an older copy?"
    )]
    Ahead {
        /// What it saw.
        seen: u64,
        /// What there is.
        size: u64,
    },
    /// It saw another log of this length, or changes its mind all the time.
    #[error(
        "it does not take the proof that this log of {size} leaves grew out of the {seen} that it saw: it may have seen another history"
    )]
    OtherHistory {
        /// What it saw.
        seen: u64,
        /// What there is.
        size: u64,
    },
    /// Its clock is so wrong that no client would take its word.
    #[error("its clock or this machine's is wrong: {0}")]
    Clock(Missing),
    /// A tile of the registry's own tree cannot be read.
    #[error(transparent)]
    Tile(#[from] TileError),
}

/// What a witness is asked about.
pub(super) struct Question<'a> {
    pub(super) witness: &'a WitnessAt,
    pub(super) checkpoint: &'a Checkpoint,
    pub(super) log: &'a NoteKey,
}

/// A client that waits no longer than a witness is given, and follows nobody elsewhere.
pub(super) fn client(patience: Duration) -> Result<Client, reqwest::Error> {
    // Fails where the program chose one before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("pocket-registry/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(patience)
        .timeout(patience)
        .build()
}

impl Question<'_> {
    /// The witness's cosignature. `old` is the size that it is thought to have seen; it says so if that is wrong.
    pub(super) async fn ask(
        &self,
        client: &Client,
        mut old: u64,
        storage: &dyn Storage,
    ) -> Result<Cosignature, AskError> {
        let size = self.checkpoint.size();
        for _ in 0..ATTEMPTS {
            let request = tiles::with(storage, |tiles| AddCheckpoint::prove(self.checkpoint, old, tiles)).await;
            let body = request?.ok_or(AskError::Ahead { seen: old, size })?.encode();
            let url = self.witness.url.join(ADD_CHECKPOINT).expect("the URL can be a base: it was checked");
            let response = client.post(url).body(body).send().await.map_err(AskError::Unreachable)?;
            let status = response.status();
            let said = read(response).await?;
            match (status, read_size(&said)) {
                (StatusCode::OK, _) => return self.check(&said),
                (StatusCode::CONFLICT, Some(seen)) if seen == old => {
                    return Err(AskError::OtherHistory { seen, size });
                }
                (StatusCode::CONFLICT, Some(seen)) => old = seen,
                (status, _) => {
                    let said = said.chars().take(SHOWN_BYTES).collect::<String>().trim_end().to_owned();
                    return Err(AskError::Status { status: status.as_u16(), said });
                }
            }
        }
        Err(AskError::OtherHistory { seen: old, size })
    }

    fn check(&self, answer: &str) -> Result<Cosignature, AskError> {
        let cosignature = read_answer(answer, self.checkpoint, self.log, &self.witness.key)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        match (Recent { now, max_age: CLOCK_DIFFERENCE }).misses(cosignature.time) {
            Some(missing) => Err(AskError::Clock(missing)),
            None => Ok(cosignature),
        }
    }
}

/// The body as text, if it is no longer than an answer may be.
async fn read(mut response: Response) -> Result<String, AskError> {
    let mut bytes = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(AskError::Unreachable)? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > MAX_ANSWER_BYTES {
            return Err(AskError::TooLarge);
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
