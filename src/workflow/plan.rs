//! The compiled form of a workflow. A plan exists only when nothing is wrong with the document, so that no node runs
//! before everything that can be known beforehand was checked.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pocket_index::digest::Digest;
use serde_json::{Map, Value};

use super::catalog::NodeCatalog;
use super::config::Config;
use super::document::Document;
use super::graph::Graph;
use super::nested::{Ancestry, Shared};
use super::planner::Planner;
use super::problem::Problems;
use super::schema::Checker;
use crate::nodes::{Allowed, Node};

/// A workflow that is ready to run.
pub struct Plan {
    /// What the workflow is called; the file's name when it does not say.
    pub name: String,
    /// One line about it.
    pub description: Option<String>,
    /// The folder that relative paths start from.
    pub folder: PathBuf,
    /// Its nodes, in the order of the file; those of `finally` come last.
    pub nodes: Vec<PlannedNode>,
    /// How they are wired, by the same index.
    pub graph: Graph,
    /// Values that every template can see.
    pub vars: Map<String, Value>,
    /// The longest a run may take.
    pub timeout: Option<Duration>,
    /// How many node runs a run may make.
    pub max_steps: u64,
    /// Whether each run has a journal.
    pub journal: bool,
    /// The digest of its document and of those that it runs.
    pub digest: Digest,
    /// What is suspicious but does not keep it from running.
    pub warnings: Problems,
    pub(super) index: HashMap<Arc<str>, usize>,
    /// What its nodes may use that is not the workflow's.
    pub(super) allowed: Arc<Allowed>,
}

/// A node that is ready to run.
pub struct PlannedNode {
    /// Its name.
    pub name: Arc<str>,
    /// Its type, without a plugin's name.
    pub node_type: Arc<str>,
    /// The plugin that provides it; `None` is Pocket itself.
    pub plugin: Option<String>,
    /// One line about it, of the workflow or else of its type.
    pub description: Arc<str>,
    /// What its plugin may do.
    pub permissions: Vec<String>,
    /// The longest one attempt may take.
    pub timeout: Option<Duration>,
    pub(super) node: Arc<dyn Node>,
    pub(super) config: Config,
    pub(super) checker: Option<Arc<Checker>>,
    /// Whether a template reads its output after it was handed on.
    pub(super) is_kept: bool,
}

impl Plan {
    /// Checks a document against the world and compiles it. All problems are found at once.
    pub fn new(document: &Document, catalog: &dyn NodeCatalog) -> Result<Self, Problems> {
        let shared = Shared::default();
        let planned = Planner::new(document, catalog, Ancestry::outermost(document, &shared)).plan();
        let inside = shared.into_problems();
        match planned {
            Ok(mut plan) => {
                plan.warnings.extend(inside);
                Ok(Self { warnings: plan.warnings.sorted(), ..plan })
            }
            Err(mut problems) => {
                problems.extend(inside);
                Err(problems.sorted())
            }
        }
    }

    /// The index of a node's name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }
}

impl PlannedNode {
    /// Its config as written: templates are text still.
    pub fn config(&self) -> Value {
        self.config.written()
    }

    /// Its type with its plugin's name, when a plugin provides it.
    pub fn full_type(&self) -> String {
        match &self.plugin {
            Some(plugin) => format!("{plugin}/{}", self.node_type),
            None => self.node_type.to_string(),
        }
    }
}
