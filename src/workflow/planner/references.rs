//! Outputs that templates name: of nodes that exist, and that can have run by then.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::Planner;
use crate::workflow::document::At;
use crate::workflow::graph::Graph;

/// An output that a template reads.
pub(super) struct Use {
    /// The node with the template.
    pub node: usize,
    /// The node whose output it is; none when the template computes the name, so that it may be any node's.
    pub name: Option<String>,
    /// Where it is named.
    pub span: Range<usize>,
}

/// Whether a node can have run before another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// There is a way from it to the other.
    Yes,
    /// They stand on different branches.
    Perhaps,
    /// There is a way from the other to it, and none back.
    No,
}

impl Planner<'_> {
    pub(super) fn check_uses(&mut self, graph: &Graph) {
        let uses = std::mem::take(&mut self.uses);
        let mut pairs = Vec::new();
        let mut known = Vec::new();
        for (index, found) in uses.iter().enumerate() {
            let Some(name) = &found.name else { continue };
            match self.index.get(name.as_str()) {
                Some(&used) => match self.before_by_place(used, found.node) {
                    Some(before) => known.push((index, used, found.node, before)),
                    None => pairs.push((index, used, found.node)),
                },
                None => self.unknown_node("`output`", &At { value: name.clone(), span: found.span.clone() }),
            }
        }
        // Where a node is missing, what leads where is not known.
        let is_wired = !self.has_errors();
        for (index, used, user, before) in known {
            self.report_order(&uses[index], (used, user), before);
        }
        if !pairs.is_empty() && is_wired {
            let ways: Vec<(usize, usize)> = pairs.iter().map(|&(_, used, user)| (used, user)).collect();
            for (&(index, used, user), before) in pairs.iter().zip(Order::new(graph).before(&ways)) {
                self.report_order(&uses[index], (used, user), before);
            }
        }
        self.uses = uses;
    }

    /// What `finally` alone tells: its nodes run in their order when all others have ended.
    fn before_by_place(&self, used: usize, user: usize) -> Option<Before> {
        match (self.is_final(used), self.is_final(user)) {
            (false, false) => None,
            (false, true) => Some(Before::Yes),
            (true, _) => Some(if used < user { Before::Yes } else { Before::No }),
        }
    }

    fn report_order(&mut self, found: &Use, (used, user): (usize, usize), before: Before) {
        if before == Before::Yes {
            return;
        }
        let name = |node: usize| self.document.entries().nth(node).map_or("", |node| &node.name.value);
        let (name, own) = (name(used), name(user));
        match before {
            Before::Yes => {}
            Before::No if used == user => {
                let help = "`{{.}}` is what the node receives".to_owned();
                self.error(&found.span, format!("`{own}` has no output before it has run"), Some(help));
            }
            Before::No => {
                let message = format!("`{name}` cannot have run before `{own}`: it comes after it");
                self.error(&found.span, message, None);
            }
            Before::Perhaps => {
                let message =
                    format!("`{name}` need not have run before `{own}`: no connection leads from one to the other");
                self.warning(&found.span, message, None);
            }
        }
    }
}

/// Which nodes can run before which, by the strongly connected components of their graph (Tarjan 1972).
struct Order {
    successors: Vec<Vec<usize>>,
    /// The component of each node; a component has a higher number than those it leads to.
    component: Vec<usize>,
    /// Whether a node is in a cycle.
    cyclic: Vec<bool>,
    /// Where each component leads.
    leads_to: Vec<Vec<usize>>,
}

impl Order {
    fn new(graph: &Graph) -> Self {
        let successors: Vec<Vec<usize>> =
            graph.nodes.iter().map(|wiring| wiring.successors().into_iter().collect()).collect();
        let (component, count) = components(&successors);
        let mut sizes = vec![0_usize; count];
        component.iter().for_each(|&one| sizes[one] += 1);
        let is_cyclic = |node: usize| sizes[component[node]] > 1 || successors[node].contains(&node);
        let cyclic = (0..successors.len()).map(is_cyclic).collect();
        let mut leads_to = vec![Vec::new(); count];
        for (node, targets) in successors.iter().enumerate() {
            let outside = targets.iter().map(|&to| component[to]).filter(|&to| to != component[node]);
            leads_to[component[node]].extend(outside);
        }
        for targets in &mut leads_to {
            targets.sort_unstable();
            targets.dedup();
        }
        Self { successors, component, cyclic, leads_to }
    }

