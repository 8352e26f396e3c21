//! `workflow`: runs another workflow file as one node.

use serde_json::{Value, json};

use super::{BuiltIn, ConfigProblem, Example, Prepared, Setup};

pub(super) static BUILT_IN: BuiltIn = BuiltIn {
    node_type: "workflow",
    category: "flow",
    description: "Runs another workflow file. Its input is that of the run inside, its result the node's output. The path \
        starts at the folder of the file that names it.",
    outputs: "The result of the other workflow.",
    actions: &[],
    schema,
    examples,
    prepare,
};

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": { "path": {
                "type": "string", "minLength": 1, "x-pocket-template": false,
                "description": "The file, from the folder of the one that names it."
            } },
        "required": ["path"],
        "additionalProperties": false
    })
}

fn examples() -> Vec<Example> {
    vec![Example::new(
        "`greet.yaml` beside it has one node, `echo` with `hello {{.name}}`",
        json!({"path": "greet.yaml"}),
        json!({"name": "Ada"}),
        json!("hello Ada"),
    )]
}

fn prepare(setup: &Setup<'_>) -> Result<Prepared, Vec<ConfigProblem>> {
    let path = setup.config.get("path").and_then(Value::as_str).unwrap_or_default();
    match setup.host.document(&setup.folder.join(path)) {
        Ok(node) => Ok(Prepared { node, actions: None }),
        Err(message) => Err(vec![ConfigProblem::new("/path", message)]),
    }
}
