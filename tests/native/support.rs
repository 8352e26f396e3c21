//! Plugins that are compiled on the spot, and what a call of them takes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pocket::engine::access::Resolver;
use pocket::engine::envelope::Identity;
use pocket::engine::log::PluginLog;
use pocket::engine::native::{Confinement, NativeOptions, NativePlugin};
use pocket::engine::plugin::Border;
use pocket::engine::{Call, CallContext, CallError, GrantedWords, Grants, Limits, PluginFiles, Reply};
use pocket_index::manifest::Manifest;
use pocket_index::permissions::Permissions;
use serde_json::{Map, Value};

/// Libraries are compiled once for all tests of this binary.
static BUILT: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a temporary folder"));
static COMPILER: Mutex<()> = Mutex::new(());

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The shared library of a C file under `fixtures/plugins`.
pub fn c_library(source: &str) -> PathBuf {
    built(source, |library| {
        let mut gcc = compiler("gcc", library);
        gcc.arg("-pthread").arg(root().join("fixtures/plugins").join(source));
        gcc
    })
}

/// A compiler of C or C++ that makes a library.
pub fn compiler(name: &str, library: &Path) -> Command {
    let mut compiler = Command::new(name);
    compiler.args(["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-I"]).arg(root().join("sdk/c"));
    compiler.arg("-o").arg(library);
    compiler
}

/// The library that `command` builds from `source`, once.
pub fn built(source: &str, command: impl FnOnce(&Path) -> Command) -> PathBuf {
    let _one_at_a_time = COMPILER.lock().unwrap_or_else(PoisonError::into_inner);
    let library = BUILT.path().join(format!("lib{}.so", source.replace(['/', '.'], "-")));
    if !library.exists() {
        let status = command(&library).status().expect("the compiler is installed");
        assert!(status.success(), "`{source}` compiles");
    }
    library
}

/// The options of a plugin that is held by this build of `pocket`.
pub fn options() -> NativeOptions {
    NativeOptions {
        host_program: env!("CARGO_BIN_EXE_pocket").into(),
        library_digest: None,
        confinement: Confinement::Required,
    }
}

/// A plugin under test.
pub struct Held {
    plugin: NativePlugin,
    log: Arc<Mutex<Vec<String>>>,
    limits: Limits,
}

/// What a plugin under test asks for and gets.
pub struct Setup {
    pub asked: Permissions,
    pub granted: GrantedWords,
    pub settings: Map<String, Value>,
    pub limits: Limits,
    /// More lines of the manifest.
    pub manifest: &'static str,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            asked: Permissions::default(),
            granted: GrantedWords::all(),
            settings: Map::new(),
            limits: Limits::default(),
            manifest: "",
        }
    }
}

impl Setup {
    /// What stands between such a plugin and the tests, with the lines that it logs.
    pub fn border(self) -> (Border, Arc<Mutex<Vec<String>>>) {
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let sink = Arc::clone(&log);
        let border = Border {
            grants: Grants::new(&self.asked, &self.granted, &self.settings).expect("the permissions are well-formed"),
            identity: Identity { plugin: "held".to_owned(), version: "1.0.0".to_owned(), settings: self.settings },
            limits: self.limits,
            log: PluginLog::new(move |line| {
                sink.lock().expect("no sink panics").push(format!("{}{}", line.severity.prefix(), line.text))
            }),
            sampler: None,
            resolver: Resolver::default(),
        };
        (border, log)
    }

    /// Holds the plugin with that library.
    pub fn hold(self, library: &Path) -> Held {
        self.hold_as(library, options())
    }

    /// The same with other options.
    pub fn hold_as(self, library: &Path, options: NativeOptions) -> Held {
        let (limits, manifest) = (self.limits, self.manifest);
        let (border, log) = self.border();
        let plugin = NativePlugin::load(&files(library, manifest), border, options).expect("the library is there");
        Held { plugin, log, limits }
    }
}

impl Held {
    /// Calls a node.
    pub fn call(&self, node_type: &str, input: impl Into<Value>) -> Result<Reply, CallError> {
        self.call_with(node_type, Value::Null, input)
    }

    /// Calls a node with a config.
    pub fn call_with(&self, node_type: &str, config: Value, input: impl Into<Value>) -> Result<Reply, CallError> {
        let deadline = Instant::now() + self.limits.timeout;
        let context = CallContext { run_id: "run".to_owned(), node: "node".to_owned(), attempt: 1, deadline };
        self.plugin.call(&Call { node_type, config: &config, input: &input.into(), context })
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

    /// What the plugin logged so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().expect("no sink panics").clone()
    }

    /// Lets the plugin end its calls and stop.
    pub fn unload(&self) {
        self.unload_within(Duration::from_secs(30));
    }

    /// The same with so much time.
    pub fn unload_within(&self, time: Duration) {
        self.plugin.unload(Instant::now() + time);
    }
}

/// The files of a plugin that is one library, with more lines in its manifest.
pub fn files(library: &Path, more: &str) -> PluginFiles {
    let name = library.file_name().expect("it is a file").display();
    let manifest = format!("name: held\nversion: 1.0.0\nruntime: native\nbinary: {name}\nnodes:\n- type: any\n{more}");
    let manifest = Manifest::parse(manifest.as_bytes()).expect("it is well-formed");
    PluginFiles { root: library.parent().expect("it is in a folder").to_owned(), manifest, tree: None }
}
