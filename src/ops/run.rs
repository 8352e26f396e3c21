//! `run`: read, find the plugins, plan, load, run.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use pocket_index::name::PluginName;
use serde_json::{Map, Value};

use super::catalog::{Catalog, LazyPlugin};
use super::{OpsError, Reach, Workspace, plugins};
use crate::project;
use crate::registry::Network;
use crate::workflow::{self, Document, DocumentError, Plan, RunOptions, RunReport};

/// A workflow that is planned, with the plugins it uses.
pub struct PlannedRun {
    plan: Arc<Plan>,
    plugins: Vec<Arc<LazyPlugin>>,
}

/// Reads a workflow and plans it. Nothing of it or of its plugins runs.
///
/// # Errors
/// Everything that is wrong with the document, at once.
pub fn plan(
    workspace: &Workspace,
    path: &Path,
    disabled: &[PluginName],
    warn: &dyn Fn(String),
) -> Result<PlannedRun, OpsError> {
    let document = Document::read(path).map_err(document_error)?;
    let from_workflow = workflow_settings(&document, path)?;
    // A workflow of built-in nodes needs no lock, no manifest and no plugin.
    let is_plain = document.node_types().into_iter().all(is_self_contained);
    let found = if is_plain { Vec::new() } else { plugins::of(workspace)? };
    if !is_plain && names_folders(workspace) {
        warn("`plugins.directories` in pocket.yaml does nothing yet: only installed plugins are used".to_owned());
    }
    let mut catalog = Catalog::new(workspace, &found, disabled, &from_workflow, warn)?;
    let is_missing = |node_type: &str| crate::nodes::built_in(node_type).is_none() && !catalog.provides(node_type);
    if document.node_types().into_iter().any(is_missing) {
        catalog = catalog.with_available(available(workspace));
    }
    let plan = Plan::new(&document, &catalog)?;
    Ok(PlannedRun { plan: Arc::new(plan), plugins: catalog.into_used()? })
}

impl PlannedRun {
    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The plan in words.
    pub fn describe(&self) -> String {
        workflow::describe(&self.plan)
    }

    /// Loads the plugins that are used, then runs the plan to its end.
    ///
    /// # Errors
    /// A plugin that cannot be loaded, or the node at which the run failed.
    pub fn run(&self, input: Value, options: &RunOptions<'_>) -> Result<RunReport, OpsError> {
        self.plugins.iter().try_for_each(|plugin| plugin.verify_and_load())?;
        let report = workflow::run(&self.plan, input, options);
        self.plugins.iter().for_each(|plugin| plugin.end_run(&options.run_id));
        Ok(report?)
    }
}

/// What a configuration says must not be passed over in silence.
fn names_folders(workspace: &Workspace) -> bool {
    workspace.project().plugins.directories.as_ref().is_some_and(|folders| !folders.is_empty())
}

/// A sub-workflow may need plugins; the other built-in nodes do not.
fn is_self_contained(node_type: &str) -> bool {
    node_type != "workflow" && crate::nodes::built_in(node_type).is_some()
}

fn document_error(error: DocumentError) -> OpsError {
    match error {
        DocumentError::Invalid(problems) => OpsError::Workflow(problems),
        other => OpsError::Document(other),
    }
}

fn workflow_settings(document: &Document, path: &Path) -> Result<BTreeMap<String, Map<String, Value>>, OpsError> {
    let environment = |name: &str| std::env::var(name).ok();
    let expand = |(plugin, settings): (&str, &Map<String, Value>)| {
        let mut expanded = Map::new();
        for (name, value) in settings {
            let key = format!("plugins.{plugin}.{name}");
            let value = project::expand(value, &key, &environment)
                .map_err(|source| OpsError::Expand { path: path.to_owned(), source })?;
            expanded.insert(name.clone(), value);
        }
        Ok((plugin.to_owned(), expanded))
    };
    document.plugin_settings().map(expand).collect()
}

/// What the registry has, as far as this machine knows without asking: only for suggestions, so an error means none.
fn available(workspace: &Workspace) -> Vec<pocket_index::search::SearchEntry> {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return Vec::new() };
    let reach = Reach { registry: None, network: Network::Offline };
    let entries = async { Ok::<_, OpsError>(workspace.open_registry(&reach).await?.search_entries().await?) };
    runtime.block_on(entries).unwrap_or_default()
}
