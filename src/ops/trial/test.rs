//! `plugin test`: what comes out is compared with what the examples say, and with the schemas.

use std::time::{Duration, Instant};

use pocket_index::name::NodeType;
use serde_json::Value;

use super::{Case, Given, Trial};
use crate::engine::Reply;
use crate::ops::OpsError;
use crate::workflow::refusals;

/// One call and what came of it.
#[derive(Debug, Clone)]
pub struct Tested {
    /// The node type.
    pub node: NodeType,
    /// The example's name, or what was given.
    pub label: String,
    /// What came of it.
    pub outcome: Outcome,
    /// How long the call took.
    pub elapsed: Duration,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// What should come out, or, where nothing says what that is, something.
    Passed {
        /// The output.
        output: Value,
        /// The action it took.
        action: String,
    },
    /// Something else came out, or nothing.
    Failed {
        /// Why.
        reason: String,
    },
}

/// Calls the nodes, each in its turn. A call that fails does not keep the others from being made.
///
/// # Errors
/// There is no such node.
pub fn test(trial: &Trial, given: &Given) -> Result<Vec<Tested>, OpsError> {
    let cases = trial.cases(given)?;
    let tested = cases.iter().map(|case| {
        let began = Instant::now();
        let outcome = one(trial, case);
        let (node, label) = (case.node.node_type.clone(), case.label.clone());
        Tested { node, label, outcome, elapsed: began.elapsed() }
    });
    Ok(tested.collect())
}

fn one(trial: &Trial, case: &Case<'_>) -> Outcome {
    let failed = |reason| Outcome::Failed { reason };
    let before = [("config", &case.config, &case.node.config_schema), ("input", &case.input, &case.node.input_schema)];
    for (part, value, schema) in before {
        if let Some(refusal) = refusal(part, value, schema.as_ref()) {
            return failed(refusal);
        }
    }
    let Reply { output, action } = match trial.call(case) {
        Ok(reply) => reply,
        Err(error) => return failed(format!("{}: {}", error.kind, error.message)),
    };
    if let Some(refusal) = refusal("output", &output, case.node.output_schema.as_ref()) {
        return failed(refusal);
    }
    match case.output {
        Some(expected) if *expected != output => failed(format!("expected {expected}, got {output}")),
        _ => Outcome::Passed { output, action: action.unwrap_or_else(|| "default".to_owned()) },
    }
}

fn refusal(part: &str, value: &Value, schema: Option<&Value>) -> Option<String> {
    match refusals(schema?, value) {
        Ok(refusals) => refusals.first().map(|refusal| format!("the {part} does not fit its schema: {refusal}")),
        Err(reason) => Some(format!("the schema of the {part} is none: {reason}")),
    }
}
