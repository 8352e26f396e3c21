//! Drives a run: feeds [`schedule::step`](super::schedule::step) with what happens, and does what it says.
//!
//! What is done at once runs on the driver's own thread, without any runtime. Nodes that may wait have threads of their own;
//! while they are under way the driver sleeps in [`waiting`].

mod attempt;
mod ending;
mod failing;
mod group;
mod recording;
mod waiting;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinSet;

use super::journal::{Ledger, Seed};
use super::observe::{Observer, RunEvent, Unobserved};
use super::plan::Plan;
use super::report::{RunError, RunErrorKind, RunReport};
use super::schedule::{self, Command, Commands, Event, Outcome, State, Step};
use super::view::{Family, Variables};
use crate::nodes::Stop;
pub(super) use group::{GroupedRun, run_group};
use waiting::{JobResult, Timer};

/// How many nodes may wait at the same time when the user does not say: 64. Each takes a thread.
const MAX_PARALLEL: usize = 64;
/// The deadline of a call that nobody limits: a year.
const NO_DEADLINE: Duration = Duration::from_secs(365 * 24 * 3600);
/// How many steps run before the driver looks at what other threads did: 64, less than a millisecond of most.
const BATCH: usize = 64;

/// How a workflow is run.
pub struct RunOptions {
    /// Tells this run from others.
    pub run_id: String,
    /// Sees what happens.
    pub observer: Arc<dyn Observer>,
    /// Stops the run from outside; `finally` runs all the same.
    pub stop: Stop,
    /// Stops `finally` too, and does not wait for nodes to end.
    pub abort: Stop,
    /// How many nodes may wait at the same time.
    pub max_parallel: usize,
    /// When the run must have ended, besides the workflow's own `timeout`.
    pub deadline: Option<Instant>,
    /// Where what happens is written down. One that has a past goes on from there.
    pub journal: Option<Ledger>,
    /// Where the run begins, if not at its start.
    pub from: Option<Seed>,
}

impl Default for RunOptions {
    fn default() -> Self {
        let run_id = format!("{:016x}", std::hash::RandomState::new().hash_one(Instant::now()));
        Self {
            run_id,
            observer: Arc::new(Unobserved),
            stop: Stop::default(),
            abort: Stop::default(),
            max_parallel: MAX_PARALLEL,
            deadline: None,
            journal: None,
            from: None,
        }
    }
}

/// Runs a plan to its end on this thread; nodes that wait have threads of their own.
///
/// # Errors
/// Why the run did not come to its end, with the node where that was.
pub fn run(plan: &Arc<Plan>, input: impl Into<Arc<Value>>, options: &RunOptions) -> Result<RunReport, RunError> {
    run_inside(plan, input.into(), options, None)
}

/// Where a run stands that is a node of another.
#[derive(Clone)]
pub(super) struct Inside {
    /// The node's path, as events show it.
    pub path: String,
    /// The key of the node's step.
    pub key: String,
    /// The node's path without the numbers of items, as plugins see it.
    pub node: String,
    /// Whether its only node is the outer one in all but name.
    pub is_alone: bool,
    /// What templates see besides the run's own variables.
    pub variables: Option<Arc<Variables>>,
    /// Where its nodes run.
    pub threads: Threads,
}

/// Where nodes run that may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Threads {
    /// On threads of their own.
    Several,
    /// On the thread that drives the run, which may wait itself: for nodes that run one after another anyway.
    ThisOne,
}

pub(super) fn run_inside(
    plan: &Arc<Plan>,
    input: Arc<Value>,
    options: &RunOptions,
    inside: Option<Inside>,
) -> Result<RunReport, RunError> {
    let is_outermost = inside.is_none();
    let mut driver = Driver::new(plan, input, options, inside);
    driver.begin(is_outermost);
    let result = driver.run();
    driver.tell_nodes_to_stop();
    if is_outermost {
        driver.note_end(&result);
        options.observer.see(&RunEvent::Ended { result: result.as_ref() });
    }
    result
}

fn plain(kind: RunErrorKind, message: String) -> RunError {
    RunError { node: None, plugin: None, kind, message, details: None }
}

struct Driver<'a> {
    plan: &'a Arc<Plan>,
    options: &'a RunOptions,
    inside: Option<Inside>,
    state: State,
    input: Arc<Value>,
    variables: Arc<Variables>,
    /// What runs inside of this one gets.
    family: Arc<Family>,
    ledger: Option<Ledger>,
    /// The last output of each node that some template reads.
    outputs: Vec<Option<Arc<Value>>>,
    ready: VecDeque<Step>,
    /// Steps that wait for a thread.
    queued: VecDeque<Step>,
    jobs: JoinSet<JobResult>,
    in_flight: HashMap<u64, waiting::InFlight>,
    timers: BTreeMap<(Instant, u64), Timer>,
    began: Instant,
    deadline: Option<Instant>,
    /// Tells this run's nodes that nobody waits for them any more.
    stop: Stop,
    /// Until when nodes that were told to stop are waited for.
    grace: Option<Instant>,
    ended: Option<Outcome>,
    /// The number of the last record in the journal.
    last_record: u64,
    /// Whether the journal told that the run was over.
    was_over: bool,
}

