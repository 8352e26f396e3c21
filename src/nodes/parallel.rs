//! `parallel`: runs several nodes at once and gives their outputs by name.

use std::sync::Arc;

use serde_json::{Value, json};

use super::lineage::Part;
use super::several::{OnFailure, Several, concurrency_schema, on_failure_schema};
use super::{BuiltIn, ConfigProblem, Example, Node, NodeCall, Outcome, Prepared, Setup, Spelling, Told};
use crate::engine::CallError;

pub(super) static BUILT_IN: BuiltIn = BuiltIn {
    node_type: "parallel",
    category: "flow",
    description: "Runs `tasks`, each a node of its own, and gives their outputs by task name. A task receives its `input`, \
        or else this node's; templates in its `config` see that as `.`. `on_failure` is \
        `fail_fast` (the default: the first failure fails the node and stops the others), `collect` (a failed task gives \
        `{error: {kind, message}}`) or `skip`; `fail_fast: false` is `collect`.",
    outputs: "A mapping of the tasks' outputs by name.",
    actions: &[],
    schema,
    examples,
    prepare,
};

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "tasks": {
                "type": "array",
                "minItems": 1,
                "description": "Nodes with names of their own.",
                "items": {
                    "type": "object",
                    "properties": {
                        "name": { "type": "string", "minLength": 1, "x-pocket-template": false },
                        "node": { "type": "string", "minLength": 1, "description": "The node type.", "x-pocket-template": false },
                        "config": { "type": "object", "x-pocket-template": false },
                        "timeout": { "type": "string", "x-pocket-template": false },
                        "retry": { "type": "object", "x-pocket-template": false },
                        "fallback": { "type": "object", "x-pocket-template": false },
                        "input": { "description": "What the task receives instead of this node's input." }
                    },
                    "required": ["name", "node"],
                    "additionalProperties": false
                }
            },
            "max_concurrency": concurrency_schema(),
            "on_failure": on_failure_schema(),
            "fail_fast": { "type": "boolean", "description": "`false` is `on_failure: collect`." }
        },
        "required": ["tasks"],
        "additionalProperties": false
    })
}

fn examples() -> Vec<Example> {
    let tasks = json!([
        {"name": "double", "node": "transform", "config": {"jq": ".n * 2"}},
        {"name": "greeting", "node": "echo", "config": {"message": "hello {{.}}"}, "input": "{{.name}}"}
    ]);
    vec![Example::new(
        "two tasks",
        json!({ "tasks": tasks }),
        json!({"n": 4, "name": "Ada"}),
        json!({"double": 8, "greeting": "hello Ada"}),
    )]
}

fn prepare(setup: &Setup<'_>) -> Result<Prepared, Vec<ConfigProblem>> {
    let tasks = setup.config.get("tasks").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut prepared: Vec<Task> = Vec::new();
    let mut problems = Vec::new();
    let mut is_whole = true;
    if setup.config.get("fail_fast").is_some() && setup.config.get("on_failure").is_some() {
        let problem = ConfigProblem::new("/fail_fast", "`fail_fast` and `on_failure` say the same");
        problems.push(problem.help("keep `on_failure`"));
    }
    for (index, task) in tasks.iter().enumerate() {
        let name = task.get("name").and_then(Value::as_str).unwrap_or_default();
        if prepared.iter().any(|other| other.name == name) {
            let pointer = format!("/tasks/{index}/name");
            problems.push(ConfigProblem::new(pointer, format!("there are two tasks named `{name}`")));
            continue;
        }
        match setup.host.body(&[format!("/tasks/{index}")], Spelling::Task) {
            Ok(node) => prepared.push(Task { name: name.to_owned(), index, node }),
            Err(Told) => is_whole = false,
        }
    }
    if is_whole && problems.is_empty() { Ok(Prepared::new(Parallel(prepared))) } else { Err(problems) }
}

struct Task {
    name: String,
    index: usize,
    node: Arc<dyn Node>,
}

struct Parallel(Vec<Task>);

impl Node for Parallel {
    fn run(&self, call: &NodeCall<'_>) -> Result<Outcome, CallError> {
        let default = match call.field("fail_fast") {
            Some(Value::Bool(false)) => OnFailure::Collect,
            _ => OnFailure::FailFast,
        };
        let several = Several::of(call, default);
        let (tasks, own) = (&call.config["tasks"], call.input);
        let part = |number: usize| {
            let task = &self.0[number];
            let given = tasks[task.index].get("input");
            let input = given.map_or_else(|| Arc::clone(own), |input| Arc::new(input.clone()));
            several.run_part(&*task.node, "parallel", Part::Named(&task.name), &input)
        };
        match several.run(self.0.len(), &part) {
            Ok(outputs) => {
                let named =
                    |(number, output): (usize, Arc<Value>)| (self.0[number].name.clone(), Arc::unwrap_or_clone(output));
                Ok(Outcome::of(Value::Object(outputs.into_iter().map(named).collect())))
            }
            Err((number, error)) => {
                let name = self.0.get(number).map_or("", |task| task.name.as_str());
                Err(CallError { message: format!("task `{name}`: {}", error.message), ..error })
            }
        }
    }
}
