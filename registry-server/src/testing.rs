//! What unit tests and tests over HTTP share.

#[path = "../tests/support/plugin.rs"]
mod plugin;
#[path = "../tests/support/seaweed.rs"]
#[expect(dead_code, reason = "tests over HTTP stop and start it")]
mod seaweed;
#[path = "../tests/support/tree.rs"]
mod tree;

pub(crate) use plugin::{author, release, yank};
pub(crate) use seaweed::Seaweed;
pub(crate) use tree::{Files, Published, check};
