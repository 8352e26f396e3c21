//! `template`: renders a text, and reads it as JSON when asked.

use serde_json::{Value, json};

use super::{BuiltIn, Example, Node, NodeCall, Outcome, Placement, Prepared, invalid, read_json};
use crate::engine::CallError;

pub(super) static BUILT_IN: BuiltIn = BuiltIn {
    node_type: "template",
    category: "data",
    description: "Gives the rendered `template`. A template that is exactly one action gives the value itself; \
        `format: json` reads the rendered text as JSON, `format: text` always gives text.",
    outputs: "The rendered text, or the value of a template that is one action.",
    actions: &[],
    schema,
    examples,
    prepare: |_| Ok(Prepared::new(Template)),
};

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "template": { "description": "The text; any other value has its texts rendered." },
            "format": {
                "enum": ["auto", "text", "json"], "default": "auto", "x-pocket-template": false,
                "description": "`text`: always text. `json`: the rendered text is read as JSON."
            }
        },
        "required": ["template"],
        "additionalProperties": false
    })
}

fn examples() -> Vec<Example> {
    let input = json!({"user": {"name": "Ada"}, "items": [1, 2]});
    vec![
        Example::new(
            "a text",
            json!({"template": "{{.user.name}} has {{len .items}}"}),
            input.clone(),
            json!("Ada has 2"),
        ),
        Example::new("one action keeps the type", json!({"template": "{{.items}}"}), input.clone(), json!([1, 2])),
        Example::new(
            "JSON",
            json!({"template": "{\"first\": {{index .items 0}}}", "format": "json"}),
            input,
            json!({"first": 1}),
        ),
    ]
}

struct Template;

impl Node for Template {
    fn run(&self, call: &NodeCall<'_>) -> Result<Outcome, CallError> {
        let rendered = &call.config["template"];
        let output = match (call.text("format"), rendered) {
            (Some("json"), Value::String(text)) => read_json(text.as_bytes())
                .map_err(|error| invalid(format!("the rendered template is no JSON: {error}")))?,
            (Some("text"), value) if !value.is_string() => Value::String(value.to_string()),
            _ => rendered.clone(),
        };
        Ok(Outcome::of(output))
    }

    fn placement(&self) -> Placement {
        Placement::Inline
    }
}
