//! What a plugin lacks in silence. An environment variable that was not granted is not there, and a folder that was not granted is
//! the system's to refuse: neither says why. So an error of such a plugin also says what it was not granted.

use pocket_index::manifest::Runtime;

use super::error::{CallError, CallErrorKind};
use super::grants::{Grants, Word};

/// The words that a manifest asks for, that were not granted, and whose absence has no error of its own.
#[derive(Debug)]
pub(super) struct Withheld(Vec<(Word, Vec<String>)>);

impl Withheld {
    /// Those of a plugin. A script's files are the engine's, which says why it refuses one.
    pub(super) fn of(runtime: Runtime, grants: &Grants) -> Self {
        let silent: &[Word] = match runtime {
            Runtime::Lua => &[Word::ReadEnv],
            Runtime::Wasm | Runtime::Native => &[Word::ReadEnv, Word::ReadFiles, Word::WriteFiles],
        };
        let withheld = silent.iter().map(|word| (*word, grants.withheld(*word)));
        Self(withheld.filter(|(_, asked)| !asked.is_empty()).collect())
    }

    /// An error that a missing permission may be behind, with what is missing.
    pub(super) fn explain(&self, error: CallError) -> CallError {
        use CallErrorKind::{Crashed, Failed, InvalidInput, Retryable};
        if error.limit.is_some() || !matches!(error.kind, Failed | InvalidInput | Retryable | Crashed) {
            return error;
        }
        self.0.iter().fold(error, |error, (word, asked)| {
            let (field, what) = (word.field(), asked.join("`, `"));
            error.advised(&format!(
                "its manifest asks for {field} `{what}`, but the permission `{word}` was not granted"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use pocket_index::permissions::Permissions;
    use serde_json::Map;

    use super::*;
    use crate::engine::grants::GrantedWords;

    fn explained(runtime: Runtime, words: &[Word], kind: CallErrorKind) -> String {
        let asked = Permissions {
            env: vec!["TOKEN".into()],
            filesystem: vec!["read:/data".into(), "write:/out".into()],
            ..Permissions::default()
        };
        let granted = GrantedWords::of(words.iter().copied());
        let grants = Grants::new(&asked, &granted, &Map::new()).expect("they are well-formed");
        Withheld::of(runtime, &grants).explain(CallError::new(kind, "no")).message
    }

    #[test]
    fn an_error_of_a_plugin_that_was_not_granted_all_says_what() {
        let reads = [Word::ReadEnv, Word::ReadFiles];
        let found = explained(Runtime::Native, &reads, CallErrorKind::Failed);
        insta::assert_snapshot!(found, @"no; its manifest asks for filesystem `write:/out`, but the permission `write_files` was not granted");
        let found = explained(Runtime::Lua, &[], CallErrorKind::Failed);
        insta::assert_snapshot!(found, @"no; its manifest asks for env `TOKEN`, but the permission `read_env` was not granted");
    }

    #[test]
    fn nothing_is_added_where_nothing_is_missing_or_the_cause_is_known() {
        assert_eq!(explained(Runtime::Wasm, &Word::ALL, CallErrorKind::Failed), "no");
        assert_eq!(explained(Runtime::Wasm, &[], CallErrorKind::Denied), "no");
        assert_eq!(explained(Runtime::Native, &[], CallErrorKind::Timeout), "no");
    }
}
