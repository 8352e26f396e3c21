//! A static index in a folder, made by the code that registries use: of archives that no registry would take, and of events
//! at times that no test could wait for.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use pocket_index::append::{self, Appender, Files, Submission, Write};
use pocket_index::config::Config;
use pocket_index::digest::Digest;
use pocket_index::layout;
use pocket_index::limits::Limits;
use pocket_index::log::{Checkpoint, NoteSigner, keys_digest};
use pocket_index::package::{Package, release_of};
use pocket_index::record::{Event, Policy};
use pocket_index::signature::{PublicKey, SecretKey};
use serde_json::json;

/// What time it is: seconds since 1970-01-01 UTC.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Signs the checkpoint of a static tree anew: the same leaves, these event keys, at this time or without one.
pub fn sign_anew(tree: &Path, signer: &NoteSigner, keys: &[PublicKey], time: Option<u64>) {
    let path = tree.join(layout::CHECKPOINT);
    let old = Checkpoint::open(&fs::read(&path).unwrap(), signer.key()).unwrap();
    let anew = Checkpoint::sign(old.size(), old.head().root, keys_digest(keys), signer);
    let anew = time.map_or(anew.clone(), |time| anew.stated_at(time, signer).unwrap());
    fs::write(path, anew.note()).unwrap();
}

/// An index with one publisher, who signs everything but what a test signs otherwise.
pub struct HandMadeIndex {
    folder: tempfile::TempDir,
    signer: NoteSigner,
    /// The registry's event keys.
    keys: Vec<PublicKey>,
}

impl Files for HandMadeIndex {
    fn read(&self, path: &str) -> std::io::Result<Option<Vec<u8>>> {
        match fs::read(self.folder.path().join(path)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            content => content.map(Some),
        }
    }
}

impl HandMadeIndex {
    pub fn new() -> Self {
        Self::with_keys(Vec::new())
    }

    /// An index whose registry signs events of its own.
    pub fn with_keys(keys: Vec<PublicKey>) -> Self {
        let signer = NoteSigner::new("hand-made", SecretKey::from_seed(&[2; 32])).unwrap();
        let index = Self { folder: tempfile::tempdir().unwrap(), signer, keys };
        let key = Some(index.signer.key().clone());
        let name = "hand-made".parse().unwrap();
        let config = Config { name, log: key, keys: index.keys.clone(), auth_required: false, api: None };
        index.write(&append::start(&index.signer, &Policy::new(index.keys.iter().copied()), 0));
        index.write(&[Write { path: layout::CONFIG.to_owned(), bytes: config.to_text().into_bytes() }]);
        index
    }

    /// The index's location.
    pub fn url(&self) -> String {
        format!("file://{}", self.folder.path().display())
    }

    /// Signs the checkpoint anew at this time, or without one.
    pub fn sign_at(&self, time: Option<u64>) {
        sign_anew(self.folder.path(), &self.signer, &self.keys, time);
    }

    /// Publishes these bytes as the archive of a Lua plugin without dependencies and permissions; what the record says of
    /// size and digest is true.
    pub fn release(&self, name: &str, version: &str, archive: &[u8]) {
        self.release_at(name, version, archive, now());
    }

    /// The same at another time.
    pub fn release_at(&self, name: &str, version: &str, archive: &[u8], at: u64) {
        let digest = Digest::of(archive);
        self.write(&[Write { path: layout::archive(&digest), bytes: archive.to_vec() }]);
        let tree = format!("t1:{}", Digest::of(b"unknown").hex());
        let event: Event = serde_json::from_value(json!({
            "kind": "release", "name": name, "version": version, "description": "", "runtime": "lua", "nodes": [],
            "archives": [{
                "target": "any", "file": format!("{name}-{version}.tar.gz"), "size": archive.len(), "unpacked": 0,
                "entries": 0, "sha256": digest, "tree": tree,
            }],
        }))
        .unwrap();
        self.append(at, &event, 1);
    }

    /// Publishes a plugin that can be installed, with the key of this seed, at this time.
    pub fn plugin(&self, at: u64, name: &str, version: &str, seed: u8) {
        let folder = tempfile::tempdir().unwrap();
        let manifest =
            format!("name: {name}\nversion: {version}\nruntime: lua\nbinary: main.lua\nnodes: [{{type: {name}}}]\n");
        fs::write(folder.path().join("manifest.yaml"), manifest).unwrap();
        fs::write(folder.path().join("main.lua"), "function process() return {} end\n").unwrap();
        let packages = Package::of_folder(folder.path(), &Limits::default()).unwrap();
        for package in &packages {
            let path = layout::archive(&Digest::of(&package.bytes));
            self.write(&[Write { path, bytes: package.bytes.clone() }]);
        }
        self.append(at, &Event::from(release_of(&packages).unwrap()), seed);
    }

    /// Appends an event, signed with the key of this seed, at this time, which the checkpoint states. It is not before the time that it
    /// states now.
    pub fn append(&self, at: u64, event: &Event, seed: u8) {
        let text = event.to_text();
        let signatures = vec![SecretKey::from_seed(&[seed; 32]).sign_event(event.kind(), &text)];
        let submission = Submission { name: event.name(), event: &text, signatures, at };
        let policy = Policy::new(self.keys.iter().copied());
        let appended = Appender::new(self, &self.signer, &policy).append(submission).unwrap();
        self.write(&appended.writes);
    }

    fn write(&self, writes: &[Write]) {
        for write in writes {
            let path = self.folder.path().join(&write.path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, &write.bytes).unwrap();
        }
    }
}
