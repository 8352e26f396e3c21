//! `run`: read, find the plugins, plan, load, run.

mod masked;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use masked::Masked;
use pocket_index::name::PluginName;
use serde_json::{Map, Value};

use super::catalog::{Catalog, LazyPlugin, Sampled};
use super::metrics::NodeCalls;
use super::offered::{self, Broken, Offered};
use super::{OpsError, Reach, Workspace};
use crate::home::Home;
use crate::nodes::Allowed;
use crate::project;
use crate::registry::Network;
use crate::workflow::journal::Veil;
use crate::workflow::{self, Document, DocumentError, NodeCatalog as _, Plan, RunOptions, RunReport};

/// Something to tell while a run is prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// What a person should know.
    Warning(String),
    /// A step that was done: its verb, and what.
    Step(&'static str, String),
}

/// A workflow that is planned, with the plugins it uses.
pub struct PlannedRun {
    plan: Arc<Plan>,
    plugins: Vec<Arc<LazyPlugin>>,
    allowed: Arc<Allowed>,
    home: Home,
}

/// Reads a workflow and plans it. Nothing of it or of its plugins runs.
///
/// # Errors
/// Everything that is wrong with the document, at once.
pub fn plan(
    workspace: &Workspace,
    path: &Path,
    disabled: &[PluginName],
    notify: &dyn Fn(Notice),
) -> Result<PlannedRun, OpsError> {
    prepare(workspace, path, disabled, None, notify)
}

/// The same, with a plugin that is looked at while it runs.
///
/// # Errors
/// The same.
pub fn plan_sampled(
    workspace: &Workspace,
    path: &Path,
    sampled: Sampled<'_>,
    notify: &dyn Fn(Notice),
) -> Result<PlannedRun, OpsError> {
    prepare(workspace, path, &[], sampled, notify)
}

fn prepare(
    workspace: &Workspace,
    path: &Path,
    disabled: &[PluginName],
    sampled: Sampled<'_>,
    notify: &dyn Fn(Notice),
) -> Result<PlannedRun, OpsError> {
    let document = Document::read(path).map_err(document_error)?;
    let from_workflow = workflow_settings(&document, path)?;
    // A workflow of built-in nodes needs no lock, no manifest and no plugin.
    let is_plain = document.node_types().into_iter().all(is_self_contained);
    let offered = if is_plain { Offered::default() } else { offered::collect(workspace)? };
    offered.refuse_clashes()?;
    tell(&offered, disabled, notify);
    offered.remember(workspace);
    let mut catalog = Catalog::new(workspace, &offered, disabled, &from_workflow, sampled, notify)?;
    let is_missing = |node_type: &str| crate::nodes::built_in(node_type).is_none() && !catalog.provides(node_type);
    if document.node_types().into_iter().any(is_missing) {
        catalog = catalog.with_available(available(workspace));
    }
    let plan = Plan::new(&document, &catalog)?;
    let allowed = catalog.allowed();
    Ok(PlannedRun { allowed, plan: Arc::new(plan), plugins: catalog.into_used()?, home: workspace.home().clone() })
}

impl PlannedRun {
    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The calls of plugins so far, by node of the workflow.
    pub fn calls(&self) -> BTreeMap<String, NodeCalls> {
        self.plugins.first().map(|plugin| plugin.recorder().nodes()).unwrap_or_default()
    }

    /// The plan in words.
    pub fn describe(&self) -> String {
        workflow::describe(&self.plan)
    }

    /// Loads the plugins that are used, then runs the plan to its end.
    ///
    /// # Errors
    /// A plugin that cannot be loaded, or the node at which the run failed.
    pub fn run(&self, input: Value, options: RunOptions) -> Result<RunReport, OpsError> {
        self.plugins.iter().try_for_each(|plugin| plugin.verify_and_load())?;
        self.allowed.give(&input);
        let veil = self.veil();
        let observer = Masked::around(options.observer, &veil);
        let options = &RunOptions { observer, ..options };
        let result = workflow::run(&self.plan, input, options);
        self.plugins.iter().for_each(|plugin| plugin.end_run(&options.run_id));
        self.plugins.iter().for_each(|plugin| plugin.note_usage());
        // All plugins of a plan share one.
        if let Some(plugin) = self.plugins.first() {
            plugin.recorder().keep(&self.home);
        }
        Ok(masked::result(result, &veil)?)
    }

    /// Hides the secrets in its plugins' settings.
    pub fn veil(&self) -> Veil {
        Veil::over(self.plugins.iter().flat_map(|plugin| plugin.secrets()).collect())
    }

    /// The digests of its plugins, by name.
    pub fn digests(&self) -> BTreeMap<String, String> {
        self.plugins.iter().map(|plugin| (plugin.name().to_owned(), plugin.digest())).collect()
    }
}

/// What cannot be used, and what is other than before, must not be passed over in silence.
fn tell(offered: &Offered, disabled: &[PluginName], notify: &dyn Fn(Notice)) {
    let is_left_out = |label: &str| disabled.iter().any(|name| name.as_str() == label);
    for broken in offered.broken.iter().filter(|broken| !is_left_out(&broken.label)) {
        let Broken { label, path, error } = broken;
        notify(Notice::Warning(format!("`{label}` from `{}` is not used: {}", path.display(), reason(error))));
    }
    for plugin in offered.changed.iter().filter(|plugin| !disabled.contains(&plugin.name)) {
        let path = plugin.path.display();
        notify(Notice::Step("Reloaded", format!("`{}`: `{path}` has changed since it was last used", plugin.name)));
    }
}

/// An error with its causes in one line.
pub fn reason(error: &OpsError) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
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
