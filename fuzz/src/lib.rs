//! The rooms of `pocket` that are fuzzed and need nothing of the others, compiled by themselves: the engine would take
//! ten minutes to build with counters.

#[path = "../../src/project/mod.rs"]
pub mod project;
#[path = "../../src/workflow/template/mod.rs"]
pub mod template;

/// The input as text; most targets read text, and what is not UTF-8 is another reader's question.
pub fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}
