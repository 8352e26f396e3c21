//! A call of a native plugin against the floor: as many bytes there and back between two processes over a socket pair.
//!
//! `cargo bench --bench native` prints both, measured in turns, and their ratio.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use pocket::engine::access::Resolver;
use pocket::engine::envelope::Identity;
use pocket::engine::log::PluginLog;
use pocket::engine::native::{Confinement, NativeOptions, NativePlugin};
use pocket::engine::plugin::Border;
use pocket::engine::{Call, CallContext, Grants, Limits, PluginFiles};
use pocket_index::manifest::Manifest;
use serde_json::{Map, Value, json};

const TURNS: usize = 5;
const ROUNDS: usize = 51;
const CALLS: u32 = 1000;

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (library, floor) = (folder.path().join("echo.so"), folder.path().join("pingpong"));
    gcc(&["-shared", "-fPIC"], "fixtures/plugins/c-echo/echo.c", &library);
    gcc(&[], "benches/native/pingpong.c", &floor);
    let plugin = load(folder.path());
    let input = json!({"text": "x".repeat(1000)});
    for _ in 0..TURNS {
        let output = Command::new(&floor).output().expect("it runs").stdout;
        let floor: f64 = String::from_utf8_lossy(&output).trim().parse().expect("it prints a number");
        let call = median_call(&plugin, &input);
        println!("floor {floor:.1} us, native call of 1 KiB {call:.1} us, ratio {:.2}", call / floor);
    }
}

fn gcc(arguments: &[&str], source: &str, to: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut gcc = Command::new("gcc");
    gcc.arg("-O2").args(arguments).arg("-I").arg(root.join("sdk/c")).arg(root.join(source)).arg("-o").arg(to);
    assert!(gcc.status().expect("gcc is installed").success(), "{source} compiles");
}

fn load(folder: &Path) -> NativePlugin {
    let manifest = "name: echo\nversion: 1.0.0\nruntime: native\nbinary: echo.so\nnodes:\n- type: echo\n";
    let manifest = Manifest::parse(manifest.as_bytes()).expect("it is well-formed");
    let files = PluginFiles { root: folder.to_owned(), manifest, tree: None };
    let identity = Identity::new(&files, Map::new());
    let border = Border {
        identity,
        grants: Grants::default(),
        limits: Limits::default(),
        log: PluginLog::default(),
        sampler: None,
        resolver: Resolver::default(),
    };
    let host_program = env!("CARGO_BIN_EXE_pocket").into();
    let options = NativeOptions { host_program, library_digest: None, confinement: Confinement::Required };
    NativePlugin::load(&files, border, options).expect("the library is there")
}

/// Microseconds.
fn median_call(plugin: &NativePlugin, input: &Value) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS).map(|_| round(plugin, input)).collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}

fn round(plugin: &NativePlugin, input: &Value) -> f64 {
    let start = Instant::now();
    for _ in 0..CALLS {
        let deadline = Instant::now() + Duration::from_secs(30);
        let context = CallContext { run_id: "run".to_owned(), node: "node".to_owned(), attempt: 1, deadline };
        plugin.call(&Call { node_type: "echo", config: &Value::Null, input, context }).expect("it echoes");
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS)
}
