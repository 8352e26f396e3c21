//! `pocket plugin install`, `update` and `lock`: one way from what is wanted to what is locked and unpacked.

use serde_json::{Value, json};

use crate::cli::approval::Approval;
use crate::cli::arguments::{InstallArguments, LockArguments, UpdateArguments};
use crate::cli::error::count;
use crate::cli::output::Output;
use crate::cli::progress::{Progress, change_lines};
use crate::cli::recovery::notice_document;
use crate::ops::install::{self, Change, Extent, Locking, Report, Request, Unpacked};
use crate::ops::sources::Source;
use crate::ops::{OpsError, Workspace, update};
use crate::registry::Network;

use super::{approval, block_on, open_to_change, reach};

pub fn run(arguments: &InstallArguments, output: &Output) -> Result<(), OpsError> {
    let workspace = open_to_change(arguments.scope, output)?;
    let mut reach = reach(&arguments.registry);
    if arguments.frozen {
        reach.network = Network::Offline;
    }
    let request = Request {
        sources: arguments.plugins.iter().map(|given| Source::parse(given)).collect::<Result<_, _>>()?,
        locking: if arguments.locked || arguments.frozen { Locking::Locked } else { Locking::Update },
        extent: if arguments.dry_run { Extent::Plan } else { Extent::Install },
        folder: arguments.dir.clone(),
        target: arguments.target.clone(),
        max_unpacked: arguments.max_unpacked,
        accepted_owners: arguments.accept.accept_recovery.clone(),
        ..Request::new(reach)
    };
    perform(&workspace, &request, &approval(arguments.yes, output), output)
}

pub fn update(arguments: &UpdateArguments, output: &Output) -> Result<(), OpsError> {
    let workspace = open_to_change(arguments.scope, output)?;
    let freedom = update::freedom(&workspace, &arguments.plugins, arguments.precise.as_ref())?;
    let extent = if arguments.dry_run { Extent::Plan } else { Extent::Install };
    let max_unpacked = arguments.max_unpacked;
    let accepted_owners = arguments.accept.accept_recovery.clone();
    let request =
        Request { freedom, extent, max_unpacked, accepted_owners, ..Request::new(reach(&arguments.registry)) };
    perform(&workspace, &request, &approval(arguments.yes, output), output)
}

pub fn lock(arguments: &LockArguments, output: &Output) -> Result<(), OpsError> {
    let workspace = open_to_change(arguments.scope, output)?;
    let locking = if arguments.check { Locking::Locked } else { Locking::Update };
    let accepted_owners = arguments.accept.accept_recovery.clone();
    let request =
        Request { locking, extent: Extent::Lock, accepted_owners, ..Request::new(reach(&arguments.registry)) };
    perform(&workspace, &request, &approval(arguments.yes, output), output)
}

fn perform(workspace: &Workspace, request: &Request, approval: &Approval<'_>, output: &Output) -> Result<(), OpsError> {
    let progress = Progress::new(output);
    let report = block_on(install::install(workspace, request, &progress, approval))?;
    show(&report, request.extent, output);
    Ok(())
}

fn show(report: &Report, extent: Extent, output: &Output) {
    let plugin = |(name, version, unpacked): &(_, _, Unpacked)| json!({ "name": name, "version": version, "unpacked": *unpacked == Unpacked::Now });
    let document = json!({
        "lock": report.lock,
        "written": extent != Extent::Plan,
        "changes": report.changes.iter().map(change_document).collect::<Vec<_>>(),
        "plugins": report.plugins.iter().map(plugin).collect::<Vec<_>>(),
        "recoveries": report.recoveries.iter().map(notice_document).collect::<Vec<_>>(),
    });
    let new = report.plugins.iter().filter(|(.., unpacked)| *unpacked == Unpacked::Now).count();
    let all = count(report.plugins.len(), "plugin");
    match extent {
        Extent::Plan => {}
        Extent::Lock => output.step("Finished", all),
        Extent::Install => output.step("Finished", format!("{all}, {new} new")),
    }
    output.result(&document, || if extent == Extent::Plan { plan_text(&report.changes) } else { String::new() });
}

fn plan_text(changes: &[Change]) -> String {
    match changes {
        [] => "nothing would change\n".to_owned(),
        changes => changes.iter().flat_map(change_lines).map(|(verb, line)| format!("{verb:>12} {line}\n")).collect(),
    }
}

fn change_document(change: &Change) -> Value {
    json!({
        "name": change.name,
        "source": change.source,
        "former_source": change.former_source,
        "before": change.before,
        "after": change.after,
        "gains": change.gains,
        "loses": change.loses,
    })
}
