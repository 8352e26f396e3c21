//! `pocket witness`.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use pocket_index::log::CosignerKey;
use pocket_index::time::UtcTime;
use pocket_registry::Exposure;
use pocket_registry::witness::{self, KnownLog, Witness, WitnessServer};
use serde_json::{Value, json};

use crate::cli::arguments::{LogCommand, WitnessCommand};
use crate::cli::output::Output;
use crate::cli::table::table;
use crate::home::atomic;
use crate::ops::witness::check as cosign;
use crate::ops::{OpsError, Scope, Workspace, witness as ops};

use super::block_on;

pub fn run(command: WitnessCommand, output: &Output) -> Result<(), OpsError> {
    match command {
        WitnessCommand::Init { folder, name } => {
            let witness = Witness::init(&folder.dir, &name)?;
            output.step("Made", format!("the witness `{name}` in {}", folder.dir.display()));
            show(witness.key(), output);
            Ok(())
        }
        WitnessCommand::Log(command) => logs(&command, output),
        WitnessCommand::Start { folder, address, behind_proxy } => {
            let exposure = if behind_proxy { Exposure::BehindProxy } else { Exposure::Loopback };
            start(&folder.dir, address, exposure, output)
        }
        WitnessCommand::Check { registry, folder, out } => check(&folder.dir, &registry, out.as_deref(), output),
    }
}

fn show(key: &CosignerKey, output: &Output) {
    let document =
        json!({ "name": key.name(), "key": key.to_string(), "fingerprint": key.public().fingerprint().to_string() });
    output.result(&document, || format!("{key}\n"));
}

fn logs(command: &LogCommand, output: &Output) -> Result<(), OpsError> {
    let folder = match command {
        LogCommand::Add { folder, .. } | LogCommand::List { folder } | LogCommand::Remove { folder, .. } => folder,
    };
    let witness = Witness::open(&folder.dir)?;
    match command {
        LogCommand::Add { key, .. } => witness.add_log(key)?,
        LogCommand::Remove { key, .. } => witness.remove_log(key)?,
        LogCommand::List { .. } => {}
    }
    let logs = witness.logs()?;
    let document = |log: &KnownLog| json!({ "name": log.key.name(), "key": log.key.to_string(), "size": log.size });
    let documents: Vec<Value> = logs.iter().map(document).collect();
    output.result(&documents, || match logs.as_slice() {
        [] => "no log is cosigned; `pocket witness log add KEY` takes one\n".to_owned(),
        logs => table(["LOG", "SEEN", "KEY"], &logs.iter().map(row).collect::<Vec<_>>()),
    });
    Ok(())
}

fn row(log: &KnownLog) -> [String; 3] {
    let seen = log.size.map_or_else(|| "-".to_owned(), |size| size.to_string());
    [log.key.name().to_owned(), seen, log.key.to_string()]
}

fn start(folder: &Path, address: SocketAddr, exposure: Exposure, output: &Output) -> Result<(), OpsError> {
    let witness = Witness::open(folder)?;
    let key = witness.key().clone();
    let known = witness.logs()?.len();
    let ready = |server: &WitnessServer| {
        // The first line of the standard output says where it listens: scripts wait for it.
        let mut stdout = std::io::stdout().lock();
        let _ = writeln!(stdout, "serving {}", server.url()).and_then(|()| stdout.flush());
        output.step("Key", key.to_string());
        output.step("Cosigning", format!("{known} logs, as `pocket witness log list` shows"));
    };
    Ok(witness::serve_until_stopped(witness, address, exposure, ready)?)
}

fn check(folder: &Path, registry: &str, out: Option<&Path>, output: &Output) -> Result<(), OpsError> {
    // The user's own: what is cosigned is no project's business.
    let (witness, workspace) = (Witness::open(folder)?, Workspace::open(Scope::User)?);
    let ops::Cosigned { head, cosignature } = block_on(cosign(&witness, registry, &workspace))?;
    let line = cosignature.line();
    if let Some(path) = out {
        atomic::replace_file(path, line.as_bytes()).map_err(OpsError::io("write", path))?;
    }
    let document = json!({
        "log": head.origin,
        "leaves": head.size,
        "root": head.root,
        "witness": witness.key().to_string(),
        "time": UtcTime(cosignature.time).to_string(),
        "cosignature": line,
    });
    output.step("Cosigned", format!("{} with {} leaves", head.origin, head.size));
    output.result(&document, || out.map_or_else(|| line.to_owned(), |path| format!("{}\n", path.display())));
    Ok(())
}
