//! The program is killed while it publishes, at its system calls and at any moment: everything of an event is there or nothing,
//! what was answered is there, and the next start goes on.

use std::path::Path;
use std::process::{Command, Stdio};
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

/// Runs the server so that it is killed when one of its threads makes the `when`th call of this name, and publishes until then. Tells
/// how many publishes were answered, or none if it was not killed.
fn killed_at(folder: &Path, call: &str, when: usize, bodies: &[Vec<u8>]) -> Option<usize> {
    let mut command = Command::new("strace");
    command
        .args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}")])
        .args(["-e", &format!("inject={call}:signal=KILL:when={when}")])
        .args([PROGRAM, "--addr", "127.0.0.1:0", "--dir"])
        .arg(folder)
        .stderr(Stdio::null());
    let Some(mut server) = Program::start(&mut command) else { return Some(0) };
    let mut answered = 0;
    for body in bodies {
        match ask(server.address, "PUT", "/api/v1/publish", &[], body) {
            Some(answer) if matches!(answer.status, 200 | 201) => answered += 1,
            _ => {
                let _ = server.wait();
                return Some(answered);
            }
        }
    }
    // strace does not hear signals; what it traces does.
    let strace = server.process.id();
    let children = std::fs::read_to_string(format!("/proc/{strace}/task/{strace}/children")).unwrap();
    let child = children.split_whitespace().next().expect("it traces the server");
    assert!(Command::new("kill").args(["-TERM", child]).status().unwrap().success());
    let _ = server.wait();
    None
}

#[test]
fn killed_at_a_system_call_it_leaves_everything_or_nothing() {
    let base = tempfile::tempdir().unwrap();
    begun(base.path());
    let bodies = bodies(3);
    let mut points = 0;
    for (call, most) in [("fsync", 20), ("renameat2", 12), ("rename", 8), ("fchmod", 8)] {
        // Counted for each thread by itself; mostly one thread does it all.
        for when in 1..=most {
            let folder = tempfile::tempdir().unwrap();
            copy(base.path(), folder.path());
            let Some(answered) = killed_at(folder.path(), call, when, &bodies) else { break };
            survives(folder.path(), &bodies, answered, &format!("{call} {when}"));
            points += 1;
        }
    }
    assert!(points >= 12, "it was killed {points} times");
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
