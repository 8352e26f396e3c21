//! The journal of a run: what happened, in the order in which it happened, so that a run that was cut off goes on where it was.
//!
//! A journal is one file that only grows. Its first record says which run of which workflow it is ([`Header`]); each of the
//! others is an event of the run, or of a run inside of it. Since [`step`](super::schedule::step) is pure, the same events give
//! the same state: to resume a run is to take them in again without calling a node.
//!
//! What is written has reached the operating system before the run goes on, so a killed process loses nothing. Before a node
//! starts that may change the world, everything before it is on the disk ([`Ledger::settle`]); events of nodes that only compute
//! go there together.

mod entry;
mod error;
mod frame;
mod history;
mod ledger;
mod past;
mod reader;
mod veil;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use pocket_index::digest::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use entry::Entry;
pub use entry::{End, EventRecord};
pub use error::JournalError;
pub use history::{History, Standing, repeats, standing};
pub use ledger::Ledger;
pub use veil::{MASK, Secret, Veil};

/// What the name of a journal ends in.
pub const EXTENSION: &str = "journal";

/// What a journal is of: its first record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The run.
    pub run: String,
    /// The workflow's name.
    pub workflow: String,
    /// The workflow's file.
    pub path: PathBuf,
    /// The digest of the plan's documents.
    pub document: Digest,
    /// The digests of the plugins that it uses, by name.
    pub plugins: BTreeMap<String, String>,
    /// When the run began: milliseconds since 1970-01-01 UTC.
    pub began: u64,
    /// The run's input.
    pub input: Value,
    /// What it repeats, if it does not begin at its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<Repeats>,
    /// What marks secrets in this journal. Nobody who feeds data into the run knows it.
    pub mark: String,
}

impl Header {
    /// The same with its values changed; the rest tells what to change them back with.
    fn covered(&self, cover: impl Fn(&mut Value)) -> Self {
        let mut header = self.clone();
        cover(&mut header.input);
        if let Some(repeats) = &mut header.repeats {
            cover(&mut repeats.input);
            repeats.outputs.values_mut().for_each(cover);
        }
        header
    }
}

/// The part of another run that a run repeats.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Repeats {
    /// The other run.
    pub run: String,
    /// The node at which this one begins.
    pub node: String,
    /// What the node receives.
    pub input: Value,
    /// Outputs of other nodes that were there, by node.
    pub outputs: BTreeMap<String, Value>,
}

/// Where a run begins that does not begin at its start.
#[derive(Debug, Clone)]
pub struct Seed {
    /// The node.
    pub node: usize,
    /// What it receives.
    pub input: Arc<Value>,
    /// Outputs of other nodes, for templates.
    pub outputs: Vec<(usize, Arc<Value>)>,
}

/// Milliseconds since 1970-01-01 UTC.
pub fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
