//! `pocket plugin load` and `unload`.

use serde_json::json;

use crate::cli::arguments::{LoadArguments, UnloadArguments};
use crate::cli::output::Output;
use crate::ops::local::{self, Load, LocalPlugin, Unload};
use crate::ops::{OpsError, Scope, Workspace};

use super::{approval, open_to_read};

pub fn run(arguments: &LoadArguments, output: &Output) -> Result<(), OpsError> {
    let workspace = open_to_read(arguments.scope)?;
    let load =
        Load { given: arguments.plugin.clone(), alias: arguments.alias.clone(), config: arguments.config.clone() };
    let report = local::load(&workspace, &load, &approval(arguments.yes, output))?;
    for plugin in &report.plugins {
        let nodes: Vec<&str> = plugin.manifest.nodes.iter().map(|node| node.node_type.as_str()).collect();
        let version = &plugin.manifest.version;
        output
            .step("Loaded", format!("`{}` {version} ({}): {}", plugin.name, plugin.manifest.runtime, nodes.join(", ")));
    }
    report.taken_back.iter().for_each(|name| output.step("Loaded", format!("`{name}`, which was unloaded")));
    if report.plugins.is_empty() && report.taken_back.is_empty() {
        output.step("Unchanged", format!("`{}` is loaded", arguments.plugin));
    }
    let document = json!({
        "root": workspace.root(),
        "plugins": report.plugins.iter().map(document).collect::<Vec<_>>(),
        "taken_back": report.taken_back,
    });
    output.result(&document, String::new);
    Ok(())
}

fn document(plugin: &LocalPlugin) -> serde_json::Value {
    let nodes: Vec<_> = plugin.manifest.nodes.iter().map(|node| &node.node_type).collect();
    json!({
        "name": plugin.name,
        "type": plugin.manifest.runtime,
        "version": plugin.manifest.version,
        "path": plugin.path,
        "config": plugin.config,
        "digest": plugin.digest,
        "nodes": nodes,
    })
}

pub fn unload(arguments: &UnloadArguments, output: &Output) -> Result<(), OpsError> {
    let workspace = Workspace::open(if arguments.scope.global { Scope::User } else { Scope::Nearest })?;
    let what = arguments.name.clone().map_or(Unload::All, Unload::One);
    let names = local::unload(&workspace, &what)?;
    names.iter().for_each(|name| output.step("Unloaded", format!("`{name}`")));
    if names.is_empty() {
        output.step("Unchanged", "no plugin is loaded");
    }
    output.result(&names, String::new);
    Ok(())
}
