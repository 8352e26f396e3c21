//! The language of workflow files as a JSON Schema, for editors.

use serde_json::{Map, Value, json};

use crate::nodes::built_ins;

/// A node type that editors are to know.
#[derive(Debug, Clone)]
pub struct KnownType {
    /// Its name in workflows.
    pub node_type: String,
    /// One line about it.
    pub description: String,
    /// The JSON Schema of its config.
    pub schema: Option<Value>,
}

/// The schema (2020-12) of workflow files, with the built-in node types and these.
pub fn language(plugins: &[KnownType]) -> Value {
    let built_ins = built_ins().map(|built_in| KnownType {
        node_type: built_in.node_type.to_owned(),
        description: built_in.description.to_owned(),
        schema: Some((built_in.schema)()),
    });
    let types: Vec<KnownType> = built_ins.chain(plugins.iter().cloned()).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Pocket workflow",
        "description": "A workflow: nodes, and what leads from one to another.",
        "type": "object",
        "properties": root(),
        "required": ["nodes"],
        "additionalProperties": false,
        "$defs": {
            "name": { "type": ["string", "number", "boolean"], "minLength": 1 },
            "duration": {
                "description": "A duration as in Go: `500ms`, `3s`, `1m30s`, `1.5h`.",
                "type": "string",
                "pattern": "^([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)(([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*$",
                "examples": ["500ms", "3s", "1m30s"]
            },
            "template": {
                "description": "A template, known when the workflow runs.",
                "type": "string",
                "pattern": "\\{\\{"
            },
            "node": node(&types),
            "connection": connection(),
            "retry": retry(),
            "fallback": fallback()
        }
    })
}

fn root() -> Value {
    json!({
        "name": described("What the workflow is called; the file's name when it does not say.", &json!({"$ref": "#/$defs/name"})),
        "description": described("One line about it.", &text()),
        "version": described("Its own version.", &text()),
        "metadata": { "description": "Anything else its author keeps with it." },
        "start": described("The node at which it starts; the first when it does not say.", &json!({"$ref": "#/$defs/name"})),
        "nodes": { "description": "The nodes.", "type": "array", "minItems": 1, "items": {"$ref": "#/$defs/node"} },
        "connections": {
            "description": "What leads where. None at all: the nodes run in the order of the file.",
            "type": ["array", "null"],
            "items": {"$ref": "#/$defs/connection"}
        },
        "finally": {
            "description": "Nodes that run when everything else has ended, however it did, in this order.",
            "type": ["array", "null"],
            "items": {"$ref": "#/$defs/node"}
        },
        "journal": { "description": "Whether each run writes down what happens, so that it can be gone on with.", "type": "boolean", "default": false },
        "vars": { "description": "Values that every template sees; they are no templates.", "type": ["object", "null"] },
        "plugins": {
            "description": "Settings of plugins, over those in pocket.yaml. `${NAME}` reads the environment.",
            "type": ["object", "null"],
            "additionalProperties": { "type": ["object", "null"] }
        },
        "timeout": described("The longest a run may take.", &json!({"$ref": "#/$defs/duration"})),
        "max_steps": {
            "description": "How many node runs a run may make; retries do not count.",
            "type": "integer",
            "minimum": 1,
            "default": super::document::DEFAULT_MAX_STEPS
        }
    })
}

fn node(types: &[KnownType]) -> Value {
    let names: Vec<Value> =
        types.iter().map(|known| json!({"const": known.node_type, "description": known.description})).collect();
    let configs: Vec<Value> = types.iter().filter_map(config_rule).collect();
    json!({
        "type": "object",
        "properties": {
            "name": described("What connections and `{{output \"name\"}}` call it; unique.", &json!({"$ref": "#/$defs/name"})),
            "type": {
                "description": "A built-in type, a plugin's (`redis-get`), or both names (`redis-cache/redis-get`).",
                "anyOf": [{"oneOf": names}, {"type": "string", "minLength": 1}]
            },
            "description": described("One line about it.", &text()),
            "config": { "description": "Its settings, as its type defines them.", "type": ["object", "null"] },
            "timeout": described("The longest one attempt may take.", &json!({"$ref": "#/$defs/duration"})),
            "retry": {"$ref": "#/$defs/retry"},
            "fallback": {"$ref": "#/$defs/fallback"}
        },
        "required": ["name", "type"],
        "additionalProperties": false,
        "allOf": configs
    })
}

