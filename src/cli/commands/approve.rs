//! `pocket plugin staged`, `approve` and `reject`.

use pocket_index::staged::StagedRelease;
use pocket_index::time::UtcTime;
use serde_json::{Value, json};

use crate::cli::approval::{Answer, ask_to_sign};
use crate::cli::arguments::{ApproveArguments, RegistryArguments, RejectArguments};
use crate::cli::error::count;
use crate::cli::output::Output;
use crate::cli::progress::Upload;
use crate::cli::table::table;
use crate::ops::publish::{self, Approve, PublishError, Rejected, Review};
use crate::ops::{OpsError, Scope, Workspace};

use super::{look, reach, secrets};

pub fn staged(registry: &RegistryArguments, output: &Output) -> Result<(), OpsError> {
    let workspace = Workspace::open(Scope::Nearest)?;
    let staged = look(&workspace, output, publish::staged(&workspace, &reach(registry)))?;
    let documents: Vec<_> = staged.iter().map(staged_document).collect();
    output.result(&documents, || {
        let rows = staged.iter().map(|one| {
            let signed = format!("{} of {}", one.signed().len(), one.needed);
            let by = one.by.as_deref().unwrap_or("-").escape_debug().to_string();
            [one.name.to_string(), one.version.to_string(), signed, by, UtcTime(one.expires).to_string()]
        });
        table(["NAME", "VERSION", "SIGNED", "BY", "UNTIL"], &rows.collect::<Vec<_>>())
    });
    Ok(())
}

pub fn approve(arguments: &ApproveArguments, output: &Output) -> Result<(), OpsError> {
    let (name, version) = arguments.plugin()?;
    let workspace = Workspace::open(Scope::Nearest)?;
    let what =
        Approve { name: &name, version: &version, source: arguments.source.as_ref(), patience: arguments.wait.wait.0 };
    let consent = |review: &Review| {
        show(review, output);
        match if arguments.yes { Answer::Yes } else { ask_to_sign(output)? } {
            Answer::Yes => Ok(()),
            Answer::No => Err(PublishError::Declined { name: name.clone(), version: version.clone() }.into()),
            Answer::NobodyThere => {
                Err(PublishError::NotApproved { name: name.clone(), version: version.clone() }.into())
            }
        }
    };
    let secrets = || secrets(&workspace, &arguments.sign.key, output);
    let reach = reach(&arguments.sign.registry);
    let upload = Upload::new(output);
    let mut watch = |step| upload.show(step);
    let done = publish::approve(&workspace, what, consent, secrets, &reach, &mut watch);
    let approval = look(&workspace, output, done)?;
    drop(upload);
    match (&approval.log, &approval.staged) {
        (Some(log), _) => {
            output.step("Published", format!("`{name}` {version} to {} (log entry {log})", approval.registry));
        }
        (None, Some(staged)) => output.step("Waiting", format!("for {}", missing(staged))),
        (None, None) => {}
    }
    let document = json!({
        "name": name,
        "version": version,
        "registry": approval.registry,
        "log": approval.log,
        "staged": approval.staged.as_ref().map(staged_document),
    });
    output.result(&document, String::new);
    Ok(())
}

pub fn reject(arguments: &RejectArguments, output: &Output) -> Result<(), OpsError> {
    let (name, version) = arguments.plugin()?;
    let workspace = Workspace::open(Scope::Nearest)?;
    let secret = || {
        let mut secrets = secrets(&workspace, std::slice::from_ref(&arguments.key), output)?;
        Ok(secrets.remove(0))
    };
    let reach = reach(&arguments.registry);
    let done = publish::reject(&workspace, (&name, &version), secret, &reach);
    let Rejected { registry, staged, key } = look(&workspace, output, done)?;
    if let Some(key) = &key {
        output.step("Signed", format!("with {key}"));
    }
    output.step("Withdrawn", format!("`{name}` {version} {}, from {registry}", brought(&staged)));
    let document = json!({
        "name": name,
        "version": version,
        "registry": registry,
        "key": key.map(|key| key.to_string()),
        "withdrawn": staged_document(&staged),
    });
    output.result(&document, String::new);
    Ok(())
}

/// What is signed, and what is new in it.
fn show(review: &Review, output: &Output) {
    let Review { staged, release, before, gains, is_own_build } = review;
    output.step("Staged", format!("`{}` {} {}", release.name, release.version, brought(staged)));
    for archive in &release.archives {
        output.step("Checked", format!("{} ({} bytes), {}", archive.file, archive.size, archive.sha256));
    }
    if *is_own_build {
        output.step("Compared", "it is byte for byte what was packed here");
    }
    match before {
        Some(before) => output.step("Before", format!("{before} is published")),
        None => output.step("Before", "nothing is published; whoever signs owns the name"),
    }
    gains.iter().for_each(|gain| output.step("", format!("  + {gain}")));
    output.step("Signed", format!("by {} of {}", staged.signed().len(), staged.needed));
}

fn brought(staged: &StagedRelease) -> String {
    let by = staged.by.as_ref().map(|by| format!(" by `{}`", by.escape_debug())).unwrap_or_default();
    format!("{}{by}", UtcTime(staged.staged))
}

/// `1 more signature`.
pub(super) fn missing(staged: &StagedRelease) -> String {
    let missing = (staged.needed as usize).saturating_sub(staged.signed().len());
    count(missing, "more signature")
}

/// What waits, for programs.
pub(super) fn staged_document(staged: &StagedRelease) -> Value {
    json!({
        "name": staged.name,
        "version": staged.version,
        "signed": staged.signed(),
        "owners": staged.owners,
        "needed": staged.needed,
        "by": staged.by,
        "staged": UtcTime(staged.staged).to_string(),
        "expires": UtcTime(staged.expires).to_string(),
    })
}
