//! The node types that a workspace's plugins provide, for planning workflows; plugins are loaded when they are needed.

mod calls;
mod lazy;
mod left_out;
mod providers;
mod rights;
mod scope;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use pocket_index::manifest::{Manifest, NodeSpec};
use pocket_index::name::PluginName;

use super::allowed::allowed;
use super::install::refuse_seen;
use super::metrics::Recorder;
use super::offered::{Kind, Offer, Offered, Standing};
use super::permissions::Grant;
use super::policy::Policy;
use super::run::Notice;
use super::settings::{Layer, Origin, Settings};
use super::workspace::SettingsFile;
use super::{OpsError, Workspace, limits};
use crate::engine::{Engine, EngineOptions, Sampler};
use crate::nodes::{Allowed, built_in};
use crate::workflow::{Document, Found, KnownType, NodeCatalog, Problems};
use lazy::{Files, Looking, Unpacked};
use left_out::LeftOut;
use providers::Providers;
use scope::Scope;

pub use lazy::{LazyPlugin, PluginView};
pub use rights::Rights;
pub use scope::{WorkflowSettings, workflow_settings};

/// The plugins of a workspace that a workflow may use.
pub struct Catalog<'a> {
    workspace: &'a Workspace,
    policy: Policy<'a>,
    /// The settings that the workflow gives, by plugin.
    from_workflow: &'a WorkflowSettings,
    notify: &'a dyn Fn(Notice),
    plugins: Vec<Arc<LazyPlugin>>,
    /// Those whose nodes were asked for.
    used: RefCell<BTreeMap<PluginName, Arc<LazyPlugin>>>,
    /// Those that have other settings in a workflow that runs inside.
    twins: RefCell<Vec<Arc<LazyPlugin>>>,
    /// Why a plugin that is used cannot be.
    failure: RefCell<Option<OpsError>>,
    /// What is here and not used, for suggestions.
    left_out: Vec<LeftOut>,
    /// What could be installed, for suggestions.
    providers: Providers,
    /// What workflows may use besides plugins.
    allowed: Arc<Allowed>,
}

/// A plugin that is looked at while it runs, and what keeps what is seen; none if nobody looks.
pub type Sampled<'a> = Option<(&'a PluginName, &'a Sampler)>;

impl<'a> Catalog<'a> {
    /// The plugins of `workspace` that are loaded, but those in `disabled`.
    pub fn new(
        workspace: &'a Workspace,
        offered: &Offered,
        disabled: &[PluginName],
        from_workflow: &'a WorkflowSettings,
        sampled: Sampled<'_>,
        notify: &'a dyn Fn(Notice),
    ) -> Result<Self, OpsError> {
        let engine = engine(workspace)?;
        if workspace.is_project() && !workspace.project().plugins.security.unconfined.is_empty() {
            notify(Notice::Warning(format!(
                "`plugins.security.unconfined` in `{}` has no effect: only your own file can say so",
                workspace.manifest_path().display()
            )));
        }
        let engine = match sampled {
            Some((plugin, sampler)) => engine.with_sampler(plugin.clone(), sampler.clone()),
            None => engine,
        };
        let (engine, recorder) = (Arc::new(engine), Arc::default());
        let rights = Arc::new(Rights::of(workspace)?);
        let shared = Shared { workspace, engine, rights, recorder, sampled };
        let is_used = |offer: &&Offer| offer.standing == Standing::Loaded && !disabled.contains(&offer.name);
        let mut plugins = Vec::new();
        for offer in offered.offers.iter().filter(is_used) {
            match offer.files() {
                Some(read) => {
                    let (files, manifest) = read?;
                    plugins.push(Arc::new(shared.plugin(files, manifest)?));
                }
                None => notify(Notice::Warning(format!(
                    "`{}` {} is locked but not installed; run `pocket plugin install`",
                    offer.name,
                    offer.version()
                ))),
            }
        }
        let left_out = offered.offers.iter().filter_map(|offer| LeftOut::of(offer, disabled)).collect();
        Ok(Self {
            workspace,
            policy: Policy::of(workspace)?,
            from_workflow,
            notify,
            plugins,
            used: RefCell::default(),
            twins: RefCell::default(),
            failure: RefCell::default(),
            left_out,
            providers: Providers::default(),
            allowed: allowed(workspace),
        })
    }

