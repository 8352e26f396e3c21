//! `echo`: gives a message, or passes its input on.

use serde_json::{Value, json};

use super::{BuiltIn, Example, Node, NodeCall, Outcome, Placement, Prepared};
use crate::engine::CallError;

pub(super) static BUILT_IN: BuiltIn = BuiltIn {
    node_type: "echo",
    category: "data",
    description: "Gives `message` (or `value`); without either it passes its input on.",
    outputs: "The message, with its type.",
    actions: &[],
    schema,
    examples,
    prepare: |_| Ok(Prepared::new(Echo)),
};

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "message": { "description": "What to give: any value, text is a template." },
            "value": { "description": "The same as `message`." }
        },
        "additionalProperties": false
    })
}

fn examples() -> Vec<Example> {
    vec![
        Example::new("a message", json!({"message": "hello {{.name}}"}), json!({"name": "Ada"}), json!("hello Ada")),
        Example::new("a value keeps its type", json!({"value": "{{.n}}"}), json!({"n": 7}), json!(7)),
        Example::new("pass the input on", json!({}), json!([1, 2]), json!([1, 2])),
    ]
}

struct Echo;

impl Node for Echo {
    fn run(&self, call: &NodeCall<'_>) -> Result<Outcome, CallError> {
        // `null` is a message too, so presence decides.
        let given = call.config.get("message").or_else(|| call.config.get("value"));
        Ok(given.map_or_else(|| Outcome::of(call.input.clone()), |value| Outcome::of(value.clone())))
    }

    fn placement(&self) -> Placement {
        Placement::Inline
    }
}
