//! A plugin that is verified and loaded once, when it is first needed, and whose calls are told and counted.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use pocket_index::archive::MANIFEST;
use pocket_index::digest::Digest;
use pocket_index::manifest::Manifest;
use pocket_index::permissions::{Permissions, Word};
use pocket_index::tree::Tree;
use serde::Serialize;
use serde_json::Value;

use super::calls::{Effect, LazyNode};
use super::rights::Rights;
use crate::engine::{CallError, Engine, GrantedWords, Limits, Plugin, PluginFiles};
use crate::ops::install::sentences;
use crate::ops::local::LocalPlugin;
use crate::ops::metrics::Recorder;
use crate::ops::permissions::refuse_unapproved;
use crate::ops::settings::Settings;
use crate::ops::{OpsError, trace};
use crate::project::LockedPlugin;
use crate::store::InstalledPlugin;
use crate::workflow::journal::Secret;
use crate::workflow::{PluginNode, SettingView};

/// A plugin that is verified and loaded once, when it is first needed.
pub struct LazyPlugin {
    pub(super) files: Files,
    pub(super) manifest: Manifest,
    pub(super) granted: GrantedWords,
    pub(super) limits: Limits,
    pub(super) engine: Arc<Engine>,
    pub(super) rights: Arc<Rights>,
    pub(super) recorder: Arc<Recorder>,
    /// Whether its time is looked at call by call.
    pub(super) looking: Looking,
    /// Joined when the plugin is used: one that is not may lack what it needs.
    pub(super) settings: OnceLock<Settings>,
    /// What an unpacked plugin's files were when they were verified.
    pub(super) verified: OnceLock<Tree>,
    pub(super) loaded: OnceLock<Result<Arc<Plugin>, CallError>>,
}

/// Whether the time of a plugin's process is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looking {
    AtEachCall,
    NotAtAll,
}

/// An installed plugin as a lock has it.
#[derive(Clone)]
pub(super) struct Unpacked {
    pub(super) locked: LockedPlugin,
    pub(super) installed: InstalledPlugin,
    /// The lock.
    pub(super) lock: PathBuf,
    /// Of the manifest's text, when it was read.
    pub(super) manifest: Digest,
}

/// Where a plugin's files are, and who vouches for them.
#[derive(Clone)]
pub(super) enum Files {
    /// Unpacked; the lock says what they must be.
    Locked(Box<Unpacked>),
    /// Where they stand.
    Local(Box<LocalPlugin>),
}

/// What a plan tells of a plugin that it uses.
#[derive(Debug, Serialize)]
pub struct PluginView {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it may do.
    pub may: Vec<String>,
    /// What it asks for and was not granted.
    pub not_granted: Vec<String>,
    /// Its settings; stars for secrets.
    pub settings: Vec<SettingView>,
}

impl LazyPlugin {
    /// The same plugin, to be loaded once more with other settings.
    pub(super) fn twin(&self) -> Self {
        Self {
            files: self.files.clone(),
            manifest: self.manifest.clone(),
            granted: self.granted.clone(),
            limits: self.limits,
            engine: Arc::clone(&self.engine),
            rights: Arc::clone(&self.rights),
            recorder: Arc::clone(&self.recorder),
            looking: self.looking,
            settings: OnceLock::new(),
            verified: OnceLock::new(),
            loaded: OnceLock::new(),
        }
    }

    /// What a plan tells of it.
    pub fn view(&self) -> PluginView {
        let may = sentences(&self.effective_permissions());
        let asked = sentences(&self.manifest.permissions);
        let shown = self.settings.get().map(|settings| settings.shown(&self.manifest)).unwrap_or_default();
        let settings = shown.into_iter().filter_map(|setting| {
            let (value, origin) = setting.now?;
            Some(SettingView { name: setting.name, value, origin })
        });
        PluginView {
            name: self.manifest.name.to_string(),
            version: self.manifest.version.to_string(),
            not_granted: asked.into_iter().filter(|sentence| !may.contains(sentence)).collect(),
            may,
            settings: settings.collect(),
        }
    }

    pub(super) fn node(self: &Arc<Self>, node_type: &str) -> PluginNode {
        let bare = node_type.rsplit('/').next().unwrap_or(node_type);
        let spec = self.manifest.nodes.iter().find(|spec| spec.node_type.as_str() == bare);
        let effect = if spec.is_some_and(|spec| spec.pure) { Effect::None } else { Effect::Possible };
        let node = LazyNode { plugin: Arc::clone(self), effect };
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
        if let Files::Locked(unpacked) = &self.files {
            let Unpacked { locked, installed, manifest, .. } = &**unpacked;
            let tree = installed.verify()?;
            // The plan was made from the manifest as it stood before the files were verified.
            if tree.file(MANIFEST) != Some(*manifest) {
                let message = "its manifest changed while the workflow was planned";
                return Err(OpsError::Load { plugin: self.manifest.name.clone(), source: CallError::load(message) });
            }
            refuse_unapproved(locked, &self.manifest.permissions)?;
            self.verified.get_or_init(|| tree);
        }
        let loaded = self.load().map(|_| ());
        loaded.map_err(|source| OpsError::Load { plugin: self.manifest.name.clone(), source })
    }

    /// Drops what the plugin keeps for a run that is over.
    pub fn end_run(&self, run_id: &str) {
        if let Some(Ok(plugin)) = self.loaded.get() {
            plugin.end_run(run_id);
        }
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

    /// Its name.
    pub fn name(&self) -> &str {
        self.manifest.name.as_str()
    }

    /// What tells its files from any others.
    pub fn digest(&self) -> String {
        match &self.files {
            Files::Locked(unpacked) => unpacked.installed.tree().to_string(),
            Files::Local(local) => local.digest.to_string(),
        }
    }

    /// The values of its settings that are secret.
    pub fn secrets(&self) -> Vec<Secret> {
        let Some(values) = self.settings.get().map(Settings::values) else { return Vec::new() };
        let secret = self.manifest.config.iter().filter(|(_, setting)| setting.secret);
        let given = secret.filter_map(|(name, _)| Some((name, values.get(name).filter(|value| !value.is_null())?)));
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        given
            .map(|(name, value)| Secret { name: format!("{}.{name}", self.manifest.name), text: text(value) })
            .collect()
    }

    pub(super) fn load(&self) -> Result<&Arc<Plugin>, CallError> {
        self.loaded.get_or_init(|| self.load_now()).as_ref().map_err(Clone::clone)
    }

    fn load_now(&self) -> Result<Arc<Plugin>, CallError> {
        let began = Instant::now();
        let settings = self.settings.get().ok_or_else(|| CallError::load("its settings were not joined"))?;
        let grants = self.rights.grants(&self.manifest.permissions, &self.granted, settings)?;
        let (root, tree) = match &self.files {
            Files::Locked(unpacked) => {
                let tree = self.verified.get().ok_or_else(|| CallError::load("its files were not verified"))?;
                (unpacked.installed.root().to_owned(), Some(tree.clone()))
            }
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
