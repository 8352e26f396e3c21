//! `pocket registry`.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use pocket_index::name::PluginName;
use pocket_index::record::Recovery;
use pocket_index::time::{Age, UtcTime};
use pocket_registry::{
    Announced, NewOwners, Operation, Options, Outcome, Refreshed, Registry, Seed, Server, Source, Witnesses,
};
use serde_json::{Value, json};

use crate::cli::arguments::{RecoverArguments, RegistryCommand};
use crate::cli::error::{VERIFICATION_REFUSED, count};
use crate::cli::output::Output;
use crate::cli::recovery;
use crate::ops::monitor::{self, Audited};
use crate::ops::recovery::fingerprints;
use crate::ops::{OpsError, Scope, Workspace};
use crate::registry::{Archives, Notice};

use super::block_on;

pub fn run(command: RegistryCommand, output: &Output) -> Result<ExitCode, OpsError> {
    match command {
        RegistryCommand::Serve(arguments) => serve(&arguments.options()?, output),
        RegistryCommand::Operate(operation) => operate(*operation, output),
        RegistryCommand::Refresh { folder, witnesses } => refresh(&folder, &witnesses.into(), output),
        RegistryCommand::Recover { recovery, witnesses } => recover(&recovery, &witnesses.into(), output),
        RegistryCommand::Verify { registry, no_archives } => {
            let archives = if no_archives { Archives::Skipped } else { Archives::Digested };
            verify(&registry, archives, output)
        }
    }
}

fn serve(options: &Options, output: &Output) -> Result<ExitCode, OpsError> {
    pocket_registry::serve_until_stopped(options, |server| announce(server, options, output))?;
    Ok(ExitCode::SUCCESS)
}

fn operate(operation: Operation, output: &Output) -> Result<ExitCode, OpsError> {
    let done = block_on(async { Ok(operation.run().await?) })?;
    output.result(&done.document, || done.told);
    Ok(match done.outcome {
        Outcome::Whole => ExitCode::SUCCESS,
        Outcome::Partial => ExitCode::from(VERIFICATION_REFUSED),
    })
}

fn recover(arguments: &RecoverArguments, witnesses: &Witnesses, output: &Output) -> Result<ExitCode, OpsError> {
    let RecoverArguments { name, owner, threshold, reason, dir, delay } = arguments.clone();
    let new = NewOwners { name, keys: owner, threshold, reason, delay };
    let Announced { recovery, receipt } = block_on(async {
        let registry = Registry::open_existing(&dir, witnesses).await?;
        Ok(registry.recover_owners(&new).await?)
    })?;
    let (old, next) = (fingerprints(&recovery.before), fingerprints(&recovery.after));
    let from = UtcTime(recovery.effective).to_string();
    output.step("Announced", format!("`{}` is signed by {next} instead of {old} from {from} on", new.name));
    let mut document = recovery::document(&recovery);
    document["name"] = json!(new.name);
    document["log"] = json!(receipt.log);
    output.result(&document, String::new);
    Ok(ExitCode::SUCCESS)
}

fn refresh(folder: &Path, witnesses: &Witnesses, output: &Output) -> Result<ExitCode, OpsError> {
    let source = Source::Folder { path: folder.to_owned(), seed: Seed::Empty };
    let refreshed = block_on(async { Ok(pocket_registry::refresh(&source, witnesses).await?) });
    let Refreshed { events, signed } = refreshed?;
    let signed = UtcTime(signed).to_string();
    let document = json!({ "folder": folder, "leaves": events, "signed_at": signed });
    output.result(&document, || {
        format!("the checkpoint of {} is signed anew, at {signed}\n", count(events as usize, "event"))
    });
    Ok(ExitCode::SUCCESS)
}

