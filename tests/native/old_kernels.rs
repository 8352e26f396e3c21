//! Kernels that cannot confine: nothing runs there, unless the user said that it may, and then it is told each time.

use std::path::PathBuf;
use std::process::Command;

use pocket::engine::CallErrorKind;
use pocket::engine::native::{Confinement, NativeOptions};
use serde_json::json;

use crate::support::{Setup, built, c_library, options, root};

/// Pocket as it runs on such a kernel. A filter takes the system calls away that the kernel would not have.
fn pocket_without(what: &str) -> PathBuf {
    built(&format!("old-kernel-{what}"), |program| {
        let mut gcc = Command::new("gcc");
        gcc.arg(format!("-DWITHOUT={what}")).arg(format!("-DPOCKET=\"{}\"", options().host_program.display()));
        gcc.arg(root().join("fixtures/plugins/c-hostile/old-kernel.c")).arg("-o").arg(program);
        gcc
    })
}

#[test]
fn without_landlock_or_seccomp_a_native_plugin_is_refused() {
    for (what, reason) in [
        (
            "LANDLOCK",
            "cannot confine file access: this kernel has no Landlock (Linux 5.13 has it, when it is enabled at boot)",
        ),
        (
            "BOTH",
            "cannot confine file access: this kernel has no Landlock (Linux 5.13 has it, when it is enabled at boot)",
        ),
        ("SECCOMP", "cannot filter system calls: "),
    ] {
        let options = NativeOptions { host_program: pocket_without(what), ..options() };
        let error = Setup::default().hold_as(&c_library("c-echo/echo.c"), options).error("echo", json!(1));
        assert_eq!(error.kind, CallErrorKind::Load);
        let expected = format!("cannot load the native plugin `held`: {reason}");
        assert!(error.message.starts_with(&expected), "{what}: {error}");
    }
}

#[test]
fn what_the_user_allowed_runs_there_and_is_told_each_time() {
    for (what, missing) in [
        ("LANDLOCK", "reads and writes every file that you may: this kernel has no Landlock"),
        ("SECCOMP", "makes any system call: this kernel has no seccomp"),
        ("BOTH", "does whatever you may: this kernel has neither Landlock nor seccomp"),
    ] {
        let host_program = pocket_without(what);
        let options = NativeOptions { host_program, confinement: Confinement::AllowUnconfined, ..options() };
        let plugin = Setup::default().hold_as(&c_library("c-echo/echo.c"), options);
        assert_eq!(plugin.output("echo", json!(1)), json!({"echo": 1}));
        let expected = format!("warning: `held` is not confined, as your pocket.yaml allows, and {missing}");
        assert_eq!(plugin.log(), [expected]);
    }
}

#[test]
fn what_is_allowed_to_run_unconfined_is_confined_where_it_can_be() {
    let options = NativeOptions { confinement: Confinement::AllowUnconfined, ..options() };
    let plugin = Setup::default().hold_as(&c_library("c-hostile/files.c"), options);
    assert_eq!(plugin.error("open", "/etc/passwd").message, "refused: Permission denied");
    assert!(plugin.log().is_empty());
}
