//! A loaded plugin, whatever runs it, and the engine that loads it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pocket_index::digest::Digest;
use pocket_index::manifest::{Binary, Manifest, Runtime};
use pocket_index::name::{PluginName, Target};
use pocket_index::tree::Tree;
use serde_json::{Map, Value};

use super::access::Resolver;
use super::budget::{Limit, Limits};
use super::envelope::Identity;
use super::error::{CallError, CallErrorKind};
use super::grants::Grants;
use super::log::PluginLog;
use super::lua::LuaPlugin;
use super::native::{Confinement, NativeOptions, NativePlugin};
use super::sampler::Sampler;
use super::wasm::{WasmEngine, WasmPlugin};
use super::withheld::Withheld;

/// A plugin's files on disk: an installed folder, or a local one.
#[derive(Debug, Clone)]
pub struct PluginFiles {
    /// The folder that holds `manifest.yaml`.
    pub root: PathBuf,
    /// The manifest, parsed and checked.
    pub manifest: Manifest,
    /// What the folder's files were when they were verified; `None` for a local folder.
    pub tree: Option<Tree>,
}

impl PluginFiles {
    /// What the digest of a file was when the folder was verified; `None` for a local folder.
    ///
    /// # Errors
    /// The folder was verified, and the file was not in it.
    pub fn verified(&self, path: &str) -> Result<Option<Digest>, CallError> {
        let Some(tree) = &self.tree else { return Ok(None) };
        let found = tree.file(path).ok_or_else(|| {
            CallError::load(format!("`{path}` of `{}` is not among the files that were verified", self.manifest.name))
        });
        found.map(Some)
    }

    /// The file that is run, when it is the same on every target.
    pub fn portable_binary(&self) -> Result<PathBuf, CallError> {
        match &self.manifest.binary {
            Some(Binary::Path(path)) => Ok(self.root.join(path)),
            Some(Binary::PerTarget(_)) => Err(CallError::load(format!(
                "`{}` names one `binary` for each target, which only native plugins can",
                self.manifest.name
            ))),
            None => Err(CallError::load(format!("the manifest of `{}` names no `binary`", self.manifest.name))),
        }
    }
}

/// One call of a node.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// Which of the plugin's node types.
    pub node_type: &'a str,
    /// The node's configuration, templates already rendered.
    pub config: &'a Value,
    /// The output of the node before it.
    pub input: &'a Value,
    /// Where and when it runs.
    pub context: CallContext,
}

/// What one of several calls of a node type asks for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The node's configuration, templates already rendered.
    pub config: &'a Value,
    /// The output of the node before it.
    pub input: &'a Value,
}

/// Where and when a call runs.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The run's identity.
    pub run_id: String,
    /// The node's name in the workflow.
    pub node: String,
    /// 1 for the first try.
    pub attempt: u32,
    /// When the call must have ended. [`Plugin::call`] brings it forward to the plugin's own limit.
    pub deadline: Instant,
}

/// What a call returned.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The node's output.
    pub output: Value,
    /// The action that chooses the next node; `None` is `default`.
    pub action: Option<String>,
}

/// Where an engine keeps and finds things.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// The folder for compiled code. It may be deleted at any time.
    pub cache_dir: PathBuf,
    /// The program that is executed as `<program> __plugin-host` to hold a native plugin.
    pub host_program: PathBuf,
}

/// Loads plugins.
pub struct Engine {
    options: EngineOptions,
    wasm: WasmEngine,
    log: PluginLog,
    /// The plugin whose code is looked at while it runs, and what keeps what is seen.
    sampled: Option<(PluginName, Sampler)>,
    unconfined: BTreeSet<PluginName>,
    resolver: Resolver,
}

impl Engine {
    /// An engine whose plugins log to standard error. Nothing is started before a plugin needs it.
    pub fn new(options: EngineOptions) -> Self {
        let wasm = WasmEngine::new(options.cache_dir.clone());
        let (unconfined, resolver) = (BTreeSet::new(), Resolver::default());
        Self { options, wasm, log: PluginLog::default(), sampled: None, unconfined, resolver }
    }

    /// The same engine with another place for log lines.
    #[must_use]
    pub fn with_log(mut self, log: PluginLog) -> Self {
        self.log = log;
        self
    }

    /// The same engine, which looks where the code of one plugin is while it runs.
    #[must_use]
    pub fn with_sampler(mut self, plugin: PluginName, sampler: Sampler) -> Self {
        self.sampled = Some((plugin, sampler));
        self
    }

