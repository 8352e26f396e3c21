//! `pocket plugin list`.

use serde_json::json;

use crate::cli::arguments::ScopeArguments;
use crate::cli::output::Output;
use crate::cli::table::table;
use crate::ops::OpsError;
use crate::ops::list::{self, Listed};

use super::open_to_read;

pub fn run(scope: ScopeArguments, output: &Output) -> Result<(), OpsError> {
    let listed = list::list(&open_to_read(scope)?)?;
    let documents: Vec<_> = listed.iter().map(document).collect();
    output.result(&documents, || match listed.as_slice() {
        [] => "there are no plugins; `pocket plugin search` shows what there is\n".to_owned(),
        listed => table(["NAME", "TYPE", "VERSION", "STATUS", "NODES"], &listed.iter().map(row).collect::<Vec<_>>()),
    });
    // After the table, to which the reasons belong.
    for plugin in &listed {
        if let Some(reason) = plugin.status.reason() {
            output.warning(format!("`{}` is {}: {reason}", plugin.name, plugin.status.word()));
        }
    }
    Ok(())
}

fn row(plugin: &Listed) -> [String; 5] {
    let nodes: Vec<&str> = plugin.nodes.iter().map(AsRef::as_ref).collect();
    let none = || "-".to_owned();
    [
        plugin.name.clone(),
        plugin.runtime.map_or_else(none, |runtime| runtime.to_string()),
        plugin.version.as_ref().map_or_else(none, ToString::to_string),
        plugin.status.word().to_owned(),
        nodes.join(", "),
    ]
}

fn document(plugin: &Listed) -> serde_json::Value {
    json!({
        "name": plugin.name,
        "type": plugin.runtime,
        "version": plugin.version,
        "status": plugin.status.word(),
        "reason": plugin.status.reason(),
        "source": plugin.source,
        "nodes": plugin.nodes,
    })
}
