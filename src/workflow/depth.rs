//! How deep values may nest. Who reads JSON reads no deeper, and a value that a loop wraps again and again has to end somewhere.

use std::sync::Arc;

use serde_json::Value;

use crate::engine::CallError;
use crate::nodes::{MAX_DEPTH, Outcome, failed};

/// The outcome, unless its output nests too deep.
pub(super) fn refuse_depth(input: &Arc<Value>, outcome: Outcome) -> Result<Outcome, CallError> {
    // What is passed on was looked at before.
    if Arc::ptr_eq(input, &outcome.output) || fits(&outcome.output, MAX_DEPTH) {
        return Ok(outcome);
    }
    Err(failed(format!("the output nests deeper than {MAX_DEPTH} levels")))
}

/// Whether a value nests no deeper than `left` levels.
pub fn fits(value: &Value, left: usize) -> bool {
    match value {
        Value::Array(items) => left > 0 && items.iter().all(|item| fits(item, left - 1)),
        Value::Object(fields) => left > 0 && fields.values().all(|field| fits(field, left - 1)),
        _ => true,
    }
}
