//! What an error of the checker comes to, as a sentence.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value;

use super::{Stage, is_unknown_yet};
use crate::workflow::near::nearest;

/// One thing that a schema refuses.
#[derive(Debug, PartialEq)]
pub(in crate::workflow) struct Refusal {
    /// The value, as a JSON pointer.
    pub pointer: String,
    /// The key in it that is meant, when it is a key.
    pub key: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do next.
    pub help: Option<String>,
    /// Whether it guesses which of several shapes the value was meant to have, or cannot.
    pub is_vague: bool,
}

/// A refusal, with what tells whether another is of the same mistake.
pub(super) struct Finding {
    pub refusal: Refusal,
    pub mistake: Mistake,
}

/// What was done wrong.
#[derive(Debug, PartialEq)]
pub(super) enum Mistake {
    /// A key that is not known, and the one that it is probably a slip of.
    UnknownKey { meant: Option<String> },
    /// One of these keys has to be there.
    MissingKey { any_of: Vec<String> },
    /// Something in the value is wrong, and nobody knows what.
    NoShape,
    /// Anything else.
    Other,
}

/// What an error says.
pub(super) fn findings(schema: &Value, error: &ValidationError<'_>, stage: Stage) -> Vec<Finding> {
    let pointer = error.instance_path().to_string();
    let name = name_of(&pointer);
    let finding = |mistake: Mistake, message: String| Finding {
        refusal: Refusal { pointer: pointer.clone(), key: None, message, help: None, is_vague: false },
        mistake,
    };
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => unknown_keys(schema, error, unexpected),
        ValidationErrorKind::Required { property } => {
            let any_of = property.as_str().map(str::to_owned).into_iter().collect();
            vec![finding(Mistake::MissingKey { any_of }, format!("`{name}` needs {}", shortened(property)))]
        }
        ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context } => {
            if let Some(any_of) = missing_keys(context, &pointer) {
                let message = format!("`{name}` needs {}", one_of(&any_of));
                return vec![finding(Mistake::MissingKey { any_of }, message)];
            }
            let mut found = match meant_shape(context, &pointer) {
                Some(errors) => of_shape(schema, errors, stage),
                None => vec![finding(Mistake::NoShape, format!("`{name}` has none of the shapes it may have"))],
            };
            found.iter_mut().for_each(|found| found.refusal.is_vague = true);
            found
        }
        kind => vec![finding(Mistake::Other, sentence(&name, kind, error))],
    }
}

/// What a value of that shape does wrong.
fn of_shape(schema: &Value, errors: &[ValidationError<'_>], stage: Stage) -> Vec<Finding> {
    let errors = errors.iter().filter(|error| stage == Stage::Call || !is_unknown_yet(error));
    errors.flat_map(|error| findings(schema, error, stage)).collect()
}

fn unknown_keys(schema: &Value, error: &ValidationError<'_>, unexpected: &[String]) -> Vec<Finding> {
    let pointer = error.instance_path().to_string();
    let name = name_of(&pointer);
    let known = known_keys(schema, error);
    let finding = |key: &String| {
        let meant = nearest(key, known.iter().map(String::as_str)).map(str::to_owned);
        let help = match &meant {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "it has no keys".to_owned(),
            None => format!("known keys: {}", known.join(", ")),
        };
        let message = format!("`{name}` has no key `{key}`");
        let (pointer, key) = (pointer.clone(), Some(key.clone()));
        let refusal = Refusal { pointer, key, message, help: Some(help), is_vague: false };
        Finding { refusal, mistake: Mistake::UnknownKey { meant } }
    };
    unexpected.iter().map(finding).collect()
}

/// The keys that the schema around an `additionalProperties` lists.
fn known_keys(schema: &Value, error: &ValidationError<'_>) -> Vec<String> {
    let path = error.schema_path().to_string();
    let around = path.rsplit_once('/').map_or("", |(around, _)| around);
    let fields = schema.pointer(around).and_then(|schema| schema.get("properties")?.as_object());
    fields.map(|fields| fields.keys().cloned().collect()).unwrap_or_default()
}

/// A key that each shape wants and the value does not have, if that is all that is wrong with it.
fn missing_keys(shapes: &[Vec<ValidationError<'static>>], pointer: &str) -> Option<Vec<String>> {
    let missing = |shape: &Vec<ValidationError<'static>>| match shape.as_slice() {
        [only] if only.instance_path().as_str() == pointer => match only.kind() {
            ValidationErrorKind::Required { property } => property.as_str().map(str::to_owned),
            _ => None,
        },
        _ => None,
    };
    shapes.iter().map(missing).collect()
}

/// The errors of the one shape that is of the value's type and that no word in it contradicts, as `type: s3` does.
fn meant_shape<'a>(
    shapes: &'a [Vec<ValidationError<'static>>],
    pointer: &str,
) -> Option<&'a [ValidationError<'static>]> {
    let is_other = |error: &ValidationError<'_>| {
        let place = error.instance_path().as_str();
        match error.kind() {
            ValidationErrorKind::Type { .. } => place == pointer,
            ValidationErrorKind::Constant { .. } | ValidationErrorKind::Enum { .. } => {
                place == pointer || place.rsplit_once('/').is_some_and(|(around, _)| around == pointer)
            }
            _ => false,
        }
    };
    let mut meant = shapes.iter().filter(|shape| !shape.iter().any(is_other));
    meant.next().filter(|_| meant.next().is_none()).map(Vec::as_slice)
}

/// `a`, `b` or `c`.
fn one_of(keys: &[String]) -> String {
    let words: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => "nothing".to_owned(),
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
