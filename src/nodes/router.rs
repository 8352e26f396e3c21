//! `router`: takes the action that a value names, and passes its input on.

use serde_json::{Map, Value, json};

use super::{BuiltIn, ConfigProblem, Example, Node, NodeCall, Outcome, Placement, Prepared, Setup};
use crate::engine::CallError;

pub(super) static BUILT_IN: BuiltIn = BuiltIn {
    node_type: "router",
    category: "flow",
    description: "Passes its input on with the action that `route` names; `routes` translates values to actions, and \
        `default` is taken for a value that it does not list. A listed action without a connection goes to the node of \
        that name.",
    outputs: "Its input.",
    actions: &["*"],
    schema,
    examples,
    prepare,
};

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "route": { "description": "The value that decides, usually a template.", "type": ["string", "number", "boolean", "null"] },
            "routes": {
                "description": "Actions by value.",
                "type": "object",
                "additionalProperties": { "type": "string", "minLength": 1, "x-pocket-template": false }
            },
            "default": {
                "type": "string", "minLength": 1, "x-pocket-template": false,
                "description": "The action for a value that `routes` does not list."
            }
        },
        "required": ["route"],
        "additionalProperties": false
    })
}

fn examples() -> Vec<Example> {
    let config = json!({"route": "{{.kind}}", "routes": {"cat": "feed", "dog": "walk"}, "default": "ignore"});
    vec![
        Example::new("a listed value", config.clone(), json!({"kind": "dog"}), json!({"kind": "dog"})).action("walk"),
        Example::new("any other value", config, json!({"kind": "fish"}), json!({"kind": "fish"})).action("ignore"),
        Example::new("the value itself", json!({"route": "{{.}}"}), json!("next"), json!("next")).action("next"),
    ]
}

fn prepare(setup: &Setup<'_>) -> Result<Prepared, Vec<ConfigProblem>> {
    let routes = setup.config.get("routes").and_then(Value::as_object).cloned();
    let default = setup.config.get("default").and_then(Value::as_str).map(str::to_owned);
    let listed = routes.iter().flat_map(Map::values).filter_map(Value::as_str).map(str::to_owned);
    let actions = routes.as_ref().map(|_| listed.chain(default.clone()).collect());
    Ok(Prepared { actions, ..Prepared::new(Router { routes, default }) })
}

struct Router {
    routes: Option<Map<String, Value>>,
    default: Option<String>,
}

impl Node for Router {
    fn run(&self, call: &NodeCall<'_>) -> Result<Outcome, CallError> {
        let passed = Outcome::of(call.input.clone());
        let value = match &call.config["route"] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let action = match &self.routes {
            Some(routes) => routes.get(&value).and_then(Value::as_str).map(str::to_owned),
            None => Some(value).filter(|value| !value.is_empty()),
        };
        Ok(match action.or_else(|| self.default.clone()) {
            Some(action) => passed.with_action(action),
            None => passed,
        })
    }

    fn placement(&self) -> Placement {
        Placement::Inline
    }
}
