//! Where each file of an index stands, relative to its root. Paths use `/` on every system.

use crate::digest::Digest;
use crate::name::PluginName;

/// What a registry says of itself; see [`crate::config`].
pub const CONFIG: &str = "config.json";
/// One entry for each plugin, to search in; see [`crate::search`].
pub const SEARCH: &str = "search.json";
/// How often plugins were downloaded; see [`crate::stats`].
pub const DOWNLOADS: &str = "stats/downloads.json";
/// The newest signed tree head of the log; see [`crate::log::Checkpoint`].
pub const CHECKPOINT: &str = "log/checkpoint";

/// The file with a plugin's events: `index/1/a`, `index/2/ab`, `index/3/a/abc`, `index/ab/cd/abcd…`.
///
/// The folders keep any one of them small; the shape is cargo's.
pub fn index_file(name: &PluginName) -> String {
    let name = name.as_str();
    match name.len() {
        1 | 2 => format!("index/{}/{name}", name.len()),
        3 => format!("index/3/{}/{name}", &name[..1]),
        _ => format!("index/{}/{}/{name}", &name[..2], &name[2..4]),
    }
}

/// An archive, by its content: `a/<first two hex>/<sha256 hex>.tar.gz`.
pub fn archive(digest: &Digest) -> String {
    let hex = digest.hex();
    format!("a/{}/{hex}.tar.gz", &hex[..2])
}

/// The file that a large list is searched in, by its content: `search/<sha256 hex>`.
pub fn search_index(digest: &Digest) -> String {
    format!("search/{}", digest.hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_files_are_sharded_as_cargo_does() {
        for (name, path) in [
            ("a", "index/1/a"),
            ("ab", "index/2/ab"),
            ("abc", "index/3/a/abc"),
            ("abcd", "index/ab/cd/abcd"),
            ("redis-cache", "index/re/di/redis-cache"),
        ] {
            assert_eq!(index_file(&name.parse().expect("a valid name")), path);
        }
    }

    #[test]
    fn archives_stand_under_their_digest() {
        let path = archive(&Digest::of(b"abc"));
        assert_eq!(path, "a/ba/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad.tar.gz");
    }
}
