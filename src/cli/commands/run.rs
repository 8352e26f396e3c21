//! `pocket run`.

use std::io::Read as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::arguments::RunArguments;
use crate::cli::output::Output;
use crate::nodes::{Stop, Unreadable, read_json};
use crate::ops::run::{self, Notice, PlannedRun};
use crate::ops::{OpsError, Scope, Workspace};
use crate::workflow::{Observer, RunEvent, RunOptions, Unobserved};

pub fn run(arguments: &RunArguments, output: &Output) -> Result<(), OpsError> {
    let workspace = Workspace::open(Scope::Nearest)?;
    let input = read_input(arguments.input.as_deref(), arguments.input_file.as_deref())?;
    let notify = |notice| show(notice, output);
    let planned = run::plan(&workspace, &arguments.workflow, &arguments.disable_plugin, &notify)?;
    if !planned.plan().warnings.is_empty() {
        output.notice(&planned.plan().warnings.draw(output.drawing()));
    }
    if arguments.dry_run {
        let text = planned.describe();
        output.result(&json!({ "plan": text.lines().collect::<Vec<_>>() }), || text.clone());
        return Ok(());
    }
    run_to_its_end(&planned, input, arguments, output)
}

fn run_to_its_end(
    planned: &PlannedRun,
    input: Value,
    arguments: &RunArguments,
    output: &Output,
) -> Result<(), OpsError> {
    let verbose = Verbose { output };
    let observer: &dyn Observer = if arguments.verbose { &verbose } else { &Unobserved };
    let options = RunOptions { observer, stop: stop_on_interrupt()?, ..RunOptions::default() };
    let report = planned.run(input, &options)?;
    if arguments.verbose {
        output.step("Finished", format!("{} steps in {:.1?}", report.steps, report.elapsed));
    }
    output.result(&*report.output, || text(&report.output));
    Ok(())
}

/// Text as it is, anything else as JSON: what a shell can use.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).expect("values have text keys"),
    }
}

/// Prints what there is to tell while a run is prepared.
pub fn show(notice: Notice, output: &Output) {
    match notice {
        Notice::Warning(text) => output.warning(text),
        Notice::Step(verb, what) => output.step(verb, what),
    }
}

/// A run's input: given, in a file, or an empty mapping.
pub fn read_input(given: Option<&str>, file: Option<&Path>) -> Result<Value, OpsError> {
    let (place, text) = match (given, file) {
        (Some("-"), _) => ("from the standard input".to_owned(), read_stdin()?),
        (Some(text), _) => ("in --input".to_owned(), text.to_owned()),
        (None, Some(path)) if path == Path::new("-") => ("from the standard input".to_owned(), read_stdin()?),
        (None, Some(path)) => {
            (format!("in `{}`", path.display()), std::fs::read_to_string(path).map_err(OpsError::io("read", path))?)
        }
        (None, None) => return Ok(json!({})),
    };
    read_json(text.as_bytes()).map_err(|error| {
        let source = match error {
            Unreadable::Syntax(source) => source,
            wide @ Unreadable::TooWide(_) => serde::de::Error::custom(wide),
        };
        OpsError::Input { place, source }
    })
}

fn read_stdin() -> Result<String, OpsError> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(OpsError::io("read", Path::new("standard input")))?;
    Ok(text)
}

/// Ctrl-C stops the run: nodes are told, and get a moment to end. The listening thread costs nothing until then.
fn stop_on_interrupt() -> Result<Stop, OpsError> {
    let stop = Stop::default();
    let told = stop.clone();
    ctrlc::set_handler(move || told.stop()).map_err(|source| OpsError::Interrupt { source })?;
    Ok(stop)
}

/// Prints each node as it starts and ends.
struct Verbose<'a> {
    output: &'a Output,
}

impl Observer for Verbose<'_> {
    fn see(&self, event: &RunEvent<'_>) {
        match event {
            RunEvent::Started { node, node_type, attempt: 1, .. } => {
                self.output.step("Running", format!("`{node}` ({node_type})"));
            }
            RunEvent::Started { node, attempt, .. } => {
                self.output.step("Running", format!("`{node}`, attempt {attempt}"))
            }
            RunEvent::Finished { node, action, elapsed, .. } => {
                self.output.step("Done", format!("`{node}` -> {action} in {elapsed:.1?}"));
            }
            RunEvent::Retrying { node, attempt, pause } => {
                self.output.step("Retrying", format!("`{node}`, attempt {attempt} in {pause:.1?}"));
            }
            RunEvent::Failed { node, error, .. } => self.output.step("Failed", format!("`{node}`: {error}")),
        }
    }
}