/// What a node's config must be if it is of this type.
fn config_rule(known: &KnownType) -> Option<Value> {
    let schema = known.schema.as_ref()?;
    let mut then = json!({"properties": {"config": without_marks(&relaxed_fields(schema))}});
    if schema.get("required").and_then(Value::as_array).is_some_and(|required| !required.is_empty()) {
        then["required"] = json!(["config"]);
    }
    Some(json!({"if": {"properties": {"type": {"const": known.node_type}}, "required": ["type"]}, "then": then}))
}

fn connection() -> Value {
    let name = || json!({"$ref": "#/$defs/name"});
    json!({
        "type": "object",
        "properties": {
            "from": described("The node it leaves.", &name()),
            "to": described("The node it enters. A name that no node has ends the branch.", &name()),
            "when": described("The action that takes it; `default` when it does not say.", &name()),
            "action": described("The same as `when`.", &name())
        },
        "required": ["from", "to"],
        "not": {"required": ["when", "action"]},
        "additionalProperties": false
    })
}

fn retry() -> Value {
    let duration = || json!({"$ref": "#/$defs/duration"});
    json!({
        "description": "Whether and how a failure is tried again.",
        "type": "object",
        "properties": {
            "max_attempts": { "description": "Attempts in all.", "type": "integer", "minimum": 1, "maximum": 1000, "default": 3 },
            "delay": described("The pause before the second attempt; `1s` when it does not say.", &duration()),
            "multiplier": { "description": "What each further pause is multiplied by.", "type": "number", "minimum": 1, "maximum": 100, "default": 2 },
            "max_delay": described("The longest pause; `30s` when it does not say.", &duration()),
            "jitter": {
                "description": "The share of a pause that chance may take away; `true` is 0.5.",
                "anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "boolean"}],
                "default": 0
            }
        },
        "additionalProperties": false
    })
}

fn fallback() -> Value {
    json!({
        "description": "What happens when every attempt failed.",
        "type": "object",
        "properties": {
            "value": { "description": "The node's output, as if it had succeeded." },
            "node": described("The node at which the run goes on; it receives `{error, input}`.", &json!({"$ref": "#/$defs/name"}))
        },
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": false
    })
}

fn text() -> Value {
    json!({"type": ["string", "number", "null"]})
}

fn described(description: &str, schema: &Value) -> Value {
    let mut described = json!({"description": description});
    for (key, value) in schema.as_object().into_iter().flatten() {
        described[key] = value.clone();
    }
    described
}

/// The words of a schema in which others stand.
const INNER: [&str; 3] = ["anyOf", "oneOf", "allOf"];

/// A schema whose fields may be templates instead, where templates are rendered.
fn relaxed(schema: &Value) -> Value {
    if schema.get("x-pocket-template") == Some(&Value::Bool(false)) {
        return schema.clone();
    }
    let inner = relaxed_fields(schema);
    if takes_templates(schema) {
        return inner;
    }
    let mut outer = Map::new();
    let Value::Object(mut inner) = inner else { return inner };
    for word in ["description", "default", "examples"] {
        if let Some(value) = inner.remove(word) {
            outer.insert(word.to_owned(), value);
        }
    }
    outer.insert("anyOf".to_owned(), json!([inner, {"$ref": "#/$defs/template"}]));
    Value::Object(outer)
}

/// Whether any text fits a schema already.
fn takes_templates(schema: &Value) -> bool {
    let Value::Object(words) = schema else { return true };
    let narrows = ["enum", "const", "pattern", "format", "maxLength", "$ref"];
    if narrows.iter().chain(&INNER).any(|word| words.contains_key(*word)) {
        return false;
    }
    match words.get("type") {
        None => true,
        Some(Value::String(one)) => one == "string",
        Some(Value::Array(several)) => several.iter().any(|one| one == "string"),
        Some(_) => false,
    }
}

/// The same for what stands in a schema, but not for itself.
fn relaxed_fields(schema: &Value) -> Value {
    let Value::Object(words) = schema else { return schema.clone() };
    let mut relaxed_words = words.clone();
    for (word, value) in &mut relaxed_words {
        match (word.as_str(), &mut *value) {
            ("properties", Value::Object(fields)) => fields.values_mut().for_each(|field| *field = relaxed(field)),
            ("items" | "additionalProperties", Value::Object(_)) => *value = relaxed(value),
            (word, Value::Array(parts)) if INNER.contains(&word) => {
                parts.iter_mut().for_each(|part| *part = relaxed_fields(part));
            }
            _ => {}
        }
    }
    Value::Object(relaxed_words)
}

