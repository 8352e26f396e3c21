//! `conditional`: takes the action of the first condition that holds, and passes its input on.

use serde_json::{Value, json};

use super::{BuiltIn, ConfigProblem, Example, Node, NodeCall, Outcome, Placement, Prepared, Setup, is_template};
use crate::engine::CallError;

pub(super) static BUILT_IN: BuiltIn = BuiltIn {
    node_type: "conditional",
    category: "flow",
    description: "Passes its input on with the action of the first condition that holds, else with that of `else`. An action \
        without a connection goes to the node of that name. False are `false`, `0`, `null`, the empty text, list and mapping, \
        as in Go templates, and also the texts `false`, `0`, `null`, `<nil>` and `<no value>`, which is what a template \
        with more than one part makes of them.",
    outputs: "Its input.",
    actions: &["*"],
    schema,
    examples,
    prepare,
};

fn schema() -> Value {
    let action = json!({ "type": "string", "minLength": 1, "x-pocket-template": false });
    let mut otherwise = action.clone();
    otherwise["description"] = json!("The action when no condition holds.");
    json!({
        "type": "object",
        "properties": {
            "conditions": {
                "type": "array",
                "minItems": 1,
                "description": "Conditions in their order; the last may be `{else}`.",
                "items": {
                    "type": "object",
                    "properties": {
                        "if": { "description": "A template; rendered only when no condition before it holds.", "x-pocket-template": "lazy" },
                        "then": action,
                        "else": action
                    },
                    "additionalProperties": false
                }
            },
            "else": otherwise
        },
        "required": ["conditions"],
        "additionalProperties": false
    })
}

fn examples() -> Vec<Example> {
    let config = json!({"conditions": [
        {"if": "{{gt .score 0.8}}", "then": "good"},
        {"if": "{{.score}}", "then": "fair"},
        {"else": "none"},
    ]});
    let taken = |score: f64, action| {
        let input = json!({ "score": score });
        Example::new("by a number", config.clone(), input.clone(), input).action(action)
    };
    vec![taken(0.9, "good"), taken(0.5, "fair"), taken(0.0, "none")]
}

fn prepare(setup: &Setup<'_>) -> Result<Prepared, Vec<ConfigProblem>> {
    let mut node = Conditional { branches: Vec::new(), otherwise: None };
    let mut problems = Vec::new();
    let conditions = setup.config.get("conditions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for (index, condition) in conditions.iter().enumerate() {
        let at = format!("/conditions/{index}");
        let word = |key: &str| condition.get(key).and_then(Value::as_str).map(str::to_owned);
        match (condition.get("if"), word("then"), word("else")) {
            (Some(test), Some(action), otherwise) => {
                problems.extend(constant(test).then(|| plain_text(&at, test)));
                node.branches.push(Branch { pointer: format!("{at}/if"), action });
                node.otherwise = otherwise.or(node.otherwise);
            }
            (None, None, Some(action)) if index + 1 == conditions.len() => node.otherwise = Some(action),
            (None, None, Some(_)) => problems.push(ConfigProblem::new(at, "`else` must be the last condition")),
            _ => problems.push(ConfigProblem::new(at, "a condition needs `if` and `then`, or `else` alone")),
        }
    }
    if let Some(action) = setup.config.get("else").and_then(Value::as_str) {
        node.otherwise = Some(action.to_owned());
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let actions = node.branches.iter().map(|branch| branch.action.clone()).chain(node.otherwise.clone()).collect();
    Ok(Prepared { actions: Some(actions), ..Prepared::new(node) })
}

/// Whether a condition is text that cannot change, `if: found`, which would hold always.
fn constant(test: &Value) -> bool {
    test.as_str().is_some_and(|text| !is_template(text) && !matches!(text, "true" | "false" | ""))
}

fn plain_text(at: &str, test: &Value) -> ConfigProblem {
    let text = test.as_str().unwrap_or_default();
    ConfigProblem::new(format!("{at}/if"), format!("`{text}` is plain text, so that the condition always holds"))
        .help(format!("a condition is a template: `{{{{.{}}}}}`", text.trim_start_matches('.')))
}

struct Conditional {
    branches: Vec<Branch>,
    otherwise: Option<String>,
}

struct Branch {
    pointer: String,
    action: String,
}

impl Node for Conditional {
    fn run(&self, call: &NodeCall<'_>) -> Result<Outcome, CallError> {
        let passed = Outcome::of(call.input.clone());
        for branch in &self.branches {
            if holds(&call.run.render(&branch.pointer)?) {
                return Ok(passed.with_action(&branch.action));
            }
        }
        Ok(match &self.otherwise {
            Some(action) => passed.with_action(action),
            None => passed,
        })
    }

    fn placement(&self) -> Placement {
        Placement::Inline
    }
}

/// Whether a rendered condition counts as true.
fn holds(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !matches!(text.trim(), "" | "false" | "0" | "null" | "<nil>" | "<no value>"),
        Value::Array(items) => !items.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truth_is_that_of_templates_and_of_what_they_print() {
        for value in
            [json!(null), json!(false), json!(0), json!(0.0), json!(""), json!(" false\n"), json!([]), json!({})]
        {
            assert!(!holds(&value), "{value}");
        }
        for value in [json!(true), json!(-1), json!("no"), json!([null]), json!({"a": 0})] {
            assert!(holds(&value), "{value}");
        }
    }
}
