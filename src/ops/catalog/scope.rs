//! The settings of plugins in one workflow file: those that run inside others may have their own.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Catalog, LazyPlugin};
use crate::nodes::Allowed;
use crate::project;
use crate::workflow::{Document, Found, NodeCatalog, Problems};

/// Settings by plugin, as a workflow's `plugins:` block gives them.
pub type WorkflowSettings = BTreeMap<String, Map<String, Value>>;

/// What a workflow's `plugins:` block says, with its variables replaced; and each that is not set, where it stands.
pub fn workflow_settings(document: &Document) -> (WorkflowSettings, Problems) {
    let environment = |name: &str| std::env::var(name).ok();
    let mut all = WorkflowSettings::new();
    let mut problems = Vec::new();
    for (plugin, settings) in document.plugin_settings() {
        let mut expanded = Map::new();
        for (name, value) in settings {
            let key = format!("plugins.{plugin}.{name}");
            match project::expand(value, &key, &environment) {
                Ok(value) => drop(expanded.insert(name.clone(), value)),
                Err(error) => problems.push(document.setting_problem(plugin, &[name], error.to_string())),
            }
        }
        all.insert(plugin.to_owned(), expanded);
    }
    (all, Problems::new(problems))
}

/// A catalog as a workflow sees it that runs inside another and has settings of its own.
pub(super) struct Scope<'b, 'a> {
    pub(super) catalog: &'b Catalog<'a>,
    /// Those of the workflows around it, and its own over them.
    pub(super) settings: WorkflowSettings,
    /// The plugins that have other settings here, once they are used.
    plugins: RefCell<BTreeMap<String, Arc<LazyPlugin>>>,
}

impl<'b, 'a> Scope<'b, 'a> {
    pub(super) fn new(
        catalog: &'b Catalog<'a>,
        around: &WorkflowSettings,
        document: &Document,
    ) -> Result<Self, Problems> {
        let mut settings = around.clone();
        let (own, problems) = workflow_settings(document);
        if problems.has_errors() {
            return Err(problems);
        }
        for (plugin, own) in own {
            settings.entry(plugin).or_default().extend(own);
        }
        Ok(Self { catalog, settings, plugins: RefCell::default() })
    }

    /// The plugin with the settings that it has here.
    fn plugin(&self, plugin: &Arc<LazyPlugin>) -> Arc<LazyPlugin> {
        let name = plugin.manifest.name.to_string();
        if self.settings.get(&name) == self.catalog.from_workflow.get(&name) {
            self.catalog.mark_used(plugin);
            return Arc::clone(plugin);
        }
        let mut plugins = self.plugins.borrow_mut();
        let twin = plugins.entry(name).or_insert_with(|| {
            let twin = Arc::new(plugin.twin());
            self.catalog.use_with(&twin, &self.settings);
            twin
        });
        Arc::clone(twin)
    }
}

impl NodeCatalog for Scope<'_, '_> {
    fn find(&self, node_type: &str) -> Found {
        self.catalog.find_with(node_type, |plugin| self.plugin(plugin))
    }

    fn names(&self) -> Vec<String> {
        self.catalog.names()
    }

    fn provider_hint(&self, node_type: &str) -> Option<String> {
        self.catalog.provider_hint(node_type)
    }

    fn inside<'c>(&'c self, document: &Document) -> Result<Box<dyn NodeCatalog + 'c>, Problems> {
        Ok(Box::new(Scope::new(self.catalog, &self.settings, document)?))
    }

    fn worker(&self) -> Option<PathBuf> {
        self.catalog.worker()
    }

    fn allowed(&self) -> Arc<Allowed> {
        self.catalog.allowed()
    }
}
