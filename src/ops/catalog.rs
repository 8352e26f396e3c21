//! The node types that a workspace's plugins provide, for planning workflows; plugins are loaded when they are needed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use ipnet::IpNet;
use pocket_index::manifest::Manifest;
use pocket_index::name::PluginName;
use pocket_index::permissions::{Permissions, Word};
use pocket_index::search::SearchEntry;
use serde_json::{Map, Value};

use super::install::{refuse_seen, sentences};
use super::networks::private_networks;
use super::permissions::{Grant, refuse_unapproved};
use super::plugins::WorkspacePlugin;
use super::policy::Policy;
use super::settings::{Layer, Origin, Settings};
use super::workspace::SettingsFile;
use super::{OpsError, Workspace};
use crate::engine::{Call, CallError, Engine, EngineOptions, GrantedWords, Grants, Limits, Plugin, PluginFiles};
use crate::nodes::{NodeCall, Outcome};
use crate::project::{Exec, LockedPlugin};
use crate::store::InstalledPlugin;
use crate::workflow::{Found, NodeCatalog, PluginNode};

/// The plugins of a workspace that a workflow may use.
pub struct Catalog<'a> {
    workspace: &'a Workspace,
    policy: Policy<'a>,
    /// The settings that the workflow gives, by plugin.
    from_workflow: &'a BTreeMap<String, Map<String, Value>>,
    warn: &'a dyn Fn(String),
    plugins: Vec<Arc<LazyPlugin>>,
    /// Those whose nodes were asked for.
    used: RefCell<BTreeMap<PluginName, Arc<LazyPlugin>>>,
    /// Why a plugin that is used cannot be.
    failure: RefCell<Option<OpsError>>,
    /// What could be installed, for suggestions.
    available: Vec<SearchEntry>,
}

/// A plugin that is verified and loaded once, when it is first needed.
pub struct LazyPlugin {
    locked: LockedPlugin,
    installed: InstalledPlugin,
    manifest: Manifest,
    granted: GrantedWords,
    engine: Arc<Engine>,
    /// The folder that relative `filesystem` permissions start from.
    base: PathBuf,
    /// The private networks that its hosts may lead to.
    private_networks: Vec<IpNet>,
    /// Joined when the plugin is used: one that is not may lack what it needs.
    settings: OnceLock<Settings>,
    loaded: OnceLock<Result<Arc<Plugin>, CallError>>,
}

