//! A plugin with the node types `read-env`, `http-get`, `connect`, `read-file`, `write-file` and `link-file` in one of the runtimes.
//!
//! Each takes what it uses as its input: a variable's name, a URL (perhaps with a header, `URL|name|value`), `host:port`, a path,
//! two paths with `>` between them. It gives what it read, `"connected"`, `"written"` or `"linked"`, and lets errors of the host pass.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use pocket::engine::access::Resolver;
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
    LinkFile,
}

impl Attempt {
    pub const ALL: [Self; 6] =
        [Self::ReadEnv, Self::HttpGet, Self::Connect, Self::ReadFile, Self::WriteFile, Self::LinkFile];

    pub fn node_type(self) -> &'static str {
        match self {
            Self::ReadEnv => "read-env",
            Self::HttpGet => "http-get",
            Self::Connect => "connect",
            Self::ReadFile => "read-file",
            Self::WriteFile => "write-file",
            Self::LinkFile => "link-file",
        }
    }

    /// What the manifest asks for: entries with commas between them.
    pub fn asking(self, entries: &str) -> Permissions {
        let entries = entries.split(',').filter(|entry| !entry.is_empty()).map(str::to_owned).collect();
        let nothing = Permissions::default();
        match self {
            Self::ReadEnv => Permissions { env: entries, ..nothing },
            Self::HttpGet => Permissions { http: entries, ..nothing },
            Self::Connect => Permissions { network: entries, ..nothing },
            Self::ReadFile | Self::WriteFile | Self::LinkFile => Permissions { filesystem: entries, ..nothing },
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
    /// By an error of the system, one of these, which the plugin tells in its own words.
    System(&'static [&'static str]),
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

/// What a plugin asks for and gets, and what finds its addresses.
#[derive(Clone)]
pub struct Setup {
    pub asked: Permissions,
    pub grants: Grants,
    pub resolver: Resolver,
}

/// Loads the actor's plugin and has it try something.
pub fn attempt(actor: &dyn Actor, setup: &Setup, attempt: Attempt, what: &str) -> Result<Value, CallError> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    call(&*load(actor, folder.path(), setup)?, attempt, what)
}

/// Has a loaded plugin try something.
pub fn call(plugin: &Plugin, attempt: Attempt, what: &str) -> Result<Value, CallError> {
    let (config, input) = (Value::Null, Value::from(what));
    let deadline = Instant::now() + Limits::default().timeout;
    let context = CallContext { run_id: "run".into(), node: "node".into(), attempt: 1, deadline };
    let call = Call { node_type: attempt.node_type(), config: &config, input: &input, context };
    plugin.call(call).map(|reply| reply.output)
}

/// Loads the actor's plugin.
pub fn load(actor: &dyn Actor, folder: &Path, setup: &Setup) -> Result<Arc<Plugin>, CallError> {
    let binary = actor.write(folder);
    let nodes: String = Attempt::ALL.iter().map(|attempt| format!("- type: {}\n", attempt.node_type())).collect();
    let manifest =
        format!("name: matrix\nversion: 1.0.0\nruntime: {}\nbinary: {binary}\nnodes:\n{nodes}", actor.runtime());
    let manifest = Manifest::parse(manifest.as_bytes()).expect("it is well-formed");
    let manifest = Manifest { permissions: setup.asked.clone(), ..manifest };
    let files = PluginFiles { root: folder.to_owned(), manifest, tree: None };
    // One cache for all tests: what is slow to compile is compiled once.
    let cache_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests/cache");
    let engine = Engine::new(EngineOptions { cache_dir, host_program: env!("CARGO_BIN_EXE_pocket").into() });
    let engine = engine.with_resolver(setup.resolver.clone());
    engine.load(files, setup.grants.clone(), Map::new(), Limits::default())
}
