//! `pocket plugin publish`.

use serde_json::json;

use crate::cli::arguments::PublishArguments;
use crate::cli::output::Output;
use crate::ops::publish::{self, Publish, Published, Sending};
use crate::ops::{OpsError, Scope, Workspace};

use super::{look, reach, secrets};

pub fn run(arguments: &PublishArguments, output: &Output) -> Result<(), OpsError> {
    let workspace = Workspace::open(Scope::Nearest)?;
    let sending = if arguments.dry_run { Sending::DryRun } else { Sending::Upload };
    let reach = reach(&arguments.sign.registry);
    let secrets = || secrets(&workspace, &arguments.sign.key, output);
    let what = Publish { sources: &arguments.sources, version: arguments.version.as_ref() };
    let published = look(&workspace, output, publish::publish(&workspace, what, secrets, &reach, sending))?;
    show(&published, output);
    Ok(())
}

fn show(published: &Published, output: &Output) {
    let release = &published.release;
    for archive in &release.archives {
        output.step("Packed", format!("{} ({} bytes)", archive.file, archive.size));
    }
    for key in &published.keys {
        output.step("Signed", format!("with {}", key.fingerprint()));
    }
    match published.log {
        Some(log) => output.step(
            "Published",
            format!("`{}` {} to {} (log entry {log})", release.name, release.version, published.registry),
        ),
        None => output.step("Checked", "and sent nothing (--dry-run)"),
    }
    let document = json!({
        "name": release.name,
        "version": release.version,
        "registry": published.registry,
        "keys": published.keys,
        "log": published.log,
        "archives": release.archives,
    });
    output.result(&document, String::new);
}
