//! Makes the bundled index anew: `cargo run -p pocket-registry --example bundled_index -- PLUGINS TREE`.
//!
//! PLUGINS holds a folder for each release, as `fixtures/plugins/build.sh` leaves them. TREE is written whole. Keys, times and
//! order are fixed, so that the same plugins give the same bytes.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use pocket_index::append::{self, Appender, Files, Submission, Write};
use pocket_index::config::Config;
use pocket_index::layout;
use pocket_index::limits::Limits;
use pocket_index::log::NoteSigner;
use pocket_index::package::{self, Package};
use pocket_index::record::{Event, Policy, Withdrawal};
use pocket_index::search::{Listing, SearchEntry};
use pocket_index::signature::SecretKey;

/// Releases in the order in which they came out.
const RELEASES: &[&str] = &[
    "data-processor-0.9.0",
    "redis-cache-1.1.0",
    "data-processor-1.0.0",
    "ml-analyzer-0.4.0",
    "redis-cache-1.2.0",
    "ml-analyzer-0.5.0",
    "redis-cache-1.2.1",
];

/// The release that is yanked, and why.
const YANKED: (&str, &str, &str) = ("redis-cache", "1.2.1", "keeps connections of other databases; use 1.2.0");

/// 2026-01-01 00:00:00 UTC; each event comes a day after the one before.
const FIRST_AT: u64 = 1_767_225_600;
const DAY: u64 = 86_400;

/// Files by path, in memory until the tree is complete.
#[derive(Default)]
struct Memory(BTreeMap<String, Vec<u8>>);

impl Files for Memory {
    fn read(&self, path: &str) -> std::io::Result<Option<Vec<u8>>> {
        Ok(self.0.get(path).cloned())
    }
}

impl Memory {
    fn write(&mut self, writes: Vec<Write>) {
        self.0.extend(writes.into_iter().map(|write| (write.path, write.bytes)));
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [plugins, tree] = arguments.as_slice() else {
        return Err("expected two folders: the built plugins and the tree".into());
    };
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/keys");
    let publisher: SecretKey = read_key(&keys.join("development-publisher.key"))?;
    let log_key = read_key(&keys.join("development-log.key"))?;
    let registry_key = log_key.public();
    let signer = NoteSigner::new("pocket-bundled", log_key)?;
    let policy = Policy::new([registry_key]).for_making_the_bundled_index();

    let mut memory = Memory::default();
    memory.write(append::start(&signer, &policy, FIRST_AT));
    let mut entries = BTreeMap::new();
    let mut at = FIRST_AT;
    let mut add = |memory: &mut Memory, event: Event| -> Result<(), Box<dyn Error>> {
        let text = event.to_text();
        let signatures = vec![publisher.sign_event(event.kind(), &text)];
        let submission = Submission { name: event.name(), event: &text, signatures, at };
        let appended = Appender::new(memory, &signer, &policy).append(submission)?;
        memory.write(appended.writes);
        entries.insert(event.name().clone(), SearchEntry::of(&appended.history));
        at += DAY;
        Ok(())
    };
    for release in RELEASES {
        let packages = Package::of_folder(&plugins.join(release), &Limits::default())?;
        let release = package::release_of(&packages)?;
        for (package, record) in packages.iter().zip(&release.archives) {
            memory.write(vec![Write { path: layout::archive(&record.sha256), bytes: package.bytes.clone() }]);
        }
        add(&mut memory, Event::from(release))?;
    }
    let (name, version, reason) = YANKED;
    let yank = Withdrawal { name: name.parse()?, version: version.parse()?, reason: reason.to_owned() };
    add(&mut memory, Event::Yank(yank))?;

    let list = Listing::of(entries.into_values().flatten()).to_text();
    memory.write(vec![Write { path: layout::SEARCH.to_owned(), bytes: list.into_bytes() }]);
    let config = Config {
        name: "bundled".parse()?,
        log: Some(signer.key().clone()),
        keys: vec![registry_key],
        auth_required: false,
        api: None,
    };
    memory.write(vec![Write { path: layout::CONFIG.to_owned(), bytes: config.to_text().into_bytes() }]);
    replace(tree, &memory)
}

fn read_key(path: &Path) -> Result<SecretKey, Box<dyn Error>> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let line = text.lines().find(|line| !line.starts_with('#')).unwrap_or_default();
    Ok(line.trim().parse()?)
}

/// Writes beside the old tree, then swaps, so that a failure leaves the old one.
fn replace(tree: &Path, memory: &Memory) -> Result<(), Box<dyn Error>> {
    let next = tree.with_extension("next");
    if next.exists() {
        fs::remove_dir_all(&next)?;
    }
    for (path, content) in &memory.0 {
        let file = next.join(path);
        fs::create_dir_all(file.parent().unwrap_or(&next))?;
        fs::write(file, content)?;
    }
    if tree.exists() {
        fs::remove_dir_all(tree)?;
    }
    fs::rename(&next, tree)?;
    println!("{} files in {}", memory.0.len(), tree.display());
    Ok(())
}
