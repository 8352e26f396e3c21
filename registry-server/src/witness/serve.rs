//! The witness over HTTP: `POST /add-checkpoint` and `GET /healthz`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use pocket_index::witness::{ADD_CHECKPOINT, AddCheckpoint, MAX_REQUEST_BYTES, SIZE_CONTENT_TYPE};

use super::{Refusal, Way, Witness};
use crate::config::Exposure;
use crate::error::chain;
use crate::serve::stop_signal;
use crate::{RegistryError, config};

/// A witness that listens; it serves until it is dropped or told to stop.
pub struct WitnessServer {
    address: SocketAddr,
    listener: tokio::net::TcpListener,
    witness: Arc<Witness>,
}

impl WitnessServer {
    /// Opens the port. Port 0 takes a free one; [`WitnessServer::address`] tells which.
    pub async fn bind(witness: Witness, address: SocketAddr, exposure: Exposure) -> Result<Self, RegistryError> {
        config::check_address(address, exposure)?;
        let failed = |source| RegistryError::Listen { address, source };
        let listener = tokio::net::TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { address, listener, witness: Arc::new(witness) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL that logs use.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Serves until `stop` is ready, then finishes the requests under way.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), RegistryError> {
        let address = self.address;
        axum::serve(self.listener, router(self.witness))
            .with_graceful_shutdown(stop)
            .await
            .map_err(|source| RegistryError::Listen { address, source })
    }
}

/// Serves on a runtime of its own until the process is told to stop. `ready` hears when it listens.
pub fn serve_until_stopped(
    witness: Witness,
    address: SocketAddr,
    exposure: Exposure,
    ready: impl FnOnce(&WitnessServer),
) -> Result<(), RegistryError> {
    let runtime = tokio::runtime::Runtime::new().map_err(|source| RegistryError::Runtime { source })?;
    runtime.block_on(async {
        let server = WitnessServer::bind(witness, address, exposure).await?;
        ready(&server);
        server.serve(stop_signal()).await
    })
}

/// Everything the witness answers.
pub fn router(witness: Arc<Witness>) -> Router {
    let path = format!("/{ADD_CHECKPOINT}");
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route(&path, post(add_checkpoint).layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES)))
        .with_state(witness)
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: Bytes) -> Response {
    // Waiting for the log's turn and flushing block: not on the threads that take requests.
    let answered = tokio::task::spawn_blocking(move || answer(&witness, &body)).await;
    answered.unwrap_or_else(|error| {
        eprintln!("a request failed: {}", chain(&error));
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}

pub(super) fn answer(witness: &Witness, body: &[u8]) -> Response {
    let request = match AddCheckpoint::decode(body) {
        Ok(request) => request,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{}\n", chain(&error))).into_response(),
    };
    let Ok(now) = SystemTime::now().duration_since(UNIX_EPOCH) else {
        eprintln!("this machine's clock is before 1970");
        return (StatusCode::INTERNAL_SERVER_ERROR, "the witness has no clock\n").into_response();
    };
    match witness.cosign(&request, Way::Sent, now.as_secs()) {
        Ok(cosignature) => cosignature.line().to_owned().into_response(),
        Err(refusal) => refused(&refusal),
    }
}

fn refused(refusal: &Refusal) -> Response {
    let told = format!("{}\n", chain(refusal));
    // The senders of these are wrong about something; only what a log did itself, or what fails here, is news.
    if let Refusal::Forked { .. } | Refusal::Unproved { .. } | Refusal::Smaller { .. } | Refusal::Failed(_) = refusal {
        eprint!("refused: {told}");
    }
    match refusal {
        Refusal::Malformed(_) | Refusal::Backwards { .. } => (StatusCode::BAD_REQUEST, told).into_response(),
        Refusal::NotSigned(_) => (StatusCode::FORBIDDEN, told).into_response(),
        Refusal::UnknownLog { .. } => (StatusCode::NOT_FOUND, told).into_response(),
        Refusal::OtherSize { size, .. } | Refusal::Smaller { size, .. } | Refusal::Forked { size, .. } => {
            (StatusCode::CONFLICT, [(CONTENT_TYPE, SIZE_CONTENT_TYPE)], format!("{size}\n")).into_response()
        }
        Refusal::SuperfluousProof { .. } => (StatusCode::UNPROCESSABLE_ENTITY, told).into_response(),
        Refusal::Unproved { .. } => {
            let told =
                "the proof does not lead from the checkpoint that was cosigned before to this one; both are kept\n";
            (StatusCode::UNPROCESSABLE_ENTITY, told).into_response()
        }
        // The cause goes to the witness's own log; a client learns no path.
        Refusal::Failed(_) => {
            (StatusCode::INTERNAL_SERVER_ERROR, "the witness cannot read or write its files\n").into_response()
        }
    }
}
