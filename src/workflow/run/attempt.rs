//! One attempt of a step: its config is rendered and checked, then its node is called.

use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;

use super::{Driver, GRACE, InFlight, JobResult, NO_DEADLINE, Timer};
use crate::engine::{CallContext, CallError, CallErrorKind};
use crate::nodes::{NodeCall, Outcome, Placement, invalid};
use crate::workflow::graph::DEFAULT_ACTION;
use crate::workflow::observe::RunEvent;
use crate::workflow::plan::PlannedNode;
use crate::workflow::schedule::{Event, Step};
use crate::workflow::schema::Stage;
use crate::workflow::view::{InlineView, JobView, Outputs, scope};

impl Driver<'_> {
    /// Starts a step. Gives its event at once when it ran inline or could not start.
    pub(super) fn launch(&mut self, step: Step) -> Option<Event> {
        let node = &self.plan.nodes[step.node];
        let placement = node.node.placement();
        if placement == Placement::Blocking && self.in_flight.len() >= self.options.max_parallel.max(1) {
            self.queued.push_back(step);
            return None;
        }
        let began = Instant::now();
        let (node_type, attempt) = (node.node_type.as_str(), step.attempt);
        self.options.observer.see(&RunEvent::Started { node: &node.name, node_type, attempt, input: &step.input });
        let config = match self.config(node, &step.input) {
            Ok(config) => config,
            Err(error) => return Some(self.conclude(step, Err(error), began)),
        };
        let context = self.context(node, &step, began);
        match placement {
            Placement::Inline => {
                let result = self.run_inline(&step, &config, context);
                Some(self.conclude(step, result, began))
            }
            Placement::Blocking => {
                self.spawn(step, config, context, began);
                None
            }
        }
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
        let own = began + node.timeout.unwrap_or(NO_DEADLINE);
        CallContext {
            run_id: self.options.run_id.clone(),
            node: node.name.to_string(),
            attempt: step.attempt,
            deadline: self.deadline.map_or(own, |deadline| own.min(deadline)),
        }
    }

    fn run_inline(&self, step: &Step, config: &Value, context: CallContext) -> Result<Outcome, CallError> {
        let node = &self.plan.nodes[step.node];
        let view = self.outputs_view();
        let scope = scope(&step.input, &self.variables, &self.input, &view);
        let run = InlineView {
            config: &node.config,
            scope,
            wiring: &self.plan.graph.nodes[step.node],
            stop: &self.stop,
            variables: &self.variables,
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

    fn spawn(&mut self, step: Step, config: Arc<Value>, context: CallContext, began: Instant) {
        let (id, attempt, deadline) = (step.id, step.attempt, context.deadline);
        self.timers.insert((deadline + GRACE, id), Timer::Abandon { id, attempt });
        self.in_flight.insert(id, InFlight { step: step.clone(), began });
        let plan = Arc::clone(self.plan);
        let stop = self.stop.clone();
        let variables = Arc::clone(&self.variables);
        self.jobs.spawn_blocking(move || {
            let run = std::panic::AssertUnwindSafe(|| {
                let node = &plan.nodes[step.node];
                let view = JobView { wiring: &plan.graph.nodes[step.node], stop: &stop, variables: &variables };
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

    /// Keeps a node's output for the templates that read it.
    pub(super) fn keep(&mut self, node: usize, output: &Arc<Value>) {
        if self.plan.nodes[node].is_kept {
            self.outputs[node] = Some(Arc::clone(output));
        }
    }

    /// The event of an attempt's result.
    pub(super) fn conclude(&mut self, step: Step, result: Result<Outcome, CallError>, began: Instant) -> Event {
        let node = &self.plan.nodes[step.node];
        let elapsed = began.elapsed();
        match result {
            Ok(Outcome { output, action }) => {
                self.keep(step.node, &output);
                let taken = action.as_deref().unwrap_or(DEFAULT_ACTION);
                self.options.observer.see(&RunEvent::Finished {
                    node: &node.name,
                    output: &output,
                    action: taken,
                    elapsed,
                });
                Event::Finished { step, output, action }
            }
            Err(error) => {
                let attempt = step.attempt;
                self.options.observer.see(&RunEvent::Failed { node: &node.name, attempt, error: &error, elapsed });
                Event::Failed { step, error }
            }
        }
    }
}
