//! `validate`: checks its input against a JSON Schema.

use jsonschema::Validator;
use serde_json::{Value, json};

use super::{BuiltIn, ConfigProblem, Example, Node, NodeCall, Outcome, Placement, Prepared, Setup, invalid};
use crate::engine::CallError;

/// How many errors are reported at most: 100. A list of a million wrong items has a million.
const MAX_ERRORS: usize = 100;

pub(super) static BUILT_IN: BuiltIn = BuiltIn {
    node_type: "validate",
    category: "data",
    description: "Checks its input against a JSON Schema (2020-12, or the draft that `$schema` names). Valid \
        input is passed on, with the action `valid` when a connection carries it. Invalid input is an error, unless a \
        connection carries `invalid` or `fail_on_error` is false: then the action is `invalid` and the output \
        `{valid, errors, value}`.",
    outputs: "Its input, or `{valid, errors, value}` with the action `invalid`; an error is `{path, message}`.",
    actions: &["valid", "invalid"],
    schema,
    examples,
    prepare,
};

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "schema": { "type": ["object", "boolean"], "description": "A JSON Schema.", "x-pocket-template": false },
            "fail_on_error": {
                "type": "boolean",
                "description": "Whether invalid input is an error. Default: unless a connection carries `invalid`."
            }
        },
        "required": ["schema"],
        "additionalProperties": false
    })
}

fn examples() -> Vec<Example> {
    let config = json!({"fail_on_error": false, "schema": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}});
    vec![
        Example::new("valid input passes", config.clone(), json!({"id": 1}), json!({"id": 1})),
        Example::new(
            "every error is listed",
            config,
            json!({"id": "x"}),
            json!({
                "valid": false,
                "errors": [{"path": "/id", "message": "\"x\" is not of type \"integer\""}],
                "value": {"id": "x"}
            }),
        )
        .action("invalid"),
    ]
}

fn prepare(setup: &Setup<'_>) -> Result<Prepared, Vec<ConfigProblem>> {
    let schema = setup.config.get("schema").unwrap_or(&Value::Bool(true));
    match jsonschema::validator_for(schema) {
        Ok(validator) => Ok(Prepared::new(Validate(validator))),
        Err(error) => {
            let pointer = format!("/schema{}", error.instance_path());
            Err(vec![ConfigProblem::new(pointer, format!("not a JSON Schema: {error}"))])
        }
    }
}

struct Validate(Validator);

impl Node for Validate {
    fn run(&self, call: &NodeCall<'_>) -> Result<Outcome, CallError> {
        let errors: Vec<Value> = self
            .0
            .iter_errors(call.input)
            .take(MAX_ERRORS)
            .map(|error| json!({"path": error.instance_path().to_string(), "message": error.to_string()}))
            .collect();
        if errors.is_empty() {
            let passed = Outcome::of(call.input.clone());
            return Ok(if call.run.is_connected("valid") { passed.with_action("valid") } else { passed });
        }
        let fails = call.field("fail_on_error").and_then(Value::as_bool);
        if fails.unwrap_or_else(|| !call.run.is_connected("invalid")) {
            let first = &errors[0];
            let place = first["path"].as_str().filter(|path| !path.is_empty()).unwrap_or("/");
            let message =
                format!("the input is invalid at `{place}`: {}", first["message"].as_str().unwrap_or_default());
            return Err(CallError { details: Some(json!({ "errors": errors })), ..invalid(message) });
        }
        let output = json!({"valid": false, "errors": errors, "value": **call.input});
        Ok(Outcome::of(output).with_action("invalid"))
    }

    fn placement(&self) -> Placement {
        Placement::Inline
    }
}
