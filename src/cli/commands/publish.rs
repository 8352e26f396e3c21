//! `pocket plugin publish`.

use serde_json::json;

use crate::cli::arguments::{DEFAULT_KEY, PublishArguments};
use crate::cli::output::Output;
use crate::cli::progress::Upload;
use crate::home::HomeError;
use crate::ops::publish::{self, Publish, Published, Sending};
use crate::ops::{OpsError, Scope, Workspace};

use super::approve::{missing, staged_document};
use super::{look, reach, secrets};

pub fn run(arguments: &PublishArguments, output: &Output) -> Result<(), OpsError> {
    let workspace = Workspace::open(Scope::Nearest)?;
    let sending = match (arguments.dry_run, arguments.stage) {
        (true, _) => Sending::DryRun,
        (false, true) => Sending::Stage,
        (false, false) => Sending::Upload,
    };
    let reach = reach(&arguments.sign.registry);
    let keys = &arguments.sign.key;
    let secrets = || match secrets(&workspace, keys, output) {
        // A token is enough for what others sign.
        Err(OpsError::Home(HomeError::NoKey { .. })) if sending == Sending::Stage && *keys == [DEFAULT_KEY] => {
            Ok(Vec::new())
        }
        secrets => secrets,
    };
    let (sources, version, patience) = (&arguments.sources, arguments.version.as_ref(), arguments.wait.wait.0);
    let what = Publish { sources, version, sending, patience };
    let upload = Upload::new(output);
    let mut watch = |step| upload.show(step);
    let published = look(&workspace, output, publish::publish(&workspace, what, secrets, &reach, &mut watch))?;
    drop(upload);
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
    let plugin = format!("`{}` {} to {}", release.name, release.version, published.registry);
    match (published.log, &published.staged) {
        (Some(log), _) => output.step("Published", format!("{plugin} (log entry {log})")),
        (None, Some(staged)) => {
            output.step("Staged", format!("{plugin}; it waits for {}", missing(staged)));
        }
        (None, None) => output.step("Checked", "and sent nothing (--dry-run)"),
    }
    let document = json!({
        "name": release.name,
        "version": release.version,
        "registry": published.registry,
        "keys": published.keys,
        "log": published.log,
        "staged": published.staged.as_ref().map(staged_document),
        "archives": release.archives,
    });
    output.result(&document, String::new);
}
