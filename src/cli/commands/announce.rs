//! `pocket plugin yank`, `unyank`, `revoke`, `deprecate`, and `owner`.

use pocket_index::name::PluginName;
use pocket_index::record::{Deprecation, Event, Withdrawal};
use pocket_index::signature::PublicKey;
use serde_json::json;

use crate::cli::arguments::{DeprecateArguments, OwnerCommand, SignArguments, WithdrawArguments};
use crate::cli::output::Output;
use crate::cli::recovery::notice_document;
use crate::ops::announce::{self, Announced, OwnerChange, Ownership};
use crate::ops::{OpsError, Scope, Workspace};

use super::{look, reach, secrets};

/// Which way a version is withdrawn, or given back.
#[derive(Debug, Clone, Copy)]
pub enum Withdrawing {
    Yank,
    Unyank,
    Revoke,
}

pub fn withdraw(how: Withdrawing, arguments: &WithdrawArguments, output: &Output) -> Result<(), OpsError> {
    let (name, version) = arguments.plugin.clone();
    let withdrawal = Withdrawal { name, version, reason: arguments.reason.clone() };
    let event = match how {
        Withdrawing::Yank => Event::Yank(withdrawal),
        Withdrawing::Unyank => Event::Unyank(withdrawal),
        Withdrawing::Revoke => Event::Revoke(withdrawal),
    };
    send(event, &arguments.sign, output)
}

pub fn deprecate(arguments: &DeprecateArguments, output: &Output) -> Result<(), OpsError> {
    let (name, version) = match arguments.plugin.split_once('@') {
        Some((name, version)) => {
            (name, Some(version.parse().map_err(|error| not_a_version(&arguments.plugin, &error))?))
        }
        None => (arguments.plugin.as_str(), None),
    };
    let name = name.parse().map_err(|error| not_a_version(&arguments.plugin, &error))?;
    send(Event::Deprecate(Deprecation { name, version, reason: arguments.reason.clone() }), &arguments.sign, output)
}

pub fn owner(command: &OwnerCommand, output: &Output) -> Result<(), OpsError> {
    match command {
        OwnerCommand::List { name, registry } => {
            let workspace = Workspace::open(Scope::Nearest)?;
            let ownership = look(&workspace, output, announce::ownership(&workspace, name, &reach(registry)))?;
            list(name, &ownership, output);
            Ok(())
        }
        OwnerCommand::Keep { name, sign } => {
            let workspace = Workspace::open(Scope::Nearest)?;
            let ownership = look(&workspace, output, announce::ownership(&workspace, name, &reach(&sign.registry)))?;
            send(announce::keep_owners(name, &ownership)?, sign, output)
        }
        OwnerCommand::Add { name, owner, sign } => change(name, &OwnerChange::Add(*owner), sign, output),
        OwnerCommand::Remove { name, owner, sign } => change(name, &OwnerChange::Remove(*owner), sign, output),
        OwnerCommand::Threshold { name, number, sign } => change(name, &OwnerChange::Threshold(*number), sign, output),
    }
}

fn list(name: &PluginName, Ownership { owners, recoveries }: &Ownership, output: &Output) {
    recoveries.iter().for_each(|notice| output.warning(notice.to_string()));
    let key = |key: &PublicKey| json!({ "key": key, "fingerprint": key.fingerprint().to_string() });
    let document = json!({
        "name": name,
        "threshold": owners.threshold(),
        "keys": owners.keys().map(key).collect::<Vec<_>>(),
        "recoveries": recoveries.iter().map(notice_document).collect::<Vec<_>>(),
    });
    output.result(&document, || {
        let keys: String = owners.keys().map(|key| format!("{key}  {}\n", key.fingerprint())).collect();
        format!("{keys}{} of them must sign\n", owners.threshold())
    });
}

fn change(name: &PluginName, change: &OwnerChange, sign: &SignArguments, output: &Output) -> Result<(), OpsError> {
    let workspace = Workspace::open(Scope::Nearest)?;
    let ownership = look(&workspace, output, announce::ownership(&workspace, name, &reach(&sign.registry)))?;
    send(announce::change_owners(name, &ownership.owners, change)?, sign, output)
}

/// Signs and sends.
fn send(event: Event, sign: &SignArguments, output: &Output) -> Result<(), OpsError> {
    let workspace = Workspace::open(Scope::Nearest)?;
    let secrets = secrets(&workspace, &sign.key, output)?;
    let announced = look(&workspace, output, announce::announce(&workspace, event, &secrets, &reach(&sign.registry)))?;
    show(&announced, output);
    Ok(())
}

fn show(announced: &Announced, output: &Output) {
    let Announced { event, registry, log } = announced;
    let place = log.map(|log| format!(" (log entry {log})")).unwrap_or_default();
    output.step("Published", format!("`{}` for `{}` to {registry}{place}", event.kind(), event.name()));
    output
        .result(&json!({ "kind": event.kind(), "name": event.name(), "registry": registry, "log": log }), String::new);
}

fn not_a_version(given: &str, error: &dyn std::fmt::Display) -> OpsError {
    OpsError::Source { given: given.to_owned(), reason: error.to_string() }
}
