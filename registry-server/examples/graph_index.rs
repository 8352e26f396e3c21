//! Makes a signed registry of a dependency graph: `cargo run --release -p pocket-registry --example graph_index -- GRAPH TREE`.
//!
//! GRAPH is what `benches/crates/graph.py` writes, a line a release: `name version[ yanked][: name requirement; …]`. TREE gets the
//! static files that a client reads to choose versions: configuration, index files, log. Each plugin has an owner of its own.
//! There are no archives: a client can lock, not install. Keys and times are fixed, so that a graph always gives the same bytes.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use pocket_index::archive::archive_file_name;
use pocket_index::config::Config;
use pocket_index::digest::{Digest, TreeDigest};
use pocket_index::layout;
use pocket_index::log::{Checkpoint, Leaf, NodeHash, NoteSigner, TILE_WIDTH, TilePath, keys_digest, node_hash};
use pocket_index::manifest::{Dependency, Runtime};
use pocket_index::name::{PluginName, Target};
use pocket_index::record::{ArchiveRecord, Event, Line, Place, Release, Withdrawal};
use pocket_index::signature::SecretKey;
use semver::Version;

/// 2026-01-01 00:00:00 UTC.
const AT: u64 = 1_767_225_600;

/// An index that grows.
struct Index {
    leaves: Vec<NodeHash>,
    /// The last line of each file, and the text.
    files: BTreeMap<PluginName, (Vec<Line>, String)>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [graph, tree] = arguments.as_slice() else { return Err("expected two paths: the graph and the tree".into()) };
    let signer = NoteSigner::new("crates-graph", key("the log"))?;
    let mut index = Index { leaves: Vec::new(), files: BTreeMap::new() };
    let text = fs::read_to_string(graph).map_err(|error| format!("{}: {error}", graph.display()))?;
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        index.add(line).map_err(|error| format!("`{line}`: {error}"))?;
    }
    for (name, (_, text)) in &index.files {
        write(tree, &layout::index_file(name), text.as_bytes())?;
    }
    write_log(tree, &index.leaves, &signer)?;
    let config = Config {
        name: "crates".parse()?,
        log: Some(signer.key().clone()),
        keys: vec![signer.key().public()],
        auth_required: false,
        api: None,
    };
    write(tree, layout::CONFIG, config.to_text().as_bytes())?;
    println!("{} plugins, {} events in {}", index.files.len(), index.leaves.len(), tree.display());
    Ok(())
}

impl Index {
    fn add(&mut self, line: &str) -> Result<(), Box<dyn Error>> {
        let (head, needs) = line.split_once(": ").unwrap_or((line, ""));
        let mut words = head.split_whitespace();
        let name: PluginName = words.next().ok_or("no name")?.parse()?;
        let version: Version = words.next().ok_or("no version")?.parse()?;
        self.append(Event::from(release(&name, &version, needs)?))?;
        if words.next() == Some("yanked") {
            self.append(Event::Yank(Withdrawal { name, version, reason: "yanked from the graph".to_owned() }))?;
        }
        Ok(())
    }

    /// Signs an event and adds it as a line and a leaf. Nothing is verified: clients do that.
    fn append(&mut self, event: Event) -> Result<(), Box<dyn Error>> {
        let name = event.name();
        let (lines, file) = self.files.entry(name.clone()).or_default();
        let seq = lines.len() as u64;
        let prev = lines.last().map(|line| line.digest);
        let place = Place { seq, prev, log: self.leaves.len() as u64, at: AT + self.leaves.len() as u64 };
        let text = event.to_text();
        let line = Line::frame(place, &text, vec![key(name.as_str()).sign_event(event.kind(), &text)])?;
        self.leaves.push(Leaf { name: name.clone(), seq, line: line.digest }.hash());
        file.push_str(&line.to_text());
        file.push('\n');
        lines.push(line);
        Ok(())
    }
}

fn release(name: &PluginName, version: &Version, needs: &str) -> Result<Release, Box<dyn Error>> {
    let mut dependencies = BTreeMap::new();
    for need in needs.split("; ").filter(|need| !need.is_empty()) {
        let (of, requirement) = need.split_once(' ').ok_or("a need without a requirement")?;
        let dependency = Dependency { version: requirement.parse()?, registry: None, optional: false };
        dependencies.insert(of.parse()?, dependency);
    }
    let content = Digest::of(format!("{name} {version}").as_bytes());
    let archive = ArchiveRecord {
        target: Target::any(),
        file: archive_file_name(name, version, &Target::any()),
        size: 20_000,
        unpacked: 80_000,
        entries: 12,
        sha256: content,
        tree: TreeDigest::from_bytes(*content.as_bytes()),
    };
    Ok(Release {
        name: name.clone(),
        version: version.clone(),
        description: format!("What the crate {name} was for"),
        runtime: Runtime::Lua,
        engine: None,
        dependencies,
        permissions: Default::default(),
        nodes: vec!["run".parse()?],
        categories: Vec::new(),
        keywords: Vec::new(),
        archives: vec![archive],
    })
}

/// A key that follows from a word.
fn key(word: &str) -> SecretKey {
    SecretKey::from_seed(Digest::of(format!("graph {word}").as_bytes()).as_bytes())
}

/// The log's tiles, level by level: the root of a full tile is a hash of the next level.
fn write_log(tree: &Path, leaves: &[NodeHash], signer: &NoteSigner) -> Result<(), Box<dyn Error>> {
    let mut hashes = leaves.to_vec();
    for level in 0.. {
        let tiles = hashes.chunks(usize::from(TILE_WIDTH));
        for (number, tile) in tiles.clone().enumerate() {
            let path = TilePath { level, index: number as u64, width: u16::try_from(tile.len())? };
            let bytes: Vec<u8> = tile.iter().flat_map(NodeHash::as_bytes).copied().collect();
            write(tree, &path.to_string(), &bytes)?;
        }
        hashes = tiles.filter(|tile| tile.len() == usize::from(TILE_WIDTH)).map(root).collect();
        if hashes.is_empty() {
            break;
        }
    }
    let checkpoint = Checkpoint::sign(leaves.len() as u64, root(leaves), keys_digest([&signer.key().public()]), signer);
    let checkpoint = checkpoint.stated_at(AT + leaves.len() as u64, signer)?;
    write(tree, layout::CHECKPOINT, checkpoint.note().as_bytes())
}

/// RFC 6962, section 2.1: the left half is the largest power of two that leaves something for the right.
fn root(hashes: &[NodeHash]) -> NodeHash {
    match hashes {
        [one] => *one,
        _ => {
            let (left, right) = hashes.split_at(hashes.len().next_power_of_two() / 2);
            node_hash(&root(left), &root(right))
        }
    }
}

fn write(tree: &Path, path: &str, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    let file = tree.join(path);
    fs::create_dir_all(file.parent().unwrap_or(tree))?;
    Ok(fs::write(file, bytes)?)
}
