//! Whole workflows, planned and run.

mod documented;
mod examples;
mod groups;
mod planning;
mod requests;
mod running;
mod semantics;

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Document, Found, NodeCatalog, Plan, PluginNode, Problems, RunError, RunOptions, SourceText};
use crate::engine::{CallError, CallErrorKind};
use crate::nodes::{Allowed, Node, NodeCall, Outcome, failed};

/// Plugins that exist only here.
pub(super) struct FakePlugins;

/// Each plugin's node types with what runs them.
fn provided(node_type: &str) -> Vec<(&'static str, Arc<dyn Node>)> {
    match node_type {
        "redis-get" => vec![("redis-cache", Arc::new(redis_get))],
        "redis-set" => vec![("redis-cache", Arc::new(echo_config))],
        "sentiment-analyzer" => vec![("ml-analyzer", Arc::new(echo_config))],
        "resize" => vec![("images", Arc::new(echo_config)), ("pictures", Arc::new(echo_config))],
        "crash" => vec![("broken", Arc::new(crash))],
        "flaky" => vec![("broken", Arc::new(flaky))],
        "sleep" => vec![("slow", Arc::new(sleep))],
        _ => Vec::new(),
    }
}

fn redis_get(call: &NodeCall<'_>) -> Result<Outcome, CallError> {
    let found = call.config["key"].as_str().is_some_and(|key| key.ends_with("42"));
    let output = json!({"found": found, "key": call.config["key"]});
    Ok(Outcome::of(output).with_action(if found { "found" } else { "not_found" }))
}

fn echo_config(call: &NodeCall<'_>) -> Result<Outcome, CallError> {
    Ok(Outcome::of(call.config.clone()))
}

fn crash(_: &NodeCall<'_>) -> Result<Outcome, CallError> {
    Err(CallError::new(CallErrorKind::Crashed, "killed by signal 11"))
}

/// Succeeds at its third attempt.
fn flaky(call: &NodeCall<'_>) -> Result<Outcome, CallError> {
    if call.context.attempt < 3 { Err(failed("not yet")) } else { Ok(Outcome::of(json!(call.context.attempt))) }
}

/// Sleeps until the run is over, and ignores its deadline.
fn sleep(call: &NodeCall<'_>) -> Result<Outcome, CallError> {
    call.run.stop().sleep(std::time::Duration::from_secs(600));
    Ok(Outcome::of(Value::Null))
}

impl NodeCatalog for FakePlugins {
    fn find(&self, node_type: &str) -> Found {
        let (plugin, bare) = match node_type.split_once('/') {
            Some((plugin, bare)) => (Some(plugin), bare),
            None => (None, node_type),
        };
        let mut all = provided(bare);
        all.retain(|(name, _)| plugin.is_none_or(|plugin| plugin == *name));
        match all.len() {
            0 => Found::Nothing,
            1 => {
                let (plugin, node) = all.remove(0);
                let schema = (bare == "redis-get").then(|| {
                    json!({"type": "object", "properties": {"key": {"type": "string"}}, "required": ["key"],
                        "additionalProperties": false})
                });
                Found::Plugin(PluginNode {
                    plugin: plugin.to_owned(),
                    node_type: bare.to_owned(),
                    description: String::new(),
                    schema,
                    input_schema: None,
                    output_schema: None,
                    permissions: vec!["network redis.example.com:6379".to_owned()],
                    node,
                })
            }
            _ => Found::Several(all.iter().map(|(plugin, _)| format!("{plugin}/{bare}")).collect()),
        }
    }

    fn names(&self) -> Vec<String> {
        ["redis-get", "redis-set", "resize"].map(str::to_owned).to_vec()
    }

    fn allowed(&self) -> Arc<Allowed> {
        let allowed = Allowed::default()
            .with_programs(|program| ["sh", "sleep", "cat", "sort", "echo"].contains(&program))
            .with_private_networks(vec!["127.0.0.1/32".parse().unwrap()]);
        Arc::new(allowed)
    }

    fn inside<'b>(&'b self, _document: &Document) -> Result<Box<dyn NodeCatalog + 'b>, Problems> {
        Ok(Box::new(FakePlugins))
    }

    fn provider_hint(&self, node_type: &str) -> Option<String> {
        (node_type == "analyze-sentiment").then(|| "run `pocket plugin install ml-analyzer`".to_owned())
    }
}

pub(super) fn plan(text: &str) -> Result<Plan, Problems> {
    Plan::new(&Document::parse(SourceText::new("workflow.yaml", text), "")?, &FakePlugins)
}

fn run(text: &str, input: Value) -> Result<Value, RunError> {
    let plan = Arc::new(plan(text).unwrap_or_else(|problems| panic!("{problems}")));
    super::run(&plan, input, &RunOptions::default()).map(|report| Value::clone(&report.output))
}
