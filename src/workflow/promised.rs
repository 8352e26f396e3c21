//! A plugin's node, held to what its manifest promises: its input is checked before the call, its output after it.

use std::sync::Arc;

use serde_json::Value;

use super::catalog::PluginNode;
use super::schema::{Checker, Stage};
use crate::engine::{CallError, CallErrorKind};
use crate::nodes::{Node, NodeCall, Outcome, invalid};

/// A node with the schemas of what goes in and what comes out.
struct Promised {
    node: Arc<dyn Node>,
    input: Option<Checker>,
    output: Option<Checker>,
}

/// The plugin's node; wrapped if its manifest has schemas for input or output.
///
/// # Errors
/// Names the schema that is none, and why.
pub(super) fn promised(found: &PluginNode) -> Result<Arc<dyn Node>, String> {
    let checker = |field: &str, schema: &Option<Value>| {
        let checker = schema.clone().map(Checker::new).transpose();
        checker.map_err(|reason| format!("the `{field}` of `{}` is broken: {reason}", found.node_type))
    };
    let input = checker("inputSchema", &found.input_schema)?;
    let output = checker("outputSchema", &found.output_schema)?;
    if input.is_none() && output.is_none() {
        return Ok(Arc::clone(&found.node));
    }
    Ok(Arc::new(Promised { node: Arc::clone(&found.node), input, output }))
}

impl Node for Promised {
    fn run(&self, call: &NodeCall<'_>) -> Result<Outcome, CallError> {
        self.check_input(call)?;
        self.check_output(call, self.node.run(call)?)
    }

    fn is_groupable(&self) -> bool {
        self.node.is_groupable()
    }

    fn run_group(&self, calls: &[&NodeCall<'_>]) -> Option<Vec<Result<Outcome, CallError>>> {
        let checked: Vec<Result<(), CallError>> = calls.iter().map(|call| self.check_input(call)).collect();
        let accepted = calls.iter().zip(&checked).filter(|(_, checked)| checked.is_ok()).map(|(call, _)| *call);
        let mut results = self.node.run_group(&accepted.collect::<Vec<_>>())?.into_iter();
        let one = |(call, checked): (&&NodeCall<'_>, Result<(), CallError>)| match checked {
            Ok(()) => results.next().map(|result| result.and_then(|outcome| self.check_output(call, outcome))),
            Err(error) => Some(Err(error)),
        };
        calls.iter().zip(checked).map(one).collect()
    }
}

impl Promised {
    fn check_input(&self, call: &NodeCall<'_>) -> Result<(), CallError> {
        match refusal(self.input.as_ref(), call.input) {
            None => Ok(()),
            Some(message) => Err(invalid(format!("the input of `{}` is refused: {message}", call.node_type))),
        }
    }

    fn check_output(&self, call: &NodeCall<'_>, outcome: Outcome) -> Result<Outcome, CallError> {
        match refusal(self.output.as_ref(), &outcome.output) {
            None => Ok(outcome),
            Some(message) => {
                let message = format!("the output of `{}` breaks its own `outputSchema`: {message}", call.node_type);
                Err(CallError::new(CallErrorKind::Failed, message))
            }
        }
    }
}

fn refusal(checker: Option<&Checker>, value: &Value) -> Option<String> {
    checker?.check(value, Stage::Call).into_iter().next().map(|refusal| refusal.message)
}
