//! Config against a node type's JSON Schema, in sentences a person reads.

mod finding;
mod once;
mod plain;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use crate::nodes::is_template;
use finding::findings;
use once::told_once;
use plain::is_plain;

pub(super) use finding::Refusal;

/// A schema that is ready to check.
pub(super) struct Checker {
    schema: Value,
    validator: Validator,
}

/// When a config is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Before anything runs: what a template will give is not known.
    Plan,
    /// Rendered.
    Call,
}

impl Checker {
    /// Prepares a plugin's schema; the error says why it is none.
    pub fn new(schema: Value) -> Result<Self, String> {
        if is_plain(&schema) {
            return Self::of_draft7(schema);
        }
        let validator = jsonschema::validator_for(&schema).map_err(|error| error.to_string())?;
        Ok(Self { schema, validator })
    }

    /// Prepares a schema that is written in what draft 7 has, as those of built-ins are: making the checker of 2020-12 for
    /// schemas themselves takes a third of the time of a small run.
    pub fn of_draft7(schema: Value) -> Result<Self, String> {
        let draft7 = jsonschema::options().with_draft(jsonschema::Draft::Draft7);
        let validator = draft7.build(&schema).map_err(|error| error.to_string())?;
        Ok(Self { schema, validator })
    }

    /// The schema itself.
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// Everything the schema refuses, one mistake once.
    pub fn check(&self, config: &Value, stage: Stage) -> Vec<Refusal> {
        if self.validator.is_valid(config) {
            return Vec::new();
        }
        let errors = self.validator.iter_errors(config);
        let errors = errors.filter(|error| stage == Stage::Call || !is_unknown_yet(error));
        told_once(errors.flat_map(|error| findings(&self.schema, &error, stage)).collect())
    }
}

/// Whether an error is about a value that templates decide. Missing and unknown keys are wrong whatever is rendered, and
/// so is a list where a mapping is wanted.
fn is_unknown_yet(error: &ValidationError<'_>) -> bool {
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { .. } | ValidationErrorKind::Required { .. } => false,
        ValidationErrorKind::Type { .. } => error.instance().as_str().is_some_and(is_template),
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            context.iter().any(|shape| shape.iter().all(is_unknown_yet))
        }
        _ => has_template(error.instance()),
    }
}

