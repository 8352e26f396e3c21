//! `pocket demo`: the whole of Pocket at work in one folder, by running this program as its user would.
//!
//! Every step is a real command in a process of its own, printed as it can be typed. Nothing is pretended: if no Redis
//! answers, the workflow's error branch takes over and the demo says so.

mod stage;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cli::arguments::DemoArguments;
use crate::cli::output::Output;
use crate::ops::OpsError;

use stage::{RunningRegistry, Stage};

const MANIFEST: &str = include_str!("manifest.yaml");
const SCRIPT: &str = include_str!("greeting.lua");
const WORKFLOW: &str = include_str!("workflow.yaml");
const INPUT: &str = include_str!("input.json");

/// Runs the demo in the given folder, or in a temporary one.
pub fn run(arguments: &DemoArguments, output: &Output) -> Result<(), OpsError> {
    match &arguments.dir {
        Some(folder) => {
            refuse_used(folder)?;
            perform(folder, arguments)?;
            output.step(
                "Left",
                format!("everything in `{}`; `export POCKET_HOME=home` there and go on", folder.display()),
            );
        }
        None => {
            let folder =
                tempfile::tempdir().map_err(OpsError::io("create a temporary folder in", &std::env::temp_dir()))?;
            perform(folder.path(), arguments)?;
        }
    }
    Ok(())
}

/// The demo writes many files: it must not mix them with somebody's own.
fn refuse_used(folder: &Path) -> Result<(), OpsError> {
    fs::create_dir_all(folder).map_err(OpsError::io("create", folder))?;
    let mut entries = fs::read_dir(folder).map_err(OpsError::io("read", folder))?;
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(OpsError::FolderInUse { path: folder.to_owned() }),
    }
}

fn perform(folder: &Path, arguments: &DemoArguments) -> Result<(), OpsError> {
    let stage = Stage::new(folder, &arguments.redis)?;
    println!("Pocket from end to end, in {}", stage.folder().display());

    stage.chapter("A registry: one program, one folder", "It starts with the plugins that come with Pocket.");
    let registry = stage.start_registry()?;

    stage.chapter("A plugin of your own", "A manifest and a Lua function.");
    stage.write("greeting/manifest.yaml", MANIFEST)?;
    stage.write("greeting/greeting.lua", SCRIPT)?;
    stage.show("greeting/manifest.yaml")?;
    stage.show("greeting/greeting.lua")?;

    stage.chapter("Sign it and publish it", "The registry packs it again and compares, then logs the release.");
    stage.pocket(&["key", "new"])?;
    stage.pocket(&["plugin", "publish", "greeting", "--registry", registry.url()])?;

    stage.chapter("A project that uses four plugins", "Resolved, downloaded, verified, unpacked, locked.");
    stage.write("pocket.yaml", &project(&registry))?;
    stage.show("pocket.yaml")?;
    stage.pocket(&["plugin", "install", "data-processor", "ml-analyzer", "redis-cache@^1.2", "greeting", "--yes"])?;
    stage.show("pocket.lock")?;
    stage.pocket(&["plugin", "list"])?;
    prove_the_lock(&stage)?;

    stage.chapter(
        "A workflow over Lua, WebAssembly and a native library",
        "Each plugin has what it was granted, no more.",
    );
    stage.write("workflow.yaml", WORKFLOW)?;
    stage.write("input.json", INPUT)?;
    stage.show("workflow.yaml")?;
    let result = stage.pocket(&["run", "workflow.yaml", "--input-file", "input.json"])?;
    tell_about_redis(&stage, &result, &arguments.redis);

    stage.chapter("Somebody tampers with the registry", "One byte of an archive changes; the next machine notices.");
    let archive = tamper(&stage)?;
    stage.note(&format!("changed one byte in {}", archive.display()));
    stage.pocket_on_another_machine(&["plugin", "install", "--locked", "--yes"])?;
    stage.note("refused, and nothing was installed");
    println!("\nThat was all of it. What you saw is described in README.md.");
    Ok(())
}

fn project(registry: &RunningRegistry) -> String {
    format!("registries:\n  default: {}\n", registry.url())
}

/// The same lock comes out when it is made again.
fn prove_the_lock(stage: &Stage) -> Result<(), OpsError> {
    let first = stage.read("pocket.lock")?;
    stage.pocket(&["plugin", "install", "--locked"])?;
    stage.note(if first == stage.read("pocket.lock")? {
        "pocket.lock is byte for byte the same"
    } else {
        "pocket.lock changed"
    });
    Ok(())
}

fn tell_about_redis(stage: &Stage, result: &str, address: &str) {
    let took_the_error_branch = result.contains("No Redis");
    stage.note(&if took_the_error_branch {
        format!("no Redis answers on {address}, so the workflow's error branch took over; start one, or name one with --redis")
    } else {
        format!("the value went to the Redis on {address} and came back")
    });
}

/// Flips one byte in the middle of the published plugin's archive, in the registry's own folder.
fn tamper(stage: &Stage) -> Result<PathBuf, OpsError> {
    let line = stage.read("registry/tree/index/gr/ee/greeting")?;
    let event: Value = serde_json::from_str(line.lines().next().unwrap_or_default())
        .map_err(|_| OpsError::Demo { message: "the published plugin is not in the registry's index".to_owned() })?;
    let digest =
        event["event"]["archives"][0]["sha256"].as_str().unwrap_or_default().trim_start_matches("sha256:").to_owned();
    let prefix = digest.get(..2).unwrap_or_default();
    let path = PathBuf::from(format!("registry/tree/a/{prefix}/{digest}.tar.gz"));
    let file = stage.folder().join(&path);
    let mut content = fs::read(&file).map_err(OpsError::io("read", &file))?;
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::write(&file, content).map_err(OpsError::io("write", &file))?;
    Ok(path)
}