fn verify(registry: &str, archives: Archives, output: &Output) -> Result<ExitCode, OpsError> {
    let workspace = Workspace::open(Scope::Nearest)?;
    let audited = block_on(monitor::verify(&workspace, registry, archives))?;
    // That it is too old is a difference.
    let notices = workspace.notices().into_iter().filter(|notice| !matches!(notice, Notice::Stale { .. }));
    notices.for_each(|notice| output.warning(notice.to_string()));
    let Audited { registry, key, head, signed, age, audit, .. } = &audited;
    let differences = audit.differences.iter();
    let differences: Vec<_> =
        differences.map(|found| json!({ "file": found.file, "problem": found.problem })).collect();
    let recoveries = audit.recoveries.iter().map(|(name, found)| {
        let mut document = recovery::document(found);
        document["name"] = json!(name);
        document
    });
    let recoveries: Vec<_> = recoveries.collect();
    let document = json!({
        "registry": registry,
        "key": key,
        "leaves": head.size,
        "root": head.root,
        "signed_at": signed.map(|signed| UtcTime(signed).to_string()),
        "age": age,
        "witnesses": witnesses(&audited),
        "plugins": audit.plugins,
        "releases": audit.releases,
        "archives": audit.archives,
        "bytes": audit.bytes,
        "differences": differences,
        "recoveries": recoveries,
    });
    output.result(&document, || told(&audited));
    Ok(if audit.differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(VERIFICATION_REFUSED) })
}

/// Who saw the checkpoint, and when.
fn witnesses(audited: &Audited) -> Vec<Value> {
    let checked = audited.witnessed.iter().map(|seen| {
        let fingerprint = seen.key.public().fingerprint().to_string();
        json!({ "name": seen.key.name(), "time": UtcTime(seen.time).to_string(), "fingerprint": fingerprint })
    });
    let claimed = audited.claimed.iter();
    let claimed = claimed
        .map(|claim| json!({ "name": claim.name, "time": UtcTime(claim.time).to_string(), "fingerprint": null }));
    checked.chain(claimed).collect()
}

fn witnesses_told(audited: &Audited) -> String {
    let checked = audited.witnessed.iter().map(|seen| {
        let (name, key) = (seen.key.name(), seen.key.public().fingerprint());
        format!("  witnessed by `{name}` ({key}) at {}\n", UtcTime(seen.time))
    });
    let claimed = audited.claimed.iter().map(|claim| {
        format!(
            "  a line says that `{}` witnessed it at {}; its key is not known here\n",
            claim.name.escape_debug(),
            UtcTime(claim.time)
        )
    });
    checked.chain(claimed).collect()
}

fn told(audited: &Audited) -> String {
    let Audited { registry, key, head, signed, age, audit, .. } = audited;
    let signed = match signed.zip(*age) {
        Some((signed, age)) => format!("at {}, {} ago", UtcTime(signed), Age(age)),
        None => "at a time that it does not say".to_owned(),
    };
    let verdict = match audit.differences.len() {
        0 => "is verified".to_owned(),
        number => format!("does not fit together: {}", count(number, "difference")),
    };
    let differences: String =
        audit.differences.iter().map(|found| format!("  {}: {}\n", found.file, found.problem)).collect();
    let recoveries: String = audit.recoveries.iter().map(recovery_line).collect();
    let archives = match audit.archives {
        0 => "no archive was read".to_owned(),
        number => format!("{}, {} bytes", count(number as usize, "archive"), audit.bytes),
    };
    format!(
        "the registry {registry} {verdict}\n{differences}  {} with the root {}, signed by {key}\n  {signed}\n{}  {} with {}\n  {archives}\n{recoveries}",
        count(audit.leaves as usize, "event"),
        head.root,
        witnesses_told(audited),
        count(audit.plugins as usize, "plugin"),
        count(audit.releases as usize, "release"),
    )
}

fn recovery_line((name, found): &(PluginName, Recovery)) -> String {
    let (old, new) = (fingerprints(&found.before), fingerprints(&found.after));
    let (state, from) = (recovery::state(found.outcome), UtcTime(found.effective).to_string());
    format!("  owner-recovery of `{name}`, {state}: {new} instead of {old} from {from} on ({})\n", found.reason)
}

/// The first line of the standard output says where it listens: scripts wait for it.
fn announce(server: &Server, options: &Options, output: &Output) {
    let mut stdout = std::io::stdout().lock();
    // A reader that went away does not stop the server.
    let _ = writeln!(stdout, "serving {}", server.url()).and_then(|()| stdout.flush());
    if let Some(upstream) = &options.upstream {
        output.step("Serving", format!("`{}` as it is asked for, kept in `{}`", upstream.url, server.tree()));
        return;
    }
    if let Some(registry) = server.registry() {
        output.step("Key", registry.key().public().fingerprint().to_string());
    }
    match &options.source {
        Source::Bundled => {
            output.step("Serving", "a copy of the bundled plugins; what is published is gone when it stops")
        }
        Source::Folder { .. } | Source::Bucket { .. } => {
            output.step("Serving", format!("`{}`; any web server can, too", server.tree()))
        }
    }
}
