//! The node types that a workspace's plugins provide, for planning workflows; plugins are loaded when they are needed.

mod lazy;
mod left_out;
mod rights;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use pocket_index::manifest::Manifest;
use pocket_index::name::PluginName;
use pocket_index::search::SearchEntry;
use serde_json::{Map, Value};

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
use crate::nodes::Allowed;
use crate::workflow::{Found, NodeCatalog};
use lazy::{Files, Looking, Unpacked};
use left_out::LeftOut;

pub use lazy::LazyPlugin;
pub use rights::Rights;

/// The plugins of a workspace that a workflow may use.
pub struct Catalog<'a> {
    workspace: &'a Workspace,
    policy: Policy<'a>,
    /// The settings that the workflow gives, by plugin.
    from_workflow: &'a BTreeMap<String, Map<String, Value>>,
    notify: &'a dyn Fn(Notice),
    plugins: Vec<Arc<LazyPlugin>>,
    /// Those whose nodes were asked for.
    used: RefCell<BTreeMap<PluginName, Arc<LazyPlugin>>>,
    /// Why a plugin that is used cannot be.
    failure: RefCell<Option<OpsError>>,
    /// What is here and not used, for suggestions.
    left_out: Vec<LeftOut>,
    /// What could be installed, for suggestions.
    available: Vec<SearchEntry>,
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
        from_workflow: &'a BTreeMap<String, Map<String, Value>>,
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
                Some((files, manifest)) => plugins.push(Arc::new(shared.plugin(files, manifest?)?)),
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
            failure: RefCell::default(),
            left_out,
            available: Vec::new(),
            allowed: allowed(workspace),
        })
    }

    /// Adds what could be installed, for suggestions.
    #[must_use]
    pub fn with_available(self, available: Vec<SearchEntry>) -> Self {
        Self { available, ..self }
    }

    /// Whether a plugin here provides the node type.
    pub fn provides(&self, node_type: &str) -> bool {
        !self.providers(node_type).is_empty()
    }

    /// The plugins whose nodes a plan uses.
    ///
    /// # Errors
    /// One of them is not allowed here, or its settings are wrong.
    pub fn into_used(self) -> Result<Vec<Arc<LazyPlugin>>, OpsError> {
        match self.failure.into_inner() {
            Some(error) => Err(error),
            None => Ok(self.used.into_inner().into_values().collect()),
        }
    }

    /// Notes that a plan uses the plugin, checks that it is allowed, and joins its settings.
    fn mark_used(&self, plugin: &Arc<LazyPlugin>) {
        let name = &plugin.manifest.name;
        if self.used.borrow_mut().insert(name.clone(), Arc::clone(plugin)).is_some() {
            return;
        }
        match self.allow(&plugin.files).and_then(|()| self.settings(plugin)) {
            Ok(settings) => plugin.settings.set(settings).expect("set once, when the plugin is first used"),
            Err(error) => drop(self.failure.borrow_mut().get_or_insert(error)),
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

    fn settings(&self, plugin: &LazyPlugin) -> Result<Settings, OpsError> {
        let manifest = &plugin.manifest;
        let mut files = self.workspace.plugin_settings(&manifest.name)?;
        if let Files::Local(local) = &plugin.files {
            files.extend(local.settings_file()?);
        }
        let mut layers: Vec<Layer<'_>> = files.iter().map(SettingsFile::layer).collect();
        layers.push(Layer { origin: Origin::Workflow, settings: self.from_workflow.get(manifest.name.as_str()) });
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
    fn files(&self) -> Option<(Files, Result<Manifest, OpsError>)> {
        match &self.kind {
            Kind::Locked { plugin, lock } => {
                let installed = plugin.installed.clone()?;
                let manifest = installed.manifest().map_err(OpsError::from);
                let unpacked = Unpacked { locked: plugin.locked.clone(), installed, lock: lock.clone() };
                Some((Files::Locked(Box::new(unpacked)), manifest))
            }
            Kind::Local(plugin) => Some((Files::Local(plugin.clone()), Ok(plugin.manifest.clone()))),
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
        match self.providers(node_type).as_slice() {
            [] => Found::Nothing,
            [plugin] => {
                self.mark_used(plugin);
                Found::Plugin(plugin.node(node_type))
            }
            several => {
                Found::Several(several.iter().map(|plugin| format!("{}/{node_type}", plugin.manifest.name)).collect())
            }
        }
    }

    fn names(&self) -> Vec<String> {
        let nodes = self.plugins.iter().flat_map(|plugin| &plugin.manifest.nodes);
        nodes.map(|node| node.node_type.to_string()).collect()
    }

    fn provider_hint(&self, node_type: &str) -> Option<String> {
        if let Some(hint) = self.left_out.iter().find_map(|plugin| plugin.hint(node_type)) {
            return Some(hint.to_owned());
        }
        let provides = |entry: &&SearchEntry| entry.nodes.iter().any(|node| node.as_str() == node_type);
        let entry = self.available.iter().find(provides)?;
        Some(format!("the plugin `{}` provides it: run `pocket plugin install {}`", entry.name, entry.name))
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
