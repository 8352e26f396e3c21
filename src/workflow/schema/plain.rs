//! Which schemas say nothing that drafts 7 and 2020-12 of JSON Schema read differently. Most do not.

use serde_json::Value;

/// Whether a schema means the same in both drafts.
pub(super) fn is_plain(schema: &Value) -> bool {
    match schema {
        Value::Bool(_) => true,
        Value::Object(words) => words.iter().all(|(word, value)| is_plain_word(word, value)),
        // A list under `items` is a tuple to draft 7 alone; anything else is no schema.
        _ => false,
    }
}

fn is_plain_word(word: &str, value: &Value) -> bool {
    match word {
        "type" | "enum" | "const" | "title" | "description" | "default" | "examples" | "minimum" | "maximum"
        | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" | "minLength" | "maxLength" | "pattern"
        | "minItems" | "maxItems" | "uniqueItems" | "minProperties" | "maxProperties" | "required" => true,
        "items" | "additionalProperties" | "propertyNames" | "not" | "if" | "then" | "else" => is_plain(value),
        "properties" | "patternProperties" => value.as_object().is_some_and(|schemas| schemas.values().all(is_plain)),
        "allOf" | "anyOf" | "oneOf" => value.as_array().is_some_and(|schemas| schemas.iter().all(is_plain)),
        // Our own; drafts say nothing of them.
        word => word.starts_with("x-"),
    }
}

#[cfg(test)]
mod tests {
    use jsonschema::Draft;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_plain_means_the_same_in_both_drafts() {
        let schemas = [
            json!({"type": "object", "properties": {"a": {"type": "integer", "minimum": 2, "x-own": {"$ref": "no"}}},
                "required": ["a"], "additionalProperties": false}),
            json!({"anyOf": [{"const": 1}, {"items": {"enum": [1, "x"]}, "type": "array", "uniqueItems": true}]}),
            json!({"if": {"type": "string"}, "then": {"minLength": 2, "pattern": "^a"}, "else": {"not": {"type": "null"}}}),
            json!({"patternProperties": {"^a": true}, "propertyNames": {"maxLength": 1}, "maxProperties": 1}),
        ];
        let values = [
            json!(null),
            json!(1),
            json!([1, 1]),
            json!([1, "x"]),
            json!("a"),
            json!("ab"),
            json!({"a": 1}),
            json!({"a": 2}),
            json!({"a": 2, "b": 1}),
            json!({"ab": 1}),
        ];
        for schema in &schemas {
            assert!(is_plain(schema), "{schema}");
            let checker = |draft| jsonschema::options().with_draft(draft).build(schema).unwrap();
            let (seven, newest) = (checker(Draft::Draft7), checker(Draft::Draft202012));
            assert!(values.iter().all(|value| seven.is_valid(value) == newest.is_valid(value)), "{schema}");
        }
        let refused =
            [json!({"type": "strin"}), json!({"required": "a"}), json!({"properties": {"a": {"minimum": "1"}}})];
        for schema in refused {
            let refuses = |draft| jsonschema::options().with_draft(draft).build(&schema).is_err();
            assert!(is_plain(&schema) && refuses(Draft::Draft7) && refuses(Draft::Draft202012), "{schema}");
        }
    }

    #[test]
    fn what_the_drafts_read_differently_is_not_plain() {
        let schemas = [
            json!({"$schema": "http://json-schema.org/draft-04/schema#"}),
            json!({"items": [{"type": "string"}]}),
            json!({"properties": {"a": {"format": "date"}}}),
            json!({"$ref": "#/$defs/a", "$defs": {"a": {}}}),
            json!({"dependentRequired": {"a": ["b"]}}),
            json!({"allOf": [{"unevaluatedProperties": false}]}),
            json!({"properties": [1]}),
            json!("object"),
        ];
        assert!(!schemas.iter().any(is_plain));
    }
}
