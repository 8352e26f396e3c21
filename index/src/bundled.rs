//! The index that comes with Pocket, compiled into the program.
//!
//! Its keys are development keys, whose private halves stand in the source: they prove nothing. What counts is the digest
//! of the checkpoint, which is compiled in beside it, and everything else hangs on the checkpoint.

use std::borrow::Cow;
use std::sync::LazyLock;

use crate::digest::Digest;

#[derive(rust_embed::RustEmbed)]
#[folder = "tree/"]
struct Tree;

/// The file at `path` of the static tree.
pub fn file(path: &str) -> Option<Cow<'static, [u8]>> {
    Tree::get(path).map(|file| file.data)
}

/// The paths of all files.
pub fn paths() -> impl Iterator<Item = Cow<'static, str>> {
    Tree::iter()
}

/// The digest of the bundled checkpoint: the one thing that is trusted because it is in the program.
pub fn checkpoint_digest() -> Digest {
    static DIGEST: LazyLock<Digest> = LazyLock::new(|| Digest::of(&file("log/checkpoint").unwrap_or_default()));
    *DIGEST
}

/// The digests of all lines of the bundled index: the only ones that count although a development key signed them.
pub fn line_digests() -> impl Iterator<Item = Digest> {
    let index_files = paths().filter(|path| path.starts_with("index/")).filter_map(|path| file(&path));
    index_files.flat_map(|content| {
        content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(Digest::of).collect::<Vec<_>>()
    })
}
