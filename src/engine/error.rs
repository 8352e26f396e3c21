//! Why a plugin could not be loaded or a call did not succeed.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::budget::{Limit, Megabytes, Seconds};
use super::log::escape_control;

/// A call that did not succeed. Every runtime reports the same thing in the same words.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct CallError {
    /// What kind of thing happened: decides about retries and exit codes.
    pub kind: CallErrorKind,
    /// What happened, lower case, without full stop.
    pub message: String,
    /// What the plugin adds for programs to read.
    pub details: Option<Value>,
    /// The limit that was reached, when that is why. [`Plugin::call`](super::Plugin::call) adds how to raise it.
    pub limit: Option<Limit>,
}

/// What kind of thing ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallErrorKind {
    /// The plugin refuses its config or input: trying again cannot help.
    InvalidInput,
    /// The plugin tried and failed.
    Failed,
    /// The plugin failed and says that another try may succeed.
    Retryable,
    /// The call's time was up.
    Timeout,
    /// The plugin tried something that it did not ask for or was not granted.
    Denied,
    /// The call needed more memory than its limit.
    OutOfMemory,
    /// The plugin's code died: a trap, a signal, a broken reply.
    Crashed,
    /// The plugin could not be loaded.
    Load,
}

impl CallErrorKind {
    /// The word for it in envelopes, events and reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid_input",
            Self::Failed => "failed",
            Self::Retryable => "retryable",
            Self::Timeout => "timeout",
            Self::Denied => "denied",
            Self::OutOfMemory => "out_of_memory",
            Self::Crashed => "crashed",
            Self::Load => "load",
        }
    }

    /// The kinds that a plugin may report of itself. The others are the engine's findings: a plugin cannot claim them.
    pub fn from_plugin(word: &str) -> Option<Self> {
        [Self::InvalidInput, Self::Failed, Self::Retryable, Self::Timeout].into_iter().find(|kind| kind.word() == word)
    }
}

impl fmt::Display for CallErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl CallError {
    /// An error without details.
    pub fn new(kind: CallErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), details: None, limit: None }
    }

    /// The plugin could not be loaded.
    pub fn load(message: impl Into<String>) -> Self {
        Self::new(CallErrorKind::Load, message)
    }

    /// The plugin's code died.
    pub fn crashed(message: impl Into<String>) -> Self {
        Self::new(CallErrorKind::Crashed, message)
    }

    /// The call of `node_type` did not end within `limit`.
    pub fn timeout(node_type: &str, limit: Duration) -> Self {
        let limit = Seconds(limit);
        let message = format!("`{node_type}` did not finish within its time limit of {limit}");
        Self::new(CallErrorKind::Timeout, message).reaching(Limit::Timeout)
    }

    /// The call of `node_type` needed more than `limit` bytes.
    pub fn out_of_memory(node_type: &str, limit: u64) -> Self {
        let limit = Megabytes(limit);
        let message = format!("`{node_type}` needs more than its memory limit of {limit}");
        Self::new(CallErrorKind::OutOfMemory, message).reaching(Limit::Memory)
    }

    /// The output of `node_type` has more than `limit` bytes.
    pub fn output_too_large(node_type: &str, limit: u64) -> Self {
        let limit = Megabytes(limit);
        let message = format!("the output of `{node_type}` is larger than its limit of {limit}");
        Self::new(CallErrorKind::Failed, message).reaching(Limit::Output)
    }

    /// Calls in `node_type` nested deeper than `limit`.
    pub fn calls_too_deep(node_type: &str, limit: u32) -> Self {
        let message = format!("calls in `{node_type}` nest deeper than its limit of {limit}");
        Self::new(CallErrorKind::Failed, message).reaching(Limit::CallDepth)
    }

    /// `node_type` needed more than `limit` bytes of stack.
    pub fn stack_exhausted(node_type: &str, limit: u64) -> Self {
        let limit = Megabytes(limit);
        let message = format!("`{node_type}` needs more than its stack limit of {limit}");
        Self::new(CallErrorKind::Failed, message).reaching(Limit::Stack)
    }

    /// `node_type` started more than `limit` threads.
    pub fn too_many_threads(node_type: &str, limit: u32) -> Self {
        let message = format!("`{node_type}` needs more than its limit of {limit} threads");
        Self::new(CallErrorKind::Crashed, message).reaching(Limit::Threads)
    }

    /// `what`, which the host did for the plugin, did not end within `limit`.
    pub fn host_call_timeout(what: &str, limit: Duration) -> Self {
        let limit = Seconds(limit);
        let message = format!("{what} did not finish within the limit of {limit} for one call of the host");
        Self::new(CallErrorKind::Timeout, message).reaching(Limit::HostCall)
    }

    /// `what`, which the host was to carry, has more than `limit` bytes.
    pub fn transfer_too_large(what: &str, limit: u64) -> Self {
        let limit = Megabytes(limit);
        let message = format!("{what} is larger than the limit of {limit} for one call of the host");
        Self::new(CallErrorKind::Failed, message).reaching(Limit::Transfer)
    }

    /// The same with a message that moves no cursor: a plugin chose its words.
    #[must_use]
    pub fn printable(mut self) -> Self {
        let is_plain = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
        if !self.message.chars().all(is_plain) {
            let lines: Vec<String> =
                self.message.split('\n').map(|line| line.chars().flat_map(escape_control).collect()).collect();
            self.message = lines.join("\n");
        }
        self
    }

    /// The same, and that it is for this limit.
    #[must_use]
    pub fn reaching(self, limit: Limit) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// The same with `advice` after its message.
    #[must_use]
    pub fn advised(mut self, advice: &str) -> Self {
        self.message = format!("{}; {advice}", self.message);
        self
    }
}
