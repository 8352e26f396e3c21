//! A node call of 1 KiB of JSON against wasmtime's own call of the same export, in the same build of the same plugin.
//!
//! `benches/wasm/run.sh` prints both, measured in turns, beside the same logic in Extism, and how long a plugin takes to start.

mod floor;

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pocket::engine::{Call, CallContext, Engine, EngineOptions, Grants, Limits, Plugin, PluginFiles};
use pocket_index::manifest::Manifest;
use serde_json::{Map, Value, json};

use floor::{Floor, Memory};

const TURNS: usize = 5;
const ROUNDS: usize = 51;
const CALLS: u32 = 1000;

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    build(folder.path());
    starts(folder.path());
    let (fresh, pooled) = (load(folder.path(), "per-call"), load(folder.path(), "pooled"));
    let module = folder.path().join("zig.wasm");
    let (mut floor, pool) = (Floor::new(&module, Memory::OnDemand), Floor::new(&module, Memory::Pool));
    let input = json!({"text": "x".repeat(1000)});
    for _ in 0..TURNS {
        let (text, value) = (median(|| floor.text(&input)), median(|| floor.value(&input)));
        let one = median(|| call(&pooled, &input));
        println!(
            "kept instance: wasmtime {text:.2} us, with JSON in and out {value:.2} us; node call {one:.2} us, {:.2} and {:.2} \
             times as much",
            one / text,
            one / value
        );
        let (text, one) = (median(|| floor.fresh_text(&input)), median(|| call(&fresh, &input)));
        let from_pool = median(|| pool.fresh_text(&input));
        println!(
            "new instance: wasmtime {text:.2} us, from a pool {from_pool:.2} us; node call {one:.2} us, {:.2} times as much",
            one / text
        );
    }
}

/// The plugin in Zig, which imports nothing.
fn build(folder: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plugins-wasm/build");
    let status = Command::new(script).arg(folder).arg("zig").status().expect("the script can be started");
    assert!(status.success(), "`fixtures/toolchains/install zig` installs the compiler");
}

fn load(folder: &Path, instance: &str) -> Arc<Plugin> {
    let text = format!(
        "name: guest\nversion: 1.0.0\nruntime: wasm\nbinary: zig.wasm\ninstance: {instance}\nnodes: [{{type: echo}}]\n"
    );
    let manifest = Manifest::parse(text.as_bytes()).expect("it is well-formed");
    let files = PluginFiles { root: folder.to_owned(), manifest, tree: None };
    let options = EngineOptions { cache_dir: folder.join("cache"), host_program: "pocket".into() };
    let plugin = Engine::new(options).load(files, Grants::default(), Map::new(), Limits::default());
    plugin.expect("it can be loaded")
}

/// From nothing to the first output, with nothing compiled and with everything compiled.
fn starts(folder: &Path) {
    let start = || call(&load(folder, "per-call"), &json!({"text": "x"}));
    let began = Instant::now();
    start();
    let cold = began.elapsed().as_secs_f64() * 1e3;
    let engine = |memory| milliseconds(|| drop(floor::engine(memory)));
    println!("an engine: {:.3} ms, with a pool {:.3} ms", engine(Memory::OnDemand), engine(Memory::Pool));
    println!("start: {cold:.1} ms with nothing compiled, {:.2} ms with compiled code", milliseconds(start));
}

fn call(plugin: &Plugin, input: &Value) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let context = CallContext { run_id: "run".to_owned(), node: "node".to_owned(), attempt: 1, deadline };
    black_box(plugin.call(Call { node_type: "echo", config: &Value::Null, input, context }).expect("it echoes"));
}

/// Milliseconds of something that is done once.
fn milliseconds(mut work: impl FnMut()) -> f64 {
    middle(|| {
        let began = Instant::now();
        work();
        began.elapsed().as_secs_f64() * 1e3
    })
}

/// Microseconds of one call.
fn median(mut work: impl FnMut()) -> f64 {
    middle(|| {
        let began = Instant::now();
        (0..CALLS).for_each(|_| work());
        began.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS)
    })
}

fn middle(round: impl FnMut() -> f64) -> f64 {
    let mut times: Vec<f64> = std::iter::repeat_with(round).take(ROUNDS).collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}
