//! `pocket run`.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::cli::arguments::RunArguments;
use crate::cli::output::Output;
#[cfg(feature = "otel")]
use crate::cli::watch::Telemetry;
use crate::cli::watch::{EventFile, Lines, Progress, Watchers};
use crate::nodes::{MAX_DEPTH, Unreadable, read_json};
use crate::ops::run::{self, Notice, PlannedRun};
use crate::ops::{OpsError, Scope, Workspace, drawing, runs};
use crate::workflow::drawing::Trace;
use crate::workflow::{RunOptions, fits};

pub fn run(arguments: &RunArguments, output: &Output) -> Result<(), OpsError> {
    // A name that stands for no picture is told before anything runs.
    arguments.graph.as_deref().map(drawing::format_of).transpose()?;
    let workspace = Workspace::open(Scope::Nearest)?;
    let folder = runs::folder(&workspace, arguments.journal.as_deref());
    let former = arguments.resume.as_ref().map(|run| runs::find(&folder, run)).transpose()?;
    let workflow = match (&arguments.workflow, &former) {
        (Some(workflow), _) => workflow.clone(),
        (None, Some(journal)) => runs::workflow_of(journal)?,
        (None, None) => unreachable!("the arguments need a workflow or a run"),
    };
    let input = match former {
        None => Some(read_input(arguments.input.as_deref(), arguments.input_file.as_deref())?),
        Some(_) => None,
    };
    let notify = |notice| show(notice, output);
    let planned = run::plan(&workspace, &workflow, &arguments.disable_plugin, &notify)?;
    if !planned.plan().warnings.is_empty() {
        output.notice(&planned.plan().warnings.draw(output.drawing()));
    }
    if arguments.dry_run {
        let text = planned.describe();
        output.result(&planned.view(), || text);
        return Ok(());
    }
    let mut options = RunOptions::default();
    let input = match (former, &arguments.from, input) {
        (Some(journal), None, _) => runs::take_up(&planned, &journal, &mut options, &notify)?,
        (Some(journal), Some(node), _) => runs::repeat(&planned, &workflow, &journal, node, &mut options, &notify)?,
        (None, _, input) => {
            let input = input.unwrap_or_default();
            if arguments.journal.is_some() || planned.plan().journal {
                runs::record(&planned, &workflow, &input, &folder, &mut options)?;
            }
            input
        }
    };
    if let Some(journal) = &options.journal {
        output.step("Recording", format!("run {} in `{}`", options.run_id, journal.path().display()));
    }
    let trace = arguments.graph.is_some().then(Arc::<Trace>::default);
    let mut watchers = watchers(arguments, output)?;
    trace.iter().for_each(|trace| watchers.add_shared(Arc::clone(trace) as _));
    options.observer = Arc::new(watchers);
    let ended = run_to_its_end(&planned, input, options, output);
    if let (Some(trace), Some(path)) = (trace, &arguments.graph) {
        // A run that failed is looked at most; why the picture could not be drawn must not hide its error.
        draw_run(&planned, &trace, path, output);
    }
    ended
}

/// Who looks at the run.
fn watchers(arguments: &RunArguments, output: &Output) -> Result<Watchers, OpsError> {
    let mut watchers = Watchers::default();
    if arguments.verbose {
        watchers.add(Lines::new(output));
    } else if output.shows_bars() && !arguments.debug_plugins {
        watchers.add(Progress::new());
    }
    if let Some(path) = &arguments.events {
        watchers.add(EventFile::create(path)?);
    }
    #[cfg(feature = "otel")]
    if let Some(telemetry) = Telemetry::from_environment()? {
        watchers.add(telemetry);
    }
    Ok(watchers)
}

fn run_to_its_end(planned: &PlannedRun, input: Value, options: RunOptions, output: &Output) -> Result<(), OpsError> {
    stop_on_interrupt(&options)?;
    let run = options.journal.is_some().then(|| options.run_id.clone());
    let input = Arc::new(input);
    // The process ends with the run. Taking a large value apart first would take as long as reading it did.
    std::mem::forget(Arc::clone(&input));
    let result = planned.run(input, options);
    if let (Err(OpsError::Run(_)), Some(run)) = (&result, run) {
        output.notice(&format!("`pocket run --resume {run}` goes on with this run"));
    }
    let report = std::mem::ManuallyDrop::new(result?);
    output.result(&*report.output, || text(&report.output));
    Ok(())
}

fn draw_run(planned: &PlannedRun, trace: &Trace, path: &Path, output: &Output) {
    match drawing::draw_run(planned, trace, path) {
        Ok(()) => output.step("Drawn", format!("`{}`", path.display())),
        Err(error) => output.warning(format!("the run is not drawn: {}", run::reason(&error))),
    }
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
    let input = read_json(text.as_bytes()).map_err(|error| match error {
        Unreadable::Syntax(source) => source,
        other => serde::de::Error::custom(other),
    });
    let input = input.and_then(|input: Value| match fits(&input, MAX_DEPTH) {
        true => Ok(input),
        false => Err(serde::de::Error::custom(Unreadable::TooDeep)),
    });
    input.map_err(|source| OpsError::Input { place, source })
}

fn read_stdin() -> Result<String, OpsError> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(OpsError::io("read", Path::new("standard input")))?;
    Ok(text)
}

/// Ctrl-C stops the run: nodes are told, and get a moment to end; then `finally` runs. A second Ctrl-C ends that too. The
/// listening thread costs nothing until then.
fn stop_on_interrupt(options: &RunOptions) -> Result<(), OpsError> {
    let (stop, abort) = (options.stop.clone(), options.abort.clone());
    let told = move || if stop.is_stopped() { abort.stop() } else { stop.stop() };
    ctrlc::set_handler(told).map_err(|source| OpsError::Interrupt { source })
}
