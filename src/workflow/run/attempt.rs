//! One attempt of a step: its config is rendered and checked, then its node is called.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::waiting::{GRACE, InFlight, JobResult, Timer};
use super::{Driver, NO_DEADLINE, Threads};
use crate::engine::{CallContext, CallError, CallErrorKind};
use crate::nodes::{Lineage, NodeCall, Outcome, Placement, invalid};
use crate::workflow::depth::refuse_depth;
use crate::workflow::graph::DEFAULT_ACTION;
use crate::workflow::observe::RunEvent;
use crate::workflow::plan::PlannedNode;
use crate::workflow::schedule::{Event, Step};
use crate::workflow::schema::Stage;
use crate::workflow::view::{InlineView, JobView, Outputs, scope};

/// The longest that one attempt of a node of `finally` may take when it does not say: 30 s. The run's own limit does not bind it.
const FINALLY_TIMEOUT: Duration = Duration::from_secs(30);

impl Driver<'_> {
    /// Runs a step here, or lets it wait for a thread.
    pub(super) fn launch(&mut self, step: Step) {
        let may_wait = self.plan.nodes[step.node].node.placement() == Placement::Blocking;
        if may_wait && self.threads() == Threads::Several {
            self.queued.push_back(step);
            return;
        }
        if may_wait && !self.is_settled() {
            return;
        }
        let began = Instant::now();
        match self.prepare(&step, began) {
            Ok((config, context)) => {
                let result = self.run_here(&step, &config, context);
                self.conclude(step, result, began);
            }
            Err(error) => self.conclude(step, Err(error), began),
        }
    }

    /// Gives threads to steps that wait for one.
    pub(super) fn start_queued(&mut self) {
        while self.grace.is_none() && self.in_flight.len() < self.options.max_parallel.max(1) {
            let Some(step) = self.queued.pop_front() else { return };
            if !self.is_settled() {
                return;
            }
            let began = Instant::now();
            match self.prepare(&step, began) {
                Ok((config, context)) => self.spawn(step, config, context, began),
                Err(error) => self.conclude(step, Err(error), began),
            }
        }
    }

    /// Tells that an attempt begins, and renders its config.
    pub(super) fn prepare(&self, step: &Step, began: Instant) -> Result<(Arc<Value>, CallContext), CallError> {
        let node = &self.plan.nodes[step.node];
        self.tell(step.node, |observer, path| {
            let (node_type, attempt) = (&*node.full_type(), step.attempt);
            observer.see(&RunEvent::Started { node: path, node_type, attempt, input: &step.input });
        });
        Ok((self.config(node, &step.input)?, self.context(node, step, began)))
    }

    fn config(&self, node: &PlannedNode, input: &Value) -> Result<Arc<Value>, CallError> {
        let view = self.outputs_view();
        let config = node.config.render(&scope(input, &self.variables, &self.input, &view));
        let config = config.map_err(|error| invalid(error.to_string()))?;
        if !node.config.is_constant()
            && let Some(checker) = &node.checker
            && let Some(refusal) = checker.check(&config, Stage::Call).into_iter().next()
        {
            return Err(invalid(format!("the rendered config is refused: {}", refusal.message)));
        }
        Ok(config)
    }

    fn outputs_view(&self) -> Outputs<'_> {
        Outputs { plan: self.plan, outputs: &self.outputs }
    }

    fn context(&self, node: &PlannedNode, step: &Step, began: Instant) -> CallContext {
        let unlimited = if self.state.is_running() { NO_DEADLINE } else { FINALLY_TIMEOUT };
        let own = began + node.timeout.unwrap_or(unlimited);
        let name = match &self.inside {
            Some(inside) if inside.is_alone => inside.node.clone(),
            Some(inside) => format!("{}/{}", inside.node, node.name),
            None => node.name.to_string(),
        };
        CallContext {
            run_id: self.options.run_id.clone(),
            node: name,
            attempt: step.attempt,
            deadline: self.deadline.map_or(own, |deadline| own.min(deadline)),
        }
    }

    pub(super) fn run_here(&self, step: &Step, config: &Value, context: CallContext) -> Result<Outcome, CallError> {
        let node = &self.plan.nodes[step.node];
        let view = self.outputs_view();
        let scope = scope(&step.input, &self.variables, &self.input, &view);
        let run = InlineView {
            config: &node.config,
            scope,
            wiring: &self.plan.graph.nodes[step.node],
            stop: &self.stop,
            lineage: &|| self.lineage(step),
        };
        let branches = self.plan.branch_names(step);
        let call = NodeCall {
            node_type: &node.node_type,
            config,
            input: &step.input,
            branches: &branches,
            context,
            run: &run,
        };
        node.node.run(&call)
    }

    /// What the node of a step hands to those that it runs.
    pub(super) fn lineage(&self, step: &Step) -> Lineage {
        let around = self.inside.as_ref().map(|inside| format!("{}:", inside.key)).unwrap_or_default();
        let key = format!("{around}{}.{}", step.id, step.attempt);
        Lineage::new(self.path(step.node).into_owned(), key, Arc::clone(&self.family) as _)
    }

    fn spawn(&mut self, step: Step, config: Arc<Value>, context: CallContext, began: Instant) {
        let (id, attempt, given_up) = (step.id, step.attempt, context.deadline + GRACE);
        self.timers.insert((given_up, id), Timer::GiveUp);
        self.in_flight.insert(id, InFlight { step: step.clone(), began, given_up });
        let plan = Arc::clone(self.plan);
        let stop = self.stop.clone();
        let lineage = self.lineage(&step);
        self.jobs.spawn_blocking(move || {
            let run = std::panic::AssertUnwindSafe(|| {
                let node = &plan.nodes[step.node];
                let view = JobView { wiring: &plan.graph.nodes[step.node], stop: &stop, lineage: &lineage };
                let branches = plan.branch_names(&step);
                node.node.run(&NodeCall {
                    node_type: &node.node_type,
                    config: &config,
                    input: &step.input,
                    branches: &branches,
                    context,
                    run: &view,
                })
            });
            let result = std::panic::catch_unwind(run)
                .unwrap_or_else(|_| Err(CallError::new(CallErrorKind::Crashed, "the node's code panicked")));
            JobResult { id, attempt, result }
        });
    }

    /// Takes an attempt's result in.
    pub(super) fn conclude(&mut self, step: Step, result: Result<Outcome, CallError>, began: Instant) {
        self.conclude_after(began.elapsed(), step, result);
    }

    /// The same of an attempt that took so long.
    pub(super) fn conclude_after(&mut self, elapsed: Duration, step: Step, result: Result<Outcome, CallError>) {
        let Step { id, node, attempt, .. } = step;
        let result = result.and_then(|outcome| refuse_depth(&step.input, outcome));
        let event = match result {
            Ok(Outcome { output, action }) => {
                self.keep(node, &output);
                let taken = action.as_deref().unwrap_or(DEFAULT_ACTION);
                self.tell(node, |observer, path| {
                    let output = &*output;
                    observer.see(&RunEvent::Finished { node: path, attempt, output, action: taken, elapsed });
                });
                Event::Finished { id, attempt, output, action }
            }
            Err(error) => {
                self.tell(node, |observer, path| {
                    observer.see(&RunEvent::Failed { node: path, attempt, error: &error, elapsed });
                });
                Event::Failed { id, attempt, failure: error.into() }
            }
        };
        self.apply(event, Some(elapsed));
    }
}