/// A schema without what only the planner reads.
fn without_marks(schema: &Value) -> Value {
    match schema {
        Value::Object(words) => {
            let kept = words.iter().filter(|(word, _)| *word != "x-pocket-template");
            Value::Object(kept.map(|(word, value)| (word.clone(), without_marks(value))).collect())
        }
        Value::Array(items) => items.iter().map(without_marks).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::workflow::reading::{CONNECTION_KEYS, FALLBACK_KEYS, NODE_KEYS, RETRY_KEYS, ROOT_KEYS};
    use crate::workflow::{Document, SourceText};

    /// The text of the file in the documentation.
    fn written(schema: &Value) -> String {
        format!("{}\n", serde_json::to_string_pretty(schema).unwrap())
    }

    fn root_folder() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    fn refused(document: &Value) -> Vec<String> {
        let validator = jsonschema::validator_for(&language(&[])).unwrap();
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    #[test]
    fn the_schema_in_the_documentation_is_that_of_this_version() {
        let file = std::fs::read_to_string(root_folder().join("docs/workflow.schema.json")).unwrap_or_default();
        assert!(
            file == written(&language(&[])),
            "the language has changed: `pocket workflow schema --built-in > docs/workflow.schema.json`"
        );
    }

    #[test]
    fn the_schema_has_the_keys_that_documents_may_have() {
        let schema = language(&[]);
        assert!(jsonschema::meta::is_valid(&schema));
        for (pointer, keys) in [
            ("/properties", ROOT_KEYS),
            ("/$defs/node/properties", NODE_KEYS),
            ("/$defs/connection/properties", CONNECTION_KEYS),
            ("/$defs/retry/properties", RETRY_KEYS),
            ("/$defs/fallback/properties", FALLBACK_KEYS),
        ] {
            let mut known: Vec<&str> = keys.to_vec();
            known.sort_unstable();
            let mut found: Vec<&String> = schema.pointer(pointer).unwrap().as_object().unwrap().keys().collect();
            found.sort_unstable();
            assert_eq!(found, known, "{pointer}");
        }
    }

    #[test]
    fn every_example_fits_the_schema() {
        let mut tried = 0;
        for entry in std::fs::read_dir(root_folder().join("examples")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|ending| ending != "yaml") || path.ends_with("pocket.yaml") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let document: Value = serde_saphyr::from_str(&text).unwrap();
            assert_eq!(refused(&document), Vec::<String>::new(), "{}", path.display());
            tried += 1;
        }
        assert!(tried > 5, "{tried} examples");
    }

    #[test]
    fn what_the_schema_refuses_the_reader_refuses_too() {
        let node = |more: Value| {
            let mut node = json!({"name": "a", "type": "echo"});
            node.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({"nodes": [node]})
        };
        for document in [
            json!({}),
            json!({"nodes": []}),
            json!({"nodes": [{"name": "a"}]}),
            json!({"nodes": [{"name": "a", "type": "echo"}], "strat": "a"}),
            node(json!({"timeout": "soon"})),
            node(json!({"retry": {"max_attempts": 0}})),
            node(json!({"fallback": {"value": 1, "node": "a"}})),
            node(json!({"config": [1]})),
            node(json!({"config": {"mesage": 1}})),
        ] {
            assert_ne!(refused(&document), Vec::<String>::new(), "{document}");
            let document = Document::parse(SourceText::new("w", document.to_string()), "").unwrap();
            let is_refused = crate::workflow::Plan::new(&document, &crate::workflow::NoPlugins).is_err();
            assert!(is_refused, "{}", document.source.text());
        }
    }

    #[test]
    fn a_field_of_any_type_may_be_a_template_where_templates_are_rendered() {
        let config =
            |node_type: &str, config: Value| json!({"nodes": [{"name": "a", "type": node_type, "config": config}]});
        assert_eq!(refused(&config("http", json!({"url": "{{.u}}", "max_bytes": "{{.n}}"}))), Vec::<String>::new());
        assert_ne!(refused(&config("http", json!({"url": "x", "max_bytes": "many"}))), Vec::<String>::new());
        // jq has braces of its own: its `mode` is no template.
        assert_ne!(refused(&config("transform", json!({"jq": ".", "mode": "{{.m}}"}))), Vec::<String>::new());
    }

    #[test]
    fn a_plugins_node_types_are_known_with_their_configs() {
        let schema = json!({"type": "object", "properties": {"key": {"type": "string"}}, "required": ["key"]});
        let known = KnownType { node_type: "redis-get".to_owned(), description: String::new(), schema: Some(schema) };
        let validator = jsonschema::validator_for(&language(&[known])).unwrap();
        let document = |config: Value| json!({"nodes": [{"name": "a", "type": "redis-get", "config": config}]});
        assert!(validator.is_valid(&document(json!({"key": "x"}))));
        assert!(!validator.is_valid(&document(json!({}))));
        assert!(!validator.is_valid(&json!({"nodes": [{"name": "a", "type": "redis-get"}]})));
    }
}
