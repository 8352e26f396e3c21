//! The server as a process of its own, and the S3-compatible one that it may stand on.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

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

/// SeaweedFS with a bucket `pocket`; killed when dropped.
pub struct Seaweed {
    process: Child,
    folder: tempfile::TempDir,
    ports: [u16; 4],
}

impl Seaweed {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ports = free_ports();
        let process = spawn(folder.path(), ports);
        let seaweed = Self { process, folder, ports };
        seaweed.wait();
        seaweed
    }

    /// Where S3 is spoken.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    pub fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Starts it on the same files again.
    pub fn start_again(&mut self) {
        self.process = spawn(self.folder.path(), self.ports);
        self.wait();
    }

    fn wait(&self) {
        let give_up = Instant::now() + Duration::from_secs(60);
        let address = ([127, 0, 0, 1], self.ports[0]).into();
        loop {
            let answer =
                TcpStream::connect(address).ok().and_then(|_| crate::http::ask(address, "GET", "/pocket", &[], b""));
            if answer.is_some_and(|answer| answer.status == 403) {
                return;
            }
            assert!(Instant::now() < give_up, "SeaweedFS does not answer");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// A command that serves a registry in the bucket.
    pub fn command(&self, prefix: &str, key: &Path) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(["--addr", "127.0.0.1:0", "--bucket", "pocket", "--prefix", prefix, "--endpoint", &self.endpoint()])
            .arg("--key")
            .arg(key)
            .env("AWS_ACCESS_KEY_ID", "admin")
            .env("AWS_SECRET_ACCESS_KEY", "secret");
        command
    }
}

impl Drop for Seaweed {
    fn drop(&mut self) {
        self.stop();
    }
}

fn spawn(folder: &Path, [s3, master, volume, filer]: [u16; 4]) -> Child {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let services = std::env::var_os("POCKET_SERVICES").map_or(home.join(".cache/pocket-services"), PathBuf::from);
    Command::new(services.join("bin/weed"))
        .arg("mini")
        .arg(format!("-dir={}", folder.display()))
        .args(["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-bucket=pocket", "-admin.ui=false", "-webdav=false"])
        .args(["-s3.port.iceberg=0", &format!("-s3.port={s3}"), &format!("-master.port={master}")])
        .args([format!("-volume.port={volume}"), format!("-filer.port={filer}")])
        .env("AWS_ACCESS_KEY_ID", "admin")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("SeaweedFS is installed: fixtures/services/install, which ./test calls")
}

/// Ports that are free, and those 10,000 above them, which it takes as well.
fn free_ports() -> [u16; 4] {
    let mut found = Vec::new();
    while found.len() < 4 {
        let Ok(listener) = TcpListener::bind("127.0.0.1:0") else { continue };
        let port = listener.local_addr().expect("an address").port();
        let low = 20_000 + port % 20_000;
        if !found.contains(&low)
            && [low, low + 10_000].iter().all(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        {
            found.push(low);
        }
    }
    found.try_into().expect("four of them")
}