    /// The same engine, which runs these native plugins also where the kernel cannot confine them: their user said so.
    #[must_use]
    pub fn with_unconfined(mut self, plugins: BTreeSet<PluginName>) -> Self {
        self.unconfined = plugins;
        self
    }

    /// The same engine, which finds the addresses of names elsewhere than in the system's resolver.
    #[must_use]
    pub fn with_resolver(mut self, resolver: Resolver) -> Self {
        self.resolver = resolver;
        self
    }

    /// Loads a plugin that may do what `grants` say within `limits`, narrowed by its manifest.
    pub fn load(
        &self,
        files: PluginFiles,
        grants: Grants,
        settings: Map<String, Value>,
        limits: Limits,
    ) -> Result<Arc<Plugin>, CallError> {
        let limits = limits
            .narrowed_by(&files.manifest.permissions)
            .map_err(|error| CallError::load(format!("the manifest of `{}`: {error}", files.manifest.name)))?;
        let identity = Identity::new(&files, settings);
        let log = self.log.clone().limited(&identity.plugin, limits);
        let sampled = self.sampled.as_ref().filter(|(plugin, _)| *plugin == files.manifest.name);
        let sampler = sampled.map(|(_, sampler)| sampler.clone());
        let border = Border { identity, grants, limits, log, sampler, resolver: self.resolver.clone() };
        let withheld = Withheld::of(files.manifest.runtime, &border.grants);
        let code = match files.manifest.runtime {
            Runtime::Lua => Code::Lua(Box::new(LuaPlugin::load(&files, border)?)),
            Runtime::Wasm => Code::Wasm(Box::new(self.wasm.load(&files, border)?)),
            Runtime::Native => Code::Native(Box::new(self.native(&files, border)?)),
        };
        Ok(Arc::new(Plugin { manifest: files.manifest, limits, withheld, code }))
    }

    fn native(&self, files: &PluginFiles, border: Border) -> Result<NativePlugin, CallError> {
        let host_program = self.options.host_program.clone();
        let confinement = match self.unconfined.contains(&files.manifest.name) {
            true => Confinement::AllowUnconfined,
            false => Confinement::Required,
        };
        // What is loaded is what was verified, and not what stands in its place a moment later.
        let library_digest = match files.manifest.binary_for(&Target::host()) {
            Some(path) => files.verified(path)?,
            None => None,
        };
        NativePlugin::load(files, border, NativeOptions { host_program, library_digest, confinement })
    }
}

/// What stands between a plugin's code and the rest of the program.
#[derive(Debug, Clone)]
pub struct Border {
    /// Who the plugin is.
    pub identity: Identity,
    /// What it may do.
    pub grants: Grants,
    /// What it may use.
    pub limits: Limits,
    /// Where it writes its log.
    pub log: PluginLog,
    /// What keeps where its code is seen; none if nobody looks.
    pub sampler: Option<Sampler>,
    /// What finds the addresses that it connects to.
    pub resolver: Resolver,
}

/// What a plugin used since it was loaded, as far as its runtime tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// The most bytes of memory that were seen in use.
    pub memory_peak: Option<u64>,
    /// How often its process was started again.
    pub restarts: u64,
    /// The time that its process had on a processor.
    pub processor: Option<Duration>,
}

/// A loaded plugin.
pub struct Plugin {
    manifest: Manifest,
    limits: Limits,
    withheld: Withheld,
    code: Code,
}

enum Code {
    Lua(Box<LuaPlugin>),
    Wasm(Box<WasmPlugin>),
    Native(Box<NativePlugin>),
}

/// Whether the caller gave a call less time than the plugin's own limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CallersTime {
    Less,
    Enough,
}

impl Plugin {
    /// What the plugin says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What each of its calls may use.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Drops what the plugin keeps for a run, because it is over.
    pub fn end_run(&self, run_id: &str) {
        if let Code::Wasm(plugin) = &self.code {
            plugin.end_run(run_id);
        }
    }

    /// What it used so far.
    pub fn usage(&self) -> Usage {
        match &self.code {
            Code::Lua(plugin) => Usage { memory_peak: plugin.memory_peak(), ..Usage::default() },
            Code::Wasm(plugin) => Usage { memory_peak: plugin.memory_peak(), ..Usage::default() },
            Code::Native(plugin) => plugin.usage(),
        }
    }

    /// Refuses further calls of a plugin that has processes, waits until those that run have ended or the deadline has passed, and
    /// ends the processes. Other plugins have nothing to end.
    pub fn unload(&self, deadline: Instant) {
        if let Code::Native(plugin) = &self.code {
            plugin.unload(deadline);
        }
    }

