//! A static index in a folder, made by the code that registries use, of archives that no registry would take.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use pocket_index::append::{self, Appender, Files, Submission, Write};
use pocket_index::config::Config;
use pocket_index::digest::Digest;
use pocket_index::layout;
use pocket_index::log::{Checkpoint, NoteSigner, keys_digest};
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

/// An index with one publisher, who signs everything.
pub struct HandMadeIndex {
    folder: tempfile::TempDir,
    signer: NoteSigner,
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
        let signer = NoteSigner::new("hand-made", SecretKey::from_seed(&[2; 32])).unwrap();
        let index = Self { folder: tempfile::tempdir().unwrap(), signer };
        let key = Some(index.signer.key().clone());
        let name = "hand-made".parse().unwrap();
        let config = Config { name, log: key, keys: Vec::new(), auth_required: false, api: None };
        index.write(&append::start(&index.signer, &Policy::new([]), now()));
        index.write(&[Write { path: layout::CONFIG.to_owned(), bytes: config.to_text().into_bytes() }]);
        index
    }

    /// The index's location.
    pub fn url(&self) -> String {
        format!("file://{}", self.folder.path().display())
    }

    /// Signs the checkpoint anew at this time, or without one.
    pub fn sign_at(&self, time: Option<u64>) {
        sign_anew(self.folder.path(), &self.signer, &[], time);
    }

    /// Publishes these bytes as the archive of a Lua plugin without dependencies and permissions; what the record says of
    /// size and digest is true.
    pub fn release(&self, name: &str, version: &str, archive: &[u8]) {
        self.release_at(name, version, archive, now());
    }

    /// The same at another time. Earlier than the checkpoint's only if that was signed anew before.
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
        let text = event.to_text();
        let signatures = vec![SecretKey::from_seed(&[1; 32]).sign_event(event.kind(), &text)];
        let submission = Submission { name: event.name(), event: &text, signatures, at };
        let policy = Policy::new([]);
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
