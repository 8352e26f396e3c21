//! Where the suites of others are that tests run. `fixtures/toolchains/install suites` fetches them, pinned.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The folder of a suite.
pub(super) fn folder(name: &str) -> PathBuf {
    let cache = std::env::var_os("POCKET_TOOLCHAINS").map(PathBuf::from).unwrap_or_else(|| {
        let home = || PathBuf::from(std::env::var_os("HOME").expect("there is a home")).join(".cache");
        std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from).join("pocket-toolchains")
    });
    let folder = cache.join("suites").join(name);
    assert!(folder.is_dir(), "`{}` is missing: run `fixtures/toolchains/install suites`", folder.display());
    folder
}

/// A JSON file.
pub(super) fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
