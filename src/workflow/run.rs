//! Drives a [`Schedule`]: starts steps, keeps time, waits for what is under way.

mod attempt;
mod failing;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tokio::task::JoinSet;

use super::observe::{Observer, RunEvent, Unobserved};
use super::plan::Plan;
use super::report::{RunError, RunErrorKind, RunReport};
use super::schedule::{Command, Event, Schedule, Step};
use crate::engine::CallError;
use crate::nodes::{Outcome, Stop};

/// How many nodes may wait at the same time when the user does not say: 64. Each takes a thread.
const MAX_PARALLEL: usize = 64;
/// How long a call may go on past its deadline before its thread is given up: 1 s. Plugins keep their own deadlines,
/// and their errors say more.
const GRACE: Duration = Duration::from_secs(1);
/// How long nodes have to end after the user stopped the run: 5 s.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// The deadline of a call that nobody limits: a year.
const NO_DEADLINE: Duration = Duration::from_secs(365 * 24 * 3600);

/// How a workflow is run.
pub struct RunOptions<'a> {
    /// Tells this run from others.
    pub run_id: String,
    /// Sees what happens.
    pub observer: &'a dyn Observer,
    /// Stops the run from outside.
    pub stop: Stop,
    /// How many nodes may wait at the same time.
    pub max_parallel: usize,
    /// What templates see besides the workflow's own `vars` and the input, which win.
    pub variables: Map<String, Value>,
    /// When the run must have ended, besides the workflow's own `timeout`.
    pub deadline: Option<Instant>,
}

impl Default for RunOptions<'_> {
    fn default() -> Self {
        let run_id = format!("{:016x}", std::hash::RandomState::new().hash_one(Instant::now()));
        Self {
            run_id,
            observer: &Unobserved,
            stop: Stop::default(),
            max_parallel: MAX_PARALLEL,
            variables: Map::new(),
            deadline: None,
        }
    }
}

/// Runs a plan to its end on this thread; nodes that wait have threads of their own.
pub fn run(plan: &Arc<Plan>, input: Value, options: &RunOptions<'_>) -> Result<RunReport, RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .max_blocking_threads(options.max_parallel.max(1) * 2)
        .build()
        .map_err(|error| plain(RunErrorKind::Internal, format!("cannot start the scheduler: {error}")))?;
    let driver = Driver::new(plan, Arc::new(input), options);
    let stop = driver.stop.clone();
    let result = runtime.block_on(driver.drive());
    stop.stop();
    // A call that ignores its deadline must not hold the result back.
    runtime.shutdown_background();
    result
}

fn plain(kind: RunErrorKind, message: String) -> RunError {
    RunError { node: None, plugin: None, kind, message, details: None }
}

struct Driver<'a> {
    plan: &'a Arc<Plan>,
    options: &'a RunOptions<'a>,
    schedule: Schedule<'a>,
    input: Arc<Value>,
    /// `vars`, and over them the fields of the run's input.
    variables: Arc<Map<String, Value>>,
    /// The last output of each node that some template reads.
    outputs: Vec<Option<Arc<Value>>>,
    ready: VecDeque<Step>,
    /// Steps that wait for a thread.
    queued: VecDeque<Step>,
    jobs: JoinSet<JobResult>,
    in_flight: HashMap<u64, InFlight>,
    timers: BTreeMap<(Instant, u64), Timer>,
    began: Instant,
    deadline: Option<Instant>,
    /// Tells this run's nodes that nobody waits for them any more.
    stop: Stop,
    done: Option<Arc<Value>>,
}

struct InFlight {
    step: Step,
    began: Instant,
}

struct JobResult {
    id: u64,
    attempt: u32,
    result: Result<Outcome, CallError>,
}

enum Timer {
    Retry(Step),
    /// The thread of a step's attempt is given up.
    Abandon {
        id: u64,
        attempt: u32,
    },
}

/// What the driver woke up for.
enum Wake {
    Job(JobResult),
    Timer,
    Stopped,
}

