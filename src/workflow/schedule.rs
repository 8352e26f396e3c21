//! What runs next: a state machine that knows no clock, no thread and no node, only the wiring.
//!
//! The driver tells it what happened ([`Event`]), it answers what to do ([`Command`]).
//!
//! - A node's output goes to every target of its action; several targets are parallel branches.
//! - Where branches can meet, an output waits while another live branch can still arrive. What has arrived then goes in
//!   together: one output as it is, several as an object by the name of the node each came from.
//! - An action that leads nowhere ends its branch. The result of the run is the output of the node that ended it; when
//!   branches ended at several nodes, an object by node name. A node that ended several times counts with its last output.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::graph::{DEFAULT_ACTION, ERROR_ACTION, Graph, Recovery};
use crate::engine::{CallError, CallErrorKind};

/// One run of one node.
#[derive(Debug, Clone)]
pub struct Step {
    /// Tells it from every other step of the run.
    pub id: u64,
    /// The node.
    pub node: usize,
    /// 1 for the first try.
    pub attempt: u32,
    /// What it receives.
    pub input: Arc<Value>,
    /// The nodes whose branches met in the input; empty unless several did.
    pub branches: Vec<usize>,
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The run begins.
    Begin(Arc<Value>),
    /// A step succeeded.
    Finished {
        /// The step.
        step: Step,
        /// Its output.
        output: Arc<Value>,
        /// Its action; `None` is `default`.
        action: Option<String>,
    },
    /// An attempt failed.
    Failed {
        /// The step.
        step: Step,
        /// Why.
        error: CallError,
    },
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
    /// Nothing is left to run: this is the result.
    Done(Arc<Value>),
    /// The run failed at this node.
    Fail(usize, CallError),
    /// The run made all the steps it may make; the last was of this node.
    TooManySteps(usize),
}

/// The state of a run.
pub struct Schedule<'g> {
    graph: &'g Graph,
    max_steps: u64,
    steps: u64,
    /// Live steps by id, with their nodes.
    live: BTreeMap<u64, usize>,
    /// Outputs that wait at a join, by node.
    waiting: BTreeMap<usize, Vec<Arrival>>,
    ends: Vec<(usize, Arc<Value>)>,
    ancestors: HashMap<usize, HashSet<usize>>,
}

#[derive(Debug)]
struct Arrival {
    from: usize,
    value: Arc<Value>,
}

impl<'g> Schedule<'g> {
    /// Nothing has happened yet.
    pub fn new(graph: &'g Graph, max_steps: u64) -> Self {
        Self {
            graph,
            max_steps,
            steps: 0,
            live: BTreeMap::new(),
            waiting: BTreeMap::new(),
            ends: Vec::new(),
            ancestors: HashMap::new(),
        }
    }

    /// How many steps were started.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The nodes that are running now.
    pub fn live_nodes(&self) -> impl Iterator<Item = usize> {
        self.live.values().copied()
    }

    /// Takes an event and appends what to do.
    pub fn on(&mut self, event: Event, commands: &mut Vec<Command>) {
        match event {
            Event::Begin(input) => self.start(self.graph.start, input, Vec::new(), commands),
            Event::Finished { step, output, action } => {
                self.live.remove(&step.id);
                self.route(step.node, action.as_deref().unwrap_or(DEFAULT_ACTION), output, commands);
            }
            Event::Failed { step, error } => self.failed(step, error, commands),
        }
        self.release(commands);
        let nothing_follows = commands.iter().all(|command| matches!(command, Command::Recover(..)));
        if self.live.is_empty() && nothing_follows {
            commands.push(Command::Done(self.result()));
        }
    }

    fn failed(&mut self, step: Step, error: CallError, commands: &mut Vec<Command>) {
        let wiring = &self.graph.nodes[step.node];
        if let Some(retry) = &wiring.retry
            && step.attempt < retry.max_attempts
            && may_succeed_later(error.kind)
        {
            let pause = retry.pause(step.attempt);
            commands.push(Command::StartAfter(Step { attempt: step.attempt + 1, ..step }, pause));
            return;
        }
        self.live.remove(&step.id);
        match &wiring.recovery {
            Some(Recovery::Value(value)) => {
                commands.push(Command::Recover(step.node, Arc::clone(value)));
                self.route(step.node, DEFAULT_ACTION, Arc::clone(value), commands);
            }
            Some(Recovery::Node(node)) => {
                let input = error_input(&wiring.name, &error, &step.input);
                self.arrive(step.node, *node, input, commands);
            }
            None if wiring.is_connected(ERROR_ACTION) => {
                let input = error_input(&wiring.name, &error, &step.input);
                self.route(step.node, ERROR_ACTION, input, commands);
            }
            None => commands.push(Command::Fail(step.node, error)),
        }
    }

