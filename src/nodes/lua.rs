//! `lua`: runs a Lua script of the workflow.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use super::{BuiltIn, ConfigProblem, Example, Node, NodeCall, Outcome, Prepared, Setup};
use crate::engine::lua::Script;
use crate::engine::{CallError, Limits};

/// The largest script file: 1 MiB.
const MAX_SCRIPT_BYTES: u64 = 1 << 20;

pub(super) static BUILT_IN: BuiltIn = BuiltIn {
    node_type: "lua",
    category: "script",
    description: "Runs a Lua script: `file` names one beside the workflow file, `source` holds it, `script` is either. The \
        script sees `input`; what it returns is the output, a second value the action. When it returns nothing its \
        function `process(input)` is called.",
    outputs: "What the script returns.",
    actions: &["*"],
    schema,
    examples,
    prepare,
};

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "script": { "type": "string", "description": "A path, or the source itself.", "x-pocket-template": false },
            "source": { "type": "string", "description": "The source.", "x-pocket-template": false },
            "file": { "type": "string", "description": "A path.", "x-pocket-template": false },
            "globals": { "type": "object", "description": "More values that the script sees, by name." }
        },
        "oneOf": [{ "required": ["script"] }, { "required": ["source"] }, { "required": ["file"] }],
        "additionalProperties": false
    })
}

fn examples() -> Vec<Example> {
    vec![
        Example::new(
            "a list stays a list",
            json!({"source": "local out = {}\nfor i, n in ipairs(input) do out[i] = n * 2 end\nreturn out"}),
            json!([1, 2, 3]),
            json!([2, 4, 6]),
        ),
        Example::new(
            "a function",
            json!({"script": "function process(input) return {upper = string.upper(input.name)} end"}),
            json!({"name": "ada"}),
            json!({"upper": "ADA"}),
        ),
        Example::new("an action", json!({"source": "return input, 'again'"}), json!(1), json!(1)).action("again"),
        Example::new(
            "more values",
            json!({"source": "return input.n * factor", "globals": {"factor": "{{.by}}"}}),
            json!({"n": 4, "by": 10}),
            json!(40),
        ),
    ]
}

fn prepare(setup: &Setup<'_>) -> Result<Prepared, Vec<ConfigProblem>> {
    let text = |key: &str| setup.config.get(key).and_then(Value::as_str);
    let script = if let Some(file) = text("file") {
        from_file("/file", file, setup.folder)
    } else if let Some(source) = text("source") {
        inline("/source", source)
    } else {
        let script = text("script").unwrap_or_default();
        let is_path = looks_like_path(script) || (!script.contains('\n') && setup.folder.join(script).is_file());
        if is_path { from_file("/script", script, setup.folder) } else { inline("/script", script) }
    };
    match script {
        Ok(script) => Ok(Prepared::new(Lua(script))),
        Err(problem) => Err(vec![problem]),
    }
}

/// Whether a `script` can only be meant as a path, so that a missing file is not taken for Lua.
fn looks_like_path(script: &str) -> bool {
    let is_word = !script.contains(char::is_whitespace);
    is_word && (script.ends_with(".lua") || script.ends_with(".luau"))
}

fn inline(pointer: &str, source: &str) -> Result<Script, ConfigProblem> {
    let name = pointer.trim_start_matches('/');
    Script::compile(name, source, Limits::default()).map_err(|error| {
        let (line, message) = placed(name, &error.message);
        let start = source.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum::<usize>();
        let indent = source[start..].len() - source[start..].trim_start().len();
        ConfigProblem::new(pointer, format!("not Lua: {message}")).at(start + indent)
    })
}

/// The line and the rest of a message such as `script:3: Expected …`.
fn placed<'a>(name: &str, message: &'a str) -> (usize, &'a str) {
    let rest = message.strip_prefix(name).and_then(|rest| rest.strip_prefix(':'));
    let parts = rest.and_then(|rest| rest.split_once(": "));
    parts.and_then(|(line, text)| Some((line.parse().ok()?, text))).unwrap_or((1, message))
}

fn from_file(pointer: &str, file: &str, folder: &Path) -> Result<Script, ConfigProblem> {
    let path = folder.join(file);
    let refuse = |reason: String| ConfigProblem::new(pointer, format!("cannot read `{}`: {reason}", path.display()));
    let length = std::fs::metadata(&path).map_err(|error| refuse(error.to_string()))?.len();
    if length > MAX_SCRIPT_BYTES {
        return Err(refuse(format!("it has {length} bytes, a script has at most {MAX_SCRIPT_BYTES}")));
    }
    let source = std::fs::read_to_string(&path).map_err(|error| refuse(error.to_string()))?;
    Script::compile(file, &source, Limits::default())
        .map_err(|error| ConfigProblem::new(pointer, format!("not Lua: {}", error.message)))
}

struct Lua(Script);

impl Node for Lua {
    fn run(&self, call: &NodeCall<'_>) -> Result<Outcome, CallError> {
        let globals: Vec<(&str, &Value)> = match call.field("globals") {
            Some(Value::Object(globals)) => globals.iter().map(|(name, value)| (name.as_str(), value)).collect(),
            _ => Vec::new(),
        };
        let deadline = call.context.deadline.min(Instant::now() + Limits::default().timeout);
        self.0.run(call.input, &globals, deadline).map(Outcome::from)
    }
}
