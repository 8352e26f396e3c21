//! What unit tests and tests over HTTP share.

#[path = "../tests/support/plugin.rs"]
mod plugin;
#[path = "../tests/support/tree.rs"]
mod tree;

pub(crate) use plugin::{author, release, yank};
pub(crate) use tree::{Files, Published, check};
