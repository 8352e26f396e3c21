//! What can go wrong between a registry and its client.

use std::path::PathBuf;

use pocket_index::log::WitnessError;
use pocket_index::name::PluginName;
use pocket_index::verify::VerifyError;
use semver::Version;

use super::age::{Ahead, Stale};
use super::http::Sent;
use super::memory::Kept;

/// A file of a registry, or an archive, could not be had.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// No client could be made.
    #[error("cannot set up HTTP")]
    Client {
        /// Why not.
        source: reqwest::Error,
    },
    /// An environment variable that says how to use HTTP.
    #[error("`{name}` is `{}`, expected a duration above zero such as `30s` or `500ms`", value.escape_debug())]
    Setting {
        /// The variable.
        name: &'static str,
        /// What it is set to.
        value: String,
    },
    /// The server has no such file.
    #[error("there is nothing at {url} (404)")]
    NotFound {
        /// Where it should be.
        url: String,
    },
    /// The server refused or failed.
    #[error("{url} answered {status}{}", message.as_deref().map(|message| format!(": {message}")).unwrap_or_default())]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What the server said.
        message: Option<String>,
    },
    /// The server wants to know who asks, or does not let them.
    #[error(
        "{url} answered {status}{}{}",
        message.as_deref().map(|message| format!(": {message}")).unwrap_or_default(),
        if *sent == Sent::WithToken { "" } else { "; no token was sent" }
    )]
    Denied {
        /// What was asked for.
        url: String,
        /// The HTTP status: 401 or 403.
        status: u16,
        /// What the server said.
        message: Option<String>,
        /// Whether it was told who asks.
        sent: Sent,
    },
    /// An upload that does not get on.
    #[error("{url} took {sent} of {total} bytes and then nothing")]
    Stalled {
        /// Where it is sent.
        url: String,
        /// Bytes that were sent.
        sent: u64,
        /// All of them.
        total: u64,
    },
    /// No connection.
    #[error("cannot reach {url}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// Why not.
        source: reqwest::Error,
    },
    /// A redirect that is not followed.
    #[error("{url} leads elsewhere: {reason}")]
    Redirected {
        /// What was asked for.
        url: String,
        /// Why it is not followed.
        reason: String,
    },
    /// The server stalled.
    #[error("{url} did not answer in time")]
    TimedOut {
        /// What was asked for.
        url: String,
        /// What happened.
        source: reqwest::Error,
    },
    /// The connection broke before everything had come.
    #[error("the download of {url} was cut after {received} bytes{}", expected.map(|expected| format!(" of {expected}")).unwrap_or_default())]
    Truncated {
        /// What was asked for.
        url: String,
        /// Bytes that came.
        received: u64,
        /// Bytes that were announced.
        expected: Option<u64>,
        /// What happened.
        source: reqwest::Error,
    },
    /// More came than may come.
    #[error("{url} is larger than {limit} bytes")]
    TooLarge {
        /// What was asked for.
        url: String,
        /// The most that is taken, in bytes.
        limit: u64,
    },
    /// A file on this machine could not be read or written.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The network may not be used, and the file is not on this machine.
    #[error("{url} is not on this machine, and the network may not be used")]
    Offline {
        /// What was asked for.
        url: String,
    },
}

impl TransportError {
    /// Whether the same request may succeed later.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Truncated { .. } => true,
            Self::Status { status, .. } => matches!(status, 408 | 429 | 500 | 502 | 503 | 504),
            _ => false,
        }
    }
}

impl RegistryError {
    /// Whether a file is not on this machine, and the network may not be used.
    pub fn is_offline(&self) -> bool {
        matches!(self, Self::Transport { source: TransportError::Offline { .. }, .. })
    }
}

/// What a registry sent cannot be used, or did not come at all.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A file could not be had.
    #[error("the registry `{registry}` cannot be read")]
    Transport {
        /// The registry.
        registry: String,
        /// Why not.
        source: TransportError,
    },
    /// Something it sent fails a check.
    #[error("the registry `{registry}` is refused")]
    Refused {
        /// The registry.
        registry: String,
        /// The check that failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A plugin's events fail a check.
    #[error("the events of `{plugin}` in the registry `{registry}` are refused")]
    History {
        /// The registry.
        registry: String,
        /// The plugin.
        plugin: PluginName,
        /// The check that failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Files of its log are not there.
    #[error("the registry `{registry}` does not show what would prove its entries")]
    NoProof {
        /// The registry.
        registry: String,
        /// What is not there.
        source: TransportError,
    },
    /// It signs with another key than before.
    #[error("the registry `{registry}` signs with the key {found}, before it was {pinned}")]
    KeyChanged {
        /// The registry.
        registry: String,
        /// The key seen first.
        pinned: String,
        /// The key it shows now.
        found: String,
        /// The file that remembers the first; none if it was the configuration or the lock that named it.
        file: Option<PathBuf>,
    },
    /// It shows another history than before, to this machine or to the team that made the lock.
    #[error("the registry `{registry}` shows another history than before; {kept}")]
    OtherView {
        /// The registry.
        registry: String,
        /// Where the evidence is.
        kept: Kept,
        /// What does not fit.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nothing new was heard of it for too long: it may be kept from showing it.
    #[error("the registry `{registry}` is too old to choose versions from")]
    Stale {
        /// The registry.
        registry: String,
        /// How old it is.
        source: Stale,
    },
    /// It and this machine have two times.
    #[error("the registry `{registry}` is ahead of this machine's clock")]
    Ahead {
        /// The registry.
        registry: String,
        /// Both times.
        source: Ahead,
    },
    /// A key that anyone has signs for it.
    #[error("the registry `{registry}` signs with a development key, which anyone has")]
    DevelopmentKey {
        /// The registry.
        registry: String,
    },
    /// Too few of the witnesses that are demanded saw its checkpoint, or one did not sign what it is said to.
    #[error("the checkpoint of the registry `{registry}` is not witnessed as it must be")]
    Witnesses {
        /// The registry.
        registry: String,
        /// What is missing or wrong.
        source: Box<WitnessError>,
    },
    /// An archive is not what its release says, or there is none for this machine.
    #[error("cannot install `{plugin}` {version}")]
    Archive {
        /// The plugin.
        plugin: PluginName,
        /// Its version.
        version: Version,
        /// The check that failed.
        source: Box<VerifyError>,
    },
    /// An archive cannot be had.
    #[error("cannot download `{plugin}` {version}")]
    Download {
        /// The plugin.
        plugin: PluginName,
        /// Its version.
        version: Version,
        /// Why not.
        source: Box<TransportError>,
    },
    /// The registry takes no publishes.
    #[error("the registry `{registry}` takes no publishes")]
    ReadOnly {
        /// The registry.
        registry: String,
    },
    /// The registry refused what was sent to it, or asked of it.
    #[error("the registry `{registry}` refused {what}: {message} ({code})")]
    PublishRefused {
        /// The registry.
        registry: String,
        /// What it refused: `the publish`.
        what: &'static str,
        /// A word for programs.
        code: String,
        /// What it said.
        message: String,
    },
    /// What this machine remembers of the registry cannot be read or written.
    #[error("cannot remember what was seen of the registry `{registry}`")]
    Memory {
        /// The registry.
        registry: String,
        /// Why not.
        source: crate::home::HomeError,
    },
}
