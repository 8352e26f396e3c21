//! `aggregate`: makes one value of joined branches or of a list.

use serde_json::{Map, Value, json};

use super::contract::kind_of;
use super::{BuiltIn, Example, Node, NodeCall, Outcome, Placement, Prepared, invalid};
use crate::engine::CallError;

pub(super) static BUILT_IN: BuiltIn = BuiltIn {
    node_type: "aggregate",
    category: "data",
    description: "Makes one value of the outputs of the branches that meet here, of the items of a list, of the values of a \
        mapping, or of `inputs`. `mode: array` lists them, `object` names them (by node, key or `key_by`), `merge` lays \
        mappings over each other (later ones win, nested mappings too), `concat` joins lists or texts (`separator`).",
    outputs: "The list, mapping or text that was made.",
    actions: &[],
    schema,
    examples,
    prepare: |_| Ok(Prepared::new(Aggregate)),
};

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "mode": {
                "enum": ["array", "object", "merge", "concat"], "default": "array", "x-pocket-template": false,
                "description": "What to make."
            },
            "inputs": { "description": "What to aggregate instead of the input.", "type": ["array", "object"] },
            "key_by": { "type": "string", "description": "For `object`: the field of each item that names it." },
            "separator": { "type": "string", "description": "For `concat` of texts.", "default": "" }
        },
        "additionalProperties": false
    })
}

fn examples() -> Vec<Example> {
    let lists = json!([[1], [2, 3]]);
    let people = json!([{"id": "a", "n": 1}, {"id": "b", "n": 2}]);
    let parts = json!([{"a": {"x": 1}}, {"a": {"y": 2}, "b": 3}]);
    vec![
        Example::new("a list", json!({"mode": "array"}), json!({"x": 1, "y": 2}), json!([1, 2])),
        Example::new(
            "by a field",
            json!({"mode": "object", "key_by": "id"}),
            people,
            json!({"a": {"id": "a", "n": 1}, "b": {"id": "b", "n": 2}}),
        ),
        Example::new("merged", json!({"mode": "merge"}), parts, json!({"a": {"x": 1, "y": 2}, "b": 3})),
        Example::new("joined lists", json!({"mode": "concat"}), lists, json!([1, 2, 3])),
        Example::new("joined texts", json!({"mode": "concat", "separator": "-"}), json!(["a", "b"]), json!("a-b")),
    ]
}

struct Aggregate;

impl Node for Aggregate {
    fn run(&self, call: &NodeCall<'_>) -> Result<Outcome, CallError> {
        let items = items(call)?;
        let output = match call.text("mode").unwrap_or("array") {
            "object" => object(items, call.text("key_by"))?,
            "merge" => merge(items)?,
            "concat" => concat(items, call.text("separator").unwrap_or_default())?,
            _ => items.into_iter().map(|(_, item)| item.clone()).collect(),
        };
        Ok(Outcome::of(output))
    }

    fn placement(&self) -> Placement {
        Placement::Inline
    }
}

/// What is aggregated, each item with its name. Branches come in the order of the file.
fn items<'a>(call: &'a NodeCall<'_>) -> Result<Vec<(String, &'a Value)>, CallError> {
    let from = call.field("inputs").unwrap_or(call.input);
    match from {
        Value::Array(list) => Ok(list.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect()),
        Value::Object(_) if !call.branches.is_empty() && call.field("inputs").is_none() => {
            Ok(call.branches.iter().filter_map(|name| Some((name.to_string(), from.get(&**name)?))).collect())
        }
        Value::Object(entries) => Ok(entries.iter().map(|(key, item)| (key.clone(), item)).collect()),
        other => Err(invalid(format!("cannot aggregate {}: expected a list or a mapping", kind_of(other)))),
    }
}

fn object(items: Vec<(String, &Value)>, key_by: Option<&str>) -> Result<Value, CallError> {
    let named = items.into_iter().map(|(name, item)| {
        let Some(field) = key_by else { return Ok((name, item.clone())) };
        let key = match item.get(field) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => return Err(invalid(format!("item `{name}` has no text or number in `{field}`"))),
        };
        Ok((key, item.clone()))
    });
    Ok(Value::Object(named.collect::<Result<Map<_, _>, _>>()?))
}

fn merge(items: Vec<(String, &Value)>) -> Result<Value, CallError> {
    let mut merged = Map::new();
    for (name, item) in items {
        let Value::Object(entries) = item else {
            return Err(invalid(format!("cannot merge item `{name}`: it is {}, not a mapping", kind_of(item))));
        };
        lay_over(&mut merged, entries);
    }
    Ok(Value::Object(merged))
}

fn lay_over(under: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (key, value) in over {
        match (under.get_mut(key), value) {
            (Some(Value::Object(inner)), Value::Object(entries)) => lay_over(inner, entries),
            _ => {
                under.insert(key.clone(), value.clone());
            }
        }
    }
}

fn concat(items: Vec<(String, &Value)>, separator: &str) -> Result<Value, CallError> {
    if items.iter().all(|(_, item)| item.is_string()) && !items.is_empty() {
        let texts: Vec<&str> = items.iter().filter_map(|(_, item)| item.as_str()).collect();
        return Ok(Value::String(texts.join(separator)));
    }
    let mut joined = Vec::new();
    for (name, item) in items {
        let Value::Array(list) = item else {
            return Err(invalid(format!(
                "cannot join item `{name}`: it is {}; expected lists or texts alone",
                kind_of(item)
            )));
        };
        joined.extend(list.iter().cloned());
    }
    Ok(Value::Array(joined))
}
