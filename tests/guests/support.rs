//! Plugins that are compiled on the spot, and what a call of them takes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use pocket::engine::log::PluginLog;
use pocket::engine::{
    Asked, Call, CallContext, CallError, Engine, EngineOptions, GrantedWords, Grants, Limits, Plugin, PluginFiles,
    Reply,
};
use pocket_index::manifest::Manifest;
use serde_json::{Map, Value};

/// The nodes that the plugins have between them.
const NODES: [&str; 14] = [
    "unknown",
    "echo",
    "fail",
    "log",
    "trap",
    "loop",
    "memory",
    "count",
    "environment",
    "file",
    "connect",
    "sleep",
    "request",
    "crossings",
];

/// The component or module that is built from the sources of a language, and where it stands.
fn built(language: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    let build = Command::new(root.join("fixtures/plugins-wasm/build")).arg(&out).arg(language).output();
    let build = build.expect("the script can be started");
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    out.join(format!("{language}.wasm"))
}

/// A loaded plugin with the lines that it logged.
pub struct Guest {
    pub plugin: Arc<Plugin>,
    log: Arc<Mutex<Vec<String>>>,
}

/// How a plugin is loaded.
pub struct Setup {
    pub language: &'static str,
    /// Lines of the manifest.
    pub manifest: String,
    pub granted: GrantedWords,
    pub limits: Limits,
}

impl Setup {
    pub fn of(language: &'static str) -> Self {
        Self { language, manifest: String::new(), granted: GrantedWords::all(), limits: Limits::default() }
    }

    pub fn load(&self) -> Result<Guest, CallError> {
        let binary = built(self.language);
        let folder = binary.parent().expect("it is in a folder");
        let nodes = NODES.map(|node| format!("- type: {node}\n")).concat();
        let text = format!(
            "name: guest\nversion: 1.0.0\nruntime: wasm\nbinary: {}.wasm\nnodes:\n{nodes}{}",
            self.language, self.manifest
        );
        let manifest = Manifest::parse(text.as_bytes()).expect("the manifest is well-formed");
        let grants = Grants::new(&manifest.permissions, &self.granted, &Map::new()).expect("they are well-formed");
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let sink = Arc::clone(&log);
        // One cache for all tests: what is slow to compile is compiled once.
        let options = EngineOptions { cache_dir: folder.join("cache"), host_program: "pocket".into() };
        let engine = Engine::new(options).with_log(PluginLog::new(move |line| {
            sink.lock().expect("no sink panics").push(line.text.to_owned());
        }));
        let files = PluginFiles { root: folder.to_owned(), manifest, tree: None };
        let plugin = engine.load(files, grants, Map::new(), self.limits)?;
        Ok(Guest { plugin, log })
    }
}

impl Guest {
    pub fn call(&self, node_type: &str, input: impl Into<Value>) -> Result<Reply, CallError> {
        self.call_in_run("run", node_type, input)
    }

    pub fn call_in_run(&self, run: &str, node_type: &str, input: impl Into<Value>) -> Result<Reply, CallError> {
        let deadline = Instant::now() + self.plugin.limits().timeout;
        let context = CallContext { run_id: run.to_owned(), node: "node".to_owned(), attempt: 1, deadline };
        self.plugin.call(Call { node_type, config: &Value::Null, input: &input.into(), context })
    }

    /// What several calls of a node type give.
    pub fn call_batch(&self, node_type: &str, inputs: &[Value]) -> Vec<Result<Reply, CallError>> {
        let deadline = Instant::now() + self.plugin.limits().timeout;
        let context = CallContext { run_id: "run".to_owned(), node: "node".to_owned(), attempt: 1, deadline };
        let asked: Vec<_> = inputs.iter().map(|input| Asked { config: &Value::Null, input }).collect();
        self.plugin.call_batch(node_type, &asked, &context)
    }

    /// The same in one crossing or not at all.
    pub fn call_at_once(&self, node_type: &str, inputs: &[Value]) -> Option<Vec<Result<Reply, CallError>>> {
        let deadline = Instant::now() + self.plugin.limits().timeout;
        let context = CallContext { run_id: "run".to_owned(), node: "node".to_owned(), attempt: 1, deadline };
        let asked: Vec<_> = inputs.iter().map(|input| Asked { config: &Value::Null, input }).collect();
        self.plugin.call_at_once(node_type, &asked, context)
    }

    /// The output of a call that must succeed.
    pub fn output(&self, node_type: &str, input: impl Into<Value>) -> Value {
        self.call(node_type, input).unwrap_or_else(|error| panic!("`{node_type}` fails: {error}")).output
    }

    /// The error of a call that must fail.
    pub fn error(&self, node_type: &str, input: impl Into<Value>) -> CallError {
        match self.call(node_type, input) {
            Ok(reply) => panic!("`{node_type}` succeeds: {reply:?}"),
            Err(error) => error,
        }
    }

    pub fn log(&self) -> Vec<String> {
        self.log.lock().expect("no sink panics").clone()
    }
}
