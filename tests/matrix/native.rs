//! The plugin as a shared library in C.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::actor::{Actor, Attempt, Refusal};

pub struct Native;

/// Compiled once for all tests of this binary.
static LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // One for each process: test programs run side by side.
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("actor-{}.so", std::process::id()));
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-I"]).arg(root.join("sdk/c"));
    gcc.arg(root.join("fixtures/plugins-native/actor/actor.c")).arg("-o").arg(&library);
    assert!(gcc.status().expect("gcc is installed").success(), "the actor compiles");
    library
});

impl Actor for Native {
    fn runtime(&self) -> &'static str {
        "native"
    }

    fn write(&self, folder: &Path) -> String {
        std::fs::copy(&*LIBRARY, folder.join("main.so")).expect("it can be copied");
        "main.so".to_owned()
    }

    fn refusal(&self, attempt: Attempt) -> Refusal {
        match attempt {
            Attempt::ReadEnv => Refusal::Absence,
            Attempt::HttpGet | Attempt::Connect => Refusal::Words,
            // The plugin asks the kernel itself.
            Attempt::ReadFile | Attempt::WriteFile => Refusal::System(&["Permission denied"]),
            Attempt::LinkFile => Refusal::System(&["Function not implemented"]),
        }
    }
}
