//! A server with the bundled plugins, on a thread of its own until it is dropped.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::JoinHandle;

use pocket_registry::{DEFAULT_RECOVERY_DELAY, Exposure, Limits, Options, Server, Source, Tokens, Witnesses};
use tokio::sync::oneshot;

pub struct Running {
    pub url: String,
    stop: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Running {
    pub fn start() -> Self {
        let options = Options {
            source: Source::Bundled,
            address: ([127, 0, 0, 1], 0).into(),
            exposure: Exposure::Loopback,
            tokens: Tokens::Optional,
            proxies: Vec::new(),
            recovery_delay: DEFAULT_RECOVERY_DELAY,
            witnesses: Witnesses::default(),
            tls: None,
            limits: Limits::default(),
            upstream: None,
        };
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(async {
                let server = Server::bind(&options).await.expect("it listens");
                tell.send(server.url()).expect("the test waits");
                server.serve(async { drop(stopped.await) }).await.expect("it serves");
            });
        });
        Self { url: told.recv().expect("the server started"), stop: Some((stop, thread)) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.stop.take() {
            drop(stop);
            drop(thread.join());
        }
    }
}

/// Runs `fixtures/<name>/install`, and gives its folder.
pub fn installed(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(name);
    let done = Command::new(folder.join("install")).status().expect("it can be run");
    assert!(done.success(), "fixtures/{name}/install failed");
    folder
}

/// Where an install script puts what it installs.
pub fn cache(variable: &str, name: &str) -> PathBuf {
    let folder = |variable: &str| std::env::var_os(variable).map(PathBuf::from);
    let caches = || folder("XDG_CACHE_HOME").unwrap_or_else(|| folder("HOME").expect("a home").join(".cache"));
    folder(variable).unwrap_or_else(|| caches().join(name))
}

/// Runs a program, and shows what it said if it failed.
pub fn run(command: &mut Command) {
    let output = command.output().expect("it can be run");
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{errors}");
}
