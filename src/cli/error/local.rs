//! The next step for plugins that are used where they stand.

use super::{ERROR, PLUGIN_ERROR, VERIFICATION_REFUSED, quoted};
use crate::ops::local::LocalError;

pub fn exit_code(error: &LocalError) -> u8 {
    match error {
        LocalError::Unapproved { .. } => VERIFICATION_REFUSED,
        LocalError::NoCode { .. } | LocalError::Manifest { .. } => PLUGIN_ERROR,
        _ => ERROR,
    }
}

pub fn hint(error: &LocalError) -> Option<String> {
    Some(match error {
        LocalError::Empty { .. } => {
            "plugins are files that end with `.lua`, `.wasm` or `.so`, and folders with `manifest.yaml`".to_owned()
        }
        LocalError::Unknown { near, .. } if !near.is_empty() => format!("did you mean {}?", quoted(near)),
        LocalError::Unknown { given, .. } => {
            format!("give a path, such as `./{given}.lua`, or install it: `pocket plugin install {given}`")
        }
        LocalError::Clash { name, .. } => format!(
            "`pocket plugin unload {name}` leaves the one out, `--alias NAME` of `pocket plugin load` renames the other"
        ),
        LocalError::Several { .. } => "load them one by one".to_owned(),
        LocalError::NotAPath { name, .. } => format!("its settings are `plugins.config.{name}` in pocket.yaml"),
        LocalError::Unapproved { path, .. } => format!("`pocket plugin load {}` asks for it", path.display()),
        LocalError::NoCode { .. } => "build it for this machine".to_owned(),
        LocalError::Manifest { .. } => "`pocket plugin check` shows everything that is wrong with it".to_owned(),
        LocalError::Path { .. } => return None,
    })
}
