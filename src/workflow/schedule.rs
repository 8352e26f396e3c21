//! What runs next: a pure state machine that knows no clock, no thread and no node, only the wiring.
//!
//! [`step`] takes what happened ([`Event`]) and says what to do ([`Command`]). Everything that the rest of a run depends on is
//! in its [`State`], which can be written down and taken up elsewhere: the same events give the same state, whoever drives.
//!
//! - A node's output goes to every target of its action; several targets are parallel branches.
//! - Where branches can meet, an output waits while another live branch can still arrive. What has arrived then goes in
//!   together: one output as it is, several as an object by the name of the node each came from.
//! - An action that leads nowhere ends its branch. The result of the run is the output of the node that ended it; when
//!   branches ended at several nodes, an object by node name. A node that ended several times counts with its last output.
//! - When the run has ended, however it did, the nodes of `finally` run one after another.

mod failure;
mod finishing;
mod shared;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use smallvec::SmallVec;

use super::graph::{DEFAULT_ACTION, ERROR_ACTION, Graph, Recovery};
pub use failure::Failure;
use failure::error_input;
use shared::Held;

/// One run of one node.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Step {
    /// Tells it from every other step of the run.
    pub id: u64,
    /// The node.
    pub node: usize,
    /// 1 for the first try.
    pub attempt: u32,
    /// What it receives.
    #[serde(with = "shared")]
    pub input: Arc<Value>,
    /// The nodes whose branches met in the input; empty unless several did.
    pub branches: Vec<usize>,
}

/// What happened. An event of a step that nobody waits for any more changes nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The run begins at its start.
    Begin {
        /// Its input.
        #[serde(with = "shared")]
        input: Arc<Value>,
    },
    /// The run begins at another node.
    BeginAt {
        /// The node.
        node: usize,
        /// What it receives.
        #[serde(with = "shared")]
        input: Arc<Value>,
    },
    /// An attempt succeeded.
    Finished {
        /// The step.
        id: u64,
        /// Its attempt.
        attempt: u32,
        /// Its output.
        #[serde(with = "shared")]
        output: Arc<Value>,
        /// Its action; `None` is `default`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        action: Option<String>,
    },
    /// An attempt failed.
    Failed {
        /// The step.
        id: u64,
        /// Its attempt.
        attempt: u32,
        /// Why.
        failure: Failure,
    },
    /// The driver ends the run.
    Interrupted {
        /// Why.
        why: Interruption,
        /// The same for a person, with where the run was.
        message: String,
    },
}

/// Why a driver ends a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interruption {
    /// Its time was up.
    TimedOut,
    /// The user stopped it.
    Stopped,
    /// What happens in it cannot be written down.
    Unrecorded,
}

/// What to do.
#[derive(Debug)]
pub enum Command {
    /// Run a step.
    Start(Step),
    /// Run a step after a pause.
    StartAfter(Step, Duration),
    /// A node that failed for good has this output instead.
    Recover(usize, Arc<Value>),
    /// Nobody waits any more for the steps that are under way.
    Cancel,
    /// The run is over.
    End(Outcome),
}

/// How a run ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// With this result.
    Done(#[serde(with = "shared")] Arc<Value>),
    /// A node failed.
    Failed {
        /// The node.
        node: usize,
        /// Why.
        failure: Failure,
    },
    /// It made all the steps it may make; the next would have been of this node.
    TooManySteps {
        /// The node.
        node: usize,
    },
    /// The driver ended it.
    Interrupted {
        /// Why.
        why: Interruption,
        /// The same for a person.
        message: String,
    },
}

/// What is to be done after an event: mostly one thing.
pub type Commands = SmallVec<[Command; 2]>;