impl<'a> Driver<'a> {
    fn new(plan: &'a Arc<Plan>, input: Arc<Value>, options: &'a RunOptions, inside: Option<Inside>) -> Self {
        let variables = Arc::new(Variables {
            plan: Arc::clone(plan),
            input: Arc::clone(&input),
            outer: inside.as_ref().and_then(|inside| inside.variables.clone()),
        });
        let ledger = options.journal.clone();
        let observer = Arc::clone(&options.observer);
        let family = Family { observer, ledger: ledger.clone(), variables: Arc::clone(&variables) };
        let began = Instant::now();
        Self {
            plan,
            options,
            state: State::new(plan.max_steps),
            input,
            variables,
            family: Arc::new(family),
            ledger,
            outputs: vec![None; plan.nodes.len()],
            ready: VecDeque::new(),
            queued: VecDeque::new(),
            jobs: JoinSet::new(),
            in_flight: HashMap::new(),
            timers: BTreeMap::new(),
            began,
            deadline: plan.timeout.map(|timeout| began + timeout).into_iter().chain(options.deadline).min(),
            stop: if inside.as_ref().is_some_and(|inside| inside.threads == Threads::ThisOne) {
                options.stop.clone()
            } else {
                options.stop.child()
            },
            inside,
            grace: None,
            ended: None,
            last_record: 0,
            was_over: false,
        }
    }

    /// Where nodes run that may wait.
    fn threads(&self) -> Threads {
        self.inside.as_ref().map_or(Threads::Several, |inside| inside.threads)
    }

    fn begin(&mut self, is_outermost: bool) {
        let first = match &self.options.from {
            Some(seed) => {
                for (node, output) in &seed.outputs {
                    self.keep(*node, output);
                }
                Event::BeginAt { node: seed.node, input: Arc::clone(&seed.input) }
            }
            None => Event::Begin { input: Arc::clone(&self.input) },
        };
        if let (Some(ledger), Event::Begin { input }, true) = (&self.ledger, &first, is_outermost) {
            ledger.note_input(input);
        }
        let recalled = self.recall(&first);
        if is_outermost {
            self.options.observer.see(&RunEvent::Began {
                run: &self.options.run_id,
                workflow: &self.plan.name,
                nodes: self.plan.nodes.len(),
                resumed_after: recalled.unwrap_or_default(),
            });
        }
        // How a run begins stands in the journal's header, or in the record of the node around it.
        if recalled.is_none() {
            self.take(first);
        }
    }

    fn run(&mut self) -> Result<RunReport, RunError> {
        if self.threads() == Threads::ThisOne {
            return self.run_on_this_thread();
        }
        while self.ended.is_none() && self.queued.is_empty() && !self.ready.is_empty() {
            self.advance();
        }
        // Nothing had to wait, so nothing is needed to wait with.
        if self.ended.is_some() && self.grace.is_none() {
            return self.result();
        }
        self.run_with_threads()
    }

    /// Runs steps that are ready, for a while.
    fn advance(&mut self) {
        for _ in 0..BATCH {
            self.check_time();
            if self.grace.is_some() {
                return;
            }
            let Some(step) = self.ready.pop_front() else { return };
            self.launch(step);
        }
    }

    /// Takes an event in, after it was written down, and does what follows.
    fn apply(&mut self, event: Event, took: Option<Duration>) {
        let event = self.recorded(event, took);
        self.take(event);
    }

    fn take(&mut self, event: Event) {
        let was_running = self.state.is_running();
        let commands = schedule::step(&self.plan.graph, &mut self.state, event);
        let ends_now = was_running && !self.state.is_running();
        if ends_now {
            self.note_ending(&commands);
        }
        self.obey(commands);
        if ends_now {
            self.leave_limits();
        }
    }

    fn obey(&mut self, commands: Commands) {
        for command in commands {
            match command {
                Command::Start(step) => self.ready.push_back(step),
                Command::StartAfter(step, pause) => self.retry_later(step, pause),
                Command::Recover(node, output) => {
                    self.keep(node, &output);
                    self.note_recovery(node, &output);
                    self.tell(node, |observer, node| observer.see(&RunEvent::Recovered { node, output: &output }));
                }
                Command::Cancel => self.cancel(),
                Command::End(outcome) => self.ended = Some(outcome),
            }
        }
    }

    fn retry_later(&mut self, step: Step, pause: Duration) {
        let jitter = self.plan.graph.nodes[step.node].retry.as_ref().map_or(0.0, |retry| retry.jitter);
        let pause = pause.mul_f64(1.0 - jitter * chance());
        let attempt = step.attempt;
        self.tell(step.node, |observer, node| observer.see(&RunEvent::Retrying { node, attempt, pause }));
        self.timers.insert((Instant::now() + pause, step.id), Timer::Retry(step));
    }

    /// Keeps a node's output for the templates that read it.
    fn keep(&mut self, node: usize, output: &Arc<Value>) {
        if self.plan.nodes[node].is_kept {
            self.outputs[node] = Some(Arc::clone(output));
        }
    }

    /// Tells an event of a node by its path, if anybody looks.
    fn tell(&self, node: usize, tell: impl FnOnce(&dyn Observer, &str)) {
        if self.options.observer.looks() {
            tell(&*self.options.observer, &self.path(node));
        }
    }

    /// A node's path, as events show it.
    fn path(&self, node: usize) -> Cow<'a, str> {
        let name = &*self.plan.nodes[node].name;
        match &self.inside {
            None => Cow::Borrowed(name),
            Some(Inside { path, is_alone: true, .. }) => Cow::Owned(path.clone()),
            Some(Inside { path, .. }) => Cow::Owned(format!("{path}/{name}")),
        }
    }
}

/// A number from 0 to 1 that differs from run to run; good enough to keep retries apart.
fn chance() -> f64 {
    let bits = std::hash::RandomState::new().hash_one(Instant::now());
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}
