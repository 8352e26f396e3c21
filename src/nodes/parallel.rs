//! `parallel`: runs several nodes at once and gives their outputs by name.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};

use super::{BuiltIn, ConfigProblem, Example, Node, NodeCall, Outcome, Prepared, RunView, Setup, Stop, failed};
use crate::engine::{CallContext, CallError};

/// How many tasks run at once when the node does not say: 8.
const DEFAULT_CONCURRENCY: usize = 8;

pub(super) static BUILT_IN: BuiltIn = BuiltIn {
    node_type: "parallel",
    category: "flow",
    description: "Runs `tasks`, each a node of its own, and gives their outputs by task name. A task receives its `input`, \
        or else this node's; templates in its `config` see that as `.`. With `fail_fast` (the default) the first failure \
        fails the node and stops the others; without it a failed task gives `{error: {kind, message}}`.",
    outputs: "A mapping of the tasks' outputs by name; `{error: {kind, message}}` for one that failed.",
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
                        "input": { "description": "What the task receives instead of this node's input." }
                    },
                    "required": ["name", "node"],
                    "additionalProperties": false
                }
            },
            "max_concurrency": { "type": "integer", "minimum": 1, "maximum": 256, "default": DEFAULT_CONCURRENCY, "description": "How many run at once." },
            "fail_fast": { "type": "boolean", "default": true, "description": "The first failure fails the node." }
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
    for (index, task) in tasks.iter().enumerate() {
        let word = |key: &str| task.get(key).and_then(Value::as_str).unwrap_or_default();
        let name = word("name");
        if prepared.iter().any(|other| other.name == name) {
            let pointer = format!("/tasks/{index}/name");
            problems.push(ConfigProblem::new(pointer, format!("there are two tasks named `{name}`")));
            continue;
        }
        let empty = json!({});
        match setup.host.task(word("node"), task.get("config").unwrap_or(&empty), setup.folder) {
            Ok(node) => prepared.push(Task { name: name.to_owned(), index, node }),
            Err(problem) => {
                let pointer = format!("/tasks/{index}/{}", problem.pointer);
                problems.push(ConfigProblem { pointer, ..problem });
            }
        }
    }
    if problems.is_empty() { Ok(Prepared::new(Parallel(prepared))) } else { Err(problems) }
}

struct Task {
    name: String,
    index: usize,
    node: Arc<dyn Node>,
}

struct Parallel(Vec<Task>);

/// What the tasks of one call share, whatever their threads.
struct Shared<'a> {
    tasks: &'a Value,
    input: &'a Arc<Value>,
    context: &'a CallContext,
    view: TaskView,
}

/// What a task sees of the run.
struct TaskView {
    variables: Arc<Map<String, Value>>,
    /// Given by the first failure that counts, and by whoever stops the run.
    stop: Stop,
}

impl RunView for TaskView {
    fn render(&self, pointer: &str) -> Result<Value, CallError> {
        Err(failed(format!("`{pointer}` is lazy, which only inline nodes can have")))
    }

    fn is_connected(&self, _action: &str) -> bool {
        false
    }

    fn stop(&self) -> &Stop {
        &self.stop
    }

    fn variables(&self) -> &Arc<Map<String, Value>> {
        &self.variables
    }
}

impl Node for Parallel {
    fn run(&self, call: &NodeCall<'_>) -> Result<Outcome, CallError> {
        let fail_fast = call.field("fail_fast").and_then(Value::as_bool).unwrap_or(true);
        let results = self.run_all(call, fail_fast);
        let mut outputs = Map::new();
        for (name, result) in results {
            let output = match result {
                Ok(outcome) => Arc::unwrap_or_clone(outcome.output),
                Err(error) if fail_fast => {
                    return Err(CallError { message: format!("task `{name}`: {}", error.message), ..error });
                }
                Err(error) => json!({"error": {"kind": error.kind.word(), "message": error.message}}),
            };
            outputs.insert(name, output);
        }
        Ok(Outcome::of(Value::Object(outputs)))
    }
}

impl Parallel {
    /// Each task's result, in the order in which they ended; after a failure that counts, perhaps not of all.
    fn run_all(&self, call: &NodeCall<'_>, fail_fast: bool) -> Vec<(String, Result<Outcome, CallError>)> {
        let wanted =
            call.field("max_concurrency").and_then(Value::as_u64).and_then(|wanted| usize::try_from(wanted).ok());
        let workers = wanted.and_then(NonZeroUsize::new).map_or(DEFAULT_CONCURRENCY, NonZeroUsize::get);
        let queue = Mutex::new(self.0.iter().collect::<VecDeque<&Task>>());
        let results = Mutex::new(Vec::new());
        let view = TaskView { variables: Arc::clone(call.run.variables()), stop: call.run.stop().child() };
        let shared = Shared { tasks: &call.config["tasks"], input: call.input, context: &call.context, view };
        std::thread::scope(|scope| {
            for _ in 0..workers.min(self.0.len()) {
                scope.spawn(|| {
                    while !shared.view.stop.is_stopped() {
                        let Some(task) = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front() else {
                            break;
                        };
                        let result = task.run(&shared);
                        let failed = result.is_err();
                        results.lock().unwrap_or_else(PoisonError::into_inner).push((task.name.clone(), result));
                        if failed && fail_fast {
                            shared.view.stop.stop();
                        }
                    }
                });
            }
        });
        results.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Task {
    fn run(&self, shared: &Shared<'_>) -> Result<Outcome, CallError> {
        let given = shared.tasks[self.index].get("input");
        let input = given.map_or_else(|| Arc::clone(shared.input), |input| Arc::new(input.clone()));
        let mut context = shared.context.clone();
        context.node = format!("{}/{}", context.node, self.name);
        let (config, run) = (&Value::Null, &shared.view);
        self.node.run(&NodeCall { node_type: "parallel", config, input: &input, branches: &[], context, run })
    }
}
