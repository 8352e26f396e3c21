//! `pocket plugin uninstall`.

use serde_json::json;

use crate::cli::arguments::UninstallArguments;
use crate::cli::output::Output;
use crate::ops::{OpsError, uninstall};

use super::open_to_change;

pub fn run(arguments: &UninstallArguments, output: &Output) -> Result<(), OpsError> {
    let removed = uninstall::uninstall(open_to_change(arguments.scope, output)?, &arguments.plugins)?;
    for one in &removed {
        output.step("Removed", format!("`{}` {}", one.name, one.version));
    }
    let documents: Vec<_> = removed.iter().map(|one| json!({ "name": one.name, "version": one.version })).collect();
    output.result(&documents, String::new);
    Ok(())
}
