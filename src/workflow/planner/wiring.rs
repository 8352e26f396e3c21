//! How nodes are wired: connections, the order of the file, actions that name nodes, fallbacks.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Planner;
use crate::workflow::document::{At, Fallback, NodeEntry};
use crate::workflow::graph::{DEFAULT_ACTION, Graph, Recovery, Route, Wiring};

impl Planner<'_> {
    pub(super) fn graph(&mut self, actions: &[Option<Vec<String>>]) -> Graph {
        let document = self.document;
        let wiring = |node: &NodeEntry| Wiring {
            name: self.shared(&node.name.value),
            retry: node.retry.clone(),
            ..Wiring::default()
        };
        let finals = (document.nodes.len()..document.nodes.len() + document.finally.len()).collect();
        let nodes = document.entries().map(wiring).collect();
        let mut graph = Graph::new(nodes, finals);
        self.connect(&mut graph);
        if document.connections.is_empty() {
            for index in 1..document.nodes.len() {
                graph.nodes[index - 1].otherwise = Some(index);
            }
        }
        self.connect_by_name(&mut graph, actions);
        if document.connections.is_empty() {
            graph.separate_alternatives();
        }
        self.add_fallbacks(&mut graph);
        if let Some(start) = &document.start {
            match self.index.get(start.value.as_str()) {
                Some(&index) if !self.is_final(index) => graph.start = index,
                _ => self.unknown_node("`start`", start),
            }
        }
        graph.mark_joins();
        // A mistyped name cuts nodes off: the warning would only repeat the error.
        if !graph.nodes.is_empty() && !self.has_errors() {
            self.warn_unreachable(&graph);
        }
        graph
    }

    /// Whether a node stands in `finally`.
    pub(super) fn is_final(&self, node: usize) -> bool {
        node >= self.document.nodes.len()
    }

    fn connect(&mut self, graph: &mut Graph) {
        let document = self.document;
        let mut seen = HashSet::new();
        let mut places: HashMap<(usize, &str), usize> = HashMap::new();
        for connection in &document.connections {
            let action = connection.action.as_ref().map_or(DEFAULT_ACTION, |action| &action.value);
            let Some(&from) = self.index.get(connection.from.value.as_str()) else {
                self.unknown_node("`from`", &connection.from);
                continue;
            };
            let to = self.index.get(connection.to.value.as_str()).copied();
            if [Some(from), to].into_iter().flatten().any(|node| self.is_final(node)) {
                let message = "no connection leads to or from a node of `finally`".to_owned();
                self.error(&connection.to.span, message, Some("it runs when everything else has ended".to_owned()));
                continue;
            }
            if to.is_none() && !self.named_end(&connection.to) {
                continue;
            }
            if !seen.insert((from, to, action)) {
                self.warning(&connection.to.span, "this connection is already there".to_owned(), None);
                continue;
            }
            let routes = &mut graph.nodes[from].routes;
            let place = *places.entry((from, action)).or_insert(routes.len());
            match routes.get_mut(place) {
                Some(route) => route.targets.extend(to),
                None => routes.push(Route { action: action.to_owned(), targets: to.into_iter().collect() }),
            }
        }
    }

    /// Whether a target that no node has may stand for an end of the workflow: not if it looks like a mistyped node.
    fn named_end(&mut self, target: &At<String>) -> bool {
        if self.document.unread.contains(&target.value) {
            return false;
        }
        if !self.problems.is_full() && self.names.nearest(&target.value).is_some() {
            self.unknown_node("`to`", target);
            return false;
        }
        let message = format!("there is no node `{}`: the branch ends here", target.value);
        let help = Some("the output of the node before it is the result; add the node if that is not meant".to_owned());
        self.warning(&target.span, message, help);
        true
    }

    /// An action that a node is known to take and no connection carries goes to the node of that name.
    fn connect_by_name(&self, graph: &mut Graph, actions: &[Option<Vec<String>>]) {
        for (from, actions) in actions.iter().enumerate() {
            let Some(actions) = actions else { continue };
            let routes = &mut graph.nodes[from].routes;
            let mut connected: HashSet<String> = routes.iter().map(|route| route.action.clone()).collect();
            for action in actions {
                if let Some(&target) = self.index.get(action.as_str()).filter(|target| !self.is_final(**target))
                    && connected.insert(action.clone())
                {
                    routes.push(Route { action: action.clone(), targets: vec![target] });
                }
            }
        }
    }

    fn add_fallbacks(&mut self, graph: &mut Graph) {
        let document = self.document;
        for (index, node) in document.entries().enumerate() {
            graph.nodes[index].recovery = match node.fallback.as_deref() {
                None => None,
                Some(Fallback::Value(value)) => Some(Recovery::Value(Arc::new(value.clone()))),
                Some(Fallback::Node(name)) => match self.index.get(name.value.as_str()) {
                    Some(&target) if !self.is_final(target) => Some(Recovery::Node(target)),
                    _ => {
                        self.unknown_node("`fallback`", name);
                        None
                    }
                },
            };
        }
    }

    fn warn_unreachable(&mut self, graph: &Graph) {
        let reached: HashSet<usize> = graph.reachable().into_iter().collect();
        let document = self.document;
        let start = &graph.nodes[graph.start].name;
        let unreached: Vec<&NodeEntry> = document
            .nodes
            .iter()
            .enumerate()
            .filter(|(index, _)| !reached.contains(index))
            .map(|(_, node)| node)
            .collect();
        for node in unreached.iter().take(MAX_UNREACHED) {
            let message = format!("node `{}` is never reached from `{start}`", node.name.value);
            self.warning(&node.name.span, message, None);
        }
        if let Some(node) = unreached.get(MAX_UNREACHED) {
            let message = format!("{} more nodes are never reached from `{start}`", unreached.len() - MAX_UNREACHED);
            self.warning(&node.name.span, message, None);
        }
    }
}

/// How many nodes that are never reached are named: 20. More have one cause.
const MAX_UNREACHED: usize = 20;
