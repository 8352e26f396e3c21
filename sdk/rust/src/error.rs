//! What a plugin reports when a call does not succeed.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// A call that did not succeed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Error {
    /// What the workflow does with it.
    pub kind: ErrorKind,
    /// What happened, for people.
    pub message: String,
    /// What programs may want to read; `null` is nothing.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub details: Value,
}

/// What the workflow does with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// Config or input are wrong: not tried again.
    InvalidInput,
    /// It did not work.
    Failed,
    /// It did not work now; another try may succeed.
    Retryable,
    /// Something that the plugin waited for took too long.
    Timeout,
}

impl Error {
    /// An error of the given kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), details: Value::Null }
    }

    /// Config or input are wrong.
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// It did not work.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Failed, message)
    }

    /// It did not work now; another try may succeed.
    pub fn retryable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Retryable, message)
    }

    /// The same error with something for programs to read.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
