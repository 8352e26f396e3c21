//! A plan that runs as a node of another.

use std::sync::Arc;

use crate::engine::{CallError, CallErrorKind};
use crate::nodes::{Node, NodeCall, Outcome, Placement};
use crate::workflow::observe::Unobserved;
use crate::workflow::plan::Plan;
use crate::workflow::report::{RunError, RunErrorKind, RunReport};
use crate::workflow::run::{GroupedRun, Inside, RunOptions, Threads, run_group, run_inside};
use crate::workflow::view::Family;

/// A plan that runs as a node.
pub(super) struct Inner {
    pub plan: Arc<Plan>,
    pub reach: Reach,
}

/// What the templates of an inner plan see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Its own variables: it is a workflow of its own.
    Own,
    /// Those of the run it is called from too: it stands in that workflow's file.
    Outer,
}

impl Node for Inner {
    fn run(&self, call: &NodeCall<'_>) -> Result<Outcome, CallError> {
        let (options, inside) = self.setting(call);
        self.outcome(run_inside(&self.plan, Arc::clone(call.input), &options, Some(inside)))
    }

    // Each call has a timeout of its own, and a pause before a retry would hold up the others. So would a node that waits; and
    // where one of them failed, those of other items must not have done anything.
    fn is_groupable(&self) -> bool {
        let first = self.plan.graph.start;
        let mut others = self.plan.nodes.iter().enumerate().filter(|(index, _)| *index != first);
        self.reach == Reach::Outer
            && self.plan.nodes[first].timeout.is_none()
            && self.plan.graph.nodes[first].retry.is_none()
            && self.plan.nodes[first].node.is_groupable()
            && others.all(|(_, node)| node.node.placement() == Placement::Inline)
    }

    fn run_group(&self, calls: &[&NodeCall<'_>]) -> Option<Vec<Result<Outcome, CallError>>> {
        let settings: Vec<(RunOptions, Inside)> = calls.iter().map(|call| self.setting(call)).collect();
        let runs = settings.iter().zip(calls).map(|((options, inside), call)| GroupedRun {
            input: Arc::clone(call.input),
            options,
            inside: inside.clone(),
        });
        Some(run_group(&self.plan, runs.collect()).into_iter().map(|result| self.outcome(result)).collect())
    }
}

impl Inner {
    /// How a call runs the plan, and where.
    fn setting(&self, call: &NodeCall<'_>) -> (RunOptions, Inside) {
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
        (options, inside)
    }

    fn outcome(&self, result: Result<RunReport, RunError>) -> Result<Outcome, CallError> {
        match result {
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
