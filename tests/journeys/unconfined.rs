//! Native plugins on kernels that cannot confine them, and what the user may say about that.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{POCKET, Sandbox};

const WARNING: &str = "`c-echo` is not confined, as your pocket.yaml allows, and reads and writes every file that you may: this kernel has no Landlock";
const REFUSAL: &str =
    "cannot confine file access: this kernel has no Landlock (Linux 5.13 has it, when it is enabled at boot)";
const ALLOWED: &str = "plugins: {security: {unconfined: [c-echo]}}\n";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plugins").join(name)
}

/// A project with the plugin `c-echo` in its folder, and a program that runs another one as on a kernel without Landlock.
fn sandbox() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "# ours\n");
    sandbox.write("w.yaml", "name: w\nstart: a\nnodes: [{name: a, type: c-echo/echo}]\n");
    sandbox.write("c-echo/manifest.yaml", &std::fs::read_to_string(fixture("c-echo/manifest.yaml")).unwrap());
    std::fs::create_dir_all(sandbox.path("c-echo/lib")).unwrap();
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-fPIC", "-I"]).arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk/c"));
    gcc.arg(fixture("c-echo/echo.c")).arg("-o").arg(sandbox.path("c-echo/lib/echo.so"));
    assert!(gcc.status().unwrap().success(), "the plugin compiles");
    let old_kernel = sandbox.root().join("old-kernel");
    let mut gcc = Command::new("gcc");
    gcc.arg("-DWITHOUT=LANDLOCK").arg(format!("-DPOCKET=\"{POCKET}\""));
    gcc.arg(fixture("c-hostile/old-kernel.c")).arg("-o").arg(&old_kernel);
    assert!(gcc.status().unwrap().success(), "the old kernel compiles");
    (sandbox, old_kernel.display().to_string())
}

/// What the user says, whatever the project is.
fn say(sandbox: &Sandbox, text: &str) {
    std::fs::create_dir_all(sandbox.home()).unwrap();
    std::fs::write(sandbox.home().join("pocket.yaml"), text).unwrap();
}

#[test]
fn what_the_user_allows_unconfined_runs_with_a_warning_each_time_and_info_says_so() {
    let (sandbox, old_kernel) = sandbox();
    say(&sandbox, ALLOWED);
    let old = |arguments: &[&str]| sandbox.program(&old_kernel, arguments);
    old(&["plugin", "load", "./c-echo", "--yes"]).success();
    for _ in 0..2 {
        let run = old(&["run", "w.yaml", "--input", "1", "-o", "json"]).success();
        assert_eq!(run.json(), serde_json::json!({"echo": 1}));
        assert!(run.stderr.contains(WARNING), "{}", run.stderr);
    }
    let info = old(&["plugin", "info", "c-echo"]).success().stdout;
    let said = "Confinement: none: the plugin reads and writes every file that you may: this kernel has no Landlock, as \
                `plugins.security.unconfined` in `";
    assert!(info.contains(said), "{info}");
    let confined = old(&["plugin", "info", "c-echo", "-o", "json"]).success().json()["confined"].clone();
    let expected = serde_json::json!({"files": false, "system_calls": true, "allowed_unconfined": true});
    assert_eq!(confined, expected);
}

#[test]
fn without_the_users_word_nothing_native_runs_where_it_cannot_be_confined() {
    let (sandbox, old_kernel) = sandbox();
    sandbox.pocket(&["plugin", "load", "./c-echo", "--yes"]).success();
    let old = |arguments: &[&str]| sandbox.program(&old_kernel, arguments);
    old(&["run", "w.yaml"]).failure(5, &[REFUSAL]);
    old(&["plugin", "load", "./c-echo", "--yes"]).failure(5, &[REFUSAL]);
    let info = old(&["plugin", "info", "c-echo"]).success().stdout;
    assert!(info.contains("Confinement: this kernel has no Landlock, so native plugins do not run; "), "{info}");

    // A project comes from elsewhere: it cannot say of its plugins that they need not be confined.
    sandbox.write("pocket.yaml", ALLOWED);
    old(&["run", "w.yaml"])
        .failure(5, &[REFUSAL, "`plugins.security.unconfined` in `", "has no effect: only your own file can say so"]);
}

#[test]
fn where_the_kernel_confines_it_does_so_whatever_is_allowed() {
    let (sandbox, _) = sandbox();
    say(&sandbox, ALLOWED);
    sandbox.pocket(&["plugin", "load", "./c-echo", "--yes"]).success();
    let run = sandbox.pocket(&["run", "w.yaml", "--input", "1"]).success();
    assert!(!run.stderr.contains("not confined"), "{}", run.stderr);
    assert!(!sandbox.pocket(&["plugin", "info", "c-echo"]).success().stdout.contains("Confinement"));
}
