//! A plugin in each runtime whose nodes end in every way: `echo`, `fail`, `trap`, `loop`, `memory`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use pocket::engine::log::PluginLog;
use pocket::engine::{Engine, EngineOptions, Grants, Limits, Plugin, PluginFiles};
use pocket_index::manifest::Manifest;
use serde_json::Map;

/// The nodes that every plugin has.
pub const NODES: [&str; 5] = ["echo", "fail", "trap", "loop", "memory"];

const LUA: &str = "
function echo(input) return input end
function fail() error('no') end
function trap() local nothing = nil; return nothing.field end
function loop() while true do end end
function memory() local kept = {} while true do kept[#kept + 1] = ('x'):rep(1000000) .. #kept end end
";

/// A native plugin in C.
const NATIVE: &str = include_str!("plugin.c");

/// What loads the plugins, and what of them is on the disk.
pub struct Plugins {
    engine: Engine,
    folder: tempfile::TempDir,
}

/// A way to run a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Lua,
    /// An instance for each call.
    WasmPerCall,
    /// Instances that are used again.
    WasmPooled,
    Native,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Lua, Self::WasmPerCall, Self::WasmPooled, Self::Native];

    fn manifest(self) -> &'static str {
        match self {
            Self::Lua => "runtime: lua\nbinary: plugin.lua\n",
            Self::WasmPerCall => "runtime: wasm\nbinary: plugin.wasm\n",
            Self::WasmPooled => "runtime: wasm\nbinary: plugin.wasm\ninstance: pooled\n",
            Self::Native => "runtime: native\nbinary: plugin.so\ninstances: 2\n",
        }
    }
}

impl Plugins {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("plugin.lua"), LUA).expect("it can be written");
        fs::copy(component(), folder.path().join("plugin.wasm")).expect("it can be copied");
        compile(folder.path());
        let cache_dir = folder.path().join("cache");
        let engine = Engine::new(EngineOptions { cache_dir, host_program: env!("CARGO_BIN_EXE_pocket").into() });
        Self { engine: engine.with_log(PluginLog::new(|_| {})), folder }
    }

    pub fn load(&self, kind: Kind) -> Arc<Plugin> {
        let nodes: String = NODES.iter().map(|node| format!("- type: {node}\n")).collect();
        let manifest = format!("name: soak\nversion: 1.0.0\n{}nodes:\n{nodes}", kind.manifest());
        let manifest = Manifest::parse(manifest.as_bytes()).expect("it is well-formed");
        let files = PluginFiles { root: self.folder.path().to_owned(), manifest, tree: None };
        let limits = Limits { timeout: Duration::from_secs(10), memory: 32 << 20, ..Limits::default() };
        let loaded = self.engine.load(files, Grants::default(), Map::new(), limits);
        loaded.unwrap_or_else(|error| panic!("{kind:?}: {error}"))
    }
}

/// The guest in Rust, which has these nodes among others.
fn component() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    let build = Command::new(root.join("fixtures/plugins-wasm/build")).arg(&out).arg("rust").output();
    let build = build.expect("the script can be started");
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    out.join("rust.wasm")
}

fn compile(folder: &Path) {
    fs::write(folder.join("plugin.c"), NATIVE).expect("it can be written");
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-I"]);
    gcc.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk/c")).arg(folder.join("plugin.c"));
    gcc.arg("-o").arg(folder.join("plugin.so"));
    assert!(gcc.status().expect("gcc is installed").success(), "the plugin compiles");
}
