//! `pocket plugin tree`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::cli::arguments::TreeArguments;
use crate::cli::output::Output;
use crate::ops::OpsError;
use crate::ops::graph::{Graph, Need, Place};

use super::open_to_read;

pub fn run(arguments: &TreeArguments, output: &Output) -> Result<(), OpsError> {
    let workspace = open_to_read(arguments.scope)?;
    let graph = Graph::of(&workspace)?;
    let direction = if arguments.invert { Direction::NeededBy } else { Direction::Needs };
    let roots = match &arguments.name {
        Some(name) => graph.named(name, &workspace)?,
        None if arguments.invert => graph.leaves(),
        None => graph.roots.iter().map(|root| root.plugin).collect(),
    };
    let documents: Vec<Value> = graph.plugins.iter().map(|plugin| document(&graph, plugin)).collect();
    let names = |places: &[Place]| places.iter().map(|&place| label(&graph, place)).collect::<Vec<_>>();
    output.result(&json!({ "roots": names(&roots), "plugins": documents }), || match roots.as_slice() {
        [] => "there are no plugins\n".to_owned(),
        roots => Drawing { graph: &graph, direction, depth: arguments.depth, shown: BTreeSet::new() }.draw(roots),
    });
    Ok(())
}

/// Which way the tree grows.
#[derive(Clone, Copy)]
enum Direction {
    Needs,
    NeededBy,
}

/// A tree as it is drawn.
struct Drawing<'a> {
    graph: &'a Graph,
    direction: Direction,
    depth: Option<usize>,
    /// What was drawn with its branches; it is not drawn so again.
    shown: BTreeSet<Place>,
}

impl Drawing<'_> {
    fn draw(mut self, roots: &[Place]) -> String {
        let mut text = String::new();
        for &root in roots {
            self.add(root, "", "", &mut text);
        }
        text
    }

    fn add(&mut self, place: Place, first: &str, rest: &str, text: &mut String) {
        let branches: Vec<Place> = self.branches(place).iter().map(|need| need.plugin).collect();
        let is_again = !self.shown.insert(place) && !branches.is_empty();
        let mark = if is_again { " (*)" } else { "" };
        text.push_str(&format!("{first}{}{mark}\n", label(self.graph, place)));
        // Each level adds four signs to what stands before a line.
        let level = rest.chars().count() / 4;
        if is_again || self.depth.is_some_and(|depth| level >= depth) {
            return;
        }
        for (number, &branch) in branches.iter().enumerate() {
            let is_last = number + 1 == branches.len();
            let (first, next) = if is_last { ("└── ", "    ") } else { ("├── ", "│   ") };
            self.add(branch, &format!("{rest}{first}"), &format!("{rest}{next}"), text);
        }
    }

    fn branches(&self, place: Place) -> Vec<Need> {
        match self.direction {
            Direction::Needs => self.graph.plugins[place].needs.clone(),
            Direction::NeededBy => self.graph.needed_by(place),
        }
    }
}

fn label(graph: &Graph, place: Place) -> String {
    let plugin = &graph.plugins[place];
    format!("{} {}", plugin.name, plugin.version)
}

fn document(graph: &Graph, plugin: &crate::ops::graph::Plugin) -> Value {
    let need = |need: &Need| {
        let other = &graph.plugins[need.plugin];
        json!({ "name": other.name, "version": other.version, "requirement": need.requirement })
    };
    json!({
        "name": plugin.name,
        "version": plugin.version,
        "source": plugin.source.to_string(),
        "needs": plugin.needs.iter().map(need).collect::<Vec<_>>(),
    })
}
