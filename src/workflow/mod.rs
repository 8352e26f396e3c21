//! Workflow documents: YAML with positions, a plan that is checked before anything runs, and the run.
//!
//! ```text
//! text --document, reading--> Document --plan, planner--> Plan --run, schedule--> RunReport
//! ```
//!
//! A [`Document`] is what stands in the file, a [`Plan`] is what can run: only a document without problems has one.
//! [`schedule`] decides what runs next and knows no clock; [`run()`] has the clock and the threads, and a [`journal`] if asked.

pub mod catalog;
mod config;
mod depth;
mod describe;
pub mod document;
pub mod drawing;
pub mod graph;
pub mod journal;
mod language;
mod near;
mod nested;
pub mod observe;
pub mod plan;
mod planner;
pub mod problem;
mod promised;
mod reading;
pub mod report;
mod run;
pub mod schedule;
mod schema;
pub mod source;
pub mod template;
pub mod value;
mod view;

use std::path::Path;

pub use catalog::{Found, NoPlugins, NodeCatalog, PluginNode, Undemanding};
pub use depth::fits;
pub use describe::{PlanView, SettingView, describe, setting_lines, view};
pub use document::{Document, DocumentError};
pub use language::{KnownType, language};
pub use observe::{Observer, RunEvent, Unobserved};
pub use plan::Plan;
pub use problem::{Drawing, Problem, Problems, Severity};
pub use report::{RunError, RunErrorKind, RunReport};
pub use run::{RunOptions, run};
pub use source::{Position, SourceText};
pub use value::MAX_BYTES;

/// Reads and plans a workflow file.
pub fn load(path: &Path, catalog: &dyn NodeCatalog) -> Result<Plan, DocumentError> {
    Ok(Plan::new(&Document::read(path)?, catalog)?)
}

/// What a JSON Schema refuses about a value, a sentence each. The error says why the schema is none.
pub fn refusals(schema: &serde_json::Value, value: &serde_json::Value) -> Result<Vec<String>, String> {
    let refused = schema::Checker::new(schema.clone())?.check(value, schema::Stage::Call);
    Ok(refused.into_iter().map(|refusal| refusal.message).collect())
}

/// Where a value stands in a YAML file, by its keys: `plugins.config.redis-cache.hosts[1]`. None if the file is no YAML.
pub fn locate(text: &str, keys: &str) -> Option<Position> {
    let source = std::sync::Arc::new(SourceText::new("", text));
    let tree = value::parse(&source).ok()?;
    let pointer = format!("/{}", keys.replace(['.', '['], "/").replace(']', ""));
    Some(source.position(tree.place(&pointer).start))
}

#[cfg(test)]
mod tests;
