//! `pocket plugin list`.

use serde_json::json;

use crate::cli::arguments::ScopeArguments;
use crate::cli::output::Output;
use crate::cli::table::table;
use crate::ops::OpsError;
use crate::ops::list::{self, Listed, Status};

use super::open_to_read;

pub fn run(scope: ScopeArguments, output: &Output) -> Result<(), OpsError> {
    let listed = list::list(&open_to_read(scope)?)?;
    for plugin in &listed {
        if let Status::Failed(reason) = &plugin.status {
            output.warning(format!("`{}` {}: {reason}", plugin.name, plugin.version));
        }
    }
    let documents: Vec<_> = listed.iter().map(document).collect();
    output.result(&documents, || match listed.as_slice() {
        [] => "there are no plugins; `pocket plugin search` shows what there is\n".to_owned(),
        listed => table(["NAME", "TYPE", "VERSION", "STATUS", "NODES"], &listed.iter().map(row).collect::<Vec<_>>()),
    });
    Ok(())
}

fn status(plugin: &Listed) -> &'static str {
    match plugin.status {
        Status::Installed => "installed",
        Status::Failed(_) => "failed",
    }
}

fn row(plugin: &Listed) -> [String; 5] {
    let nodes: Vec<&str> = plugin.nodes.iter().map(AsRef::as_ref).collect();
    [
        plugin.name.to_string(),
        plugin.runtime.map_or_else(|| "-".to_owned(), |runtime| runtime.to_string()),
        plugin.version.to_string(),
        status(plugin).to_owned(),
        nodes.join(", "),
    ]
}

fn document(plugin: &Listed) -> serde_json::Value {
    let reason = match &plugin.status {
        Status::Installed => None,
        Status::Failed(reason) => Some(reason),
    };
    json!({
        "name": plugin.name,
        "type": plugin.runtime,
        "version": plugin.version,
        "status": status(plugin),
        "reason": reason,
        "source": plugin.source,
        "nodes": plugin.nodes,
    })
}