    fn route(&mut self, node: usize, action: &str, output: Arc<Value>, commands: &mut Vec<Command>) {
        let targets = self.graph.nodes[node].next(action);
        if targets.is_empty() {
            self.ends.retain(|(ended, _)| *ended != node);
            self.ends.push((node, output));
            return;
        }
        for &target in targets {
            self.arrive(node, target, Arc::clone(&output), commands);
        }
    }

    fn arrive(&mut self, from: usize, target: usize, value: Arc<Value>, commands: &mut Vec<Command>) {
        // Alone on the way: nothing can join, so nothing is asked.
        let is_alone = self.live.is_empty() && self.waiting.is_empty();
        if !self.graph.nodes[target].joins || (is_alone && self.graph.nodes[from].successors().len() == 1) {
            self.start(target, value, Vec::new(), commands);
            return;
        }
        let arrivals = self.waiting.entry(target).or_default();
        arrivals.retain(|arrival| arrival.from != from);
        arrivals.push(Arrival { from, value });
    }

    /// Starts every waiting node that no other live branch can reach any more.
    fn release(&mut self, commands: &mut Vec<Command>) {
        while !self.waiting.is_empty() {
            let nodes: Vec<usize> = self.waiting.keys().copied().collect();
            let free = nodes.iter().copied().find(|&node| !self.is_awaited(node));
            // Joins that wait for each other, in a cycle: the first in the file goes.
            let stuck = || self.live.is_empty().then(|| nodes[0]);
            let Some(node) = free.or_else(stuck) else { return };
            let Some(arrivals) = self.waiting.remove(&node) else { return };
            self.start_joined(node, arrivals, commands);
        }
    }

    fn is_awaited(&mut self, node: usize) -> bool {
        let graph = self.graph;
        let ancestors = self.ancestors.entry(node).or_insert_with(|| graph.ancestors(node));
        let mut others = self.live.values().chain(self.waiting.keys());
        others.any(|other| *other != node && ancestors.contains(other))
    }

    fn start_joined(&mut self, node: usize, mut arrivals: Vec<Arrival>, commands: &mut Vec<Command>) {
        if arrivals.len() == 1 {
            let value = arrivals.remove(0).value;
            self.start(node, value, Vec::new(), commands);
            return;
        }
        arrivals.sort_by_key(|arrival| arrival.from);
        let branches = arrivals.iter().map(|arrival| arrival.from).collect();
        let object: Map<String, Value> = arrivals
            .into_iter()
            .map(|arrival| (self.graph.nodes[arrival.from].name.to_string(), Arc::unwrap_or_clone(arrival.value)))
            .collect();
        self.start(node, Arc::new(Value::Object(object)), branches, commands);
    }

    fn start(&mut self, node: usize, input: Arc<Value>, branches: Vec<usize>, commands: &mut Vec<Command>) {
        if self.steps >= self.max_steps {
            commands.push(Command::TooManySteps(node));
            return;
        }
        self.steps += 1;
        self.live.insert(self.steps, node);
        commands.push(Command::Start(Step { id: self.steps, node, attempt: 1, input, branches }));
    }

    fn result(&mut self) -> Arc<Value> {
        if self.ends.len() == 1 {
            return Arc::clone(&self.ends[0].1);
        }
        let named = self
            .ends
            .drain(..)
            .map(|(node, value)| (self.graph.nodes[node].name.to_string(), Arc::unwrap_or_clone(value)));
        Arc::new(Value::Object(named.collect()))
    }
}

/// Whether another attempt can have another outcome.
fn may_succeed_later(kind: CallErrorKind) -> bool {
    match kind {
        CallErrorKind::Failed
        | CallErrorKind::Retryable
        | CallErrorKind::Timeout
        | CallErrorKind::Crashed
        | CallErrorKind::OutOfMemory => true,
        CallErrorKind::InvalidInput | CallErrorKind::Denied | CallErrorKind::Load => false,
    }
}

/// What a node receives that takes over from a failed one.
fn error_input(node: &str, error: &CallError, input: &Value) -> Arc<Value> {
    let mut described = json!({"node": node, "kind": error.kind.word(), "message": error.message});
    if let Some(details) = &error.details {
        described["details"] = details.clone();
    }
    Arc::new(json!({"error": described, "input": input}))
}
