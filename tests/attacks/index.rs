//! An index in memory: honest events through the writer that registries use, and the same tools without their checks, as an
//! attacker has them.

use std::collections::BTreeMap;

use pocket_index::append::{self, Appender, Files, Submission, Write};
use pocket_index::archive::{self, Entry};
use pocket_index::config::Config;
use pocket_index::digest::Digest;
use pocket_index::layout;
use pocket_index::limits::Limits;
use pocket_index::log::{Checkpoint, ComputedTile, Frontier, Leaf, NodeHash, NoteSigner, keys_digest};
use pocket_index::package::{Package, release_of};
use pocket_index::record::{Event, OwnerKeys, Policy, Release, Withdrawal};
use pocket_index::signature::{SecretKey, Signature};

/// The name of the log.
pub const ORIGIN: &str = "plugins.test";
/// Seeds: a publisher, a second one, somebody who publishes nothing here, the registry's events and its log.
pub const ALICE: u8 = 1;
pub const BOB: u8 = 2;
pub const MALLORY: u8 = 66;
pub const REGISTRY: u8 = 101;
const LOG: u8 = 100;
/// When everything happens: seconds since 1970. Users of the index allow any age.
pub const AT: u64 = 1_790_000_000;

/// The private key of a seed.
pub fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

/// An index, with the key of its log.
#[derive(Clone)]
pub struct Index {
    pub files: BTreeMap<String, Vec<u8>>,
    leaves: Vec<Leaf>,
    log: u8,
    origin: &'static str,
}

impl Files for Index {
    fn read(&self, path: &str) -> std::io::Result<Option<Vec<u8>>> {
        Ok(self.files.get(path).cloned())
    }
}

impl Index {
    /// An index without plugins.
    pub fn empty() -> Self {
        Self::with_log(ORIGIN, LOG)
    }

    /// An index without plugins whose log has another name or key.
    pub fn with_log(origin: &'static str, log: u8) -> Self {
        let mut index = Self { files: BTreeMap::new(), leaves: Vec::new(), log, origin };
        index.write(append::start(&index.signer(), &policy(), AT));
        let config = Config {
            name: "plugins".parse().unwrap(),
            log: Some(index.signer().key().clone()),
            keys: vec![key(REGISTRY).public()],
            auth_required: false,
            api: None,
        };
        index.put(layout::CONFIG, config.to_text());
        index
    }

    /// `geo` of Alice's, `pair` that takes her and Bob, `moved` that she gave to Bob, `ships` for two targets.
    pub fn honest() -> Self {
        let mut index = Self::empty();
        index.publish(&[lua("geo", "1.0.0", "")], &[ALICE]);
        index.publish(&[lua("pair", "1.0.0", "")], &[ALICE]);
        index.owners("pair", &[ALICE, BOB], 2, &[ALICE]);
        index.publish(&[lua("pair", "1.1.0", "")], &[ALICE, BOB]);
        index.publish(&[lua("moved", "1.0.0", "")], &[ALICE]);
        index.owners("moved", &[BOB], 1, &[ALICE]);
        index.publish(&[lua("moved", "1.1.0", "")], &[BOB]);
        index.publish(&native("ships", "1.0.0"), &[ALICE]);
        index.publish(&[lua("geo", "1.1.0", "")], &[ALICE]);
        index
    }

    /// Publishes archives as they are.
    pub fn publish(&mut self, packages: &[Package], signers: &[u8]) {
        let release = release_of(packages).unwrap();
        self.publish_as(&release, packages, signers);
    }

    /// Publishes archives under a release that may say something else.
    pub fn publish_as(&mut self, release: &Release, packages: &[Package], signers: &[u8]) {
        for package in packages {
            self.put(&layout::archive(&Digest::of(&package.bytes)), package.bytes.clone());
        }
        self.event(release.clone().into(), signers);
    }

    /// Changes who signs for a plugin.
    pub fn owners(&mut self, plugin: &str, keys: &[u8], threshold: u32, signers: &[u8]) {
        self.event(owner_keys(plugin, keys, threshold), signers);
    }

    /// Adds an event that holds.
    pub fn event(&mut self, event: Event, signers: &[u8]) {
        let text = event.to_text();
        let submission = Submission { name: event.name(), event: &text, signatures: sign(&event, signers), at: AT };
        let (signer, policy) = (self.signer(), policy());
        let appended = Appender::new(&*self, &signer, &policy).append(submission).unwrap();
        let line = &appended.line;
        self.leaves.push(Leaf { name: event.name().clone(), seq: line.seq, line: line.digest });
        self.write(appended.writes);
    }

