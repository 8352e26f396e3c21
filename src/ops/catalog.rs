//! The node types that a workspace's plugins provide, for planning workflows; plugins are loaded when they are needed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use pocket_index::manifest::Manifest;
use pocket_index::name::PluginName;
use pocket_index::permissions::{Permissions, Word};
use pocket_index::search::SearchEntry;
use serde_json::{Map, Value};

use super::install::{refuse_seen, sentences};
use super::local::LocalPlugin;
use super::metrics::{Ended, Recorder};
use super::networks::private_networks;
use super::offered::{Kind, Offer, Offered, Standing};
use super::permissions::{Grant, refuse_unapproved};
use super::policy::Policy;
use super::run::Notice;
use super::settings::{Layer, Origin, Settings};
use super::workspace::SettingsFile;
use super::{OpsError, Workspace, limits, trace};
use crate::engine::{
    Call, CallError, Engine, EngineOptions, GrantedWords, Grants, Limits, Plugin, PluginFiles, Reply, Sampler,
};
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
    notify: &'a dyn Fn(Notice),
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
    files: Files,
    manifest: Manifest,
    granted: GrantedWords,
    limits: Limits,
    engine: Arc<Engine>,
    rights: Arc<Rights>,
    recorder: Arc<Recorder>,
    /// Whether its time is looked at call by call.
    looking: Looking,
    /// Joined when the plugin is used: one that is not may lack what it needs.
    settings: OnceLock<Settings>,
    loaded: OnceLock<Result<Arc<Plugin>, CallError>>,
}

/// Whether the time of a plugin's process is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looking {
    AtEachCall,
    NotAtAll,
}

/// A plugin that is looked at while it runs, and what keeps what is seen; none if nobody looks.
pub type Sampled<'a> = Option<(&'a PluginName, &'a Sampler)>;

