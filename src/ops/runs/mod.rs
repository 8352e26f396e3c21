//! Runs with journals: begun, taken up, repeated from a node, listed.

mod error;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::run::{Notice, PlannedRun};
use super::{OpsError, Workspace, plugins};
use crate::workflow::RunOptions;
use crate::workflow::journal::{self, EXTENSION, Header, History, Ledger, Repeats, Seed, Standing};

pub use error::RunsError;

/// Where journals are: a folder that was named, else the user's own.
pub fn folder(workspace: &Workspace, named: Option<&Path>) -> PathBuf {
    named.map_or_else(|| workspace.home().runs(), Path::to_owned)
}

/// The journal of a run: its name, the beginning of it, `latest`, or a file.
///
/// # Errors
/// There is none, or several begin like this.
pub fn find(folder: &Path, run: &str) -> Result<PathBuf, OpsError> {
    let file = Path::new(run);
    if file.extension().is_some_and(|extension| extension == EXTENSION) && file.is_file() {
        return Ok(file.to_owned());
    }
    let journals = journals(folder)?;
    let name = |path: &PathBuf| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let none = || RunsError::NoRun { run: run.to_owned(), folder: folder.to_owned() };
    if run == "latest" {
        let began = |path: &PathBuf| journal::standing(path).map_or(0, |standing| standing.header.began);
        return Ok(journals.into_iter().max_by_key(began).ok_or_else(none)?);
    }
    let mut found: Vec<PathBuf> = journals.into_iter().filter(|path| name(path).starts_with(run)).collect();
    if let Some(exact) = found.iter().position(|path| name(path) == run) {
        return Ok(found.swap_remove(exact));
    }
    match found.len() {
        0 => Err(none().into()),
        1 => Ok(found.remove(0)),
        _ => Err(RunsError::Several { run: run.to_owned(), runs: found.iter().map(name).collect() }.into()),
    }
}

/// A journal's file, and how its run stands.
pub type Listed = (PathBuf, Result<Standing, RunsError>);

/// The journals of a folder with how their runs stand, the newest first. One that cannot be read says why.
///
/// # Errors
/// The folder cannot be read.
pub fn list(folder: &Path) -> Result<Vec<Listed>, OpsError> {
    let mut found: Vec<_> = journals(folder)?
        .into_iter()
        .map(|path| {
            let standing = journal::standing(&path).map_err(RunsError::from);
            (path, standing)
        })
        .collect();
    found.sort_by_key(|(path, standing)| {
        (std::cmp::Reverse(standing.as_ref().map_or(0, |standing| standing.header.began)), path.clone())
    });
    Ok(found)
}

/// What a run did.
///
/// # Errors
/// Its journal cannot be read.
pub fn show(path: &Path) -> Result<History, OpsError> {
    Ok(History::read(path).map_err(RunsError::from)?)
}

/// The workflow's file of a run.
///
/// # Errors
/// Its journal cannot be read.
pub fn workflow_of(path: &Path) -> Result<PathBuf, OpsError> {
    Ok(journal::standing(path).map_err(RunsError::from)?.header.path)
}

fn journals(folder: &Path) -> Result<Vec<PathBuf>, OpsError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(OpsError::io("read", folder)(error)),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths: Vec<PathBuf> = paths.collect::<Result<_, _>>().map_err(OpsError::io("read", folder))?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == EXTENSION));
    paths.sort();
    Ok(paths)
}

/// Gives a run a journal in a folder.
///
/// # Errors
/// It cannot be written.
pub fn record(
    planned: &PlannedRun,
    workflow: &Path,
    input: &Value,
    folder: &Path,
    options: &mut RunOptions,
) -> Result<(), OpsError> {
    let header = header(planned, workflow, options, input.clone())?;
    options.journal = Some(Ledger::create(folder, header, &planned.veil()).map_err(RunsError::from)?);
    Ok(())
}