fn has_template(value: &Value) -> bool {
    match value {
        Value::String(text) => is_template(text),
        Value::Array(items) => items.iter().any(has_template),
        Value::Object(entries) => entries.values().any(has_template),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checker() -> Checker {
        let schema = json!({
            "type": "object",
            "properties": { "url": {"type": "string"}, "count": {"type": "integer"}, "mode": {"enum": ["a", "b"]} },
            "required": ["url"],
            "additionalProperties": false
        });
        Checker::new(schema).unwrap()
    }

    #[test]
    fn each_refusal_is_a_sentence_with_a_next_step() {
        let refusals = checker().check(&json!({"ulr": "x", "count": "many", "mode": "c"}), Stage::Plan);
        let text: Vec<String> =
            refusals.iter().map(|r| format!("{} | {} | {:?}", r.pointer, r.message, r.help)).collect();
        insta::assert_snapshot!(text.join("\n"), @r#"
        /count | `count` must be of type integer, found `many` | None
        /mode | `mode` must be one of `a`, `b`, found `c` | None
         | `config` has no key `ulr` | Some("did you mean `url`?")
        "#);
    }

    /// What a schema refuses before anything runs, a line each.
    fn told(schema: Value, config: Value) -> String {
        let refusals = Checker::new(schema).unwrap().check(&config, Stage::Plan);
        let line = |refusal: &Refusal| match &refusal.help {
            Some(help) => format!("{} | {} | {help}", refusal.pointer, refusal.message),
            None => format!("{} | {}", refusal.pointer, refusal.message),
        };
        refusals.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_misspelt_key_is_told_once_though_the_one_that_was_meant_is_missing() {
        let schema = json!({
            "properties": { "script": {}, "file": {}, "globals": {} },
            "oneOf": [{ "required": ["script"] }, { "required": ["file"] }],
            "additionalProperties": false
        });
        let script = |config: Value| told(schema.clone(), config);
        insta::assert_snapshot!(script(json!({"scirpt": "return 1"})), @" | `config` has no key `scirpt` | did you mean `script`?");
        insta::assert_snapshot!(script(json!({"code": "{{.x}}"})), @" | `config` has no key `code` | `config` needs `script` or `file`; known keys: file, globals, script");
        insta::assert_snapshot!(script(json!({})), @" | `config` needs `script` or `file`");
        insta::assert_snapshot!(script(json!({"globels": {"a": "{{.x}}"}})), @"
        | `config` has no key `globels` | did you mean `globals`?
        | `config` needs `script` or `file`
        ");
        let both =
            json!({"properties": {"url": {}, "to": {}}, "required": ["url", "to"], "additionalProperties": false});
        insta::assert_snapshot!(told(both.clone(), json!({"ulr": 1, "whither": 2})), @"
        | `config` has no key `ulr` | did you mean `url`?
        | `config` has no key `whither` | `config` needs `to`; known keys: to, url
        ");
        insta::assert_snapshot!(told(both, json!({"whither": 2})), @"
        | `config` needs `to`
        | `config` has no key `whither` | `config` needs `url`; known keys: to, url
        ");
    }

    #[test]
    fn of_several_shapes_the_one_that_was_meant_is_told_of() {
        let shape = |kind: &str, key: &str| {
            json!({
                "type": "object",
                "properties": { "kind": { "const": kind }, key: { "type": "string" } },
                "required": ["kind", key],
                "additionalProperties": false
            })
        };
        let schema = json!({
            "properties": {
                "auth": { "oneOf": [shape("basic", "user"), shape("bearer", "token"), { "type": "null" }] },
                "size": { "anyOf": [{ "type": "integer" }, { "enum": ["all"] }] }
            }
        });
        let auth = |auth: Value| told(schema.clone(), json!({ "auth": auth }));
        insta::assert_snapshot!(auth(json!({"kind": "bearer", "tokn": "{{.token}}"})), @"/auth | `auth` has no key `tokn` | did you mean `token`?");
        insta::assert_snapshot!(auth(json!({"kind": "bearer", "token": 5})), @"/auth/token | `token` must be of type string, found `5`");
        insta::assert_snapshot!(auth(json!({"kind": "digest", "user": "ada"})), @"/auth | `auth` has none of the shapes it may have");
        insta::assert_snapshot!(auth(json!("{{.auth}}")), @"");
        insta::assert_snapshot!(told(schema.clone(), json!({"size": "some"})), @"/size | `size` has none of the shapes it may have");
    }

    #[test]
    fn what_no_shape_fits_is_not_told_where_something_in_it_is() {
        let schema = json!({
            "properties": { "mode": {}, "count": { "type": "integer" } },
            "anyOf": [{ "properties": { "mode": { "const": "a" } }, "required": ["mode"] },
                      { "properties": { "count": { "minimum": 5 } }, "required": ["mode", "count"] }],
            "additionalProperties": false
        });
        insta::assert_snapshot!(told(schema.clone(), json!({"moed": "a"})), @" | `config` has no key `moed` | did you mean `mode`?");
        insta::assert_snapshot!(told(schema.clone(), json!({"mode": "b", "count": "x"})), @"/count | `count` must be of type integer, found `x`");
        insta::assert_snapshot!(told(schema, json!({"mode": "b", "count": 1})), @"/count | `count`: 1 is less than the minimum of 5");
    }

    #[test]
    fn a_template_is_checked_when_it_is_rendered() {
        let config = json!({"url": "x", "count": "{{.n}}"});
        assert_eq!(checker().check(&config, Stage::Plan), []);
        assert_eq!(checker().check(&config, Stage::Call).len(), 1);
    }
}
