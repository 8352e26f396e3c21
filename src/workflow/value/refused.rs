//! Why a text is no tree, in words: the reader's own messages are for programmers.

use serde_saphyr::budget::BudgetBreach;

use super::{MAX_ALIASES, MAX_ANCHORS, MAX_DEPTH, MAX_REPLAYED, MAX_VALUES};

/// What a document can have too much of, and what to do.
fn too_much(breach: &BudgetBreach) -> (String, &'static str) {
    const SPLIT: &str = "a node of type `workflow` runs another file: split this one";
    const WRITE_OUT: &str = "write out what the aliases stand for, or keep it in `vars`";
    match breach {
        BudgetBreach::Depth { .. } => (too_deep(), "real workflows stay below 12 levels"),
        BudgetBreach::Documents { .. } => {
            ("a second document begins here, a workflow file has one".to_owned(), "put it into a file of its own")
        }
        BudgetBreach::Events { .. } | BudgetBreach::Nodes { .. } => {
            (format!("the file has more than {MAX_VALUES} values"), SPLIT)
        }
        BudgetBreach::Anchors { .. } => (format!("the file has more than {MAX_ANCHORS} anchors"), WRITE_OUT),
        BudgetBreach::MergeKeys { .. } => (format!("the file has more than {MAX_ALIASES} merge keys"), WRITE_OUT),
        BudgetBreach::Aliases { .. } => (format!("the file has more than {MAX_ALIASES} aliases"), WRITE_OUT),
        BudgetBreach::RecordedAnchorEvents { .. } | BudgetBreach::RecordedAnchorBytes { .. } => {
            (format!("anchors and aliases bring in more than {MAX_REPLAYED} values"), WRITE_OUT)
        }
        other => (format!("the file is more than can be read: {other:?}"), SPLIT),
    }
}

fn too_deep() -> String {
    format!("values stand more than {MAX_DEPTH} levels deep inside each other")
}

/// The error itself, without what says by which alias it was met.
fn inner(error: &serde_saphyr::Error) -> &serde_saphyr::Error {
    match error {
        serde_saphyr::Error::AliasError { error, .. } | serde_saphyr::Error::WithSnippet { error, .. } => inner(error),
        other => other,
    }
}

/// The reader's message without the place, which the drawing shows, and without hints for programmers; and what to do.
pub(super) fn error_text(error: &serde_saphyr::Error) -> (String, Option<&'static str>) {
    match inner(error) {
        serde_saphyr::Error::Budget { breach, .. } => {
            let (message, help) = too_much(breach);
            return (message, Some(help));
        }
        serde_saphyr::Error::AliasReplayLimitExceeded { .. } => {
            return (
                format!("aliases bring in more than {MAX_REPLAYED} values"),
                Some("write out what they stand for"),
            );
        }
        serde_saphyr::Error::RecursiveReferencesRequireWeakTypes { .. } => {
            return ("the alias stands inside of the value that it means".to_owned(), None);
        }
        _ => {}
    }
    let text = inner(error).to_string();
    let text = text.lines().next().unwrap_or_default();
    match text.split(" at line ").next().unwrap_or_default() {
        "recursion limit exceeded" => (too_deep(), Some("real workflows stay below 12 levels")),
        text if text.starts_with("non-finite float") => {
            ("infinity and `.nan` are no JSON numbers".to_owned(), Some("write it as a text"))
        }
        text => (text.to_owned(), None),
    }
}
