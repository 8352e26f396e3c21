//! Errors: of the server, and as answered to a client.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::SystemTimeError;

use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use pocket_index::append::AppendError;
use pocket_index::name::PluginName;
use pocket_index::signature::PublicKey;
use serde::Serialize;

use crate::accounts::TokenError;
use crate::collect::TooFewWitnesses;
use crate::config::MAX_WITNESSES;
use crate::storage::{Fault, StorageError};

/// Why a registry cannot be opened, served or written to.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Nobody said where the registry is.
    #[error("name the registry: a folder with --dir, or a bucket with --bucket and --key")]
    NoPlace,
    /// A bucket's log needs a key that stands elsewhere.
    #[error("the bucket `{bucket}` needs the key of its log: --key FILE")]
    NoKey {
        /// The bucket.
        bucket: String,
    },
    /// A token cannot be made, found or revoked.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A setting makes no sense.
    #[error("{message}")]
    Setting {
        /// Why not.
        message: String,
    },
    /// What is copied does not fit together.
    #[error("`{path}` is not copied: {message}")]
    NoCopy {
        /// What.
        path: String,
        /// Why not.
        message: String,
    },
    /// A file is there that would be overwritten.
    #[error("`{}` exists already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The operating system gives no threads.
    #[error("cannot start the server's threads")]
    Runtime {
        /// Why not.
        source: std::io::Error,
    },
    /// The port cannot be had.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// Other machines would reach a server without TLS.
    #[error("{address} can be reached from other machines, and this server has no TLS")]
    Exposed {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// The server cannot prove who it is.
    #[error("`{}` is of no use for TLS: {message}", path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// No HTTP client could be made.
    #[error("cannot set up HTTP, to ask witnesses or to fetch a copy")]
    Client {
        /// Why not.
        source: reqwest::Error,
    },
    /// More witnesses must cosign than there are.
    #[error("{quorum} witnesses must cosign, and {witnesses} different ones are named, of at most {MAX_WITNESSES}")]
    Witnesses {
        /// How many must.
        quorum: usize,
        /// How many there are.
        witnesses: usize,
    },
    /// Too few witnesses cosigned.
    #[error("the checkpoint is not written: too few witnesses cosigned it")]
    TooFewWitnesses(#[from] TooFewWitnesses),
    /// A file could not be read or written.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// What was received cannot be read back.
    #[error("cannot read back what was received")]
    Spool {
        /// Why not.
        source: std::io::Error,
    },
    /// The place of the registry's files failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Other servers on the same bucket were faster each time.
    #[error("others wrote to the registry at each of {attempts} attempts")]
    Busy {
        /// How often it was tried.
        attempts: u32,
    },
    /// Another server has the folder.
    #[error("another server uses `{}`", path.display())]
    InUse {
        /// The registry's folder.
        path: PathBuf,
    },
    /// The log signed with a time that has not come yet.
    #[error("cannot sign the checkpoint of `{}`", path.display())]
    ClockBehind {
        /// The registry's folder.
        path: PathBuf,
        /// Both times.
        source: pocket_index::log::ClockBehind,
    },
    /// A recovery takes a registry that is there; a new one has no plugins.
    #[error("there is no registry in `{}`", path.display())]
    NoRegistry {
        /// The folder.
        path: PathBuf,
    },
    /// Nobody published it here.
    #[error("the registry has no plugin `{name}`")]
    NoPlugin {
        /// The plugin.
        name: PluginName,
    },
    /// The present owners would not have the time to object.
    #[error("a recovery waits {least} seconds at least, not {delay}")]
    DelayTooShort {
        /// What was asked for, in seconds.
        delay: u64,
        /// What every client demands.
        least: u64,
    },
    /// No client would take the registry's word.
    #[error("`{}` holds {key}, which is none of the `keys` in `config.json`", path.display())]
    NoEventKey {
        /// The key's file.
        path: PathBuf,
        /// The key.
        key: PublicKey,
    },
    /// Every client would refuse the line.
    #[error("the event is refused")]
    Event {
        /// Why.
        source: Box<AppendError>,
    },
    /// The clock stands before 1970.
    #[error("the clock of this machine cannot be right")]
    Clock {
        /// What it says.
        source: SystemTimeError,
    },
    /// The folder holds something else than a registry.
    #[error("`{}` is no registry: {message}", path.display())]
    Damaged {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
}

pub(crate) fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> RegistryError {
    let path = path.to_owned();
    move |source| RegistryError::Io { doing, path, source }
}

/// The code of a file that was replaced while it was read.
const CHANGED: &str = "file_changed";

/// What a client is told: a status, a code for programs, a message for people.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// After how many seconds it may help to try again.
    retry_after: Option<u32>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    code: &'a str,
    message: &'a str,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl ToString) -> Self {
        Self { status, code, message: message.to_string(), retry_after: None }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// The answer to somebody who read a file while it was replaced.
    pub(crate) fn changed() -> Self {
        let message = "the file is being replaced; ask again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, CHANGED, message).retry_after(1)
    }

    /// Whether it is the answer to somebody who read a file while it was replaced.
    pub(crate) fn is_of_change(&self) -> bool {
        self.code == CHANGED
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    pub(crate) fn not_found(name: &str) -> Self {
        // A sentence, not a page: a name may be as long as a request.
        let shown: String = name.chars().take(200).collect();
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is no `{}`", shown.escape_debug()))
    }

    pub(crate) fn wrong_method(method: &Method) -> Self {
        let shown: String = method.as_str().chars().take(20).collect();
        let message = format!("`{}` is not answered here", shown.escape_debug());
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
    }

    /// The cause goes to the server's own log; a client learns no path.
    pub(crate) fn storage(cause: &dyn std::error::Error) -> Self {
        tracing::error!("storage failed: {}", chain(cause));
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "storage", "the registry cannot read or write its files")
    }

    pub(crate) fn of_storage(error: &StorageError) -> Self {
        let told = match error.fault {
            Fault::Broken => return Self::storage(error),
            Fault::Changed => return Self::changed(),
            Fault::Full => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "storage_full",
                "the registry has no room left; nothing is lost",
            ),
            Fault::Unreachable => {
                let message = "the registry cannot reach its files now";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "storage_unavailable", message).retry_after(5)
            }
        };
        tracing::error!("storage failed: {}", chain(error));
        told
    }

    /// The folder for what is being received.
    pub(crate) fn spool(error: std::io::Error) -> Self {
        Self::of_storage(&StorageError::of_io("receive an upload in", &std::env::temp_dir(), error))
    }
}

impl From<StorageError> for ApiError {
    fn from(error: StorageError) -> Self {
        Self::of_storage(&error)
    }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = Json(ErrorBody { code: self.code, message: &self.message });
        let mut response = (self.status, body).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"Pocket registry\""));
        }
        response
    }
}