impl<'a> Catalog<'a> {
    /// The plugins of `workspace` but those in `disabled`.
    pub fn new(
        workspace: &'a Workspace,
        plugins: &[WorkspacePlugin],
        disabled: &[PluginName],
        from_workflow: &'a BTreeMap<String, Map<String, Value>>,
        warn: &'a dyn Fn(String),
    ) -> Result<Self, OpsError> {
        let engine = Arc::new(engine(workspace)?);
        let base = base(workspace)?;
        let private_networks = private_networks(workspace);
        let mut lazy = Vec::new();
        for plugin in plugins.iter().filter(|plugin| !disabled.contains(&plugin.locked.name)) {
            let Some(installed) = plugin.installed.clone() else {
                warn(format!(
                    "`{}` {} is locked but not installed; run `pocket plugin install`",
                    plugin.locked.name, plugin.locked.version
                ));
                continue;
            };
            let manifest = installed.manifest()?;
            let granted = Grant::of(workspace, &manifest.name).words();
            let (engine, base) = (Arc::clone(&engine), base.clone());
            let (settings, loaded) = (OnceLock::new(), OnceLock::new());
            let (locked, private_networks) = (plugin.locked.clone(), private_networks.clone());
            lazy.push(Arc::new(LazyPlugin {
                locked,
                installed,
                manifest,
                granted,
                engine,
                base,
                private_networks,
                settings,
                loaded,
            }));
        }
        Ok(Self {
            workspace,
            policy: Policy::of(workspace)?,
            from_workflow,
            warn,
            plugins: lazy,
            used: RefCell::default(),
            failure: RefCell::default(),
            available: Vec::new(),
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
        let allowed = self.allow(&plugin.locked);
        match allowed.and_then(|()| settings(self.workspace, &plugin.manifest, self.from_workflow, self.warn)) {
            Ok(settings) => plugin.settings.set(settings).expect("set once, when the plugin is first used"),
            Err(error) => drop(self.failure.borrow_mut().get_or_insert(error)),
        }
    }

    fn allow(&self, plugin: &LockedPlugin) -> Result<(), OpsError> {
        let (lock, _) = self.workspace.read_lock()?.unwrap_or_default();
        refuse_seen(self.workspace, plugin, &lock)?;
        self.policy.check_locked(plugin, &lock)
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
        let provides = |entry: &&SearchEntry| entry.nodes.iter().any(|node| node.as_str() == node_type);
        let entry = self.available.iter().find(provides)?;
        Some(format!("the plugin `{}` provides it: run `pocket plugin install {}`", entry.name, entry.name))
    }

    fn may_execute(&self, _program: &str) -> bool {
        self.workspace.project().plugins.security.allow_exec == Some(Exec::Allowed)
    }
}

impl LazyPlugin {
    fn node(self: &Arc<Self>, node_type: &str) -> PluginNode {
        let bare = node_type.rsplit('/').next().unwrap_or(node_type);
        let spec = self.manifest.nodes.iter().find(|spec| spec.node_type.as_str() == bare);
        let plugin = Arc::clone(self);
        let node = move |call: &NodeCall<'_>| -> Result<Outcome, CallError> {
            let reply = plugin.load()?.call(Call {
                node_type: call.node_type,
                config: call.config,
                input: call.input,
                context: call.context.clone(),
            })?;
            Ok(Outcome::from(reply))
        };
        PluginNode {
            plugin: self.manifest.name.to_string(),
            node_type: bare.to_owned(),
            description: spec.map(|spec| spec.description.clone()).unwrap_or_default(),
            schema: spec.and_then(|spec| spec.config_schema.clone()),
            input_schema: spec.and_then(|spec| spec.input_schema.clone()),
            output_schema: spec.and_then(|spec| spec.output_schema.clone()),
            permissions: sentences(&self.effective_permissions()),
            node: Arc::new(node),
        }
    }

    /// What the plugin asks for and was granted.
    fn effective_permissions(&self) -> Permissions {
        let mut effective = self.manifest.permissions.clone();
        let lists = [
            (Word::ReadEnv, &mut effective.env),
            (Word::HttpClient, &mut effective.http),
            (Word::NetworkAccess, &mut effective.network),
        ];
        for (word, list) in lists {
            if !self.granted.has(word) {
                list.clear();
            }
        }
        let (reads, writes) = (self.granted.has(Word::ReadFiles), self.granted.has(Word::WriteFiles));
        effective.filesystem.retain(|entry| if entry.starts_with("write:") { writes } else { reads });
        effective
    }

    /// Verifies the plugin's files and loads it, so that nothing runs before all of a plan's plugins are there.
    ///
    /// # Errors
    /// The files are others than those that were installed, or the plugin cannot be loaded.
    pub fn verify_and_load(&self) -> Result<(), OpsError> {
        self.installed.verify()?;
        // The plan was made from the manifest as it stood before the files were verified.
        if self.installed.manifest()? != self.manifest {
            let message = "its manifest changed while the workflow was planned";
            return Err(OpsError::Load { plugin: self.manifest.name.clone(), source: CallError::load(message) });
        }
        refuse_unapproved(&self.locked, &self.manifest.permissions)?;
        let loaded = self.load().map(|_| ());
        loaded.map_err(|source| OpsError::Load { plugin: self.manifest.name.clone(), source })
    }

    /// Drops what the plugin keeps for a run that is over.
    pub fn end_run(&self, run_id: &str) {
        if let Some(Ok(plugin)) = self.loaded.get() {
            plugin.end_run(run_id);
        }
    }

    fn load(&self) -> Result<&Arc<Plugin>, CallError> {
        let load = || {
            let asked = rooted(&self.manifest.permissions, &self.base);
            let settings = self.settings.get().ok_or_else(|| CallError::load("its settings were not joined"))?;
            let values = settings.values();
            let grants = Grants::new(&asked, &self.granted, &values)?
                .with_defaults(&settings.defaults())
                .with_private_networks(self.private_networks.clone())
                .with_base(self.base.clone());
            let files = PluginFiles {
                root: self.installed.root().to_owned(),
                manifest: self.manifest.clone(),
                tree: Some(self.installed.tree()),
            };
            self.engine.load(files, grants, values, Limits::default())
        };
        self.loaded.get_or_init(load).as_ref().map_err(Clone::clone)
    }
}

/// A project's plugins use folders of the project, wherever in it `pocket` was started.
fn base(workspace: &Workspace) -> Result<PathBuf, OpsError> {
    if workspace.is_project() {
        return Ok(workspace.root().to_owned());
    }
    std::env::current_dir().map_err(OpsError::io("find the current folder from", Path::new(".")))
}

/// The same permissions with folders that do not depend on where the process runs.
fn rooted(permissions: &Permissions, base: &Path) -> Permissions {
    let root = |entry: &String| match entry.split_once(':') {
        Some((access, path)) => format!("{access}:{}", base.join(path.trim_start_matches("./")).display()),
        None => entry.clone(),
    };
    Permissions { filesystem: permissions.filesystem.iter().map(root).collect(), ..permissions.clone() }
}

fn engine(workspace: &Workspace) -> Result<Engine, OpsError> {
    let program = std::env::current_exe().map_err(OpsError::io("find this program from", workspace.root()))?;
    Ok(Engine::new(EngineOptions { cache_dir: workspace.home().cache().join("compiled"), host_program: program }))
}

fn settings(
    workspace: &Workspace,
    manifest: &Manifest,
    from_workflow: &BTreeMap<String, Map<String, Value>>,
    warn: &dyn Fn(String),
) -> Result<Settings, OpsError> {
    let files = workspace.plugin_settings(&manifest.name)?;
    let mut layers: Vec<Layer<'_>> = files.iter().map(SettingsFile::layer).collect();
    layers.push(Layer { origin: Origin::Workflow, settings: from_workflow.get(manifest.name.as_str()) });
    let joined = Settings::join(manifest, &layers, &|name| std::env::var(name).ok())?;
    for unknown in &joined.unknown {
        warn(format!("`{}` has no setting `{unknown}`; it is not passed on", manifest.name));
    }
    Ok(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_start_at_the_project() {
        let filesystem = ["read:./data", "write:out", "read:/srv/shared"].map(str::to_owned).to_vec();
        let rooted = rooted(&Permissions { filesystem, ..Permissions::default() }, Path::new("/project"));
        assert_eq!(rooted.filesystem, ["read:/project/data", "write:/project/out", "read:/srv/shared"]);
    }
}
