//! `validate`: checks its input against a JSON Schema.

#[cfg(test)]
mod suite;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, ValidationError, ValidationOptions, Validator};
use serde_json::{Value, json};

use super::confined::{self, Ask, Ease, Work};
use super::{BuiltIn, ConfigProblem, Example, Outcome, Prepared, Setup, failed, invalid};
use crate::engine::CallError;

/// How many errors are reported at most: 100. A list of a million wrong items has a million.
const MAX_ERRORS: usize = 100;
/// How many steps a pattern with look-arounds or back-references may take on one text; others need no limit.
const MAX_PATTERN_STEPS: usize = 100_000;

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
    let work = Validate::new(setup.config)?;
    let ease = setup.config.get("schema").map_or(Ease::Calm, ease);
    Ok(confined::prepared("validate", BUILT_IN.actions, setup, work, ease))
}

/// How every schema is read. What it refers to is in it, or is a schema of JSON Schema itself: nothing is fetched.
fn options() -> ValidationOptions<'static> {
    jsonschema::options().with_pattern_options(PatternOptions::fancy_regex().backtrack_limit(MAX_PATTERN_STEPS))
}

/// A schema that refers to itself may go on for ever, and a pattern that looks around may take long. Without either, checking takes
/// about as long as the schema and the input are large.
fn ease(schema: &Value) -> Ease {
    match schema {
        Value::Object(entries) => {
            let refers = ["$ref", "$dynamicRef", "$recursiveRef"].iter().any(|key| entries.contains_key(*key));
            let is_wild = |(key, value): (&String, &Value)| looks_around(key) || ease(value) == Ease::Wild;
            if refers || entries.iter().any(is_wild) { Ease::Wild } else { Ease::Calm }
        }
        Value::Array(items) if items.iter().any(|item| ease(item) == Ease::Wild) => Ease::Wild,
        Value::String(text) if looks_around(text) => Ease::Wild,
        _ => Ease::Calm,
    }
}

/// Whether a text, if it is a pattern, has what only a slow matcher has.
fn looks_around(text: &str) -> bool {
    let back_reference =
        text.as_bytes().windows(2).any(|two| two[0] == b'\\' && (two[1].is_ascii_digit() || two[1] == b'k'));
    back_reference || ["(?=", "(?!", "(?<=", "(?<!", "(?>", "++", "*+", "?+"].iter().any(|part| text.contains(part))
}

/// A schema that is ready to check.
pub(super) struct Validate(Validator);

impl Validate {
    /// The schema of a config.
    pub(super) fn new(config: &Value) -> Result<Self, Vec<ConfigProblem>> {
        let schema = config.get("schema").unwrap_or(&Value::Bool(true));
        confined::on_a_deep_stack(|| options().build(schema)).map(Self).map_err(|error| {
            let pointer = format!("/schema{}", error.instance_path());
            vec![ConfigProblem::new(pointer, format!("not a JSON Schema: {error}"))]
        })
    }

    /// What is wrong with an input, a hundred errors at most.
    fn errors(&self, input: &Value) -> Result<Vec<Value>, CallError> {
        let shown = |error: ValidationError<'_>| match error.kind() {
            // Whether it matches is not known, so that neither answer would be true.
            ValidationErrorKind::BacktrackLimitExceeded { .. } => {
                let place = error.instance_path();
                Err(failed(format!("a pattern of the schema takes too long on the text at `{place}`: {error}")))
            }
            _ => Ok(json!({"path": error.instance_path().to_string(), "message": error.to_string()})),
        };
        self.0.iter_errors(input).take(MAX_ERRORS).map(shown).collect()
    }
}

impl Work for Validate {
    fn work(&self, call: &Ask<'_>) -> Result<Outcome, CallError> {
        let errors = self.errors(call.input)?;
        if errors.is_empty() {
            let passed = Outcome::of(call.input.clone());
            return Ok(if (call.is_connected)("valid") { passed.with_action("valid") } else { passed });
        }
        let fails = call.field("fail_on_error").and_then(Value::as_bool);
        if fails.unwrap_or_else(|| !(call.is_connected)("invalid")) {
            let first = &errors[0];
            let place = first["path"].as_str().filter(|path| !path.is_empty()).unwrap_or("/");
            let message =
                format!("the input is invalid at `{place}`: {}", first["message"].as_str().unwrap_or_default());
            return Err(CallError { details: Some(json!({ "errors": errors })), ..invalid(message) });
        }
        let output = json!({"valid": false, "errors": errors, "value": **call.input});
        Ok(Outcome::of(output).with_action("invalid"))
    }
}