/// A run, between two events.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    max_steps: u64,
    steps: u64,
    phase: Phase,
    /// Steps that were started and have not ended, by id.
    live: BTreeMap<u64, Step>,
    /// Outputs that wait at a join: by node, then by the node they came from.
    waiting: BTreeMap<usize, BTreeMap<usize, Held>>,
    /// The last outputs of branches that ended, by node.
    ends: BTreeMap<usize, Held>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Phase {
    Running,
    /// The run has ended; the nodes of `finally` run.
    Finishing {
        outcome: Outcome,
        /// How many of them were started.
        started: usize,
    },
    Over,
}

impl State {
    /// Nothing has happened yet.
    pub fn new(max_steps: u64) -> Self {
        Self {
            max_steps,
            steps: 0,
            phase: Phase::Running,
            live: BTreeMap::new(),
            waiting: BTreeMap::new(),
            ends: BTreeMap::new(),
        }
    }

    /// How many steps were started.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The steps that are under way, in the order in which they were started.
    pub fn live(&self) -> impl Iterator<Item = &Step> {
        self.live.values()
    }

    /// A step that is under way.
    pub fn step(&self, id: u64) -> Option<&Step> {
        self.live.get(&id)
    }

    /// Whether `finally` runs after something else than success.
    pub fn has_failed(&self) -> bool {
        matches!(&self.phase, Phase::Finishing { outcome, .. } if !matches!(outcome, Outcome::Done(_)))
    }

    /// Whether the run's own nodes may still run: not those of `finally`.
    pub fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running)
    }
}

impl Event {
    /// The step that it is of.
    pub fn id(&self) -> Option<u64> {
        match self {
            Self::Finished { id, .. } | Self::Failed { id, .. } => Some(*id),
            Self::Begin { .. } | Self::BeginAt { .. } | Self::Interrupted { .. } => None,
        }
    }
}

/// Takes an event into the state and says what to do.
pub fn step(graph: &Graph, state: &mut State, event: Event) -> Commands {
    let mut turn = Turn { graph, state, commands: Commands::new() };
    turn.take(event);
    turn.commands
}

/// One event being taken in.
struct Turn<'a> {
    graph: &'a Graph,
    state: &'a mut State,
    commands: Commands,
}

