//! What nodes and templates see of a run.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use serde_json::Value;

use super::config::Config;
use super::graph::Wiring;
use super::journal::Ledger;
use super::observe::Observer;
use super::plan::Plan;
use super::schedule::Step;
use super::template::{self, Budgets, Scope, Surroundings};
use crate::engine::CallError;
use crate::nodes::{Lineage, RunView, Stop, failed, invalid};

/// What a run hands down to the runs inside it.
pub(super) struct Family {
    pub observer: Arc<dyn Observer>,
    pub ledger: Option<Ledger>,
    pub variables: Arc<Variables>,
}

/// Where templates look up what their input does not have: the fields of the run's input, then the workflow's `vars`, then
/// the same of the run around it. Nothing is copied.
pub(super) struct Variables {
    pub plan: Arc<Plan>,
    pub input: Arc<Value>,
    pub outer: Option<Arc<Variables>>,
}

impl template::Variables for Variables {
    fn get(&self, name: &str) -> Option<&Value> {
        let own = self.input.get(name).or_else(|| self.plan.vars.get(name));
        own.or_else(|| self.outer.as_ref().and_then(|outer| outer.get(name)))
    }
}

/// The outputs of a run so far, for templates.
pub(super) struct Outputs<'a> {
    pub plan: &'a Plan,
    pub outputs: &'a [Option<Arc<Value>>],
}

impl Surroundings for Outputs<'_> {
    fn output(&self, node: &str) -> Option<&Value> {
        self.outputs[self.plan.find(node)?].as_deref()
    }

    fn env(&self, name: &str) -> Result<String, String> {
        self.plan.allowed.variable(name)
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn random(&self) -> [u8; 16] {
        let state = std::hash::RandomState::new();
        let halves = [state.hash_one(Instant::now()), state.hash_one(SystemTime::now())];
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&halves[0].to_le_bytes());
        bytes[8..].copy_from_slice(&halves[1].to_le_bytes());
        bytes
    }
}

/// What a node's templates are rendered with.
pub(super) fn scope<'a>(
    dot: &'a Value,
    variables: &'a Variables,
    input: &'a Value,
    outputs: &'a Outputs<'a>,
) -> Scope<'a> {
    Scope { dot, variables, input, surroundings: outputs, budgets: Budgets::default() }
}

/// What a node on the scheduler's thread sees.
pub(super) struct InlineView<'a> {
    pub config: &'a Config,
    pub scope: Scope<'a>,
    pub wiring: &'a Wiring,
    pub stop: &'a Stop,
    pub lineage: &'a dyn Fn() -> Lineage,
}

impl RunView for InlineView<'_> {
    fn render(&self, pointer: &str) -> Result<Value, CallError> {
        self.config.render_lazy(pointer, &self.scope).map_err(|error| invalid(error.to_string()))
    }

    fn is_connected(&self, action: &str) -> bool {
        self.wiring.is_connected(action)
    }

    fn stop(&self) -> &Stop {
        self.stop
    }

    fn lineage(&self) -> Lineage {
        (self.lineage)()
    }
}

/// What a node on another thread sees.
pub(super) struct JobView<'a> {
    pub wiring: &'a Wiring,
    pub stop: &'a Stop,
    pub lineage: &'a Lineage,
}

impl RunView for JobView<'_> {
    fn render(&self, pointer: &str) -> Result<Value, CallError> {
        Err(failed(format!("`{pointer}` is lazy, which only inline nodes can have")))
    }

    fn is_connected(&self, action: &str) -> bool {
        self.wiring.is_connected(action)
    }

    fn stop(&self) -> &Stop {
        self.stop
    }

    fn lineage(&self) -> Lineage {
        self.lineage.clone()
    }
}

impl Plan {
    /// The names of the nodes whose branches met in a step's input.
    pub(super) fn branch_names(&self, step: &Step) -> Vec<Arc<str>> {
        step.branches.iter().map(|&node| Arc::clone(&self.nodes[node].name)).collect()
    }
}
