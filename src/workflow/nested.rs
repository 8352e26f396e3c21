//! Nodes inside nodes: another document run as one node, and the bodies of `parallel` and `foreach`.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pocket_index::digest::Digest;
use serde_json::{Map, Value};

use super::catalog::NodeCatalog;
use super::document::Document;
use super::observe::Unobserved;
use super::plan::Plan;
use super::planner::Planner;
use super::problem::{Problems, Severity};
use super::report::{RunError, RunErrorKind};
use super::run::{Inside, RunOptions, Threads, run_inside};
use super::source::SourceText;
use super::view::Family;
use crate::engine::{CallError, CallErrorKind};
use crate::nodes::{Allowed, ConfigProblem, Host, Node, NodeCall, Outcome};

/// How many documents may run inside each other: 16. A document that runs itself would go on for ever.
const MAX_DEPTH: u32 = 16;

/// Makes nodes for the nodes of one document.
pub(super) struct Nested<'a> {
    pub catalog: &'a dyn NodeCatalog,
    pub depth: u32,
    /// The values that the workflow's own file gives.
    pub vars: &'a Map<String, Value>,
    /// Takes the digests of the documents that are read.
    pub digests: &'a RefCell<Vec<Digest>>,
}

impl Host for Nested<'_> {
    fn body(&self, nodes: &[Value], folder: &Path) -> Result<Arc<dyn Node>, ConfigProblem> {
        let document = Document::parse(SourceText::new("body", body_text(nodes)), folder).map_err(of_body)?;
        // A body stands in this workflow's file, and so do its values.
        let planner = Planner::new(&document, self.catalog, self.depth + 1).with_vars(self.vars);
        let plan = planner.plan().map_err(of_body)?;
        self.digests.borrow_mut().push(plan.digest);
        Ok(Arc::new(Inner { plan: Arc::new(plan), reach: Reach::Outer }))
    }

    fn document(&self, path: &Path) -> Result<Arc<dyn Node>, String> {
        if self.depth >= MAX_DEPTH {
            return Err(format!("workflows run inside each other {MAX_DEPTH} deep: does one run itself?"));
        }
        let document = Document::read(path).map_err(|error| match std::error::Error::source(&error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        })?;
        let plan = Planner::new(&document, self.catalog, self.depth + 1).plan().map_err(|problems| {
            let first = problems.iter().next();
            let place = first.map(|problem| format!("{}:{}: {}", problem.file, problem.line, problem.message));
            format!("the workflow has problems: {}", place.unwrap_or_default())
        })?;
        self.digests.borrow_mut().push(plan.digest);
        Ok(Arc::new(Inner { plan: Arc::new(plan), reach: Reach::Own }))
    }

    fn allowed(&self) -> Arc<Allowed> {
        self.catalog.allowed()
    }

    fn worker(&self) -> Option<PathBuf> {
        self.catalog.worker()
    }

    fn vars(&self) -> &Map<String, Value> {
        self.vars
    }
}

/// A document of these nodes, each in a line of its own. A node without a name is called by its type and number.
fn body_text(nodes: &[Value]) -> String {
    let lines = nodes.iter().enumerate().map(|(index, node)| {
        let mut node = node.clone();
        if let Value::Object(fields) = &mut node
            && !fields.contains_key("name")
        {
            let node_type = fields.get("type").and_then(Value::as_str).unwrap_or("node");
            let name = format!("{node_type}-{}", index + 1);
            fields.insert("name".to_owned(), Value::String(name));
        }
        node.to_string()
    });
    format!("{{\"nodes\": [\n{}\n]}}", lines.collect::<Vec<_>>().join(",\n"))
}

/// The first problem of a body, with the node and the field it is about.
fn of_body(problems: Problems) -> ConfigProblem {
    let Some(problem) = problems.iter().find(|problem| problem.severity == Severity::Error) else {
        return ConfigProblem::new("0", "the body has problems");
    };
    let index = problem.line.saturating_sub(2);
    let field = if problem.message.starts_with("there is no node type") { "/type" } else { "/config" };
    ConfigProblem { help: problem.help.clone(), ..ConfigProblem::new(format!("{index}{field}"), &problem.message) }
}

/// A plan that runs as a node.
struct Inner {
    plan: Arc<Plan>,
    reach: Reach,
}

/// What the templates of an inner plan see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Its own variables: it is a workflow of its own.
    Own,
    /// Those of the run it is called from too: it stands in that workflow's file.
    Outer,
}

impl Node for Inner {
    fn run(&self, call: &NodeCall<'_>) -> Result<Outcome, CallError> {
        let lineage = call.run.lineage();
        let family = lineage.handed::<Family>();
        let variables = family.as_ref().map(|family| Arc::clone(&family.variables));
        let (run_id, threads) = match self.reach {
            Reach::Own => (format!("{}/{}", call.context.run_id, call.context.node), Threads::Several),
            Reach::Outer => (call.context.run_id.clone(), Threads::ThisOne),
        };
        let options = RunOptions {
            run_id,
            observer: family.as_ref().map_or_else(|| Arc::new(Unobserved) as _, |family| Arc::clone(&family.observer)),
            stop: call.run.stop().clone(),
            deadline: Some(call.context.deadline),
            journal: family.as_ref().and_then(|family| family.ledger.as_ref()).map(|ledger| ledger.at(lineage.key())),
            ..RunOptions::default()
        };
        let inside = Inside {
            path: lineage.path().to_owned(),
            key: lineage.key().to_owned(),
            node: call.context.node.clone(),
            is_alone: self.reach == Reach::Outer && self.plan.nodes.len() == 1,
            variables: variables.filter(|_| self.reach == Reach::Outer),
            threads,
        };
        match run_inside(&self.plan, Arc::clone(call.input), &options, Some(inside)) {
            Ok(report) => Ok(Outcome { output: report.output, action: None }),
            Err(error) if self.reach == Reach::Own => {
                let message = format!("in workflow `{}`: {error}", self.plan.name);
                Err(CallError { message, ..inner_error(error) })
            }
            Err(error) if self.plan.nodes.len() > 1 => {
                Err(CallError { message: error.to_string(), ..inner_error(error) })
            }
            Err(error) => Err(inner_error(error)),
        }
    }
}

fn inner_error(error: RunError) -> CallError {
    let kind = match error.kind {
        RunErrorKind::Node(kind) => kind,
        RunErrorKind::TimedOut => CallErrorKind::Timeout,
        RunErrorKind::TooManySteps | RunErrorKind::Stopped | RunErrorKind::Unrecorded | RunErrorKind::Internal => {
            CallErrorKind::Failed
        }
    };
    CallError { details: error.details, ..CallError::new(kind, error.message) }
}
