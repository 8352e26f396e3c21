//! The program is killed while it publishes, at its system calls and at any moment: everything of an event is there or nothing,
//! what was answered is there, and the next start goes on.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use crate::http::{ask, publish};
use crate::plugin::{author, release};
use crate::program::{PROGRAM, Program, copy, files_in, key_of};
use crate::tree::{Published, check};

/// A registry with one plugin, to begin with.
fn begun(folder: &Path) {
    let server = Program::on_folder(folder, &[]);
    assert_eq!(publish(server.address, &release("first", "1.0.0", "return 0", &author(1))).status, 201);
}

fn published(folder: &Path) -> Published {
    check(&files_in(&folder.join("tree")), &key_of(&folder.join("registry.key")))
}

/// What a run left is whole, the next start repairs it, and the same publishes end well.
fn survives(folder: &Path, bodies: &[Vec<u8>], answered: usize, place: &str) {
    let seen = published(folder);
    assert!(seen.len() > answered, "{place}: {answered} were answered, {} are there", seen.len() - 1);
    let server = Program::on_folder(folder, &[]);
    assert!(seen.is_subset(&published(folder)), "{place}");
    for body in bodies {
        let answer = publish(server.address, body);
        assert!(matches!(answer.status, 200 | 201), "{place}: {}", answer.text());
    }
    drop(server);
    assert_eq!(published(folder).len(), 1 + bodies.len(), "{place}");
}

fn bodies(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|number| release(&format!("plugin{number}"), "1.0.0", "return 1", &author(1))).collect()
}

/// How a run under strace ended.
enum Run {
    /// Killed before it served.
    KilledAtStart,
    /// Killed when so many publishes were answered.
    Killed(usize),
    /// The call did not come so often.
    Whole,
}

/// The server under strace, which follows it with these arguments.
fn traced(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq"]).args(arguments).args([PROGRAM, "--addr", "127.0.0.1:0", "--dir"]).arg(folder);
    command
}

/// strace does not hear signals; what it traces does.
fn end_traced(mut server: Program) {
    let strace = server.process.id();
    let children = std::fs::read_to_string(format!("/proc/{strace}/task/{strace}/children")).unwrap();
    let child = children.split_whitespace().next().expect("it traces the server");
    assert!(Command::new("kill").args(["-TERM", child]).status().unwrap().success());
    server.wait();
}

/// strace ends as what it traced did. Where it cannot trace, or does not know the call, it ends otherwise.
fn assert_killed(status: ExitStatus, place: &str) {
    assert_eq!(status.signal(), Some(9), "{place}: the server was not killed, strace says why");
}

/// Runs the server so that it is killed when one of its threads makes the `when`th call of this name, and publishes until then.
fn killed_at(folder: &Path, call: &str, when: usize, bodies: &[Vec<u8>]) -> Run {
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:signal=KILL:when={when}"));
    let mut command = traced(folder, &["-o", "/dev/null", "-e", &trace, "-e", &inject]);
    let mut server = match Program::start_or_end(&mut command) {
        Ok(server) => server,
        Err(status) => {
            assert_killed(status, &inject);
            return Run::KilledAtStart;
        }
    };
    for (answered, body) in bodies.iter().enumerate() {
        let answer = ask(server.address, "PUT", "/api/v1/publish", &[], body);
        if !answer.is_some_and(|answer| matches!(answer.status, 200 | 201)) {
            assert_killed(server.wait(), &inject);
            return Run::Killed(answered);
        }
    }
    end_traced(server);
    Run::Whole
}

#[test]
fn killed_at_a_system_call_it_leaves_everything_or_nothing() {
    let base = tempfile::tempdir().unwrap();
    begun(base.path());
    let bodies = bodies(3);
    let (mut starts, mut between) = (0, 0);
    for (call, most) in [("fsync", 20), ("renameat2", 12), ("rename", 8), ("fchmod", 8)] {
        // Counted for each thread by itself: mostly one thread does it all, and on a busy machine several share it.
        for when in 1..=most {
            let folder = tempfile::tempdir().unwrap();
            copy(base.path(), folder.path());
            let answered = match killed_at(folder.path(), call, when, &bodies) {
                Run::KilledAtStart => 0,
                Run::Killed(answered) => answered,
                Run::Whole => continue,
            };
            survives(folder.path(), &bodies, answered, &format!("{call} {when}"));
            if answered == 0 { starts += 1 } else { between += 1 }
        }
    }
    assert!(starts >= 4 && between >= 8, "it was killed {starts} times before an answer and {between} times after one");
}

#[test]
fn a_new_folder_is_in_the_one_above_it_whatever_happens_to_the_power() {
    let scratch = tempfile::tempdir().unwrap();
    let (trace, registry) = (scratch.path().join("trace"), scratch.path().join("deep/registry"));
    let trace_to = trace.to_str().unwrap();
    let arguments = ["-y", "-o", trace_to, "-e", "trace=mkdir,mkdirat,fsync"];
    let server = Program::start(&mut traced(&registry, &arguments)).expect("it serves");
    assert_eq!(publish(server.address, &release("greeting", "1.0.0", "return 1", &author(1))).status, 201);
    end_traced(server);
    let trace = std::fs::read_to_string(trace).unwrap();
    let calls: Vec<&str> = trace.lines().collect();
    let made = |call: &&str| call.contains(" mkdir") && call.contains('"') && !call.contains("= -1");
    let mut folders = Vec::new();
    for (at, call) in calls.iter().enumerate().filter(|(_, call)| made(call)) {
        let folder = Path::new(call.split('"').nth(1).expect("a path in quotes"));
        let above = format!("<{}>", folder.parent().unwrap().display());
        let synced = calls[at..].iter().any(|call| call.contains("fsync(") && call.contains(&above));
        assert!(synced, "{} is not in {above} for good:\n{trace}", folder.display());
        folders.push(folder.strip_prefix(scratch.path()).expect("below it"));
    }
    for expected in ["deep/registry/tree/index/gr/ee", "deep/registry/tree/index/gr", "deep/registry/tree", "deep"] {
        assert!(folders.contains(&Path::new(expected)), "{expected}: {folders:?}");
    }
}

#[test]
fn killed_at_any_moment_it_leaves_everything_or_nothing() {
    let base = tempfile::tempdir().unwrap();
    begun(base.path());
    let bodies = bodies(6);
    let mut cut = 0;
    for moment in 0..60_u64 {
        let folder = tempfile::tempdir().unwrap();
        copy(base.path(), folder.path());
        let mut server = Program::on_folder(folder.path(), &[]);
        let (address, sent) = (server.address, bodies.clone());
        let publishing = std::thread::spawn(move || {
            let send = |body: &Vec<u8>| ask(address, "PUT", "/api/v1/publish", &[], body);
            sent.iter().map_while(|body| send(body).filter(|answer| answer.status == 201)).count()
        });
        std::thread::sleep(Duration::from_micros(moment * 1_500));
        server.kill();
        let answered = publishing.join().unwrap();
        cut += usize::from(answered < bodies.len());
        survives(folder.path(), &bodies, answered, &format!("moment {moment}"));
    }
    assert!(cut >= 20, "{cut} runs were cut");
}
