//! Nodes inside nodes: another document run as one node, and the tasks of `parallel`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::catalog::NodeCatalog;
use super::document::Document;
use super::plan::Plan;
use super::planner::Planner;
use super::problem::{Problems, Severity};
use super::report::{RunError, RunErrorKind};
use super::run::{RunOptions, run};
use super::source::SourceText;
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
}

impl Host for Nested<'_> {
    fn task(&self, node_type: &str, config: &Value, folder: &Path) -> Result<Arc<dyn Node>, ConfigProblem> {
        let text = json!({"nodes": [{"name": "task", "type": node_type, "config": config}]}).to_string();
        let first = |problems: Problems| {
            let problem = problems.iter().find(|problem| problem.severity == Severity::Error);
            let (message, help) =
                problem.map_or((String::new(), None), |problem| (problem.message.clone(), problem.help.clone()));
            let field = if message.starts_with("there is no node type") { "node" } else { "config" };
            ConfigProblem { help, ..ConfigProblem::new(field, message) }
        };
        let document = Document::parse(SourceText::new("task", text), folder).map_err(first)?;
        // A task stands in this workflow's file, and so do its values.
        let planner = Planner::new(&document, self.catalog, self.depth + 1).with_vars(self.vars);
        let plan = planner.plan().map_err(first)?;
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
        let options = RunOptions {
            run_id: format!("{}/{}", call.context.run_id, call.context.node),
            stop: call.run.stop().clone(),
            variables: match self.reach {
                Reach::Own => Map::new(),
                Reach::Outer => Map::clone(call.run.variables()),
            },
            deadline: Some(call.context.deadline),
            ..RunOptions::default()
        };
        match run(&self.plan, Value::clone(call.input), &options) {
            Ok(report) => Ok(Outcome { output: report.output, action: None }),
            Err(error) if self.reach == Reach::Outer => {
                Err(CallError { message: error.message.clone(), ..inner_error(error) })
            }
            Err(error) => {
                let message = format!("in workflow `{}`: {error}", self.plan.name);
                Err(CallError { message, ..inner_error(error) })
            }
        }
    }
}

fn inner_error(error: RunError) -> CallError {
    let kind = match error.kind {
        RunErrorKind::Node(kind) => kind,
        RunErrorKind::TimedOut => CallErrorKind::Timeout,
        RunErrorKind::TooManySteps | RunErrorKind::Stopped | RunErrorKind::Internal => CallErrorKind::Failed,
    };
    CallError { details: error.details, ..CallError::new(kind, error.message) }
}
