//! What helps where a run cannot be found, taken up or repeated.

use super::{ERROR, VERIFICATION_REFUSED};
use crate::ops::runs::RunsError;
use crate::workflow::journal::JournalError;

pub(super) fn exit_code(error: &RunsError) -> u8 {
    match error {
        RunsError::OtherDocument { .. }
        | RunsError::OtherPlugin { .. }
        | RunsError::Journal(JournalError::Damaged { .. }) => VERIFICATION_REFUSED,
        _ => ERROR,
    }
}

pub(super) fn hint(error: &RunsError) -> Option<String> {
    Some(match error {
        RunsError::NoRun { .. } => {
            "`pocket runs list` shows the runs; --journal FOLDER names another folder".to_owned()
        }
        RunsError::Several { .. } => "type more of the run's name".to_owned(),
        RunsError::OtherDocument { .. } => {
            "put the workflow back as it was, or begin at a node with `--from NODE`, or begin anew".to_owned()
        }
        RunsError::OtherPlugin { .. } => {
            "install the plugin as it was, or begin at a node with `--from NODE`".to_owned()
        }
        RunsError::NoNode { near: Some(near), .. } => format!("did you mean `{near}`?"),
        RunsError::NoNode { near: None, .. } => "`pocket run FILE --dry-run` shows its nodes".to_owned(),
        RunsError::Journal(JournalError::Damaged { .. }) => {
            "what was recorded cannot be trusted: look at the disk, and begin the run anew".to_owned()
        }
        RunsError::Journal(JournalError::Running { .. }) => "wait for it, or end that process".to_owned(),
        RunsError::Journal(JournalError::NoSeed(_)) => "`pocket runs show RUN` shows what ran".to_owned(),
        RunsError::Journal(_) => return None,
    })
}