    /// Signs the tree anew, at this time.
    pub fn sign_at(&mut self, time: u64) {
        let old = Checkpoint::open(&self.files[layout::CHECKPOINT], self.signer().key()).unwrap();
        self.sign_tree(old.size(), old.head().root, time);
    }

    fn sign_tree(&mut self, size: u64, root: NodeHash, time: u64) {
        let keys = keys_digest([&key(REGISTRY).public()]);
        let checkpoint = Checkpoint::sign(size, root, keys, &self.signer()).stated_at(time, &self.signer()).unwrap();
        self.put(layout::CHECKPOINT, checkpoint.note());
    }

    /// The lines of a plugin's file, without their newlines.
    pub fn lines(&self, plugin: &str) -> Vec<String> {
        let text = str::from_utf8(&self.files[&path(plugin)]).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// Replaces a plugin's file and tells nobody: what a mirror can do.
    pub fn replace(&mut self, plugin: &str, lines: &[String]) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        self.put(&path(plugin), text);
    }

    /// Changes the text of a plugin's file and tells nobody.
    pub fn edit(&mut self, plugin: &str, from: &str, to: &str) {
        let file = path(plugin);
        self.edit_file(&file, from, to);
    }

    /// Changes a text file, which must have `from` in it.
    pub fn edit_file(&mut self, path: &str, from: &str, to: &str) {
        let text = String::from_utf8(self.files[path].clone()).unwrap();
        assert!(text.contains(from), "`{from}` is not in:\n{text}");
        self.put(path, text.replace(from, to));
    }

