//! A failed attempt, as far as the rest of a run depends on it.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use crate::engine::{CallError, CallErrorKind};

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of thing happened.
    #[serde(serialize_with = "write_kind", deserialize_with = "read_kind")]
    pub kind: CallErrorKind,
    /// What happened.
    pub message: String,
    /// What the node adds for programs to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self { kind: error.kind, message: error.message, details: error.details }
    }
}

impl Failure {
    /// Whether another attempt can have another outcome.
    pub fn may_pass(&self) -> bool {
        match self.kind {
            CallErrorKind::Failed
            | CallErrorKind::Retryable
            | CallErrorKind::Timeout
            | CallErrorKind::Crashed
            | CallErrorKind::OutOfMemory => true,
            CallErrorKind::InvalidInput | CallErrorKind::Denied | CallErrorKind::Load => false,
        }
    }

    /// As nodes and programs see it.
    pub fn described(&self, node: &str) -> Value {
        let mut described = json!({"node": node, "kind": self.kind.word(), "message": self.message});
        if let Some(details) = &self.details {
            described["details"] = details.clone();
        }
        described
    }
}

/// What a node receives that takes over from a failed one.
pub(super) fn error_input(node: &str, failure: &Failure, input: &Value) -> Arc<Value> {
    Arc::new(json!({"error": failure.described(node), "input": input}))
}

const KINDS: [CallErrorKind; 8] = [
    CallErrorKind::InvalidInput,
    CallErrorKind::Failed,
    CallErrorKind::Retryable,
    CallErrorKind::Timeout,
    CallErrorKind::Denied,
    CallErrorKind::OutOfMemory,
    CallErrorKind::Crashed,
    CallErrorKind::Load,
];

fn write_kind<S: Serializer>(kind: &CallErrorKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.word())
}

fn read_kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<CallErrorKind, D::Error> {
    let word = String::deserialize(deserializer)?;
    let known = KINDS.into_iter().find(|kind| kind.word() == word);
    known.ok_or_else(|| serde::de::Error::custom(format!("`{word}` is no kind of failure")))
}
