//! The next step for node types and scripts.

use super::{ERROR, PLUGIN_ERROR, RUN_FAILED, WORKFLOW_INVALID, quoted};
use crate::engine::CallErrorKind;
use crate::ops::nodes::NodesError;
use crate::ops::scripts::ScriptError;

pub fn exit_code(error: &ScriptError) -> u8 {
    match error {
        ScriptError::Unknown { .. } | ScriptError::Unreadable { .. } => ERROR,
        ScriptError::Failed { source, .. } => match source.kind {
            CallErrorKind::Load => WORKFLOW_INVALID,
            CallErrorKind::Crashed => PLUGIN_ERROR,
            _ => RUN_FAILED,
        },
    }
}

pub fn script_hint(error: &ScriptError) -> Option<String> {
    match error {
        ScriptError::Unknown { near, .. } if !near.is_empty() => Some(format!("did you mean {}?", quoted(near))),
        ScriptError::Unknown { .. } => Some("`pocket scripts list` shows those that there are".to_owned()),
        ScriptError::Failed { source, .. } if source.kind == CallErrorKind::Load => {
            Some("`pocket scripts validate` shows the line".to_owned())
        }
        _ => None,
    }
}

pub fn nodes_hint(error: &NodesError) -> String {
    match error {
        NodesError::Unknown { near, .. } if !near.is_empty() => format!("did you mean {}?", quoted(near)),
        NodesError::Unknown { name, .. } => {
            format!(
                "`pocket nodes list` shows those that there are; others come with plugins: `pocket plugin search {name}`"
            )
        }
        NodesError::Category { known, .. } => format!("categories are {}", known.join(", ")),
        NodesError::Several { full_names, .. } => format!("name the plugin too: {}", quoted(full_names)),
    }
}
