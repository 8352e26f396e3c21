//! Config against a node type's JSON Schema, in sentences a person reads.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::near::nearest;
use crate::nodes::is_template;

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

/// One thing that a schema refuses.
#[derive(Debug, PartialEq)]
pub(super) struct Refusal {
    /// The value, as a JSON pointer.
    pub pointer: String,
    /// The key in it that is meant, when it is a key.
    pub key: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do next.
    pub help: Option<String>,
    /// Whether it only says that something in the value is wrong.
    pub is_vague: bool,
}

impl Checker {
    /// Prepares a plugin's schema; the error says why it is none.
    pub fn new(schema: Value) -> Result<Self, String> {
        let validator = jsonschema::validator_for(&schema).map_err(|error| error.to_string())?;
        Ok(Self { schema, validator })
    }

    /// Prepares a built-in's schema. They are written in what draft 7 has: making the checker of 2020-12 for schemas
    /// themselves takes a third of the time of a small run.
    pub fn of_built_in(schema: Value) -> Result<Self, String> {
        let draft7 = jsonschema::options().with_draft(jsonschema::Draft::Draft7);
        let validator = draft7.build(&schema).map_err(|error| error.to_string())?;
        Ok(Self { schema, validator })
    }

    /// The schema itself.
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// Everything the schema refuses.
    pub fn check(&self, config: &Value, stage: Stage) -> Vec<Refusal> {
        if self.validator.is_valid(config) {
            return Vec::new();
        }
        let errors = self.validator.iter_errors(config);
        errors
            .filter(|error| stage == Stage::Call || !is_unknown_yet(error))
            .flat_map(|error| self.refusals(&error))
            .collect()
    }

    fn refusals(&self, error: &ValidationError<'_>) -> Vec<Refusal> {
        let pointer = error.instance_path().to_string();
        let name = name_of(&pointer);
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                let known = self.known_keys(error);
                let refuse = |key: &String| Refusal {
                    pointer: pointer.clone(),
                    key: Some(key.clone()),
                    message: format!("`{name}` has no key `{key}`"),
                    help: Some(match nearest(key, known.iter().map(String::as_str)) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None if known.is_empty() => "it has no keys".to_owned(),
                        None => format!("known keys: {}", known.join(", ")),
                    }),
                    is_vague: false,
                };
                unexpected.iter().map(refuse).collect()
            }
            kind => {
                let is_vague =
                    matches!(kind, ValidationErrorKind::OneOfNotValid { .. } | ValidationErrorKind::AnyOf { .. });
                vec![Refusal { pointer, key: None, message: sentence(&name, kind, error), help: None, is_vague }]
            }
        }
    }

    /// The keys that the schema around an `additionalProperties` lists.
    fn known_keys(&self, error: &ValidationError<'_>) -> Vec<String> {
        let path = error.schema_path().to_string();
        let around = path.rsplit_once('/').map_or("", |(around, _)| around);
        let fields = self.schema.pointer(around).and_then(|schema| schema.get("properties")?.as_object());
        fields.map(|fields| fields.keys().cloned().collect()).unwrap_or_default()
    }
}

/// What a message calls the value of a pointer: `url`, `tasks[2]`.
fn name_of(pointer: &str) -> String {
    match pointer.rsplit_once('/') {
        Some((around, index)) if !around.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{}[{index}]", name_of(around))
        }
        Some((_, name)) if !name.is_empty() => name.to_owned(),
        _ => "config".to_owned(),
    }
}

fn sentence(name: &str, kind: &ValidationErrorKind, error: &ValidationError<'_>) -> String {
    let found = shortened(error.instance());
    match kind {
        ValidationErrorKind::Required { property } => format!("`{name}` needs {}", shortened(property)),
        ValidationErrorKind::Type { kind } => {
            let wanted = match kind {
                TypeKind::Single(one) => one.to_string(),
                TypeKind::Multiple(several) => {
                    several.iter().map(|one| one.to_string()).collect::<Vec<_>>().join(" or ")
                }
            };
            format!("`{name}` must be of type {wanted}, found {found}")
        }
        ValidationErrorKind::Enum { options } => {
            let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
            let words: Vec<String> = options.iter().map(shortened).collect();
            format!("`{name}` must be one of {}, found {found}", words.join(", "))
        }
        ValidationErrorKind::OneOfNotValid { .. } | ValidationErrorKind::AnyOf { .. } => {
            format!("`{name}` has none of the shapes it may have")
        }
        ValidationErrorKind::OneOfMultipleValid { .. } => format!("`{name}` mixes shapes that exclude each other"),
        _ => format!("`{name}`: {error}"),
    }
}

/// A value as a message shows it.
fn shortened(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}

/// Whether an error is about a value that templates decide. Missing and unknown keys are wrong whatever is rendered.
fn is_unknown_yet(error: &ValidationError<'_>) -> bool {
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { .. } | ValidationErrorKind::Required { .. } => false,
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
         | `config` needs `url` | None
        "#);
    }

    #[test]
    fn a_template_is_checked_when_it_is_rendered() {
        let config = json!({"url": "x", "count": "{{.n}}"});
        assert_eq!(checker().check(&config, Stage::Plan), []);
        assert_eq!(checker().check(&config, Stage::Call).len(), 1);
    }
}
