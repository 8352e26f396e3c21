//! `pocket plugin vendor`.

use std::path::Path;

use pocket_index::name::PluginName;
use semver::Version;
use serde_json::{Value, json};

use crate::cli::arguments::RegistryArguments;
use crate::cli::error::count;
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use crate::ops::{OpsError, Scope, Workspace, install};

use super::{block_on, reach};

pub fn run(folder: &Path, registry: &RegistryArguments, output: &Output) -> Result<(), OpsError> {
    let workspace = Workspace::open(Scope::Nearest)?;
    let progress = Progress::new(output);
    let vendored = block_on(install::vendor(&workspace, folder, reach(registry), &progress))?;
    for (name, version) in &vendored.skipped {
        output.step("Skipped", format!("`{name}` {version}, which needs no copy"));
    }
    output.step("Vendored", format!("{} to {}", count(vendored.plugins.len(), "plugin"), folder.display()));
    if workspace.project().plugins.vendor.is_none() {
        output.notice(&format!(
            "to install from it, write `vendor: {}` under `plugins:` in pocket.yaml",
            folder.display()
        ));
    }
    let document = json!({
        "folder": vendored.folder,
        "plugins": documents(&vendored.plugins),
        "skipped": documents(&vendored.skipped),
    });
    output.result(&document, String::new);
    Ok(())
}

fn documents(plugins: &[(PluginName, Version)]) -> Vec<Value> {
    plugins.iter().map(|(name, version)| json!({ "name": name, "version": version })).collect()
}
