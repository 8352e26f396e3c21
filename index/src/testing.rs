//! What the tests of several rooms share: keys, events, and an index in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;

use semver::Version;

use crate::append::{Appended, Appender, Files, Submission, Write, start};
use crate::archive::archive_file_name;
use crate::digest::{Digest, TreeDigest};
use crate::layout;
use crate::log::{Checkpoint, NoteSigner, TilePath, TileSource};
use crate::manifest::Runtime;
use crate::name::{PluginName, Target};
use crate::record::{ArchiveRecord, Deprecation, Event, OwnerKeys, OwnerRecovery, Policy, Release, Withdrawal};
use crate::signature::SecretKey;

/// When everything happens in these tests.
pub(crate) const AT: u64 = 1_790_000_000;

pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

pub(crate) fn name(text: &str) -> PluginName {
    text.parse().expect("a valid name")
}

pub(crate) fn version(text: &str) -> Version {
    text.parse().expect("a valid version")
}

pub(crate) fn release(plugin: &str, version_text: &str) -> Release {
    let mut release = Release {
        name: name(plugin),
        version: version(version_text),
        description: "A plugin".to_owned(),
        runtime: Runtime::Lua,
        engine: None,
        dependencies: BTreeMap::new(),
        permissions: Default::default(),
        nodes: vec!["greet".parse().expect("a node type")],
        categories: Vec::new(),
        keywords: Vec::new(),
        archives: Vec::new(),
    };
    release.archives.push(ArchiveRecord {
        target: Target::any(),
        file: archive_file_name(&release.name, &release.version, &Target::any()),
        size: 100,
        unpacked: 200,
        entries: 2,
        sha256: Digest::of(b"archive"),
        tree: TreeDigest::from_bytes([7; 32]),
    });
    release
}

pub(crate) fn withdrawal(plugin: &str, version_text: &str) -> Withdrawal {
    Withdrawal { name: name(plugin), version: version(version_text), reason: "it breaks".to_owned() }
}

pub(crate) fn deprecation(plugin: &str, version_text: Option<&str>) -> Deprecation {
    Deprecation { name: name(plugin), version: version_text.map(version), reason: "use another".to_owned() }
}

pub(crate) fn owner_keys(plugin: &str, keys: &[&SecretKey], threshold: u32) -> OwnerKeys {
    OwnerKeys { name: name(plugin), keys: keys.iter().map(|key| key.public()).collect(), threshold }
}

pub(crate) fn owner_recovery(plugin: &str, keys: &[&SecretKey], threshold: u32, effective: u64) -> OwnerRecovery {
    let keys = keys.iter().map(|key| key.public()).collect();
    OwnerRecovery { name: name(plugin), keys, threshold, effective, reason: "a burnt laptop".to_owned() }
}

/// An index in memory with the log key `key(100)` and the registry key `key(101)`.
pub(crate) struct TestIndex {
    pub(crate) files: MemoryFiles,
    pub(crate) signer: NoteSigner,
    pub(crate) policy: Policy,
}

#[derive(Default)]
pub(crate) struct MemoryFiles(pub(crate) RefCell<BTreeMap<String, Vec<u8>>>);

impl Files for MemoryFiles {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.borrow().get(path).cloned())
    }
}

impl TileSource for MemoryFiles {
    fn tile(&self, path: &TilePath) -> io::Result<Vec<u8>> {
        self.read(&path.to_string())?.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "not there"))
    }
}

impl MemoryFiles {
    pub(crate) fn write(&self, writes: &[Write]) {
        let mut files = self.0.borrow_mut();
        for Write { path, bytes } in writes {
            files.insert(path.clone(), bytes.clone());
        }
    }
}

impl TestIndex {
    pub(crate) fn new() -> Self {
        let signer = NoteSigner::new("example.org/log", key(100)).expect("a valid origin");
        let files = MemoryFiles::default();
        let policy = Policy::new([key(101).public()]);
        files.write(&start(&signer, &policy, AT));
        Self { files, signer, policy }
    }

    /// The files that the event would change; they are not written.
    pub(crate) fn try_append(
        &self,
        event: &Event,
        keys: &[&SecretKey],
    ) -> Result<Appended, crate::append::AppendError> {
        self.try_append_at(1_790_000_000, event, keys)
    }

    /// The same at another time.
    pub(crate) fn try_append_at(
        &self,
        at: u64,
        event: &Event,
        keys: &[&SecretKey],
    ) -> Result<Appended, crate::append::AppendError> {
        let text = event.to_text();
        let signatures = keys.iter().map(|key| key.sign_event(event.kind(), &text)).collect();
        let submission = Submission { name: event.name(), event: &text, signatures, at };
        Appender::new(&self.files, &self.signer, &self.policy).append(submission)
    }

    pub(crate) fn append(&self, event: Event, keys: &[&SecretKey]) -> Appended {
        let appended = self.try_append(&event, keys).expect("the event holds");
        self.files.write(&appended.writes);
        appended
    }

    pub(crate) fn append_at(&self, at: u64, event: Event, keys: &[&SecretKey]) -> Appended {
        let appended = self.try_append_at(at, &event, keys).expect("the event holds");
        self.files.write(&appended.writes);
        appended
    }

    pub(crate) fn text(&self, plugin: &str) -> String {
        let bytes =
            self.files.read(&layout::index_file(&name(plugin))).expect("memory").expect("the plugin has a file");
        String::from_utf8(bytes).expect("an index file is text")
    }

    pub(crate) fn checkpoint(&self) -> Checkpoint {
        let bytes = self.files.read(layout::CHECKPOINT).expect("memory").expect("there is a checkpoint");
        Checkpoint::open(&bytes, self.signer.key()).expect("just signed")
    }
}
