//! `pocket plugin outdated`.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::arguments::OutdatedArguments;
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use crate::cli::table::table;
use crate::ops::OpsError;
use crate::ops::install::{self, Outdated};

use super::{block_on, open_to_read, reach};

/// One document is printed whatever is found: a newer version is no failure of the command.
pub fn run(arguments: &OutdatedArguments, output: &Output) -> Result<ExitCode, OpsError> {
    let workspace = open_to_read(arguments.scope)?;
    let progress = Progress::new(output);
    let outdated = block_on(install::outdated(&workspace, reach(&arguments.registry), &progress))?;
    let documents: Vec<_> = outdated.iter().map(document).collect();
    output.result(&documents, || match outdated.as_slice() {
        [] => "every plugin is at its latest version\n".to_owned(),
        outdated => {
            table(["NAME", "CURRENT", "FITTING", "LATEST", "HELD BY"], &outdated.iter().map(row).collect::<Vec<_>>())
        }
    });
    let fails = arguments.check && outdated.iter().any(Outdated::can_move);
    Ok(if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn row(one: &Outdated) -> [String; 5] {
    let fitting = one.fitting.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    let held_by = one.held_by.clone().unwrap_or_default();
    [one.name.to_string(), one.current.to_string(), fitting, one.latest.to_string(), held_by]
}

fn document(one: &Outdated) -> serde_json::Value {
    json!({
        "name": one.name,
        "current": one.current,
        "fitting": one.fitting,
        "latest": one.latest,
        "held_by": one.held_by,
    })
}
