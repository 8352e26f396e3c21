//! A plan as a person and as a program reads it: what `run --dry-run` prints.

mod needs;

use std::collections::BTreeSet;
use std::fmt::Write;

use serde::Serialize;
use serde_json::Value;

use super::document::Retry;
use super::graph::{DEFAULT_ACTION, Recovery, Wiring};
use super::plan::{Plan, PlannedNode};
use crate::engine::budget::Seconds;
use needs::needs;

/// A plan: its nodes in the order in which they can be reached.
#[derive(Debug, Serialize)]
pub struct PlanView {
    /// The workflow's name.
    pub workflow: String,
    /// One line about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The longest a run may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// How many node runs it may make.
    pub max_steps: u64,
    /// The node at which it starts.
    pub start: String,
    /// The nodes, nearest to the start first.
    pub nodes: Vec<NodeView>,
    /// The nodes that run when it has ended, in their order.
    pub finally: Vec<NodeView>,
    /// The nodes to which nothing leads.
    pub never_reached: Vec<String>,
}

/// A node of a plan.
#[derive(Debug, Serialize)]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// Its type with its plugin's name.
    #[serde(rename = "type")]
    pub node_type: String,
    /// The nodes whose branches meet here; none unless several do.
    pub joins: Vec<String>,
    /// Its settings.
    pub config: Vec<SettingView>,
    /// The longest one attempt may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// How often it is tried.
    pub attempts: u32,
    /// The pause before the second attempt, when there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<String>,
    /// Where each action leads.
    pub leads_to: Vec<WayView>,
    /// What is given instead when it fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Value>,
    /// What it reaches outside of the workflow.
    pub needs: Vec<String>,
}

/// A setting of a node, or of a plugin.
#[derive(Debug, Serialize)]
pub struct SettingView {
    /// Its name.
    pub name: String,
    /// Its value; templates are text still.
    pub value: Value,
    /// Who says so: `workflow`, `default`, or for plugins also a file or `$VARIABLE`.
    pub origin: String,
}

/// Where an action leads.
#[derive(Debug, Serialize)]
pub struct WayView {
    /// The action; `*` is any.
    pub when: String,
    /// The nodes, side by side if there are several; none where the branch ends.
    pub to: Vec<String>,
}

/// What a program reads.
pub fn view(plan: &Plan) -> PlanView {
    let order = plan.graph.reachable();
    let finals = &plan.graph.finals;
    let reached: BTreeSet<usize> = order.iter().chain(finals).copied().collect();
    let unreached = (0..plan.nodes.len()).filter(|node| !reached.contains(node));
    let predecessors = predecessors(plan);
    PlanView {
        workflow: plan.name.clone(),
        description: plan.description.clone(),
        timeout: plan.timeout.map(|timeout| Seconds(timeout).to_string()),
        max_steps: plan.max_steps,
        start: plan.graph.nodes.get(plan.graph.start).map(|node| node.name.to_string()).unwrap_or_default(),
        nodes: order.into_iter().map(|node| node_view(plan, node, &predecessors[node])).collect(),
        finally: finals.iter().map(|&node| node_view(plan, node, &[])).collect(),
        never_reached: unreached.map(|node| plan.nodes[node].name.to_string()).collect(),
    }
}

/// The nodes that lead to each node.
fn predecessors(plan: &Plan) -> Vec<Vec<usize>> {
    let mut predecessors = vec![Vec::new(); plan.nodes.len()];
    for (from, wiring) in plan.graph.nodes.iter().enumerate() {
        wiring.successors().into_iter().for_each(|to| predecessors[to].push(from));
    }
    predecessors
}

fn node_view(plan: &Plan, index: usize, predecessors: &[usize]) -> NodeView {
    let (node, wiring) = (&plan.nodes[index], &plan.graph.nodes[index]);
    let name = |index: &usize| plan.nodes[*index].name.to_string();
    let joins = if wiring.joins { predecessors.iter().map(name).collect() } else { Vec::new() };
    NodeView {
        name: node.name.to_string(),
        node_type: node.full_type(),
        joins,
        config: settings(node),
        timeout: node.timeout.map(|timeout| Seconds(timeout).to_string()),
        attempts: wiring.retry.as_ref().map_or(1, |retry| retry.max_attempts),
        delay: wiring.retry.as_ref().filter(|retry| retry.max_attempts > 1).map(|retry| pause(retry)),
        leads_to: ways(plan, wiring),
        fallback: match &wiring.recovery {
            Some(Recovery::Value(value)) => Some(Value::clone(value)),
            _ => None,
        },
        needs: needs(node),
    }
}

