//! A plugin with the node types `read-env`, `http-get`, `connect`, `read-file` and `write-file` in one of the runtimes.
//!
//! Each takes what it uses as its input: a variable's name, a URL, `host:port`, a path. It gives what it read, `"connected"` or
//! `"written"`, and lets errors of the host pass.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use pocket::engine::{Call, CallContext, CallError, Engine, EngineOptions, Grants, Limits, Plugin, PluginFiles};
use pocket_index::manifest::Manifest;
use pocket_index::permissions::Permissions;
use serde_json::{Map, Value};

/// One of the things that permissions are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    ReadEnv,
    HttpGet,
    Connect,
    ReadFile,
    WriteFile,
}

impl Attempt {
    pub const ALL: [Self; 5] = [Self::ReadEnv, Self::HttpGet, Self::Connect, Self::ReadFile, Self::WriteFile];

    pub fn node_type(self) -> &'static str {
        match self {
            Self::ReadEnv => "read-env",
            Self::HttpGet => "http-get",
            Self::Connect => "connect",
            Self::ReadFile => "read-file",
            Self::WriteFile => "write-file",
        }
    }
}

/// How a runtime tells a plugin that it may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// By an error of kind `denied`, in the words of all runtimes.
    Words,
    /// What may not be used is not there: the output is `null`.
    Absence,
    /// The runtime has no such thing at all.
    Nowhere,
}

/// A runtime with its plugin.
pub trait Actor: Sync {
    /// The runtime's name in a manifest.
    fn runtime(&self) -> &'static str;

    /// Writes the plugin's file into `folder` and gives its name.
    fn write(&self, folder: &Path) -> String;

    /// How the runtime refuses.
    fn refusal(&self, attempt: Attempt) -> Refusal;
}

/// Loads the actor's plugin, which asks for `asked`, and has it try something.
pub fn attempt(
    actor: &dyn Actor,
    asked: &Permissions,
    grants: Grants,
    attempt: Attempt,
    what: &str,
) -> Result<Value, CallError> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plugin = load(actor, folder.path(), asked, grants)?;
    let (config, input) = (Value::Null, Value::from(what));
    let deadline = Instant::now() + Limits::default().timeout;
    let context = CallContext { run_id: "run".into(), node: "node".into(), attempt: 1, deadline };
    let call = Call { node_type: attempt.node_type(), config: &config, input: &input, context };
    plugin.call(call).map(|reply| reply.output)
}

fn load(actor: &dyn Actor, folder: &Path, asked: &Permissions, grants: Grants) -> Result<Arc<Plugin>, CallError> {
    let binary = actor.write(folder);
    let nodes: String = Attempt::ALL.iter().map(|attempt| format!("- type: {}\n", attempt.node_type())).collect();
    let manifest =
        format!("name: matrix\nversion: 1.0.0\nruntime: {}\nbinary: {binary}\nnodes:\n{nodes}", actor.runtime());
    let manifest = Manifest::parse(manifest.as_bytes()).expect("it is well-formed");
    let manifest = Manifest { permissions: asked.clone(), ..manifest };
    let files = PluginFiles { root: folder.to_owned(), manifest, tree: None };
    let host_program = env!("CARGO_BIN_EXE_pocket").into();
    let engine = Engine::new(EngineOptions { cache_dir: folder.join("cache"), host_program });
    engine.load(files, grants, Map::new(), Limits::default())
}
