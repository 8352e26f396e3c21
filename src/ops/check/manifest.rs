//! What a plugin says of itself: whether it can be read, what is misspelled, whether schemas and examples fit together.

use pocket_index::manifest::{Manifest, NodeSpec};
use semver::Version;
use serde_json::Value;

use super::Checked;
use crate::nodes::built_in;
use crate::ops::install::sentences;
use crate::ops::plugins::near;
use crate::workflow::refusals;

/// The fields of a manifest, for near misses.
const FIELDS: [&str; 17] = [
    "name",
    "version",
    "description",
    "author",
    "license",
    "homepage",
    "repository",
    "readme",
    "keywords",
    "categories",
    "runtime",
    "binary",
    "nodes",
    "permissions",
    "requirements",
    "dependencies",
    "config",
];

/// The fields of a node type.
const NODE_FIELDS: [&str; 7] =
    ["type", "category", "description", "configSchema", "inputSchema", "outputSchema", "examples"];

/// Reads a manifest and looks at what it says.
pub fn read(checked: &mut Checked, text: &[u8]) -> Option<Manifest> {
    match Manifest::parse(text) {
        Ok(manifest) => {
            look(checked, &manifest);
            checked.manifest = Some(manifest.clone());
            Some(manifest)
        }
        Err(error) => {
            checked.problem(format!("its manifest is broken: {error}"), None);
            None
        }
    }
}

/// Looks at what a manifest says.
pub fn look(checked: &mut Checked, manifest: &Manifest) {
    let Manifest { name, version, runtime, .. } = manifest;
    checked.fine(format!("it is `{name}` {version}, a {runtime} plugin with {}", nodes(manifest)));
    if manifest.nodes.is_empty() {
        let hint = "name its node types under `nodes` in manifest.yaml".to_owned();
        checked.problem("it has no node types, so no workflow can use it", hint);
    }
    unknown_fields(checked, manifest);
    engine(checked, manifest);
    for node in &manifest.nodes {
        schemas(checked, node);
        if built_in(node.node_type.as_str()).is_some() {
            let message = format!("`{}` is also a built-in node type, which the bare name means", node.node_type);
            checked.note(message, format!("workflows use it as `{name}/{}`", node.node_type));
        }
    }
    match sentences(&manifest.permissions).as_slice() {
        [] => checked.fine("it asks for no permission"),
        asked => checked.note(format!("it {}", asked.join(", ")), None),
    }
}

fn nodes(manifest: &Manifest) -> String {
    let names: Vec<String> = manifest.nodes.iter().map(|node| format!("`{}`", node.node_type)).collect();
    if names.is_empty() { "no node types".to_owned() } else { format!("the node types {}", names.join(", ")) }
}

/// A field that is not known is ignored, and most are slips.
fn unknown_fields(checked: &mut Checked, manifest: &Manifest) {
    for path in manifest.unknown.keys() {
        let word = path.rsplit('.').next().unwrap_or(path);
        let known: &[&str] = if path.starts_with("nodes[") { &NODE_FIELDS } else { &FIELDS };
        let near = near(word, known.iter().copied());
        let hint = near.first().map(|near| format!("did you mean `{near}`?"));
        checked.note(format!("the field `{path}` is not known, and ignored"), hint);
    }
}

fn engine(checked: &mut Checked, manifest: &Manifest) {
    let Some(wanted) = &manifest.requirements.pocket else { return };
    let own: Version = env!("CARGO_PKG_VERSION").parse().expect("cargo knows semantic versions only");
    if wanted.matches(&own) {
        checked.fine(format!("it wants Pocket {wanted}, this is {own}"));
    } else {
        checked.problem(
            format!("it wants Pocket {wanted}, this is {own}"),
            "use another version of one of them".to_owned(),
        );
    }
}

/// Schemas must be schemas, and examples must fit them.
fn schemas(checked: &mut Checked, node: &NodeSpec) {
    let kinds = [
        ("configSchema", &node.config_schema),
        ("inputSchema", &node.input_schema),
        ("outputSchema", &node.output_schema),
    ];
    for (field, schema) in kinds {
        let Some(schema) = schema else { continue };
        if let Err(reason) = refusals(schema, &Value::Null) {
            checked.problem(format!("the `{field}` of `{}` is no JSON Schema: {reason}", node.node_type), None);
            return;
        }
    }
    for (number, example) in node.examples.iter().enumerate() {
        let parts = [
            ("config", &example.config, &node.config_schema),
            ("input", &example.input, &node.input_schema),
            ("output", &example.output, &node.output_schema),
        ];
        for (part, value, schema) in parts {
            let Some(schema) = schema.as_ref().filter(|_| !value.is_null()) else { continue };
            for refusal in refusals(schema, value).unwrap_or_default() {
                let label =
                    if example.name.is_empty() { format!("{}", number + 1) } else { format!("`{}`", example.name) };
                let message = format!("the {part} of example {label} of `{}`: {refusal}", node.node_type);
                checked.problem(message, "correct the example, or the schema".to_owned());
            }
        }
    }
}
