//! The server as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use pocket_index::log::{NoteKey, NoteSigner};

use crate::tree::Files;

/// The program that is tested.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_pocket-registry");

/// A running server; killed when dropped.
pub struct Program {
    pub process: Child,
    pub address: SocketAddr,
}

impl Program {
    /// On a folder, with more arguments.
    pub fn on_folder(folder: &Path, more: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(["--addr", "127.0.0.1:0", "--dir"]).arg(folder).args(more);
        Self::start(&mut command).expect("it serves")
    }

    /// Starts it; none if it ends before it serves.
    pub fn start(command: &mut Command) -> Option<Self> {
        Self::start_or_end(command).ok()
    }

    /// Starts it, or tells how it ended before it served.
    pub fn start_or_end(command: &mut Command) -> Result<Self, ExitStatus> {
        let spawned = command.env("AWS_REGION", "us-east-1").stdout(Stdio::piped()).spawn();
        let mut process = spawned.expect("the program starts");
        let mut first = String::new();
        BufReader::new(process.stdout.take().expect("it is piped")).read_line(&mut first).expect("it is text");
        let Some(url) = first.trim().strip_prefix("serving ") else {
            return Err(process.wait().expect("it ended"));
        };
        let (_, address) = url.trim_end_matches('/').split_once("://").expect("a URL");
        Ok(Self { process, address: address.parse().expect("an address") })
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill starts").success());
    }

    pub fn wait(&mut self) -> ExitStatus {
        self.process.wait().expect("it ends")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The key of the registry whose private key stands there.
pub fn key_of(file: &Path) -> NoteKey {
    let text = std::fs::read_to_string(file).expect("the key is there");
    let secret: pocket_index::signature::SecretKey = text.trim().parse().expect("a key");
    let public = secret.public().to_string();
    let origin = format!("pocket-registry/{}", &public["ed25519:".len()..][..16]);
    NoteSigner::new(&origin, secret).expect("a signer").key().clone()
}

/// The files of a tree in a folder.
pub fn files_in(tree: &Path) -> Files {
    let mut files = Files::new();
    let mut folders = vec![tree.to_owned()];
    while let Some(folder) = folders.pop() {
        for child in std::fs::read_dir(&folder).expect("a folder").map(|child| child.expect("a child").path()) {
            let name = child.strip_prefix(tree).expect("below it").to_str().expect("plain names").to_owned();
            if child.is_dir() {
                folders.push(child);
            } else if !name.contains("/.") {
                files.insert(name, std::fs::read(&child).expect("a file"));
            }
        }
    }
    files
}

/// Copies a folder.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("it is made");
    for child in std::fs::read_dir(from).expect("a folder").map(|child| child.expect("a child")) {
        let target = to.join(child.file_name());
        if child.path().is_dir() {
            copy(&child.path(), &target)
        } else {
            std::fs::copy(child.path(), target).map(drop).expect("copied")
        }
    }
}