/// Where a plugin's files are, and who vouches for them.
enum Files {
    /// Unpacked; the lock says what they must be.
    Locked { locked: LockedPlugin, installed: InstalledPlugin, lock: PathBuf },
    /// Where they stand.
    Local(Box<LocalPlugin>),
}

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
        Ok(Self {
            workspace,
            policy: Policy::of(workspace)?,
            from_workflow,
            notify,
            plugins,
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
        match self.allow(&plugin.files).and_then(|()| self.settings(plugin)) {
            Ok(settings) => plugin.settings.set(settings).expect("set once, when the plugin is first used"),
            Err(error) => drop(self.failure.borrow_mut().get_or_insert(error)),
        }
    }

    fn allow(&self, files: &Files) -> Result<(), OpsError> {
        match files {
            Files::Locked { locked, lock, .. } => {
                let (lock, _) = Workspace::read_lock_at(lock)?.unwrap_or_default();
                refuse_seen(self.workspace, locked, &lock)?;
                self.policy.check_locked(locked, &lock)
            }
            Files::Local(local) => {
                self.policy.check(local.subject(&local.source()))?;
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
                Some((Files::Locked { locked: plugin.locked.clone(), installed, lock: lock.clone() }, manifest))
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
        let node = move |call: &NodeCall<'_>| -> Result<Outcome, CallError> { plugin.call(call).map(Outcome::from) };
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
        if let Files::Locked { locked, installed, .. } = &self.files {
            installed.verify()?;
            // The plan was made from the manifest as it stood before the files were verified.
            if installed.manifest()? != self.manifest {
                let message = "its manifest changed while the workflow was planned";
                return Err(OpsError::Load { plugin: self.manifest.name.clone(), source: CallError::load(message) });
            }
            refuse_unapproved(locked, &self.manifest.permissions)?;
        }
        let loaded = self.load().map(|_| ());
        loaded.map_err(|source| OpsError::Load { plugin: self.manifest.name.clone(), source })
    }

    /// Notes what the plugin used since it was loaded.
    pub fn note_usage(&self) {
        if let Some(Ok(plugin)) = self.loaded.get() {
            self.recorder.used(self.manifest.name.as_str(), plugin.usage());
        }
    }

    /// What was counted of the calls of this plugin and of its catalog's others.
    pub fn recorder(&self) -> &Arc<Recorder> {
        &self.recorder
    }

    fn call(&self, call: &NodeCall<'_>) -> Result<Reply, CallError> {
        let plugin = self.load()?;
        let name = self.manifest.name.as_str();
        let node = call.context.node.as_str();
        let span = tracing::debug_span!(target: trace::TARGET, "call", plugin = name, node);
        let _entered = span.enter();
        let secrets = trace::Secrets::of(&self.manifest, self.settings.get().map(Settings::values).as_ref());
        trace::called(call, &secrets);
        // A process that is started by this call had no time before it.
        let before = match self.looking {
            Looking::AtEachCall => Some(plugin.usage().processor.unwrap_or_default()),
            Looking::NotAtAll => None,
        };
        let began = Instant::now();
        let result = plugin.call(Call {
            node_type: call.node_type,
            config: call.config,
            input: call.input,
            context: call.context.clone(),
        });
        let elapsed = began.elapsed();
        trace::returned(&result, elapsed, &secrets);
        self.recorder.saw(Ended {
            plugin: name,
            node_type: call.node_type,
            node,
            elapsed,
            processor: before.and_then(|before| plugin.usage().processor?.checked_sub(before)),
            error: result.as_ref().err().map(|error| error.kind),
        });
        result
    }

    fn load(&self) -> Result<&Arc<Plugin>, CallError> {
        self.loaded.get_or_init(|| self.load_now()).as_ref().map_err(Clone::clone)
    }

    fn load_now(&self) -> Result<Arc<Plugin>, CallError> {
        let began = Instant::now();
        let settings = self.settings.get().ok_or_else(|| CallError::load("its settings were not joined"))?;
        let grants = self.rights.grants(&self.manifest.permissions, &self.granted, settings)?;
        let (root, tree) = match &self.files {
            Files::Locked { installed, .. } => (installed.root().to_owned(), Some(installed.tree())),
            Files::Local(local) => (local.root.clone(), None),
        };
        let files = PluginFiles { root, manifest: self.manifest.clone(), tree };
        let loaded = self.engine.load(files, grants, settings.values(), self.limits);
        trace::loaded(
            &self.manifest,
            &sentences(&self.effective_permissions()),
            began.elapsed(),
            loaded.as_ref().err(),
        );
        loaded
    }
}

/// What the grants of all plugins here have in common.
pub struct Rights {
    /// The folder that relative `filesystem` permissions start from.
    base: PathBuf,
    /// The private networks that hosts may lead to.
    private_networks: Vec<ipnet::IpNet>,
}

impl Rights {
    /// Those of a workspace.
    ///
    /// # Errors
    /// The current folder cannot be found.
    pub fn of(workspace: &Workspace) -> Result<Self, OpsError> {
        Ok(Self { base: base(workspace)?, private_networks: private_networks(workspace) })
    }

    /// What a plugin may do that asks for this, was granted these words, and has these settings.
    ///
    /// # Errors
    /// What it asks for is not well-formed, or takes a host from a setting that has none.
    pub fn grants(
        &self,
        asked: &Permissions,
        granted: &GrantedWords,
        settings: &Settings,
    ) -> Result<Grants, CallError> {
        let grants = Grants::new(&rooted(asked, &self.base), granted, &settings.values())?;
        let grants = grants.with_defaults(&settings.defaults());
        Ok(grants.with_private_networks(self.private_networks.clone()).with_base(self.base.clone()))
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

/// An engine with the home's cache, whose native plugins are held by this program.
pub fn engine(workspace: &Workspace) -> Result<Engine, OpsError> {
    let program = std::env::current_exe().map_err(OpsError::io("find this program from", workspace.root()))?;
    Ok(Engine::new(EngineOptions { cache_dir: workspace.home().cache().join("compiled"), host_program: program }))
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
