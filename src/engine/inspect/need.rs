//! What each import takes.

use pocket_index::permissions::Word;

/// The module of WASI preview 1.
pub(super) const PREVIEW1: &str = "wasi_snapshot_preview1";

/// What an import takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing: every plugin may have it.
    Nothing,
    /// Nothing to have it, since compilers' libraries import it whether or not a program uses it. What can be reached with it is
    /// what the permission gives: without it there are no variables and no folders.
    Reach(Word),
    /// The permission.
    Permission(Word),
    /// No plugin is given it.
    NotGiven,
}

/// Prefixes of what is offered, with the major version behind them; the first that fits counts.
const OFFERED: [(&str, Need); 13] = [
    ("wasi:cli/environment@0.2", Need::Reach(Word::ReadEnv)),
    ("wasi:cli/run@", Need::NotGiven),
    ("wasi:cli/", Need::Nothing),
    ("wasi:clocks/", Need::Nothing),
    ("wasi:random/", Need::Nothing),
    ("wasi:io/", Need::Nothing),
    ("wasi:filesystem/", Need::Reach(Word::ReadFiles)),
    ("wasi:sockets/", Need::Permission(Word::NetworkAccess)),
    ("wasi:http/outgoing-handler@", Need::Permission(Word::HttpClient)),
    ("wasi:http/types@", Need::Nothing),
    ("pocket:plugin/log@1.", Need::Nothing),
    ("pocket:plugin/kv@1.", Need::Nothing),
    ("pocket:plugin/http@1.", Need::Permission(Word::HttpClient)),
];

impl Need {
    /// What the import of this name takes.
    pub fn of(import: &str) -> Self {
        if import == PREVIEW1 {
            return Self::Nothing;
        }
        let is_of_another_wasi = import.starts_with("wasi:") && !import.contains("@0.2.");
        if is_of_another_wasi {
            return Self::NotGiven;
        }
        let offered = OFFERED.iter().find(|(prefix, _)| import.starts_with(prefix));
        offered.map_or(Self::NotGiven, |(_, need)| *need)
    }
}
