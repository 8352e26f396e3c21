//! `pocket plugin why`.

use pocket_index::name::PluginName;
use serde_json::{Value, json};

use crate::cli::arguments::ScopeArguments;
use crate::cli::output::Output;
use crate::ops::OpsError;
use crate::ops::graph::{Graph, Need};

use super::open_to_read;

pub fn run(name: &PluginName, scope: ScopeArguments, output: &Output) -> Result<(), OpsError> {
    let workspace = open_to_read(scope)?;
    let graph = Graph::of(&workspace)?;
    let places = graph.named(name, &workspace)?;
    let ways: Vec<Vec<Need>> = places.iter().flat_map(|&place| graph.ways_to(place)).collect();
    let documents: Vec<Vec<Value>> =
        ways.iter().map(|way| way.iter().map(|need| step(&graph, need)).collect()).collect();
    output.result(&json!({ "name": name, "ways": documents }), || match ways.as_slice() {
        [] => format!("nothing needs `{name}` any more; `pocket plugin install` takes it out of the lock\n"),
        ways => ways.iter().map(|way| sentence(&graph, way)).collect(),
    });
    Ok(())
}

fn step(graph: &Graph, need: &Need) -> Value {
    let plugin = &graph.plugins[need.plugin];
    json!({ "name": plugin.name, "version": plugin.version, "requirement": need.requirement })
}

/// `pocket.yaml needs a ^1 -> a 1.2.0 needs b ^2 -> b 2.1.0`, a line a step.
fn sentence(graph: &Graph, way: &[Need]) -> String {
    let mut text = String::new();
    let mut who = "pocket.yaml".to_owned();
    for (depth, need) in way.iter().enumerate() {
        let plugin = &graph.plugins[need.plugin];
        let requirement = need.requirement.as_ref().map(|requirement| format!(" `{requirement}`")).unwrap_or_default();
        let indent = "  ".repeat(depth);
        text.push_str(&format!("{indent}{who} needs `{}`{requirement}: {}\n", plugin.name, plugin.version));
        who = format!("`{}` {}", plugin.name, plugin.version);
    }
    text
}