impl<'a> Driver<'a> {
    fn new(plan: &'a Arc<Plan>, input: Arc<Value>, options: &'a RunOptions<'a>) -> Self {
        let mut variables = options.variables.clone();
        variables.extend(plan.vars.iter().map(|(key, value)| (key.clone(), value.clone())));
        if let Value::Object(fields) = &*input {
            variables.extend(fields.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
        let began = Instant::now();
        Self {
            plan,
            options,
            schedule: Schedule::new(&plan.graph, plan.max_steps),
            input,
            variables: Arc::new(variables),
            outputs: vec![None; plan.nodes.len()],
            ready: VecDeque::new(),
            queued: VecDeque::new(),
            jobs: JoinSet::new(),
            in_flight: HashMap::new(),
            timers: BTreeMap::new(),
            began,
            deadline: plan.timeout.map(|timeout| began + timeout).into_iter().chain(options.deadline).min(),
            stop: options.stop.child(),
            done: None,
        }
    }

    async fn drive(mut self) -> Result<RunReport, RunError> {
        self.apply(Event::Begin(Arc::clone(&self.input)))?;
        loop {
            while let Some(step) = self.ready.pop_front() {
                self.check_time()?;
                if let Some(event) = self.launch(step) {
                    self.apply(event)?;
                }
                while let Some(Ok(result)) = self.jobs.try_join_next() {
                    self.finish_job(result)?;
                }
            }
            if let Some(output) = self.done.take() {
                return Ok(RunReport { output, steps: self.schedule.steps(), elapsed: self.began.elapsed() });
            }
            match self.wait().await {
                Wake::Job(result) => self.finish_job(result)?,
                Wake::Timer => self.fire_timers()?,
                Wake::Stopped => return Err(self.stopped().await),
            }
        }
    }

    async fn wait(&mut self) -> Wake {
        let next = self.timers.keys().next().map(|(at, _)| *at);
        let next = next.into_iter().chain(self.deadline).min();
        let at = next.unwrap_or_else(|| Instant::now() + NO_DEADLINE);
        tokio::select! {
            biased;
            () = self.options.stop.stopped() => Wake::Stopped,
            Some(result) = self.jobs.join_next() => match result {
                Ok(result) => Wake::Job(result),
                // Jobs catch their own panics, and nobody cancels them.
                Err(_) => Wake::Timer,
            },
            () = tokio::time::sleep_until(at.into()) => Wake::Timer,
        }
    }

    fn check_time(&self) -> Result<(), RunError> {
        if self.options.stop.is_stopped() {
            return Err(self.stop_error());
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(self.time_error());
        }
        Ok(())
    }

    /// Lets running nodes end, for a while.
    async fn stopped(&mut self) -> RunError {
        let error = self.stop_error();
        let all = async { while self.jobs.join_next().await.is_some() {} };
        // Whether they ended or not, the run is over.
        let _ = tokio::time::timeout(STOP_GRACE, all).await;
        error
    }

    fn fire_timers(&mut self) -> Result<(), RunError> {
        self.check_time()?;
        let now = Instant::now();
        while let Some(entry) = self.timers.first_entry().filter(|entry| entry.key().0 <= now) {
            match entry.remove() {
                Timer::Retry(step) => self.ready.push_back(step),
                Timer::Abandon { id, attempt } => {
                    let is_running = self.in_flight.get(&id).is_some_and(|flight| flight.step.attempt == attempt);
                    if is_running {
                        let node = self.in_flight[&id].step.node;
                        let limit = self.plan.nodes[node].timeout.unwrap_or_default();
                        let error = CallError::timeout(&self.plan.nodes[node].node_type, limit);
                        self.finish_job(JobResult { id, attempt, result: Err(error) })?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes the result of a call on another thread, unless it was given up before.
    fn finish_job(&mut self, job: JobResult) -> Result<(), RunError> {
        let is_awaited = self.in_flight.get(&job.id).is_some_and(|flight| flight.step.attempt == job.attempt);
        let Some(flight) = is_awaited.then(|| self.in_flight.remove(&job.id)).flatten() else { return Ok(()) };
        self.ready.extend(self.queued.pop_front());
        let event = self.conclude(flight.step, job.result, flight.began);
        self.apply(event)
    }

    fn apply(&mut self, event: Event) -> Result<(), RunError> {
        let mut commands = Vec::new();
        self.schedule.on(event, &mut commands);
        for command in commands {
            match command {
                Command::Start(step) => self.ready.push_back(step),
                Command::StartAfter(step, pause) => self.retry_later(step, pause),
                Command::Recover(node, output) => self.keep(node, &output),
                Command::Done(output) => self.done = Some(output),
                Command::Fail(node, error) => return Err(self.node_error(node, error)),
                Command::TooManySteps(node) => return Err(self.runaway(node)),
            }
        }
        Ok(())
    }

    fn retry_later(&mut self, step: Step, pause: Duration) {
        let jitter = self.plan.graph.nodes[step.node].retry.as_ref().map_or(0.0, |retry| retry.jitter);
        let pause = pause.mul_f64(1.0 - jitter * chance());
        let node = &self.plan.nodes[step.node].name;
        self.options.observer.see(&RunEvent::Retrying { node, attempt: step.attempt, pause });
        self.timers.insert((Instant::now() + pause, step.id), Timer::Retry(step));
    }
}

/// A number from 0 to 1 that differs from run to run; good enough to keep retries apart.
fn chance() -> f64 {
    let bits = std::hash::RandomState::new().hash_one(Instant::now());
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}