/// Takes a run up where it was cut off, stopped, or failed. Gives its input.
///
/// # Errors
/// The workflow or a plugin was changed since, or the journal cannot be used.
pub fn take_up(
    planned: &PlannedRun,
    path: &Path,
    options: &mut RunOptions,
    notify: &dyn Fn(Notice),
) -> Result<Value, OpsError> {
    let standing = journal::standing(path).map_err(RunsError::from)?;
    refuse_others(planned, &standing.header)?;
    let ledger = Ledger::resume(path, &planned.veil()).map_err(RunsError::from)?;
    if standing.torn > 0 {
        let journal = path.display();
        notify(Notice::Warning(format!("`{journal}`: {} bytes of a torn record at its end were cut", standing.torn)));
    }
    let header = ledger.header().clone();
    options.run_id = header.run;
    options.from = header.repeats.as_ref().map(|repeats| seed(planned, &header.path, repeats)).transpose()?;
    options.journal = Some(ledger);
    Ok(header.input)
}

/// Begins a new run at a node, with what it received in a former one. Its journal stands beside the former one's. Gives its input.
///
/// # Errors
/// The node did not end in that run, or the journal cannot be used.
pub fn repeat(
    planned: &PlannedRun,
    workflow: &Path,
    former: &Path,
    node: &str,
    options: &mut RunOptions,
    notify: &dyn Fn(Notice),
) -> Result<Value, OpsError> {
    let veil = planned.veil();
    let (header_then, repeats) = journal::repeats(former, node, &veil).map_err(RunsError::from)?;
    // To change the workflow and to repeat a part of it is what this is for; but it should be no surprise.
    if let Err(other) = refuse_others(planned, &header_then) {
        notify(Notice::Warning(format!("not all is as it was: {other}")));
    }
    options.from = Some(seed(planned, workflow, &repeats)?);
    let header = Header { repeats: Some(repeats), ..header(planned, workflow, options, header_then.input)? };
    let input = header.input.clone();
    let folder = former.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    options.journal = Some(Ledger::create(folder, header, &veil).map_err(RunsError::from)?);
    Ok(input)
}

fn header(planned: &PlannedRun, workflow: &Path, options: &RunOptions, input: Value) -> Result<Header, OpsError> {
    let plan = planned.plan();
    let mut mark = [0; 12];
    getrandom::fill(&mut mark)
        .map_err(|error| OpsError::io("read randomness for", workflow)(std::io::Error::other(error)))?;
    Ok(Header {
        run: options.run_id.clone(),
        workflow: plan.name.clone(),
        path: std::path::absolute(workflow).map_err(OpsError::io("find", workflow))?,
        document: plan.digest,
        plugins: planned.digests(),
        began: journal::now(),
        input,
        repeats: None,
        mark: data_encoding::HEXLOWER.encode(&mark),
    })
}

/// Events are bound to what made them: other nodes would have made others.
fn refuse_others(planned: &PlannedRun, header: &Header) -> Result<(), OpsError> {
    let (run, now) = (header.run.clone(), planned.plan().digest);
    if now != header.document {
        let (path, then) = (header.path.clone(), header.document);
        return Err(RunsError::OtherDocument { run, path, then, now }.into());
    }
    let plugins = planned.digests();
    for name in header.plugins.keys().chain(plugins.keys()) {
        let (then, now) = (header.plugins.get(name), plugins.get(name));
        if then != now {
            let said = |digest: Option<&String>| digest.cloned().unwrap_or_else(|| "not there".to_owned());
            let (then, now) = (said(then), said(now));
            return Err(RunsError::OtherPlugin { run, plugin: name.clone(), then, now }.into());
        }
    }
    Ok(())
}

fn seed(planned: &PlannedRun, workflow: &Path, repeats: &Repeats) -> Result<Seed, OpsError> {
    let plan = planned.plan();
    let Some(node) = plan.find(&repeats.node).filter(|node| !plan.graph.finals.contains(node)) else {
        let near = plugins::near(&repeats.node, plan.nodes.iter().map(|node| &*node.name));
        let (node, path) = (repeats.node.clone(), workflow.to_owned());
        return Err(RunsError::NoNode { node, path, near: near.into_iter().next() }.into());
    };
    let outputs = repeats.outputs.iter();
    let outputs = outputs.filter_map(|(name, output)| Some((plan.find(name)?, Arc::new(output.clone())))).collect();
    Ok(Seed { node, input: Arc::new(repeats.input.clone()), outputs })
}