    /// The node types of the plugins here, with their configs.
    pub fn known_types(&self) -> Vec<KnownType> {
        let known = |plugin: &LazyPlugin, node: &NodeSpec, node_type: String| KnownType {
            node_type,
            description: if node.description.is_empty() {
                format!("of `{}`", plugin.manifest.name)
            } else {
                node.description.clone()
            },
            schema: node.config_schema.clone(),
        };
        let mut types = Vec::new();
        for plugin in &self.plugins {
            for node in &plugin.manifest.nodes {
                types.push(known(plugin, node, format!("{}/{}", plugin.manifest.name, node.node_type)));
                let bare = node.node_type.to_string();
                // A bare name that several plugins have stands for none of them, and a built-in's stands for that.
                if self.providers(&bare).len() == 1 && built_in(&bare).is_none() {
                    types.push(known(plugin, node, bare));
                }
            }
        }
        types
    }

    /// The plugins whose nodes a plan uses.
    ///
    /// # Errors
    /// One of them is not allowed here, or its settings are wrong.
    pub fn into_used(self) -> Result<Vec<Arc<LazyPlugin>>, OpsError> {
        match self.failure.into_inner() {
            Some(error) => Err(error),
            None => Ok(self.used.into_inner().into_values().chain(self.twins.into_inner()).collect()),
        }
    }

    /// Notes that a plan uses the plugin with the settings that the outermost workflow gives.
    fn mark_used(&self, plugin: &Arc<LazyPlugin>) {
        let name = &plugin.manifest.name;
        if self.used.borrow_mut().insert(name.clone(), Arc::clone(plugin)).is_none() {
            self.prepare(plugin, self.from_workflow);
        }
    }

    /// Notes that a plan uses the plugin with other settings.
    fn use_with(&self, plugin: &Arc<LazyPlugin>, settings: &WorkflowSettings) {
        self.twins.borrow_mut().push(Arc::clone(plugin));
        self.prepare(plugin, settings);
    }

    /// Checks that a plugin is allowed, and joins its settings.
    fn prepare(&self, plugin: &LazyPlugin, from_workflow: &WorkflowSettings) {
        match self.allow(&plugin.files).and_then(|()| self.settings(plugin, from_workflow)) {
            Ok(settings) => plugin.settings.set(settings).expect("set once, when the plugin is first used"),
            Err(error) => drop(self.failure.borrow_mut().get_or_insert(error)),
        }
    }

    /// Who provides a node type; `used` is told which plugin it is, and gives the one that is meant.
    fn find_with(&self, node_type: &str, used: impl Fn(&Arc<LazyPlugin>) -> Arc<LazyPlugin>) -> Found {
        match self.providers(node_type).as_slice() {
            [] => Found::Nothing,
            [plugin] => Found::Plugin(used(plugin).node(node_type)),
            several => {
                Found::Several(several.iter().map(|plugin| format!("{}/{node_type}", plugin.manifest.name)).collect())
            }
        }
    }

    fn allow(&self, files: &Files) -> Result<(), OpsError> {
        match files {
            Files::Locked(unpacked) => {
                let Unpacked { locked, lock, .. } = &**unpacked;
                let (lock, _) = Workspace::read_lock_at(lock)?.unwrap_or_default();
                refuse_seen(self.workspace, locked, &lock)?;
                self.policy.check_locked(locked, &lock)
            }
            Files::Local(local) => {
                self.policy.check(local.subject(&local.source()))?;
                local.refuse_unasked()?;
                local.refuse_unapproved(self.workspace)
            }
        }
    }

    fn settings(&self, plugin: &LazyPlugin, from_workflow: &WorkflowSettings) -> Result<Settings, OpsError> {
        let manifest = &plugin.manifest;
        let mut files = self.workspace.plugin_settings(&manifest.name)?;
        if let Files::Local(local) = &plugin.files {
            files.extend(local.settings_file()?);
        }
        let mut layers: Vec<Layer<'_>> = files.iter().map(SettingsFile::layer).collect();
        layers.push(Layer { origin: Origin::Workflow, settings: from_workflow.get(manifest.name.as_str()) });
        let joined = Settings::join(manifest, &layers, &|name| std::env::var(name).ok())?;
        for unknown in &joined.unknown {
            let text = format!("`{}` has no setting `{unknown}`; it is not passed on", manifest.name);
            (self.notify)(Notice::Warning(text));
        }
        Ok(joined)
    }

