//! `plugin test` and `plugin bench`: a plugin's nodes are called with the examples of its manifest, or with an input that is given.

mod bench;
mod error;
mod test;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pocket_index::manifest::{Manifest, NodeExample, NodeSpec, Runtime};
use pocket_index::name::{NodeType, PluginName};
use pocket_index::permissions::Permissions;
use semver::Version;
use serde_json::{Value, json};

use super::catalog::{self, Rights};
use super::install::{Approver, Ask, sentences};
use super::local::{self, Found};
use super::permissions::Grant;
use super::policy::{Policy, Subject};
use super::settings::{Layer, Settings};
use super::workspace::SettingsFile;
use super::{OpsError, Workspace, limits};
use crate::engine::{Asked, Call, CallContext, CallError, Plugin, PluginFiles, Reply};
use crate::home::loaded;
use crate::project::Source;

pub use bench::{Measured, bench};
pub use error::TrialError;
pub use test::{Outcome, Tested, test};

/// A plugin that is loaded to be tried.
pub struct Trial {
    /// What it says of itself.
    pub manifest: Manifest,
    /// How long loading took.
    pub loading: Duration,
    plugin: Arc<Plugin>,
}

/// What a plugin is called with.
#[derive(Debug, Clone)]
pub struct Given {
    /// Only this node type.
    pub node: Option<NodeType>,
    /// This input, and not the examples.
    pub input: Option<Value>,
    /// The config that goes with the input.
    pub config: Option<Value>,
}

/// One call to be made.
struct Case<'a> {
    node: &'a NodeSpec,
    /// What it shows.
    label: String,
    config: Value,
    input: Value,
    /// What must come out, where an example says so.
    output: Option<&'a Value>,
}

impl Trial {
    /// Loads the plugin at a path, with what it asks for, after that was approved.
    ///
    /// # Errors
    /// It is no plugin, is not allowed or not approved, its settings are wrong, or it does not load.
    pub fn load(workspace: &Workspace, path: &Path, approver: &dyn Approver) -> Result<Self, OpsError> {
        let found = local::read(path, None)?;
        let manifest = found.manifest.clone();
        allow(workspace, &found, approver)?;
        let settings = settings(workspace, &manifest)?;
        let began = Instant::now();
        let plugin = engine_load(workspace, found, settings);
        let plugin = plugin?.map_err(|source| OpsError::Load { plugin: manifest.name.clone(), source })?;
        Ok(Self { manifest, loading: began.elapsed(), plugin })
    }

    /// The name.
    pub fn name(&self) -> &PluginName {
        &self.manifest.name
    }

    /// The version.
    pub fn version(&self) -> &Version {
        &self.manifest.version
    }

    /// What runs it.
    pub fn runtime(&self) -> Runtime {
        self.manifest.runtime
    }

    /// The calls to be made: with what was given, else with the examples.
    fn cases(&self, given: &Given) -> Result<Vec<Case<'_>>, OpsError> {
        let nodes = self.nodes(given.node.as_ref())?;
        let Some(input) = &given.input else {
            return Ok(nodes.into_iter().flat_map(examples).collect());
        };
        let case = |node| Case {
            node,
            label: "the given input".to_owned(),
            config: given.config.clone().unwrap_or_else(|| json!({})),
            input: input.clone(),
            output: None,
        };
        Ok(nodes.into_iter().map(case).collect())
    }

    fn nodes(&self, only: Option<&NodeType>) -> Result<Vec<&NodeSpec>, OpsError> {
        let nodes: Vec<&NodeSpec> =
            self.manifest.nodes.iter().filter(|node| only.is_none_or(|only| *only == node.node_type)).collect();
        match only {
            Some(only) if nodes.is_empty() => Err(TrialError::NoNode {
                plugin: self.manifest.name.clone(),
                node: only.clone(),
                known: self.manifest.nodes.iter().map(|node| node.node_type.clone()).collect(),
            }
            .into()),
            _ => Ok(nodes),
        }
    }

    fn call(&self, case: &Case<'_>) -> Result<Reply, CallError> {
        self.plugin.call(Call {
            node_type: case.node.node_type.as_str(),
            config: &case.config,
            input: &case.input,
            context: self.context(case, 1),
        })
    }

    /// The same call so many times at once.
    fn call_batch(&self, case: &Case<'_>, calls: u16) -> Vec<Result<Reply, CallError>> {
        let asked = vec![Asked { config: &case.config, input: &case.input }; usize::from(calls)];
        self.plugin.call_batch(case.node.node_type.as_str(), &asked, &self.context(case, calls))
    }

    fn context(&self, case: &Case<'_>, calls: u16) -> CallContext {
        CallContext {
            run_id: "trial".to_owned(),
            node: case.node.node_type.to_string(),
            attempt: 1,
            deadline: Instant::now() + self.plugin.limits().timeout * u32::from(calls),
        }
    }
}

fn examples(node: &NodeSpec) -> Vec<Case<'_>> {
    node.examples.iter().enumerate().map(|(number, example)| of_example(node, number, example)).collect()
}

fn of_example<'a>(node: &'a NodeSpec, number: usize, example: &'a NodeExample) -> Case<'a> {
    let NodeExample { name, config, input, output } = example;
    Case {
        node,
        label: if name.is_empty() { format!("example {}", number + 1) } else { format!("`{name}`") },
        config: if config.is_null() { json!({}) } else { config.clone() },
        input: input.clone(),
        // A null that comes out and an output that is not said look alike.
        output: Some(output).filter(|output| !output.is_null()),
    }
}

/// What runs here must be allowed, and what it asks for approved: now, or when it was loaded.
fn allow(workspace: &Workspace, found: &Found, approver: &dyn Approver) -> Result<(), OpsError> {
    let Manifest { name, version, runtime, permissions, .. } = &found.manifest;
    let source = Source::Path(found.path.display().to_string());
    Policy::of(workspace)?.check(Subject {
        name,
        version,
        source: &source,
        runtime: *runtime,
        permissions,
        signers: &[],
    })?;
    let known = loaded::read(workspace.home(), workspace.root())?;
    let approved = known.at(&found.path).map_or_else(Permissions::default, |known| known.permissions.clone());
    let approved = sentences(&approved);
    let asked: Vec<String> = sentences(permissions).into_iter().filter(|asked| !approved.contains(asked)).collect();
    if asked.is_empty() {
        return Ok(());
    }
    approver.approve(&[Ask { name: name.clone(), version: version.clone(), sentences: asked }])
}

fn settings(workspace: &Workspace, manifest: &Manifest) -> Result<Settings, OpsError> {
    let files = workspace.plugin_settings(&manifest.name)?;
    let layers: Vec<Layer<'_>> = files.iter().map(SettingsFile::layer).collect();
    Settings::join(manifest, &layers, &|name| std::env::var(name).ok())
}

fn engine_load(
    workspace: &Workspace,
    found: Found,
    settings: Settings,
) -> Result<Result<Arc<Plugin>, CallError>, OpsError> {
    let Found { root, manifest, .. } = found;
    let engine = catalog::engine(workspace)?;
    let limits = limits::of(workspace, &manifest.name)?;
    let granted = Grant::of(workspace, &manifest.name).words();
    let rights = Rights::of(workspace)?;
    let load = || {
        let grants = rights.grants(&manifest.permissions, &granted, &settings)?;
        engine.load(PluginFiles { root, manifest, tree: None }, grants, settings.values(), limits)
    };
    Ok(load())
}
