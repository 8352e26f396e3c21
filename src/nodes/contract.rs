//! What a node is: prepared once when a workflow is planned, called for every step of a run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Map, Value};

use super::allowed::Allowed;
use super::lineage::Lineage;
use super::stop::Stop;
use crate::engine::{CallContext, CallError, CallErrorKind, Reply};

/// A node that is ready to run. Calls may come from several threads at once.
pub trait Node: Send + Sync {
    /// Runs it once.
    fn run(&self, call: &NodeCall<'_>) -> Result<Outcome, CallError>;

    /// Where it may run.
    fn placement(&self) -> Placement {
        Placement::Blocking
    }

    /// Whether several calls may be made at once, which nothing but the time tells from calls that are made one by one.
    fn is_groupable(&self) -> bool {
        false
    }

    /// Makes several calls at once, with a result for each in their order; none if they have to be made one by one.
    fn run_group(&self, _calls: &[&NodeCall<'_>]) -> Option<Vec<Result<Outcome, CallError>>> {
        None
    }
}

/// Where a node may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// On the scheduler's own thread: it is done at once and never waits.
    Inline,
    /// On a thread that may wait.
    Blocking,
}

/// One call of a node.
pub struct NodeCall<'a> {
    /// The node's type as the workflow names it, without a plugin's name.
    pub node_type: &'a str,
    /// Its config, rendered and checked. Fields that the schema marks as raw or lazy are as written.
    pub config: &'a Value,
    /// The output of the node before it, or an object of outputs by node name when several branches meet.
    pub input: &'a Arc<Value>,
    /// The nodes whose branches meet here, in the order of the file; empty unless several do.
    pub branches: &'a [Arc<str>],
    /// Where and when it runs.
    pub context: CallContext,
    /// What it can learn of the run.
    pub run: &'a dyn RunView,
}

/// A function is a node that may wait; this is how calls of plugins become nodes.
impl<F> Node for F
where
    F: Fn(&NodeCall<'_>) -> Result<Outcome, CallError> + Send + Sync,
{
    fn run(&self, call: &NodeCall<'_>) -> Result<Outcome, CallError> {
        self(call)
    }
}

/// What a node can learn of the run around it.
pub trait RunView {
    /// Renders the config field that its schema marks as lazy, by JSON pointer. Only inline nodes have lazy fields.
    fn render(&self, pointer: &str) -> Result<Value, CallError>;
    /// Whether a connection of this node carries the action.
    fn is_connected(&self, action: &str) -> bool;
    /// Tells when the run no longer wants the result.
    fn stop(&self) -> &Stop;
    /// What the node hands to those that it runs itself.
    fn lineage(&self) -> Lineage;
}

/// What a node gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Its output; shared, so that passing a value on copies nothing.
    pub output: Arc<Value>,
    /// The action that chooses the next node; `None` is `default`.
    pub action: Option<String>,
}

impl Outcome {
    /// An output with the default action.
    pub fn of(output: impl Into<Arc<Value>>) -> Self {
        Self { output: output.into(), action: None }
    }

    /// The same with an action.
    #[must_use]
    pub fn with_action(self, action: impl Into<String>) -> Self {
        Self { action: Some(action.into()), ..self }
    }
}

impl From<Reply> for Outcome {
    fn from(reply: Reply) -> Self {
        Self { output: Arc::new(reply.output), action: reply.action }
    }
}

impl NodeCall<'_> {
    /// A config field.
    pub fn field(&self, key: &str) -> Option<&Value> {
        self.config.get(key).filter(|value| !value.is_null())
    }

    /// A config field that is text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.field(key).and_then(Value::as_str)
    }

    /// Fails when the attempt's time is up or the run was stopped; for nodes that work in small steps.
    pub fn check_time(&self) -> Result<(), CallError> {
        if self.run.stop().is_stopped() {
            return Err(CallError::new(CallErrorKind::Failed, "the run was stopped"));
        }
        if Instant::now() >= self.context.deadline {
            return Err(CallError::new(
                CallErrorKind::Timeout,
                format!("`{}` did not finish within its time limit", self.node_type),
            ));
        }
        Ok(())
    }
}

/// The node refuses its config or input.
pub fn invalid(message: impl Into<String>) -> CallError {
    CallError::new(CallErrorKind::InvalidInput, message)
}

/// The node tried and failed.
pub fn failed(message: impl Into<String>) -> CallError {
    CallError::new(CallErrorKind::Failed, message)
}

/// What a node is prepared from, before anything runs.
pub struct Setup<'a> {
    /// The config as written: templates are text still.
    pub config: &'a Value,
    /// The folder of the workflow file.
    pub folder: &'a Path,
    /// Makes nodes that run inside this one.
    pub host: &'a dyn Host,
}

/// What makes nodes for nodes that run others.
pub trait Host {
    /// Nodes in the config, by JSON pointer, that run one after another, as one node. Their templates see the variables of the run
    /// they are called from.
    ///
    /// # Errors
    /// Something is wrong with them, which the host tells where it stands.
    fn body(&self, nodes: &[String], spelling: Spelling) -> Result<Arc<dyn Node>, Told>;
    /// Another workflow file as a node.
    fn document(&self, path: &Path) -> Result<Arc<dyn Node>, String>;
    /// What the user lets workflows use.
    fn allowed(&self) -> Arc<Allowed>;
    /// The program that does work in a process of its own, called with `__worker`; none where there is none.
    fn worker(&self) -> Option<PathBuf>;
    /// The values that the workflow's file itself gives: its author wrote them.
    fn vars(&self) -> &Map<String, Value>;
}

/// How a node is written that stands in the config of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// As in `nodes`; its name may be missing.
    Node,
    /// As a task: `node` is its type, and `input` is for the node around it.
    Task,
}

/// What is wrong was told already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told;

/// A node that is ready, with what the plan has to know of it.
pub struct Prepared {
    /// The node.
    pub node: Arc<dyn Node>,
    /// The actions it can take, when they are known; one without a connection goes to the node of that name.
    pub actions: Option<Vec<String>>,
}

impl Prepared {
    /// A node that takes no actions of its own.
    pub fn new(node: impl Node + 'static) -> Self {
        Self { node: Arc::new(node), actions: None }
    }
}

/// Something wrong with a node's config that its schema cannot say.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigProblem {
    /// The field, as a JSON pointer.
    pub pointer: String,
    /// The byte of the field's text.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
    /// What to do next.
    pub help: Option<String>,
}

impl ConfigProblem {
    /// A problem with a whole field.
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), offset: 0, message: message.into(), help: None }
    }

    /// The same at a byte of the field's text.
    #[must_use]
    pub fn at(self, offset: usize) -> Self {
        Self { offset, ..self }
    }

    /// The same with what to do next.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// Whether a text counts as a template, and so is known only when the workflow runs.
pub fn is_template(text: &str) -> bool {
    text.contains("{{")
}

/// What a value is, in the words of error messages.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}
