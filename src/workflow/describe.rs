//! A plan as a person reads it: what `run --dry-run` prints.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value;

use super::graph::{DEFAULT_ACTION, Recovery, Wiring};
use super::plan::{Plan, PlannedNode};
use crate::engine::budget::Seconds;

/// Describes a plan: its nodes in the order they can be reached, where each leads, and what its plugins may do.
pub fn describe(plan: &Plan) -> String {
    let mut text = format!("workflow `{}`", plan.name);
    if let Some(description) = &plan.description {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {description}");
    }
    text.push('\n');
    let order = plan.graph.reachable();
    for (place, &node) in order.iter().enumerate() {
        let _ = write!(text, "\n{}. {}", place + 1, node_lines(plan, node));
    }
    for (place, &node) in plan.graph.finals.iter().enumerate() {
        let heading = if place == 0 { "\nfinally, however the run ended:\n" } else { "" };
        let _ = write!(text, "{heading}\n{}. {}", place + 1, node_lines(plan, node));
    }
    let reached: BTreeSet<usize> = order.into_iter().chain(plan.graph.finals.iter().copied()).collect();
    let unreached: Vec<&str> =
        (0..plan.nodes.len()).filter(|node| !reached.contains(node)).map(|node| &*plan.nodes[node].name).collect();
    if !unreached.is_empty() {
        let _ = writeln!(text, "\nnever reached: {}", unreached.join(", "));
    }
    text.push_str(&permissions(plan));
    text
}

fn node_lines(plan: &Plan, index: usize) -> String {
    let node = &plan.nodes[index];
    let wiring = &plan.graph.nodes[index];
    let mut lines = format!("{} ({})", node.name, node.full_type());
    if wiring.joins {
        let from: Vec<&str> = (0..plan.nodes.len())
            .filter(|other| plan.graph.nodes[*other].successors().contains(&index))
            .map(|other| &*plan.nodes[other].name)
            .collect();
        let _ = write!(lines, ", joins {}", from.join(", "));
    }
    lines.push('\n');
    lines.push_str(&config_lines(node));
    lines.push_str(&limits_line(node, wiring));
    for route in &wiring.routes {
        lines.push_str(&route_line(plan, &route.action, &route.targets));
    }
    if let Some(next) = wiring.otherwise {
        let _ = writeln!(lines, "   then {}", plan.nodes[next].name);
    }
    match &wiring.recovery {
        Some(Recovery::Value(value)) => {
            let _ = writeln!(lines, "   when it fails: {value} instead");
        }
        Some(Recovery::Node(node)) => {
            let _ = writeln!(lines, "   when it fails: {}", plan.nodes[*node].name);
        }
        None => {}
    }
    lines
}

fn route_line(plan: &Plan, action: &str, targets: &[usize]) -> String {
    let names: Vec<&str> = targets.iter().map(|&target| &*plan.nodes[target].name).collect();
    let when = if action == DEFAULT_ACTION { "then".to_owned() } else { format!("when `{action}`:") };
    match names.len() {
        0 => format!("   {when} the end\n"),
        1 => format!("   {when} {}\n", names[0]),
        _ => format!("   {when} {} in parallel\n", names.join(" and ")),
    }
}

fn config_lines(node: &PlannedNode) -> String {
    let Value::Object(config) = node.config() else { return String::new() };
    config.iter().map(|(key, value)| format!("   {key}: {}\n", shortened(value))).collect()
}

/// A value in one line; long texts show their beginning.
fn shortened(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn limits_line(node: &PlannedNode, wiring: &Wiring) -> String {
    let timeout = node.timeout.map(|timeout| format!("{} an attempt", Seconds(timeout)));
    let retry = wiring.retry.as_ref().map(|retry| format!("up to {} attempts", retry.max_attempts));
    let limits: Vec<String> = retry.into_iter().chain(timeout).collect();
    if limits.is_empty() { String::new() } else { format!("   limits: {}\n", limits.join(", ")) }
}

/// What the plugins of a plan may do.
fn permissions(plan: &Plan) -> String {
    let plugins: BTreeSet<(&str, &[String])> =
        plan.nodes.iter().filter_map(|node| Some((node.plugin.as_deref()?, node.permissions.as_slice()))).collect();
    let mut text = String::new();
    for (plugin, words) in plugins {
        let words = if words.is_empty() { "nothing".to_owned() } else { words.join(", ") };
        let _ = write!(text, "\nplugin `{plugin}` may use: {words}");
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}