impl Turn<'_> {
    fn take(&mut self, event: Event) {
        match event {
            Event::Begin { input } => self.start(self.graph.start, input, Vec::new()),
            Event::BeginAt { node, input } => self.start(node, input, Vec::new()),
            Event::Finished { id, attempt, output, action } => {
                let Some(step) = self.end_step(id, attempt) else { return };
                match self.state.phase {
                    Phase::Running => self.route(step.node, action.as_deref().unwrap_or(DEFAULT_ACTION), output),
                    _ => self.next_final(),
                }
            }
            Event::Failed { id, attempt, failure } => {
                let Some(step) = self.end_step(id, attempt) else { return };
                self.failed(step, failure);
            }
            Event::Interrupted { why, message } => self.end(Outcome::Interrupted { why, message }),
        }
        self.release();
        if self.state.is_running() && self.state.live.is_empty() && self.state.waiting.is_empty() {
            let result = self.result();
            self.end(Outcome::Done(result));
        }
    }

    /// Takes a step out of those under way; none if it is not, or at another attempt.
    fn end_step(&mut self, id: u64, attempt: u32) -> Option<Step> {
        let is_awaited = self.state.live.get(&id).is_some_and(|step| step.attempt == attempt);
        if is_awaited { self.state.live.remove(&id) } else { None }
    }

    fn failed(&mut self, step: Step, failure: Failure) {
        let wiring = &self.graph.nodes[step.node];
        if let Some(retry) = &wiring.retry
            && step.attempt < retry.max_attempts
            && failure.may_pass()
        {
            let next = Step { attempt: step.attempt + 1, ..step };
            self.state.live.insert(next.id, next.clone());
            self.commands.push(Command::StartAfter(next, retry.pause(step.attempt)));
            return;
        }
        if !self.state.is_running() {
            return self.final_failed(step.node, failure);
        }
        match &wiring.recovery {
            Some(Recovery::Value(value)) => {
                self.commands.push(Command::Recover(step.node, Arc::clone(value)));
                self.route(step.node, DEFAULT_ACTION, Arc::clone(value));
            }
            Some(Recovery::Node(target)) => {
                let input = error_input(&wiring.name, &failure, &step.input);
                self.hand_on(step.node, &[*target], &input);
            }
            None if wiring.is_connected(ERROR_ACTION) => {
                let input = error_input(&wiring.name, &failure, &step.input);
                self.route(step.node, ERROR_ACTION, input);
            }
            None => self.end(Outcome::Failed { node: step.node, failure }),
        }
    }

    fn route(&mut self, node: usize, action: &str, output: Arc<Value>) {
        let targets = self.graph.nodes[node].next(action);
        if targets.is_empty() {
            self.state.ends.insert(node, Held(output));
        } else {
            self.hand_on(node, targets, &output);
        }
    }

    fn hand_on(&mut self, from: usize, targets: &[usize], output: &Arc<Value>) {
        // Alone on the way: nothing can join, so nothing is asked.
        let is_alone = targets.len() == 1 && self.state.live.is_empty() && self.state.waiting.is_empty();
        for &target in targets {
            if is_alone || !self.graph.nodes[target].joins {
                self.start(target, Arc::clone(output), Vec::new());
            } else {
                self.state.waiting.entry(target).or_default().insert(from, Held(Arc::clone(output)));
            }
        }
    }

    /// Starts every waiting node that no other live branch can reach any more.
    fn release(&mut self) {
        while let Some(&first) = self.state.waiting.keys().next() {
            let free = self.state.waiting.keys().copied().find(|&node| !self.is_awaited(node));
            // Joins that wait for each other, in a cycle: the first in the file goes.
            let stuck = self.state.live.is_empty().then_some(first);
            let Some(node) = free.or(stuck) else { return };
            let Some(arrived) = self.state.waiting.remove(&node) else { return };
            self.start_joined(node, arrived);
        }
    }

    fn is_awaited(&self, node: usize) -> bool {
        let ancestors = self.graph.ancestors(node);
        let live = self.state.live.values().map(|step| step.node);
        live.chain(self.state.waiting.keys().copied()).any(|other| other != node && ancestors.contains(other))
    }

    fn start_joined(&mut self, node: usize, mut arrived: BTreeMap<usize, Held>) {
        if arrived.len() == 1
            && let Some((_, Held(value))) = arrived.pop_first()
        {
            return self.start(node, value, Vec::new());
        }
        let branches = arrived.keys().copied().collect();
        let input = Value::Object(self.named(arrived));
        self.start(node, Arc::new(input), branches);
    }

    fn start(&mut self, node: usize, input: Arc<Value>, branches: Vec<usize>) {
        if !self.state.is_running() {
            return;
        }
        if self.state.steps >= self.state.max_steps {
            return self.end(Outcome::TooManySteps { node });
        }
        self.launch(node, input, branches);
    }

    fn launch(&mut self, node: usize, input: Arc<Value>, branches: Vec<usize>) {
        self.state.steps += 1;
        let step = Step { id: self.state.steps, node, attempt: 1, input, branches };
        self.state.live.insert(step.id, step.clone());
        self.commands.push(Command::Start(step));
    }

    fn result(&mut self) -> Arc<Value> {
        let mut ends = std::mem::take(&mut self.state.ends);
        if ends.len() == 1
            && let Some((_, Held(value))) = ends.pop_first()
        {
            return value;
        }
        Arc::new(Value::Object(self.named(ends)))
    }

    fn named(&self, values: BTreeMap<usize, Held>) -> Map<String, Value> {
        let name = |node: usize| self.graph.nodes[node].name.to_string();
        values.into_iter().map(|(node, Held(value))| (name(node), Arc::unwrap_or_clone(value))).collect()
    }
}
