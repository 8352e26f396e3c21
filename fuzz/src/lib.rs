//! The rooms of `pocket` that are fuzzed and need nothing of the others, compiled by themselves: the engine would take
//! ten minutes to build with counters.

#[path = "../../src/nodes/json.rs"]
pub mod json;
#[path = "../../src/project/mod.rs"]
pub mod project;
#[path = "../../src/workflow/template/mod.rs"]
pub mod template;

/// What templates use of it.
pub mod nodes {
    pub use super::json::read as read_json;
}

/// The input as text; most targets read text, and what is not UTF-8 is another reader's question.
pub fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}
