//! `jsonpath`: selects parts of its input with RFC 9535.

use serde_json::{Map, Value, json};
use serde_json_path::JsonPath;

use super::{BuiltIn, ConfigProblem, Example, Node, NodeCall, Outcome, Placement, Prepared, Setup, failed};
use crate::engine::CallError;

pub(super) static BUILT_IN: BuiltIn = BuiltIn {
    node_type: "jsonpath",
    category: "data",
    description: "Selects parts of its input with a JSONPath (RFC 9535). `mode: auto` gives the value itself for a path that \
        names exactly one place and a list otherwise; `first` gives the first match or `null`, `all` always a list. \
        `paths` gives an object with one selection for each key.",
    outputs: "The value at the path, a list of values, or a mapping of such.",
    actions: &[],
    schema,
    examples,
    prepare,
};

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "path": { "type": "string", "description": "One JSONPath.", "x-pocket-template": false },
            "paths": { "type": "object", "description": "JSONPaths by key.", "additionalProperties": { "type": "string", "x-pocket-template": false } },
            "mode": {
                "enum": ["auto", "first", "all"], "default": "auto", "x-pocket-template": false,
                "description": "`auto`: the value itself for a path that names one place, else a list."
            },
            "required": { "type": "boolean", "description": "Fail when nothing matches.", "default": false }
        },
        "oneOf": [{ "required": ["path"] }, { "required": ["paths"] }],
        "additionalProperties": false
    })
}

fn examples() -> Vec<Example> {
    let input = json!({"items": [{"id": 1, "on": true}, {"id": 2, "on": false}]});
    vec![
        Example::new("one place", json!({"path": "$.items[0].id"}), input.clone(), json!(1)),
        Example::new("a filter", json!({"path": "$.items[?@.on == true].id"}), input.clone(), json!([1])),
        Example::new("first", json!({"path": "$..id", "mode": "first"}), input.clone(), json!(1)),
        Example::new(
            "several",
            json!({"paths": {"ids": "$..id", "one": "$.items[1].id"}}),
            input,
            json!({"ids": [1, 2], "one": 2}),
        ),
    ]
}

fn prepare(setup: &Setup<'_>) -> Result<Prepared, Vec<ConfigProblem>> {
    let mut problems = Vec::new();
    let mut compile = |pointer: String, value: &Value| {
        let text = value.as_str()?;
        JsonPath::parse(text)
            .map_err(|error| {
                let message = match error.message() {
                    "parser error" => "not a JSONPath".to_owned(),
                    reason => format!("not a JSONPath: {reason}"),
                };
                problems.push(ConfigProblem::new(pointer, message).at(error.position()).help("a path starts at `$`"));
            })
            .ok()
            .map(|path| Selection { singular: is_singular(text), path })
    };
    let one = setup.config.get("path").and_then(|value| compile("/path".to_owned(), value));
    let several = setup.config.get("paths").and_then(Value::as_object).map(|paths| {
        paths.iter().filter_map(|(key, value)| Some((key.clone(), compile(format!("/paths/{key}"), value)?))).collect()
    });
    if problems.is_empty() {
        Ok(Prepared::new(Select { one, several: several.unwrap_or_default() }))
    } else {
        Err(problems)
    }
}

/// Whether a path can only ever name one place: no wildcard, slice, filter, union or descent.
fn is_singular(path: &str) -> bool {
    let mut quote = None;
    let mut previous = ' ';
    for c in path.chars() {
        match quote {
            Some(open) if c == open && previous != '\\' => quote = None,
            Some(_) => {}
            None if c == '\'' || c == '"' => quote = Some(c),
            None if matches!(c, '*' | ':' | '?' | ',') || (c == '.' && previous == '.') => return false,
            None => {}
        }
        previous = c;
    }
    true
}

struct Selection {
    path: JsonPath,
    singular: bool,
}

struct Select {
    one: Option<Selection>,
    several: Vec<(String, Selection)>,
}

impl Selection {
    fn select(&self, call: &NodeCall<'_>) -> Result<Value, CallError> {
        let mut matches = self.path.query(call.input).all().into_iter().cloned();
        let mode = call.text("mode").unwrap_or("auto");
        let first = mode == "first" || (mode == "auto" && self.singular);
        let (output, is_empty) = if first {
            let found = matches.next();
            let is_empty = found.is_none();
            (found.unwrap_or(Value::Null), is_empty)
        } else {
            let all: Vec<Value> = matches.collect();
            let is_empty = all.is_empty();
            (Value::Array(all), is_empty)
        };
        if is_empty && call.field("required") == Some(&Value::Bool(true)) {
            return Err(failed(format!("nothing in the input matches `{}`", self.path)));
        }
        Ok(output)
    }
}

impl Node for Select {
    fn run(&self, call: &NodeCall<'_>) -> Result<Outcome, CallError> {
        if let Some(selection) = &self.one {
            return Ok(Outcome::of(selection.select(call)?));
        }
        let selected: Result<Map<String, Value>, CallError> =
            self.several.iter().map(|(key, selection)| Ok((key.clone(), selection.select(call)?))).collect();
        Ok(Outcome::of(Value::Object(selected?)))
    }

    fn placement(&self) -> Placement {
        Placement::Inline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_to_one_place_is_singular() {
        for path in ["$", "$.a.b[0]", "$['a,*b']", r#"$["x:\"?"]"#] {
            assert!(is_singular(path), "{path}");
        }
        for path in ["$..a", "$.*", "$[0,1]", "$[0:2]", "$[?@.a]"] {
            assert!(!is_singular(path), "{path}");
        }
    }
}