    /// Whether the first of each pair can run before the second. Sixty-four first ones share a pass over the graph.
    fn before(&self, pairs: &[(usize, usize)]) -> Vec<Before> {
        let mut answers = vec![Before::Yes; pairs.len()];
        let mut open: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, &(first, second)) in pairs.iter().enumerate() {
            let (one, other) = (self.component[first], self.component[second]);
            if one == other {
                answers[index] = if self.cyclic[first] { Before::Yes } else { Before::No };
            } else if !self.successors[first].contains(&second) {
                open.entry(one).or_default().push(index);
            }
        }
        let open: Vec<(usize, Vec<usize>)> = open.into_iter().collect();
        let mut masks = Masks { after: vec![0; self.leads_to.len()], ahead: vec![0; self.leads_to.len()] };
        for batch in open.chunks(64) {
            let marks: HashMap<usize, u64> = batch.iter().enumerate().map(|(bit, (one, _))| (*one, 1 << bit)).collect();
            let others = batch.iter().flat_map(|(_, indexes)| indexes).map(|&index| self.component[pairs[index].1]);
            let ends = others.chain(marks.keys().copied());
            let (least, most) = ends.fold((usize::MAX, 0), |(least, most), one| (least.min(one), most.max(one)));
            self.spread(&marks, least, most, &mut masks);
            for (bit, (_, indexes)) in batch.iter().enumerate() {
                for &index in indexes {
                    let other = self.component[pairs[index].1];
                    let has = |mask: u64| mask & (1 << bit) != 0;
                    answers[index] = match (has(masks.after[other]), has(masks.ahead[other])) {
                        (true, _) => Before::Yes,
                        (false, true) => Before::No,
                        (false, false) => Before::Perhaps,
                    };
                }
            }
        }
        answers
    }

    /// Finds for each component between two, which of the marked ones lead to it, and to which it leads. Numbers fall along
    /// every way, so that no way between them leaves their range.
    fn spread(&self, marks: &HashMap<usize, u64>, least: usize, most: usize, masks: &mut Masks) {
        let Masks { after, ahead } = masks;
        after[least..=most].fill(0);
        let own = |one: usize| marks.get(&one).copied().unwrap_or_default();
        let inside = |one: usize| self.leads_to[one].iter().copied().filter(|&to| to >= least);
        for one in (least..=most).rev() {
            let passed_on = after[one] | own(one);
            if passed_on != 0 {
                inside(one).for_each(|to| after[to] |= passed_on);
            }
        }
        for one in least..=most {
            ahead[one] = inside(one).fold(0, |mask, to| mask | ahead[to] | own(to));
        }
    }
}

/// A bit for each marked component.
struct Masks {
    /// The marked ones that lead to a component.
    after: Vec<u64>,
    /// The marked ones that a component leads to.
    ahead: Vec<u64>,
}

/// The strongly connected component of each node, and how many there are.
fn components(successors: &[Vec<usize>]) -> (Vec<usize>, usize) {
    const NONE: usize = usize::MAX;
    let count = successors.len();
    let (mut number, mut low, mut component) = (vec![NONE; count], vec![0; count], vec![NONE; count]);
    let (mut next, mut found) = (0, 0);
    let mut waiting = Vec::new();
    for root in 0..count {
        if number[root] != NONE {
            continue;
        }
        let mut open = vec![(root, 0)];
        while let Some(&mut (node, ref mut edge)) = open.last_mut() {
            if *edge == 0 {
                (number[node], low[node]) = (next, next);
                next += 1;
                waiting.push(node);
            }
            if let Some(&to) = successors[node].get(*edge) {
                *edge += 1;
                if number[to] == NONE {
                    open.push((to, 0));
                } else if component[to] == NONE {
                    low[node] = low[node].min(number[to]);
                }
                continue;
            }
            open.pop();
            if let Some(&(above, _)) = open.last() {
                low[above] = low[above].min(low[node]);
            }
            if low[node] == number[node] {
                while let Some(member) = waiting.pop() {
                    component[member] = found;
                    if member == node {
                        break;
                    }
                }
                found += 1;
            }
        }
    }
    (component, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_numbered_against_their_direction() {
        // 0 → 1 ⇄ 2 → 3, 4 alone with itself
        let (component, count) = components(&[vec![1], vec![2], vec![1, 3], vec![], vec![4]]);
        assert_eq!(count, 4);
        assert_eq!(component[1], component[2]);
        assert!(component[0] > component[1] && component[2] > component[3]);
    }
}
