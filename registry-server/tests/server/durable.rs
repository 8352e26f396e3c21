//! What a power failure leaves, as far as the system calls tell: nobody pulls a plug here.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::http::publish;
use crate::plugin::{author, release};
use crate::program::{PROGRAM, Program};

/// The system calls of a server that starts on a new folder and takes a publish, as strace writes them: those of each thread.
fn calls(folder: &Path) -> Vec<String> {
    let log = folder.join("calls");
    std::fs::create_dir(&log).unwrap();
    let mut command = Command::new("strace");
    command
        .args(["-ff", "-qq", "-e", "trace=mkdir,mkdirat,openat,fsync,close", "-e", "signal=none", "-o"])
        .arg(log.join("thread"))
        .args([PROGRAM, "--addr", "127.0.0.1:0", "--dir"])
        .arg(folder.join("new/registry"))
        .stderr(Stdio::null());
    let mut server = Program::start(&mut command).expect("strace is installed: ./test installs it");
    assert_eq!(publish(server.address, &release("greeting", "1.0.0", "return 1", &author(1))).status, 201);
    // strace does not hear signals; what it traces does.
    let strace = server.process.id();
    let children = std::fs::read_to_string(format!("/proc/{strace}/task/{strace}/children")).unwrap();
    let child = children.split_whitespace().next().expect("it traces the server");
    assert!(Command::new("kill").args(["-TERM", child]).status().unwrap().success());
    let _ = server.wait();
    let files = std::fs::read_dir(log).unwrap();
    files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect()
}

/// What is between the first two quotation marks.
fn path_in(call: &str) -> Option<PathBuf> {
    call.split('"').nth(1).map(PathBuf::from)
}

/// Whether the folder is opened and synced in these calls, by the number that the opening gave.
fn is_synced(folder: &Path, calls: &[&str]) -> bool {
    calls.iter().enumerate().any(|(place, call)| {
        let opened = call.contains("openat(") && path_in(call).as_deref() == Some(folder);
        let number = call.rsplit_once(" = ").map(|(_, number)| number.trim());
        let Some(number) = number.filter(|number| opened && number.parse::<u32>().is_ok()) else { return false };
        let mut later = calls[place..].iter().take_while(|call| !call.contains(&format!("close({number})")));
        later.any(|call| call.contains(&format!("fsync({number})")))
    })
}

#[test]
fn a_new_folder_is_synced_into_the_one_above_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut made = 0;
    for text in calls(folder.path()) {
        let calls: Vec<_> = text.lines().collect();
        for (place, call) in
            calls.iter().enumerate().filter(|(_, call)| call.contains("mkdir") && call.ends_with("= 0"))
        {
            let path = path_in(call).filter(|path| path.starts_with(folder.path()));
            let Some(above) = path.as_deref().and_then(Path::parent) else { continue };
            assert!(is_synced(above, &calls[place..]), "{call}: `{}` is not synced", above.display());
            made += 1;
        }
    }
    // `new`, `registry`, `tree`, `log`, `index`, `gr`, `ee` and more.
    assert!(made >= 10, "{made}");
}
