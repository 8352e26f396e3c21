//! The plugin as a WebAssembly component in Rust.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::actor::{Actor, Attempt, Refusal};

pub struct Wasm;

/// Built once for all tests of this binary.
static COMPONENT: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    let build = Command::new(root.join("fixtures/plugins-wasm/build")).arg(&out).arg("rust-actor").output();
    let build = build.expect("the script can be started");
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    out.join("rust-actor.wasm")
});

impl Actor for Wasm {
    fn runtime(&self) -> &'static str {
        "wasm"
    }

    fn write(&self, folder: &Path) -> String {
        std::fs::copy(&*COMPONENT, folder.join("main.wasm")).expect("it can be copied");
        "main.wasm".to_owned()
    }

    fn refusal(&self, attempt: Attempt) -> Refusal {
        match attempt {
            Attempt::ReadEnv => Refusal::Absence,
            Attempt::HttpGet | Attempt::Connect => Refusal::Words,
            // WASI has no words: a folder that was not granted is not there, and a way out of one is not permitted.
            Attempt::ReadFile | Attempt::WriteFile | Attempt::LinkFile => Refusal::System(&[
                "No such file or directory",
                "Operation not permitted",
                "Permission denied",
                "Read-only file system",
                "can write to a folder only if it may also read it",
            ]),
        }
    }
}
