//! The kits for authors that come with the program.

use std::path::{Path, PathBuf};

use crate::ops::OpsError;

/// The files of a kit, with their paths in it.
type Files = &'static [(&'static str, &'static str)];

/// A kit for authors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kit {
    /// `sdk/go`.
    Go,
    /// `sdk/rust`, and the interface that it is generated from.
    Rust,
}

const GO: Files = &[
    ("go/export.go", include_str!("../../../sdk/go/export.go")),
    ("go/go.mod", include_str!("../../../sdk/go/go.mod")),
    ("go/host.c", include_str!("../../../sdk/go/host.c")),
    ("go/host.go", include_str!("../../../sdk/go/host.go")),
    ("go/plugin.go", include_str!("../../../sdk/go/plugin.go")),
    ("go/pocket_plugin.h", include_str!("../../../sdk/go/pocket_plugin.h")),
];

const RUST: Files = &[
    ("rust/Cargo.toml", include_str!("../../../sdk/rust/Cargo.toml")),
    ("rust/src/call.rs", include_str!("../../../sdk/rust/src/call.rs")),
    ("rust/src/error.rs", include_str!("../../../sdk/rust/src/error.rs")),
    ("rust/src/lib.rs", include_str!("../../../sdk/rust/src/lib.rs")),
    ("rust/src/native.rs", include_str!("../../../sdk/rust/src/native.rs")),
    ("rust/src/native/host.rs", include_str!("../../../sdk/rust/src/native/host.rs")),
    ("rust/src/wasm.rs", include_str!("../../../sdk/rust/src/wasm.rs")),
    ("wit/plugin.wit", include_str!("../../../sdk/wit/plugin.wit")),
];

/// Writes a kit below `folder`, and tells where it is. What is there already is the same: the folder names this version.
pub fn write(folder: &Path, kit: Kit) -> Result<PathBuf, OpsError> {
    let (files, name) = match kit {
        Kit::Go => (GO, "go"),
        Kit::Rust => (RUST, "rust"),
    };
    files.iter().try_for_each(|(path, text)| super::write(&folder.join(path), text.as_bytes()))?;
    Ok(folder.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sources below `folder`, as paths in the kit.
    fn sources(folder: &str) -> Vec<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk");
        let entries = std::fs::read_dir(root.join(folder)).expect("the kit is there");
        let names = entries.map(|entry| entry.expect("it is read"));
        let files = names.filter(|entry| entry.path().is_file() && entry.file_name() != "Cargo.lock");
        let mut paths: Vec<String> =
            files.map(|entry| format!("{folder}/{}", entry.file_name().to_string_lossy())).collect();
        paths.sort();
        paths
    }

    #[test]
    fn every_file_of_a_kit_comes_with_the_program() {
        let shipped = |files: Files| files.iter().map(|(path, _)| (*path).to_owned()).collect::<Vec<_>>();
        let mut go = sources("go");
        go.retain(|path| !path.ends_with("_test.go") && !path.ends_with(".md"));
        assert_eq!(shipped(GO), go);
        let mut rust = [sources("rust"), sources("rust/src"), sources("rust/src/native")].concat();
        // As they stand in the list: by path.
        rust.sort();
        rust.push("wit/plugin.wit".to_owned());
        assert_eq!(shipped(RUST), rust);
    }
}
