//! The real registry server, in this process, on a free port of the loopback address.

use std::path::PathBuf;
use std::thread::JoinHandle;

use pocket_index::config::{Config, LogRequirement};
use pocket_index::layout;
use pocket_index::log::NoteSigner;
use pocket_registry::{DEFAULT_RECOVERY_DELAY, Options, Registry, Seed, Server, Source};
use tokio::sync::oneshot;

use super::index::sign_anew;

/// Makes a registry, and gives up the right to write to it.
pub fn make_registry(source: &Source) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Registry::open(source, DEFAULT_RECOVERY_DELAY)).unwrap();
}

/// A running registry; stopped when dropped.
pub struct TestRegistry {
    url: String,
    tree: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    folder: Option<tempfile::TempDir>,
}

impl TestRegistry {
    /// A registry without plugins.
    pub fn empty() -> Self {
        Self::start(Seed::Empty)
    }

    /// A registry that starts with the bundled plugins.
    pub fn bundled() -> Self {
        Self::start(Seed::Bundled)
    }

    fn start(seed: Seed) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), "127.0.0.1:0", seed)
    }

    fn start_in(folder: tempfile::TempDir, address: &str, seed: Seed) -> Self {
        let source = Source::Folder { path: folder.path().join("registry"), seed };
        let address = address.parse().unwrap();
        let options = Options::local(source, address);
        let (ready, started) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let server = Server::bind(&options).await.unwrap();
                ready.send((server.url(), std::path::PathBuf::from(server.tree()))).unwrap();
                server.serve(async { drop(stopped.await) }).await.unwrap();
            });
        });
        let (url, tree) = started.recv().unwrap();
        Self { url, tree, stop: Some(stop), thread: Some(thread), folder: Some(folder) }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// The registry's own folder.
    pub fn folder(&self) -> PathBuf {
        self.tree.parent().unwrap().to_owned()
    }

    /// Stops the server, does something to its folder, and serves that at the same address again.
    pub fn while_stopped(mut self, action: impl FnOnce(&Self)) -> Self {
        self.stop();
        action(&self);
        let folder = self.folder.take().unwrap();
        let address = self.url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        Self::start_in(folder, &address, Seed::Empty)
    }

    fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }

    /// The folder of the static files.
    pub fn tree(&self) -> &PathBuf {
        &self.tree
    }

    /// The path of a file of the static tree.
    pub fn file(&self, path: &str) -> PathBuf {
        self.tree.join(path)
    }

    /// Signs the checkpoint anew at this time, or without one; its event keys are those of today's `config.json`.
    pub fn sign_at(&self, time: Option<u64>) {
        let text = std::fs::read_to_string(self.file(layout::CONFIG)).unwrap();
        let config = Config::parse(&text, LogRequirement::Required).unwrap();
        let secret = std::fs::read_to_string(self.folder().join("registry.key")).unwrap();
        let signer = NoteSigner::new(config.log.unwrap().name(), secret.trim().parse().unwrap()).unwrap();
        sign_anew(&self.tree, &signer, &config.keys, time);
    }

    /// The only archive of a plugin's newest release.
    pub fn archive_of(&self, index_file: &str) -> PathBuf {
        let text = std::fs::read_to_string(self.file(index_file)).unwrap();
        let line: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        let digest = line["event"]["archives"][0]["sha256"].as_str().unwrap().trim_start_matches("sha256:").to_owned();
        self.file(&format!("a/{}/{digest}.tar.gz", &digest[..2]))
    }
}

impl Drop for TestRegistry {
    fn drop(&mut self) {
        self.stop();
    }
}
