//! `jsonpath`: selects parts of its input with RFC 9535.

#[cfg(test)]
mod suite;

use serde_json::{Map, Value, json};
use serde_json_path::JsonPath;

use super::confined::{self, Ask, Ease, MAX_NESTING, Work};
use super::{BuiltIn, ConfigProblem, Example, Outcome, Prepared, Setup, failed};
use crate::engine::CallError;

/// The longest path: 64 KiB.
const MAX_PATH: usize = 64 << 10;
/// How many commas a path may have that is taken for harmless: each may double what comes out.
const MAX_COMMAS: usize = 8;

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
    let work = Select::new(setup.config)?;
    let ease = if texts(setup.config).all(|(_, text)| is_calm(text)) { Ease::Calm } else { Ease::Wild };
    Ok(confined::prepared("jsonpath", &[], setup, work, ease))
}

/// The paths of a config, each with its key below `paths`, if it has one.
fn texts(config: &Value) -> impl Iterator<Item = (Option<&String>, &str)> {
    let one = config.get("path").and_then(Value::as_str).map(|text| (None, text));
    let several = config.get("paths").and_then(Value::as_object).into_iter().flatten();
    one.into_iter().chain(several.filter_map(|(key, value)| Some((Some(key), value.as_str()?))))
}

/// Reads a path.
pub(super) fn compile(text: &str) -> Result<JsonPath, (usize, String)> {
    if text.len() > MAX_PATH {
        return Err((0, format!("it has {} bytes, at most {MAX_PATH} are read", text.len())));
    }
    if confined::nesting(text) > MAX_NESTING {
        return Err((0, format!("its brackets nest deeper than {MAX_NESTING}")));
    }
    let parsed = confined::on_a_deep_stack(|| JsonPath::parse(text));
    parsed.map_err(|error| match error.message() {
        "parser error" => (error.position(), String::new()),
        reason => (error.position(), reason.to_owned()),
    })
}

/// Whether a path looks at no more than its input a few times over, whatever that is: it descends once at most, its lists of
/// selectors are short, and its filters look at single places.
fn is_calm(path: &str) -> bool {
    let bare = without_texts(path);
    let filters = bare.find('?').map_or("", |at| &bare[at..]);
    bare.matches("..").count() <= 1
        && bare.matches(',').count() <= MAX_COMMAS
        && filters.matches('?').count() <= 2
        && !filters.contains(['*', '$'])
        && !filters.contains("..")
}

/// A path with nothing between its quotes.
fn without_texts(path: &str) -> String {
    let (mut quote, mut escaped, mut bare) = (None, false, String::with_capacity(path.len()));
    for c in path.chars() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '\'' || c == '"' => quote = Some(c),
            None => bare.push(c),
        }
    }
    bare
}

/// Whether a path can only ever name one place: no wildcard, slice, filter, union or descent.
fn is_singular(path: &str) -> bool {
    let bare = without_texts(path);
    !bare.contains(['*', ':', '?', ',']) && !bare.contains("..")
}

struct Selection {
    path: JsonPath,
    singular: bool,
}

/// Compiled paths.
pub(super) struct Select {
    one: Option<Selection>,
    several: Vec<(String, Selection)>,
}

impl Selection {
    fn select(&self, call: &Ask<'_>) -> Result<Value, CallError> {
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

impl Select {
    /// The paths of a config.
    pub(super) fn new(config: &Value) -> Result<Self, Vec<ConfigProblem>> {
        let (mut one, mut several, mut problems) = (None, Vec::new(), Vec::new());
        for (key, text) in texts(config) {
            match (compile(text), key) {
                (Ok(path), None) => one = Some(Selection { singular: is_singular(text), path }),
                (Ok(path), Some(key)) => several.push((key.clone(), Selection { singular: is_singular(text), path })),
                (Err((offset, reason)), key) => {
                    let pointer = key.map_or_else(|| "/path".to_owned(), |key| format!("/paths/{}", escaped(key)));
                    let reason = if reason.is_empty() { reason } else { format!(": {reason}") };
                    let problem = ConfigProblem::new(pointer, format!("not a JSONPath{reason}"));
                    problems.push(problem.at(offset).help("a path starts at `$`"));
                }
            }
        }
        if problems.is_empty() { Ok(Self { one, several }) } else { Err(problems) }
    }
}

/// A key as a JSON pointer has it.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

impl Work for Select {
    fn work(&self, call: &Ask<'_>) -> Result<Outcome, CallError> {
        if let Some(selection) = &self.one {
            return Ok(Outcome::of(selection.select(call)?));
        }
        let selected: Result<Map<String, Value>, CallError> =
            self.several.iter().map(|(key, selection)| Ok((key.clone(), selection.select(call)?))).collect();
        Ok(Outcome::of(Value::Object(selected?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_take_long_is_told_from_what_cannot() {
        for path in
            ["$", "$.a[*].b", "$..a", "$..[?@.price < 10]", "$[?@.a == 'x..*,$']", "$[0,1,2]", "$[?match(@.a, 'b')].c"]
        {
            assert!(is_calm(path), "{path}");
        }
        for path in ["$..*..*", "$[?@..a]", "$[?@.a == $.b]", "$[?count(@.*) > 2]", "$[?@.a[?@.b[?@.c]]]"] {
            assert!(!is_calm(path), "{path}");
        }
        assert!(!is_calm(&format!("${}", "[0,0]".repeat(20))));
    }

    #[test]
    fn paths_that_nest_without_an_end_are_refused() {
        let deep = format!("$[?{}@.a{}]", "(".repeat(100_000), ")".repeat(100_000));
        assert_eq!(compile(&deep).unwrap_err().1, "it has 200007 bytes, at most 65536 are read");
        let deep = format!("$[?{}@.a{}]", "(".repeat(1000), ")".repeat(1000));
        assert_eq!(compile(&deep).unwrap_err().1, "its brackets nest deeper than 64");
        assert!(compile(&format!("${}", ".a".repeat(30_000))).is_ok());
        let nested = format!("$[?{}@.a{}]", "(".repeat(8), ")".repeat(8));
        assert!(compile(&nested).is_ok());
    }

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
