//! What the records say.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::workflow::schedule::Event;

/// Something that happened, as it is handed to the journal.
#[derive(Debug)]
pub struct Entry<'a> {
    /// What happened.
    pub event: &'a Event,
    /// The name of the node, when it is of one.
    pub node: Option<&'a str>,
    /// What the node received.
    pub input: Option<&'a Arc<Value>>,
    /// How long the attempt took.
    pub took: Option<Duration>,
}

/// A record of an event, on its way out.
#[derive(Debug, Serialize)]
pub(super) struct WrittenEvent<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub key: &'a str,
    pub at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<WrittenInput<'a>>,
    pub event: &'a Event,
}

/// What a node received. What another record has is not written again.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WrittenInput<'a> {
    /// The output in the record of that number; 0 is the run's input.
    Of(u64),
    Value(&'a Value),
}

/// Something that happened, as a journal tells it.
#[derive(Debug, Clone, Deserialize)]
pub struct EventRecord {
    /// Empty in the run itself; else the key of the run inside of it.
    #[serde(default)]
    pub key: String,
    /// When: milliseconds since 1970-01-01 UTC.
    pub at: u64,
    /// How long the attempt took, in microseconds.
    #[serde(default)]
    pub took: Option<u64>,
    /// The node's name.
    #[serde(default)]
    pub node: Option<String>,
    /// What the node received.
    #[serde(default)]
    pub(super) input: Option<ReadInput>,
    /// What happened.
    pub event: Event,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ReadInput {
    Of(u64),
    Value(Value),
}

/// A fallback value that stands for the output of a node of the run itself.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Recovered {
    pub node: String,
    pub output: Value,
}

/// The event that made a run fail.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Failed {
    #[serde(default)]
    pub key: String,
    /// The number of its record.
    pub event: u64,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// When: milliseconds since 1970-01-01 UTC.
    pub at: u64,
    /// How many steps were started.
    #[serde(default)]
    pub steps: u64,
    /// Why it failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// When a run was taken up again.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Resumed {
    pub at: u64,
}
