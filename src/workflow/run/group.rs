//! Several runs of one plan, on this thread: what they begin with is called for all of them at once, then each goes its way.
//!
//! Each run has its own state, journal and events, as if it were alone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Driver, Inside, RunOptions};
use crate::engine::{CallContext, CallError};
use crate::nodes::{Lineage, NodeCall, Outcome, RunView, Stop, failed};
use crate::workflow::plan::Plan;
use crate::workflow::report::{RunError, RunReport};
use crate::workflow::schedule::Step;

/// The longest that calls may take which are made at once: 1 s. They are those that took milliseconds before, so that one of them
/// hangs. Which one is found where each is called alone, with its own time.
const GROUP_TIMEOUT: Duration = Duration::from_secs(1);

/// One of the runs.
pub(in crate::workflow) struct GroupedRun<'a> {
    pub input: Arc<Value>,
    pub options: &'a RunOptions,
    /// It stands inside of another run, on whose thread it runs.
    pub inside: Inside,
}

/// Runs each to its end, with a result for each.
pub(in crate::workflow) fn run_group(plan: &Arc<Plan>, runs: Vec<GroupedRun<'_>>) -> Vec<Result<RunReport, RunError>> {
    let mut begun: Vec<Begun<'_>> = runs.into_iter().map(|run| Begun::new(plan, run)).collect();
    let began = Instant::now();
    let results = call_at_once(plan, &begun, began + GROUP_TIMEOUT);
    let share = began.elapsed() / u32::try_from(begun.len().max(1)).unwrap_or(u32::MAX);
    match results {
        Some(results) => {
            let called =
                begun.iter_mut().filter_map(|run| run.opening.take().map(|opening| (&mut run.driver, opening)));
            for ((driver, opening), result) in called.zip(results) {
                driver.conclude_after(share, opening.step, result);
            }
        }
        None => begun.iter_mut().for_each(Begun::call_alone),
    }
    begun.into_iter().map(|mut run| run.driver.run()).collect()
}

/// A run that waits for the result of its first call.
struct Begun<'a> {
    driver: Driver<'a>,
    /// None if there is nothing to call: the run has ended, or goes on from a journal.
    opening: Option<Opening>,
}

/// A call that is ready.
struct Opening {
    step: Step,
    config: Arc<Value>,
    context: CallContext,
}

impl<'a> Begun<'a> {
    fn new(plan: &'a Arc<Plan>, run: GroupedRun<'a>) -> Self {
        let mut driver = Driver::new(plan, run.input, run.options, Some(run.inside));
        driver.begin(false);
        let opening = driver.open();
        Self { driver, opening }
    }

    /// Makes the call by itself, unless nobody waits for it any more.
    fn call_alone(&mut self) {
        let Some(Opening { step, config, context }) = self.opening.take() else { return };
        self.driver.check_time();
        if self.driver.ended.is_none() {
            let began = Instant::now();
            let result = self.driver.run_here(&step, &config, context);
            self.driver.conclude(step, result, began);
        }
    }

    fn view(&self) -> Option<OpeningView<'_>> {
        self.opening.as_ref().map(|opening| OpeningView { driver: &self.driver, opening })
    }
}

impl Driver<'_> {
    /// The first call of the run, made ready and told. What keeps it from being made is taken in.
    fn open(&mut self) -> Option<Opening> {
        self.check_time();
        let is_first = |step: &Step| step.node == self.plan.graph.start && step.attempt == 1;
        if self.ended.is_some() || !self.ready.front().is_some_and(is_first) || !self.is_settled() {
            return None;
        }
        let step = self.ready.pop_front()?;
        let began = Instant::now();
        match self.prepare(&step, began) {
            Ok((config, context)) => Some(Opening { step, config, context }),
            Err(error) => {
                self.conclude(step, Err(error), began);
                None
            }
        }
    }
}

/// Makes the first calls of all runs that have one; none if they have to be made one by one.
fn call_at_once(plan: &Plan, begun: &[Begun<'_>], deadline: Instant) -> Option<Vec<Result<Outcome, CallError>>> {
    let node = &plan.nodes[plan.graph.start];
    let views: Vec<OpeningView<'_>> = begun.iter().filter_map(Begun::view).collect();
    let call = |view: &'_ OpeningView<'_>| {
        let context = view.opening.context.clone();
        CallContext { deadline: context.deadline.min(deadline), ..context }
    };
    let calls: Vec<NodeCall<'_>> = views
        .iter()
        .map(|view| NodeCall {
            node_type: &node.node_type,
            config: &view.opening.config,
            input: &view.opening.step.input,
            branches: &[],
            context: call(view),
            run: view,
        })
        .collect();
    if calls.is_empty() {
        return Some(Vec::new());
    }
    let results = node.node.run_group(&calls.iter().collect::<Vec<_>>())?;
    (results.len() == calls.len()).then_some(results)
}

/// What a call of the group sees of its run.
struct OpeningView<'a> {
    driver: &'a Driver<'a>,
    opening: &'a Opening,
}

impl RunView for OpeningView<'_> {
    fn render(&self, pointer: &str) -> Result<Value, CallError> {
        Err(failed(format!("`{pointer}` is lazy, which only inline nodes can have")))
    }

    fn is_connected(&self, action: &str) -> bool {
        self.driver.plan.graph.nodes[self.opening.step.node].is_connected(action)
    }

    fn stop(&self) -> &Stop {
        &self.driver.stop
    }

    fn lineage(&self) -> Lineage {
        self.driver.lineage(&self.opening.step)
    }
}