    fn providers(&self, node_type: &str) -> Vec<&Arc<LazyPlugin>> {
        let (plugin, node) = match node_type.split_once('/') {
            Some((plugin, node)) => (Some(plugin), node),
            None => (None, node_type),
        };
        let provides = |lazy: &&Arc<LazyPlugin>| {
            plugin.is_none_or(|name| name == lazy.manifest.name.as_str())
                && lazy.manifest.nodes.iter().any(|spec| spec.node_type.as_str() == node)
        };
        self.plugins.iter().filter(provides).collect()
    }
}

impl Offer {
    /// The plugin's files and manifest; none if it is locked and not unpacked.
    fn files(&self) -> Option<Result<(Files, Manifest), OpsError>> {
        match &self.kind {
            Kind::Locked { plugin, lock } => {
                let installed = plugin.installed.clone()?;
                let (locked, lock) = (plugin.locked.clone(), lock.clone());
                let read = installed.digested_manifest().map_err(OpsError::from);
                Some(read.map(|(manifest, digest)| {
                    (Files::Locked(Box::new(Unpacked { locked, installed, lock, manifest: digest })), manifest)
                }))
            }
            Kind::Local(plugin) => Some(Ok((Files::Local(plugin.clone()), plugin.manifest.clone()))),
        }
    }
}

/// What all plugins of a catalog have in common.
struct Shared<'a> {
    workspace: &'a Workspace,
    engine: Arc<Engine>,
    rights: Arc<Rights>,
    recorder: Arc<Recorder>,
    sampled: Sampled<'a>,
}

impl Shared<'_> {
    fn plugin(&self, files: Files, manifest: Manifest) -> Result<LazyPlugin, OpsError> {
        let name = manifest.name.clone();
        Ok(LazyPlugin {
            granted: Grant::of(self.workspace, &manifest.name).words(),
            limits: limits::of(self.workspace, &manifest.name)?,
            files,
            manifest,
            engine: Arc::clone(&self.engine),
            rights: Arc::clone(&self.rights),
            recorder: Arc::clone(&self.recorder),
            looking: match self.sampled {
                Some((plugin, _)) if *plugin == name => Looking::AtEachCall,
                _ => Looking::NotAtAll,
            },
            settings: OnceLock::new(),
            verified: OnceLock::new(),
            loaded: OnceLock::new(),
        })
    }
}

impl NodeCatalog for Catalog<'_> {
    fn find(&self, node_type: &str) -> Found {
        self.find_with(node_type, |plugin| {
            self.mark_used(plugin);
            Arc::clone(plugin)
        })
    }

    fn names(&self) -> Vec<String> {
        let nodes = self.plugins.iter().flat_map(|plugin| &plugin.manifest.nodes);
        nodes.map(|node| node.node_type.to_string()).collect()
    }

    fn provider_hint(&self, node_type: &str) -> Option<String> {
        let left_out = self.left_out.iter().find_map(|plugin| plugin.hint(node_type));
        left_out.or_else(|| self.providers.hint(self.workspace, node_type))
    }

    fn inside<'b>(&'b self, document: &Document) -> Result<Box<dyn NodeCatalog + 'b>, Problems> {
        Ok(Box::new(Scope::new(self, self.from_workflow, document)?))
    }

    fn worker(&self) -> Option<PathBuf> {
        std::env::current_exe().ok()
    }

    fn allowed(&self) -> Arc<Allowed> {
        Arc::clone(&self.allowed)
    }
}

/// An engine with the home's cache, whose native plugins are held by this program.
pub fn engine(workspace: &Workspace) -> Result<Engine, OpsError> {
    let program = std::env::current_exe().map_err(OpsError::io("find this program from", workspace.root()))?;
    let options = EngineOptions { cache_dir: workspace.home().cache().join("compiled"), host_program: program };
    // A project, which comes from elsewhere, cannot say of its plugins that they need not be confined.
    Ok(Engine::new(options).with_unconfined(workspace.user().plugins.security.unconfined.clone()))
}
