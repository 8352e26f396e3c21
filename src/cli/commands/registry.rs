//! `pocket registry`.

use std::io::Write as _;
use std::process::ExitCode;

use pocket_index::name::PluginName;
use pocket_index::record::Recovery;
use pocket_registry::{Announced, Exposure, NewOwners, Options, Registry, Seed, Server, Source};
use serde_json::json;

use crate::cli::arguments::{RecoverArguments, RegistryCommand};
use crate::cli::error::{VERIFICATION_REFUSED, count};
use crate::cli::output::Output;
use crate::cli::recovery;
use crate::ops::monitor::{self, Audited};
use crate::ops::recovery::fingerprints;
use crate::ops::time::rfc3339;
use crate::ops::{OpsError, Scope, Workspace};
use crate::registry::Archives;

use super::block_on;

pub fn run(command: RegistryCommand, output: &Output) -> Result<ExitCode, OpsError> {
    match command {
        RegistryCommand::Serve { dir, with_bundled, addr, behind_proxy, recovery_delay } => {
            let seed = if with_bundled { Seed::Bundled } else { Seed::Empty };
            let exposure = if behind_proxy { Exposure::BehindProxy } else { Exposure::Loopback };
            let source = dir.map_or(Source::Bundled, |path| Source::Folder { path, seed });
            serve(&Options { source, address: addr, exposure, recovery_delay }, output)
        }
        RegistryCommand::Recover(arguments) => recover(&arguments, output),
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

fn recover(arguments: &RecoverArguments, output: &Output) -> Result<ExitCode, OpsError> {
    let RecoverArguments { name, owner, threshold, reason, dir, delay } = arguments.clone();
    let new = NewOwners { name, keys: owner, threshold, reason, delay };
    let Announced { recovery, receipt } = Registry::open_existing(&dir)?.recover_owners(&new)?;
    let (old, next) = (fingerprints(&recovery.before), fingerprints(&recovery.after));
    let from = rfc3339(recovery.effective);
    output.step("Announced", format!("`{}` is signed by {next} instead of {old} from {from} on", new.name));
    let mut document = recovery::document(&recovery);
    document["name"] = json!(new.name);
    document["log"] = json!(receipt.log);
    output.result(&document, String::new);
    Ok(ExitCode::SUCCESS)
}

fn verify(registry: &str, archives: Archives, output: &Output) -> Result<ExitCode, OpsError> {
    let workspace = Workspace::open(Scope::Nearest)?;
    let audited = block_on(monitor::verify(&workspace, registry, archives))?;
    let Audited { registry, key, head, audit } = &audited;
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

fn told(audited: &Audited) -> String {
    let Audited { registry, key, head, audit } = audited;
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
        "the registry {registry} {verdict}\n{differences}  {} with the root {}, signed by {key}\n  {} with {}\n  {archives}\n{recoveries}",
        count(audit.leaves as usize, "event"),
        head.root,
        count(audit.plugins as usize, "plugin"),
        count(audit.releases as usize, "release"),
    )
}

fn recovery_line((name, found): &(PluginName, Recovery)) -> String {
    let (old, new) = (fingerprints(&found.before), fingerprints(&found.after));
    let (state, from) = (recovery::state(found.outcome), rfc3339(found.effective));
    format!("  owner-recovery of `{name}`, {state}: {new} instead of {old} from {from} on ({})\n", found.reason)
}

/// The first line of the standard output says where it listens: scripts wait for it.
fn announce(server: &Server, options: &Options, output: &Output) {
    let mut stdout = std::io::stdout().lock();
    // A reader that went away does not stop the server.
    let _ = writeln!(stdout, "serving {}", server.url()).and_then(|()| stdout.flush());
    output.step("Key", server.registry().key().public().fingerprint().to_string());
    match &options.source {
        Source::Bundled => {
            output.step("Serving", "a copy of the bundled plugins; what is published is gone when it stops")
        }
        Source::Folder { .. } => {
            output.step("Serving", format!("`{}`; any web server can, too", server.registry().tree().display()))
        }
    }
}