    /// Runs one call to its end or its deadline, on the caller's thread.
    pub fn call(&self, mut call: Call<'_>) -> Result<Reply, CallError> {
        let callers = self.admit(call.node_type, &mut call.context, 1)?;
        let reply = match &self.code {
            Code::Lua(plugin) => plugin.call(&call),
            Code::Wasm(plugin) => plugin.call(&call),
            Code::Native(plugin) => plugin.call(&call),
        };
        reply.map_err(|error| self.explained(error, callers))
    }

    /// Runs several calls of one node type on the caller's thread, with one result for each: in one crossing if the plugin can take
    /// them so, else one after the other. Each has the plugin's own time, all together have the caller's.
    pub fn call_batch(
        &self,
        node_type: &str,
        asked: &[Asked<'_>],
        context: &CallContext,
    ) -> Vec<Result<Reply, CallError>> {
        let context = context.clone();
        match &self.code {
            Code::Wasm(plugin) if plugin.has_batch() && asked.len() > 1 => {
                let together = self.call_together(plugin, node_type, asked, context);
                together.unwrap_or_else(|error| vec![Err(error); asked.len()])
            }
            _ => {
                let call = |one: &Asked<'_>| {
                    let context = context.clone();
                    self.call(Call { node_type, config: one.config, input: one.input, context })
                };
                asked.iter().map(call).collect()
            }
        }
    }

    /// Whether several calls may cross at once.
    pub fn takes_several(&self) -> bool {
        matches!(&self.code, Code::Wasm(plugin) if plugin.has_batch())
    }

    /// Runs several calls of one node type in one crossing, which has the time of one call. None if the plugin cannot take them so, or
    /// if the crossing gave no result for each.
    pub fn call_at_once(
        &self,
        node_type: &str,
        asked: &[Asked<'_>],
        mut context: CallContext,
    ) -> Option<Vec<Result<Reply, CallError>>> {
        let Code::Wasm(plugin) = &self.code else { return None };
        let callers = self.admit(node_type, &mut context, 1).ok().filter(|_| plugin.has_batch())?;
        let replies = plugin.call_batch(node_type, asked, &context).ok()?;
        Some(replies.into_iter().map(|reply| reply.map_err(|error| self.explained(error, callers))).collect())
    }

    fn call_together(
        &self,
        plugin: &WasmPlugin,
        node_type: &str,
        asked: &[Asked<'_>],
        mut context: CallContext,
    ) -> Result<Vec<Result<Reply, CallError>>, CallError> {
        let callers = self.admit(node_type, &mut context, asked.len())?;
        let explained = |error: CallError| self.explained(error, callers);
        let replies = plugin.call_batch(node_type, asked, &context).map_err(explained)?;
        Ok(replies.into_iter().map(|reply| reply.map_err(explained)).collect())
    }

    /// Checks that the plugin has the node type, and brings the deadline forward to the time that it has for so many calls.
    fn admit(&self, node_type: &str, context: &mut CallContext, calls: usize) -> Result<CallersTime, CallError> {
        if !self.manifest.nodes.iter().any(|node| node.node_type.as_str() == node_type) {
            let name = &self.manifest.name;
            let message = format!("plugin `{name}` {} has no node type `{node_type}`", self.manifest.version);
            return Err(CallError::new(CallErrorKind::InvalidInput, message));
        }
        let now = Instant::now();
        let time = self.limits.timeout.saturating_mul(u32::try_from(calls).unwrap_or(u32::MAX));
        let own = now.checked_add(time).unwrap_or(context.deadline);
        let callers = if context.deadline < own { CallersTime::Less } else { CallersTime::Enough };
        context.deadline = context.deadline.min(own);
        if context.deadline <= now {
            return Err(CallError::timeout(node_type, self.limits.timeout));
        }
        Ok(callers)
    }

    /// An error as the caller gets it: with what may be behind it.
    fn explained(&self, error: CallError, callers: CallersTime) -> CallError {
        self.with_advice(self.withheld.explain(error.printable()), callers)
    }

    /// An error that tells of a limit also tells who set it and how it is raised.
    fn with_advice(&self, error: CallError, callers: CallersTime) -> CallError {
        match error.limit {
            None => error,
            Some(Limit::Timeout) if callers == CallersTime::Less => {
                error.advised("the node's or the workflow's `timeout` sets it")
            }
            Some(limit) if self.limits.is_set_by(&self.manifest.permissions, limit) => {
                error.advised("the plugin's manifest sets it")
            }
            Some(limit) => error.advised(&limit.advice(self.manifest.name.as_str())),
        }
    }
}

#[cfg(test)]
#[path = "plugin_tests.rs"]
mod tests;