/// `1s`, `100ms, then 2 times as long up to 30s`.
fn pause(retry: &Retry) -> String {
    let first = Seconds(retry.delay);
    if retry.max_attempts < 3 || retry.multiplier == 1.0 {
        return first.to_string();
    }
    format!("{first}, then {} times as long up to {}", retry.multiplier, Seconds(retry.max_delay))
}

/// What stands in the workflow, then what a built-in type says where the workflow says nothing. A plugin is given what stands
/// in the workflow, whatever defaults its schema names.
fn settings(node: &PlannedNode) -> Vec<SettingView> {
    let config = node.config();
    let given = config.as_object();
    let setting = |name: &String, value: &Value, origin: &str| SettingView {
        name: name.clone(),
        value: value.clone(),
        origin: origin.to_owned(),
    };
    let mut settings: Vec<SettingView> =
        given.into_iter().flatten().map(|(name, value)| setting(name, value, "workflow")).collect();
    let checker = node.checker.as_ref().filter(|_| node.plugin.is_none());
    let fields = checker.and_then(|checker| checker.schema().get("properties")?.as_object());
    for (name, field) in fields.into_iter().flatten() {
        if let (Some(default), false) = (field.get("default"), given.is_some_and(|given| given.contains_key(name))) {
            settings.push(setting(name, default, "default"));
        }
    }
    settings
}

fn ways(plan: &Plan, wiring: &Wiring) -> Vec<WayView> {
    let name = |index: &usize| plan.nodes[*index].name.to_string();
    let way = |when: &str, to: &[usize]| WayView { when: when.to_owned(), to: to.iter().map(name).collect() };
    let mut ways: Vec<WayView> = wiring.routes.iter().map(|route| way(&route.action, &route.targets)).collect();
    ways.extend(wiring.otherwise.map(|next| way("*", &[next])));
    if let Some(Recovery::Node(node)) = wiring.recovery {
        ways.push(way("fallback", &[node]));
    }
    ways
}

/// What a person reads.
pub fn describe(plan: &Plan) -> String {
    let view = view(plan);
    let mut text = format!("workflow `{}`", view.workflow);
    if let Some(description) = &view.description {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {description}");
    }
    text.push('\n');
    if let Some(timeout) = &view.timeout {
        let _ = writeln!(text, "ends after {timeout} at the latest");
    }
    for (place, node) in view.nodes.iter().enumerate() {
        let _ = write!(text, "\n{}. {}", place + 1, node_lines(node));
    }
    for (place, node) in view.finally.iter().enumerate() {
        let heading = if place == 0 { "\nfinally, however the run ended:\n" } else { "" };
        let _ = write!(text, "{heading}\n{}. {}", place + 1, node_lines(node));
    }
    if !view.never_reached.is_empty() {
        let _ = writeln!(text, "\nnever reached: {}", view.never_reached.join(", "));
    }
    text
}

fn node_lines(node: &NodeView) -> String {
    let mut lines = format!("{} ({})", node.name, node.node_type);
    if !node.joins.is_empty() {
        let _ = write!(lines, ", joins {}", node.joins.join(", "));
    }
    lines.push('\n');
    lines.push_str(&setting_lines("   ", &node.config));
    lines.push_str(&limits_line(node));
    for way in &node.leads_to {
        lines.push_str(&way_line(way));
    }
    if let Some(value) = &node.fallback {
        let _ = writeln!(lines, "   when it fails: {} instead", shortened(value));
    }
    for need in &node.needs {
        let _ = writeln!(lines, "   {need}");
    }
    lines
}

/// Settings, one a line. What the workflow itself says needs no origin.
pub fn setting_lines(indent: &str, settings: &[SettingView]) -> String {
    let line = |setting: &SettingView| {
        let origin = if setting.origin == "workflow" { String::new() } else { format!(" ({})", setting.origin) };
        format!("{indent}{}: {}{origin}\n", setting.name, shortened(&setting.value))
    };
    settings.iter().map(line).collect()
}

fn way_line(way: &WayView) -> String {
    let when = match way.when.as_str() {
        DEFAULT_ACTION | "*" => "then".to_owned(),
        "fallback" => "when it fails:".to_owned(),
        action => format!("when `{action}`:"),
    };
    match way.to.as_slice() {
        [] => format!("   {when} the end\n"),
        [one] => format!("   {when} {one}\n"),
        several => format!("   {when} {} in parallel\n", several.join(" and ")),
    }
}

/// A value in one line; long texts show their beginning.
fn shortened(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn limits_line(node: &NodeView) -> String {
    let timeout = node.timeout.as_ref().map(|timeout| format!("{timeout} an attempt"));
    let retry = node.delay.as_ref().map(|delay| format!("up to {} attempts with pauses of {delay}", node.attempts));
    let limits: Vec<String> = retry.into_iter().chain(timeout).collect();
    if limits.is_empty() { String::new() } else { format!("   limits: {}\n", limits.join(", ")) }
}
