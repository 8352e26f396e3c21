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
