//! How the nodes of a plan are wired, by index.

mod ancestors;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::Value;
use smallvec::SmallVec;

use super::document::Retry;
pub use ancestors::Ancestors;
use ancestors::Memory;

/// The action of a node that names none.
pub const DEFAULT_ACTION: &str = "default";
/// The action that a failed node takes.
pub const ERROR_ACTION: &str = "error";

/// The wiring of a workflow.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    /// Each node's connections, in the order of the file.
    pub nodes: Vec<Wiring>,
    /// The node it starts at.
    pub start: usize,
    /// The nodes that run when it has ended, in this order. No connection leads to them.
    pub finals: Vec<usize>,
    memory: Memory,
}

/// One node's connections, and what happens when it fails.
#[derive(Debug, Clone, Default)]
pub struct Wiring {
    /// The node's name.
    pub name: Arc<str>,
    /// Where each action leads.
    pub routes: Vec<Route>,
    /// Where any other action leads: the next node of a workflow without connections.
    pub otherwise: Option<usize>,
    /// Whether and how a failure is tried again.
    pub retry: Option<Arc<Retry>>,
    /// What happens when every attempt failed.
    pub recovery: Option<Recovery>,
    /// Whether branches can meet here.
    pub joins: bool,
}

/// Where one action leads.
#[derive(Debug, Clone)]
pub struct Route {
    /// The action.
    pub action: String,
    /// The nodes that receive the output; none when the route is a named end.
    pub targets: Vec<usize>,
}

/// What happens when every attempt failed.
#[derive(Debug, Clone)]
pub enum Recovery {
    /// The output is this value.
    Value(Arc<Value>),
    /// The run goes on at this node.
    Node(usize),
}

impl Wiring {
    /// The nodes that an action leads to.
    pub fn next(&self, action: &str) -> &[usize] {
        match self.routes.iter().find(|route| route.action == action) {
            Some(route) => &route.targets,
            None => self.otherwise.as_slice(),
        }
    }

    /// Whether a connection carries the action.
    pub fn is_connected(&self, action: &str) -> bool {
        self.routes.iter().any(|route| route.action == action)
    }

    /// Every node it can lead to, once and in their order.
    pub fn successors(&self) -> SmallVec<[usize; 4]> {
        let recovery = match self.recovery {
            Some(Recovery::Node(node)) => Some(node),
            _ => None,
        };
        let routed = self.routes.iter().flat_map(|route| route.targets.iter().copied());
        let mut all: SmallVec<[usize; 4]> = routed.chain(self.otherwise).chain(recovery).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

impl Graph {
    /// Nodes, of which the last ones run when the run has ended. It starts at the first.
    pub fn new(nodes: Vec<Wiring>, finals: Vec<usize>) -> Self {
        Self { nodes, finals, ..Self::default() }
    }

    /// Marks the nodes at which branches can meet: those with several predecessors.
    pub fn mark_joins(&mut self) {
        let mut predecessors = vec![0_u32; self.nodes.len()];
        for wiring in &self.nodes {
            for successor in wiring.successors() {
                predecessors[successor] += 1;
            }
        }
        for (wiring, count) in self.nodes.iter_mut().zip(predecessors) {
            wiring.joins = count > 1;
        }
    }

    /// In a workflow without connections: the order of the file does not lead from one target of a node into another one, nor
    /// from the node itself. Which of them runs is for its action alone to say.
    pub fn separate_alternatives(&mut self) {
        for from in 0..self.nodes.len() {
            let targets: BTreeSet<usize> = self.nodes[from]
                .routes
                .iter()
                .flat_map(|route| &route.targets)
                .copied()
                .filter(|to| *to > from)
                .collect();
            for &target in &targets {
                let before = target - 1;
                if before == from || targets.range(..=before).next().is_some() {
                    self.nodes[before].otherwise = None;
                }
            }
        }
    }

    /// The nodes that can be reached from the start, nearest first.
    pub fn reachable(&self) -> Vec<usize> {
        let mut seen = vec![false; self.nodes.len()];
        seen[self.start] = true;
        let mut order = vec![self.start];
        let mut next = 0;
        while let Some(&node) = order.get(next) {
            let successors = self.nodes[node].successors().into_iter();
            order.extend(successors.filter(|&successor| !std::mem::replace(&mut seen[successor], true)));
            next += 1;
        }
        order
    }

    /// The nodes from which a node can be reached. The node itself is among them only if it stands in a cycle.
    pub fn ancestors(&self, node: usize) -> Arc<Ancestors> {
        self.memory.ancestors(self, node)
    }

    /// The names along the shortest way from a node back to itself; empty when there is none.
    pub fn cycle(&self, node: usize) -> Vec<Arc<str>> {
        let mut came_from = vec![None; self.nodes.len()];
        let mut queue = VecDeque::from([node]);
        while let Some(at) = queue.pop_front() {
            for to in self.nodes[at].successors() {
                if to == node {
                    return self.way_back(&came_from, node, at);
                }
                if came_from[to].is_none() {
                    came_from[to] = Some(at);
                    queue.push_back(to);
                }
            }
        }
        Vec::new()
    }

    fn way_back(&self, came_from: &[Option<usize>], node: usize, last: usize) -> Vec<Arc<str>> {
        let mut way = vec![node];
        let mut at = last;
        while at != node {
            way.push(at);
            at = came_from[at].unwrap_or(node);
        }
        way.push(node);
        way.iter().rev().map(|&index| Arc::clone(&self.nodes[index].name)).collect()
    }
}