    /// Adds a line to file and log without a check: what a registry can do.
    pub fn log_event(&mut self, plugin: &str, event: &str, signatures: &[Signature]) {
        let (seq, prev) = match self.files.contains_key(&path(plugin)) {
            true => {
                let lines = self.lines(plugin);
                (lines.len() as u64, format!("\"{}\"", Digest::of(lines.last().unwrap().as_bytes())))
            }
            false => (0, "null".to_owned()),
        };
        let (log, signatures) = (self.leaves.len(), serde_json::to_string(signatures).unwrap());
        let line =
            format!(r#"{{"seq":{seq},"prev":{prev},"log":{log},"at":{AT},"event":{event},"signatures":{signatures}}}"#);
        self.log_line(plugin, seq, &line);
    }

    /// Adds a line of any form to file and log.
    pub fn log_line(&mut self, plugin: &str, seq: u64, line: &str) {
        let mut lines = if self.files.contains_key(&path(plugin)) { self.lines(plugin) } else { Vec::new() };
        lines.push(line.to_owned());
        self.replace(plugin, &lines);
        self.log_leaf(plugin, seq, Digest::of(line.as_bytes()));
    }

    /// Adds a leaf and signs the new tree.
    pub fn log_leaf(&mut self, plugin: &str, seq: u64, line: Digest) {
        self.leaves.push(Leaf { name: plugin.parse().unwrap(), seq, line });
        self.relog();
    }

    /// Replaces a plugin's file and the log's leaves that spoke of it, and signs a tree of the same size.
    pub fn rewrite(&mut self, plugin: &str, lines: &[String]) {
        self.replace(plugin, lines);
        for (seq, line) in lines.iter().enumerate() {
            let is_its = |leaf: &&mut Leaf| leaf.name.as_str() == plugin && leaf.seq == seq as u64;
            self.leaves.iter_mut().find(is_its).unwrap().line = Digest::of(line.as_bytes());
        }
        self.relog();
    }

    /// The leaves of the log, the oldest first.
    pub fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// Takes the last leaves away and signs the smaller tree.
    pub fn forget(&mut self, leaves: usize) {
        self.leaves.truncate(self.leaves.len() - leaves);
        self.relog();
    }

    /// Writes tiles and checkpoint of the leaves anew.
    pub fn relog(&mut self) {
        let mut frontier = Frontier::default();
        let mut tiles: Vec<ComputedTile> = Vec::new();
        for leaf in self.leaves.clone() {
            tiles.extend(frontier.push(leaf.hash()));
        }
        tiles.extend(frontier.partial_tiles());
        for ComputedTile { path, hashes } in tiles {
            self.put(&path.to_string(), hashes.iter().flat_map(|hash| *hash.as_bytes()).collect::<Vec<u8>>());
        }
        self.sign_tree(frontier.size(), frontier.root(), AT);
    }

    /// The path of the only archive of a plugin's newest release.
    pub fn archive_of(&self, plugin: &str) -> String {
        let lines = self.lines(plugin);
        let mut releases = lines.iter().filter(|line| line.contains(r#""kind":"release""#));
        let line: serde_json::Value = serde_json::from_str(releases.next_back().unwrap()).unwrap();
        let digest: Digest = line["event"]["archives"][0]["sha256"].as_str().unwrap().parse().unwrap();
        layout::archive(&digest)
    }

    pub fn put(&mut self, path: &str, content: impl Into<Vec<u8>>) {
        self.files.insert(path.to_owned(), content.into());
    }

    pub fn signer(&self) -> NoteSigner {
        NoteSigner::new(self.origin, key(self.log)).unwrap()
    }

    fn write(&mut self, writes: Vec<Write>) {
        self.files.extend(writes.into_iter().map(|write| (write.path, write.bytes)));
    }
}

fn policy() -> Policy {
    Policy::new([key(REGISTRY).public()])
}

/// The signatures of these keys over an event.
pub fn sign(event: &Event, signers: &[u8]) -> Vec<Signature> {
    signers.iter().map(|seed| key(*seed).sign_event(event.kind(), &event.to_text())).collect()
}

/// An `owner-keys` event.
pub fn owner_keys(plugin: &str, keys: &[u8], threshold: u32) -> Event {
    let keys = keys.iter().map(|seed| key(*seed).public()).collect();
    Event::OwnerKeys(OwnerKeys { name: plugin.parse().unwrap(), keys, threshold })
}

/// What takes a version back, with a reason.
pub fn withdrawal(plugin: &str, version: &str) -> Withdrawal {
    let (name, version) = (plugin.parse().unwrap(), version.parse().unwrap());
    Withdrawal { name, version, reason: "steals keys".to_owned() }
}

/// The path of a plugin's file.
pub fn path(plugin: &str) -> String {
    layout::index_file(&plugin.parse().unwrap())
}

/// A Lua plugin with one node, named like it. `more` are further lines of its manifest.
pub fn lua(name: &str, version: &str, more: &str) -> Package {
    let manifest =
        format!("name: {name}\nversion: {version}\nruntime: lua\nbinary: main.lua\nnodes: [{{type: {name}}}]\n{more}");
    let script = format!("function process() return {{version = '{version}'}} end\n");
    package(&[("main.lua", script.as_bytes()), ("manifest.yaml", manifest.as_bytes())])
}

/// A native plugin for two targets; what is in it is never run here.
pub fn native(name: &str, version: &str) -> [Package; 2] {
    let manifest = format!(
        "name: {name}\nversion: {version}\nruntime: native\nbinary: {{{LINUX}: lib/x.so, {MAC}: lib/x.dylib}}\nnodes: [{{type: {name}}}]\n"
    );
    let with = |file: &str| package(&[(file, file.as_bytes()), ("manifest.yaml", manifest.as_bytes())]);
    [with("lib/x.so"), with("lib/x.dylib")]
}

const LINUX: &str = "x86_64-unknown-linux-gnu";
const MAC: &str = "aarch64-apple-darwin";

fn package(files: &[(&str, &[u8])]) -> Package {
    let entry = |(path, content): &(&str, &[u8])| Entry {
        path: path.parse().unwrap(),
        executable: false,
        content: content.to_vec(),
    };
    let entries: Vec<Entry> = files.iter().map(entry).collect();
    let limits = Limits::default();
    Package::of_archive(archive::pack(&entries, &limits).unwrap(), &limits).unwrap()
}

#[test]
fn the_attackers_log_writer_writes_what_the_honest_one_writes() {
    let honest = Index::honest();
    let mut again = honest.clone();
    again.files.retain(|path, _| !path.starts_with("log/tile/0") && path != layout::CHECKPOINT);
    again.relog();
    assert!(again.files.iter().all(|(path, bytes)| honest.files.get(path) == Some(bytes)));
    assert!(again.files.contains_key("log/checkpoint"));
}
