//! `run`: read, find the plugins, plan, load, run.

mod masked;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use masked::Masked;
use pocket_index::name::PluginName;
use serde::Serialize;
use serde_json::Value;

use super::allowed::secrets;
use super::catalog::{Catalog, LazyPlugin, PluginView, Sampled, workflow_settings};
use super::metrics::NodeCalls;
use super::offered::{self, Broken, Offered};
use super::{OpsError, Workspace};
use crate::home::Home;
use crate::nodes::Allowed;
use crate::workflow::journal::{Secret, Veil};
use crate::workflow::{self, Document, DocumentError, NodeCatalog as _, Plan, PlanView, RunOptions, RunReport};

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
    /// The values of environment variables that are secret.
    secrets: Vec<Secret>,
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
    plan_document(workspace, document, disabled, sampled, notify)
}

/// Plans a document that was read.
///
/// # Errors
/// Everything that is wrong with it, at once.
pub(super) fn plan_document(
    workspace: &Workspace,
    mut document: Document,
    disabled: &[PluginName],
    sampled: Sampled<'_>,
    notify: &dyn Fn(Notice),
) -> Result<PlannedRun, OpsError> {
    let (from_workflow, problems) = workflow_settings(&document);
    document.add_problems(problems);
    let offered = offered_to(workspace, &document)?;
    offered.refuse_clashes()?;
    tell(&offered, disabled, notify);
    offered.remember(workspace);
    let catalog = Catalog::new(workspace, &offered, disabled, &from_workflow, sampled, notify)?;
    let plan = Plan::new(&document, &catalog)?;
    let allowed = catalog.allowed();
    let secrets = secrets(workspace, &allowed);
    Ok(PlannedRun {
        allowed,
        secrets,
        plan: Arc::new(plan),
        plugins: catalog.into_used()?,
        home: workspace.home().clone(),
    })
}

/// The plugins that a document may need: a workflow of built-in nodes needs no lock, no manifest and no plugin.
pub(super) fn offered_to(workspace: &Workspace, document: &Document) -> Result<Offered, OpsError> {
    let is_plain = document.node_types().into_iter().all(is_self_contained);
    if is_plain { Ok(Offered::default()) } else { offered::collect(workspace) }
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

    /// The plan as programs read it.
    pub fn view(&self) -> RunView {
        let plugins = self.plugins.iter().map(|plugin| plugin.view()).collect();
        RunView { plan: workflow::view(&self.plan), plugins }
    }

    /// The plan in words.
    pub fn describe(&self) -> String {
        let mut text = workflow::describe(&self.plan);
        for plugin in self.plugins.iter().map(|plugin| plugin.view()) {
            text.push_str(&plugin_lines(&plugin));
        }
        text
    }

    /// Loads the plugins that are used, then runs the plan to its end.
    ///
    /// # Errors
    /// A plugin that cannot be loaded, or the node at which the run failed.
    pub fn run(&self, input: Arc<Value>, options: RunOptions) -> Result<RunReport, OpsError> {
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

    /// Hides the secrets in its plugins' settings and in the environment.
    pub fn veil(&self) -> Veil {
        let settings = self.plugins.iter().flat_map(|plugin| plugin.secrets());
        Veil::over(settings.chain(self.secrets.iter().cloned()).collect())
    }

    /// The digests of its plugins, by name.
    pub fn digests(&self) -> BTreeMap<String, String> {
        self.plugins.iter().map(|plugin| (plugin.name().to_owned(), plugin.digest())).collect()
    }
}

/// A plan with the plugins that it uses.
#[derive(Debug, Serialize)]
pub struct RunView {
    /// The plan.
    #[serde(flatten)]
    pub plan: PlanView,
    /// The plugins. One is there twice if a workflow inside has settings of its own for it.
    pub plugins: Vec<PluginView>,
}

/// A plugin's settings, and what it cannot do. What it may do stands with its nodes.
fn plugin_lines(plugin: &PluginView) -> String {
    let mut text = format!("\nplugin `{}` {}\n", plugin.name, plugin.version);
    text.push_str(&workflow::setting_lines("   ", &plugin.settings));
    if plugin.may.is_empty() {
        text.push_str("   may use nothing outside of itself\n");
    }
    for sentence in &plugin.not_granted {
        let asked = sentence.strip_prefix("may ").unwrap_or(sentence);
        text.push_str(&format!("   asks to {asked}, which was not granted\n"));
    }
    text
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

pub(super) fn document_error(error: DocumentError) -> OpsError {
    match error {
        DocumentError::Invalid(problems) => OpsError::Workflow(problems),
        other => OpsError::Document(other),
    }
}
