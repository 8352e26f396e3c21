//! Kills the program at a system call, before the call takes effect.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output};

use crate::support::{POCKET, Sandbox};

/// Every call that makes, writes, flushes, names, locks or removes a file.
const CALLS: [&str; 21] = [
    "openat",
    "write",
    "writev",
    "pwrite64",
    "fsync",
    "fdatasync",
    "syncfs",
    "copy_file_range",
    "ftruncate",
    "fchmod",
    "flock",
    "mkdir",
    "mkdirat",
    "rmdir",
    "unlink",
    "unlinkat",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
];

/// strace ends by the signal that its child ended by.
const SIGKILL: i32 = 9;

/// The `number`th time that a thread makes a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    pub call: &'static str,
    pub number: usize,
}

/// Whether a run came to the call it was to be killed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It did, and is dead.
    Killed,
    /// Its threads shared the work another way this time.
    Survived,
}

/// Runs a command to its end, and returns each point of it at which a kill makes a difference. Of the files that are opened
/// only those count that are made or written.
pub fn points(sandbox: &Sandbox, arguments: &[&str]) -> BTreeSet<Point> {
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut strace = strace(sandbox);
    strace.arg("-o").arg(log.path()).arg("-e").arg(format!("trace={}", CALLS.join(",")));
    let output = run(strace, arguments);
    assert_eq!(output.status.code(), Some(0), "{}", explained(arguments, &output));
    let mut counts = BTreeMap::new();
    let mut points = BTreeSet::new();
    for line in std::fs::read_to_string(log.path()).unwrap().lines() {
        let Some((thread, line)) = line.split_once(char::is_whitespace) else { continue };
        let Some(call) = CALLS
            .into_iter()
            .find(|call| line.trim_start().strip_prefix(*call).is_some_and(|rest| rest.starts_with('(')))
        else {
            continue;
        };
        let number = counts.entry((thread.to_owned(), call)).or_insert(0);
        *number += 1;
        if call != "openat" || line.contains("O_CREAT") || line.contains("O_WRONLY") || line.contains("O_RDWR") {
            points.insert(Point { call, number: *number });
        }
    }
    points
}

/// Runs a command and kills it at a point.
///
/// # Panics
/// Where tracing is not possible: a test that kills nothing must not pass.
pub fn kill_at(sandbox: &Sandbox, arguments: &[&str], point: Point) -> End {
    let Point { call, number } = point;
    let mut strace = strace(sandbox);
    strace.args(["-o", "/dev/null", "-e"]).arg(format!("trace={call}"));
    strace.arg("-e").arg(format!("inject={call}:signal=KILL:when={number}"));
    let output = run(strace, arguments);
    match (output.status.signal(), output.status.code()) {
        (Some(SIGKILL), _) => End::Killed,
        (_, Some(0)) => End::Survived,
        _ => panic!("{}", explained(arguments, &output)),
    }
}

fn strace(sandbox: &Sandbox) -> Command {
    let mut command = sandbox.command("strace");
    command.args(["-f", "-qq"]);
    command
}

fn run(mut strace: Command, arguments: &[&str]) -> Output {
    strace.arg(POCKET).args(arguments).output().expect("strace is installed: ./test installs it")
}

fn explained(arguments: &[&str], output: &Output) -> String {
    format!(
        "`pocket {}` under strace ended with {}; without the right to trace (in a container: `--cap-add SYS_PTRACE`) these tests cannot pass:\n{}",
        arguments.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    )
}
