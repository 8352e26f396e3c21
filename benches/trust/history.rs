//! Files and logs of any length, with true signatures.

use pocket_index::digest::Digest;
use pocket_index::log::{
    Checkpoint, Frontier, Leaf, NodeHash, NoteSigner, TilePath, Tiles, keys_digest, tiles_for_consistency,
    tiles_for_inclusion,
};
use pocket_index::name::PluginName;
use pocket_index::record::{Line, Place};
use pocket_index::signature::SecretKey;

/// Who publishes.
pub fn publisher() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}

/// The plugin.
pub fn name() -> PluginName {
    "bench".parse().expect("a name")
}

/// A release of usual length.
pub fn event(version: &str) -> String {
    let digest = Digest::of(version.as_bytes());
    format!(
        r#"{{"kind":"release","name":"bench","version":"{version}","description":"A plugin to measure with","runtime":"lua","dependencies":{{"other":{{"version":"^1.2"}}}},"permissions":{{"http":["api.example.com:443"]}},"nodes":["bench-get","bench-set"],"categories":["data"],"keywords":["cache","store"],"archives":[{{"target":"any","file":"bench-{version}.tar.gz","size":4711,"unpacked":9000,"entries":12,"sha256":"{digest}","tree":"t1:{}"}}]}}"#,
        digest.hex()
    )
}

/// An index file with so many releases.
pub fn lines(count: u64) -> String {
    let mut text = String::new();
    let mut prev = None;
    for seq in 0..count {
        let event = event(&format!("1.{seq}.0"));
        let signatures = vec![publisher().sign_event("release", &event)];
        let place = Place { seq, prev, log: seq, at: 1_790_000_000 + seq };
        let line = Line::frame(place, &event, signatures).expect("a line as the format has it");
        prev = Some(line.digest);
        text.push_str(&line.to_text());
        text.push('\n');
    }
    text
}

/// The leaf with this number.
pub fn leaf(number: u64) -> Leaf {
    Leaf { name: name(), seq: number, line: Digest::of(&number.to_be_bytes()) }
}

/// A log, kept by the hashes of its leaves.
pub struct Log {
    hashes: Vec<NodeHash>,
}

impl Log {
    /// A log of so many leaves.
    pub fn of(size: u64) -> Self {
        Self { hashes: (0..size).map(|number| leaf(number).hash()).collect() }
    }

    /// Its checkpoint when it had so many leaves.
    pub fn checkpoint(&self, size: u64) -> Checkpoint {
        let signer = NoteSigner::new("bench.example", SecretKey::from_seed(&[2; 32])).expect("a name");
        let mut frontier = Frontier::default();
        self.hashes.iter().take(size as usize).for_each(|hash| drop(frontier.push(*hash)));
        Checkpoint::sign(size, frontier.root(), keys_digest([]), &signer)
    }

    /// What a client fetches to see a leaf in it.
    pub fn tiles_for_inclusion(&self, leaf: u64) -> Tiles {
        self.tiles(&tiles_for_inclusion(leaf, self.hashes.len() as u64))
    }

    /// What a client fetches to see that it grew.
    pub fn tiles_for_consistency(&self, old: u64) -> Tiles {
        self.tiles(&tiles_for_consistency(old, self.hashes.len() as u64))
    }

    fn tiles(&self, paths: &[TilePath]) -> Tiles {
        let mut frontier = Frontier::default();
        let mut computed: Vec<_> = self.hashes.iter().flat_map(|hash| frontier.push(*hash)).collect();
        computed.extend(frontier.partial_tiles());
        let mut tiles = Tiles::new();
        for tile in computed.into_iter().filter(|tile| paths.contains(&tile.path)) {
            tiles.insert(tile.path, tile.hashes.iter().flat_map(|hash| *hash.as_bytes()).collect());
        }
        tiles
    }
}
