//! The real registry server, in this process, on a free port of the loopback address.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use pocket_index::config::{Config, LogRequirement};
use pocket_index::layout;
use pocket_index::log::NoteSigner;
use pocket_registry::{Exposure, Options, Seed, Server, Source, Witnesses};
use tokio::sync::oneshot;

use super::index::sign_anew;

/// A running registry; stopped when dropped.
pub struct TestRegistry {
    url: String,
    tree: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    _folder: tempfile::TempDir,
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
        let folder = tempfile::tempdir().unwrap();
        let source = Source::Folder { path: folder.path().join("registry"), seed };
        let options = Options {
            source,
            address: "127.0.0.1:0".parse().unwrap(),
            exposure: Exposure::Loopback,
            witnesses: Witnesses::default(),
        };
        let (ready, started) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let server = Server::bind(&options).await.unwrap();
                ready.send((server.url(), server.registry().tree())).unwrap();
                server.serve(async { drop(stopped.await) }).await.unwrap();
            });
        });
        let (url, tree) = started.recv().unwrap();
        Self { url, tree, stop: Some(stop), thread: Some(thread), _folder: folder }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// The folder of the static files.
    pub fn tree(&self) -> &PathBuf {
        &self.tree
    }

    /// The path of a file of the static tree.
    pub fn file(&self, path: &str) -> PathBuf {
        self.tree.join(path)
    }

    /// The registry's folder: the static files, and the key that signs the log.
    pub fn folder(&self) -> &Path {
        self.tree.parent().unwrap()
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
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
