//! `foreach`: runs a body of nodes for each item of a list, and gives the list of their outputs.

use std::ops::Range;
use std::sync::Arc;

use serde_json::{Value, json};

use super::contract::kind_of;
use super::lineage::Part;
use super::several::{Ended, OnFailure, Parts, Several, concurrency_schema, is_open, on_failure_schema};
use super::{BuiltIn, ConfigProblem, Example, Node, NodeCall, Outcome, Prepared, Setup, Spelling, Told, invalid};
use crate::engine::CallError;

pub(super) static BUILT_IN: BuiltIn = BuiltIn {
    node_type: "foreach",
    category: "flow",
    description: "Runs `body` for each of `items` (a list; by default the input), several at a time, and gives the list of \
        outputs in the order of the items. The body is a node, or a list of nodes that run one after another; the first \
        receives `{item, index}`, and `{{.item}}` and `{{.index}}` stay in reach of all of them.",
    outputs: "The list of outputs, in the order of the items.",
    actions: &[],
    schema,
    examples,
    prepare,
};

fn schema() -> Value {
    let node = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "minLength": 1 },
            "type": { "type": "string", "minLength": 1, "description": "The node type." },
            "config": { "type": "object" },
            "timeout": { "type": "string" },
            "retry": { "type": "object" },
            "fallback": { "type": "object" },
            "description": { "type": "string" }
        },
        "required": ["type"],
        "additionalProperties": false
    });
    json!({
        "type": "object",
        "properties": {
            "items": { "description": "The list; by default the node's input." },
            "body": {
                "anyOf": [node, { "type": "array", "minItems": 1, "items": node }],
                "description": "A node, or nodes that run one after another.",
                "x-pocket-template": false
            },
            "max_concurrency": concurrency_schema(),
            "on_failure": on_failure_schema()
        },
        "required": ["body"],
        "additionalProperties": false
    })
}

fn examples() -> Vec<Example> {
    let double = json!({"type": "transform", "config": {"jq": ".item * 2"}});
    let named = json!([
        {"type": "transform", "config": {"jq": ".item | ascii_upcase"}},
        {"type": "echo", "config": {"message": "{{.index}}: {{.}}"}}
    ]);
    let failing = json!({"type": "transform", "config": {"jq": "if .item > 1 then error(\"large\") else .item end"}});
    let error = json!({"error": {"kind": "failed", "message": "\"large\""}});
    vec![
        Example::new("each item doubled", json!({ "body": double }), json!([1, 2, 3]), json!([2, 4, 6])),
        Example::new(
            "two nodes for each",
            json!({ "items": "{{.names}}", "body": named, "max_concurrency": 2 }),
            json!({"names": ["ada", "bob"]}),
            json!(["0: ADA", "1: BOB"]),
        ),
        Example::new(
            "failures stand where the outputs would",
            json!({ "body": failing, "on_failure": "collect" }),
            json!([1, 2]),
            json!([1, error]),
        ),
    ]
}

fn prepare(setup: &Setup<'_>) -> Result<Prepared, Vec<ConfigProblem>> {
    if let Some(items) = setup.config.get("items")
        && !is_open(Some(items))
        && !items.is_array()
    {
        return Err(vec![ConfigProblem::new("/items", format!("`items` must be a list, found `{items}`"))]);
    }
    let nodes: Vec<String> = match setup.config.get("body") {
        Some(Value::Array(nodes)) => (0..nodes.len()).map(|index| format!("/body/{index}")).collect(),
        Some(_) => vec!["/body".to_owned()],
        None => return Err(vec![ConfigProblem::new("", "`foreach` needs `body`")]),
    };
    match setup.host.body(&nodes, Spelling::Node) {
        Ok(body) => Ok(Prepared::new(ForEach { body })),
        Err(Told) => Err(Vec::new()),
    }
}

struct ForEach {
    body: Arc<dyn Node>,
}

impl Node for ForEach {
    fn run(&self, call: &NodeCall<'_>) -> Result<Outcome, CallError> {
        let items = match call.field("items").unwrap_or(call.input) {
            Value::Array(items) => items,
            other => {
                let field = if call.field("items").is_some() { "`items`" } else { "the input" };
                return Err(invalid(format!("{field} must be a list, found {}", kind_of(other))));
            }
        };
        let several = Several::of(call, OnFailure::FailFast);
        let items = Items { several: &several, body: &*self.body, list: items };
        match several.run(items.list.len(), &items) {
            Ok(outputs) => {
                let outputs = outputs.into_iter().map(|(_, output)| Arc::unwrap_or_clone(output));
                Ok(Outcome::of(Value::Array(outputs.collect())))
            }
            Err((index, error)) => Err(CallError { message: format!("item {index}: {}", error.message), ..error }),
        }
    }
}

/// How many items are handed to a plugin at once: 64. What a crossing costs is then a sixty-fourth for each, which is little of
/// what the item itself costs.
const MAX_GROUP: usize = 64;

/// The items of one call.
struct Items<'a> {
    several: &'a Several,
    body: &'a dyn Node,
    list: &'a [Value],
}

impl Items<'_> {
    fn input(&self, index: usize) -> Arc<Value> {
        Arc::new(json!({"item": self.list[index], "index": index}))
    }
}

impl Parts for Items<'_> {
    fn one(&self, index: usize) -> Ended {
        self.several.run_part(self.body, "foreach", Part::Numbered(index), &self.input(index))
    }

    fn largest_group(&self) -> usize {
        if self.body.is_groupable() { MAX_GROUP } else { 1 }
    }

    fn group(&self, indexes: Range<usize>) -> Vec<Ended> {
        let inputs: Vec<_> = indexes.map(|index| (index, self.input(index))).collect();
        self.several.run_parts(self.body, "foreach", &inputs)
    }
}
