//! `pocket plugin search`.

use pocket_index::search::SearchEntry;

use crate::cli::arguments::RegistryArguments;
use crate::cli::output::Output;
use crate::cli::table::table;
use crate::ops::{OpsError, Scope, Workspace, search};

use super::{look, reach};

pub fn run(words: &[String], registry: &RegistryArguments, output: &Output) -> Result<(), OpsError> {
    let workspace = Workspace::open(Scope::Nearest)?;
    let found = look(&workspace, output, search::search(&workspace, words, &reach(registry)))?;
    output.result(&found, || match found.as_slice() {
        [] => format!("no plugin has `{}`\n", words.join(" ")),
        found => table(["NAME", "VERSION", "TYPE", "DESCRIPTION"], &found.iter().map(row).collect::<Vec<_>>()),
    });
    Ok(())
}

fn row(entry: &SearchEntry) -> [String; 4] {
    [entry.name.to_string(), entry.version.to_string(), entry.runtime.to_string(), entry.description.clone()]
}
