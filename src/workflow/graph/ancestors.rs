//! From where a node can be reached: asked again and again while branches wait for each other, so the answers are kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::Graph;

/// How much memory the answers of one graph may take: 8 MiB, and 64 answers: more joins than ever wait at once.
const MAX_BYTES: usize = 8 << 20;

/// A set of nodes, one bit each.
#[derive(Debug)]
pub struct Ancestors(Vec<u64>);

impl Ancestors {
    /// Whether a node is among them.
    pub fn contains(&self, node: usize) -> bool {
        self.0.get(node / 64).is_some_and(|word| word >> (node % 64) & 1 == 1)
    }

    /// Adds a node; true if it was not there.
    fn insert(&mut self, node: usize) -> bool {
        let (word, bit) = (&mut self.0[node / 64], 1 << (node % 64));
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }
}

/// What was asked of a graph before. It says nothing that the graph does not, so a copy begins empty.
#[derive(Debug, Default)]
pub(super) struct Memory {
    predecessors: OnceLock<Vec<Vec<usize>>>,
    known: Mutex<VecDeque<(usize, Arc<Ancestors>)>>,
}

impl Clone for Memory {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Memory {
    pub fn ancestors(&self, graph: &Graph, node: usize) -> Arc<Ancestors> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // What was asked last is asked next.
        if let Some((_, found)) = known.iter().rev().find(|(asked, _)| *asked == node) {
            return Arc::clone(found);
        }
        let found = Arc::new(self.compute(graph, node));
        let kept = MAX_BYTES / (found.0.len() * size_of::<u64>()).max(1);
        while known.len() >= kept.clamp(1, 64) {
            known.pop_front();
        }
        known.push_back((node, Arc::clone(&found)));
        found
    }

    fn compute(&self, graph: &Graph, node: usize) -> Ancestors {
        let before = self.predecessors.get_or_init(|| predecessors(graph));
        let mut found = Ancestors(vec![0; graph.nodes.len().div_ceil(64)]);
        let mut queue = vec![node];
        while let Some(at) = queue.pop() {
            queue.extend(before[at].iter().copied().filter(|&from| found.insert(from)));
        }
        found
    }
}

fn predecessors(graph: &Graph) -> Vec<Vec<usize>> {
    let mut before = vec![Vec::new(); graph.nodes.len()];
    for (from, wiring) in graph.nodes.iter().enumerate() {
        for to in wiring.successors() {
            before[to].push(from);
        }
    }
    before
}
