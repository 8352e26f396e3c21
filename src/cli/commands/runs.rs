//! `pocket runs`.

use pocket_index::time::UtcTime;
use serde_json::{Value, json};

use crate::cli::arguments::RunsCommand;
use crate::cli::output::Output;
use crate::cli::table::table;
use crate::ops::runs;
use crate::ops::{OpsError, Scope, Workspace};
use crate::workflow::journal::{EventRecord, History, Standing};
use crate::workflow::schedule::Event;

pub fn run(command: &RunsCommand, output: &Output) -> Result<(), OpsError> {
    let workspace = Workspace::open(Scope::Nearest)?;
    match command {
        RunsCommand::List(arguments) => {
            let found = runs::list(&runs::folder(&workspace, arguments.journal.as_deref()))?;
            let mut standings = Vec::new();
            for (path, standing) in found {
                match standing {
                    Ok(standing) => standings.push(standing),
                    Err(error) => output.warning(format!("`{}` is left out: {error}", path.display())),
                }
            }
            let documents: Vec<Value> = standings.iter().map(document).collect();
            output.result(&documents, || list(&standings));
        }
        RunsCommand::Show { run, folder } => {
            let folder = runs::folder(&workspace, folder.journal.as_deref());
            let history = runs::show(&runs::find(&folder, run)?)?;
            output.result(&shown_document(&history), || shown(&history));
        }
    }
    Ok(())
}

/// How a run stands, in a word.
fn status(standing: &Standing) -> &'static str {
    match &standing.end {
        _ if standing.is_running => "running",
        None => "cut off",
        Some(end) if end.error.is_some() => "failed",
        Some(_) => "succeeded",
    }
}

fn document(standing: &Standing) -> Value {
    let header = &standing.header;
    json!({
        "run": header.run,
        "workflow": header.workflow,
        "path": header.path,
        "document": header.document,
        "plugins": header.plugins,
        "began": time(header.began),
        "ended": standing.end.as_ref().map(|end| time(end.at)),
        "status": status(standing),
        "error": standing.end.as_ref().and_then(|end| end.error.as_ref()),
        "events": standing.events,
        "resumed": standing.resumed,
        "repeats": header.repeats.as_ref().map(|repeats| json!({"run": repeats.run, "node": repeats.node})),
    })
}

fn time(millis: u64) -> String {
    UtcTime(millis / 1_000).to_string()
}

fn list(standings: &[Standing]) -> String {
    if standings.is_empty() {
        return "no run has a journal here; `pocket run FILE --journal FOLDER` writes one".to_owned();
    }
    let row = |standing: &Standing| {
        let header = &standing.header;
        let (began, events) = (time(header.began), standing.events.to_string());
        [header.run.clone(), header.workflow.clone(), began, status(standing).to_owned(), events]
    };
    let rows: Vec<_> = standings.iter().map(row).collect();
    table(["RUN", "WORKFLOW", "BEGAN", "STATUS", "EVENTS"], &rows)
}

/// A node of a run inside of another stands behind the key of that run.
fn place(record: &EventRecord) -> String {
    let node = record.node.as_deref().unwrap_or("-");
    if record.key.is_empty() { node.to_owned() } else { format!("{} {node}", record.key) }
}

fn shown_document(history: &History) -> Value {
    let event = |record: &EventRecord| {
        let (end, attempt, action, failure) = match &record.event {
            Event::Finished { attempt, action, .. } => {
                ("finished", Some(*attempt), Some(action.as_deref().unwrap_or("default")), None)
            }
            Event::Failed { attempt, failure, .. } => ("failed", Some(*attempt), None, Some(failure)),
            Event::Interrupted { .. } => ("interrupted", None, None, None),
            Event::Begin { .. } | Event::BeginAt { .. } => ("began", None, None, None),
        };
        json!({
            "node": record.node,
            "inside": if record.key.is_empty() { Value::Null } else { json!(record.key) },
            "end": end,
            "attempt": attempt,
            "action": action,
            "kind": failure.map(|failure| failure.kind.word()),
            "message": failure.map(|failure| failure.message.as_str()),
            "at": time(record.at),
            "elapsed_ms": record.took.map(|micros| micros as f64 / 1e3),
        })
    };
    let mut shown = document(&history.standing);
    shown["events"] = history.events.iter().map(event).collect();
    shown
}

fn shown(history: &History) -> String {
    let standing = &history.standing;
    let header = &standing.header;
    let mut text = format!("run {} of `{}` ({})\n", header.run, header.workflow, header.path.display());
    text.push_str(&format!("began {}, {}", time(header.began), status(standing)));
    match &standing.end {
        Some(end) if !standing.is_running => {
            text.push_str(&format!(" {}", time(end.at)));
            end.error.iter().for_each(|error| text.push_str(&format!(": {error}")));
        }
        _ => {}
    }
    if standing.resumed > 0 {
        text.push_str(&format!(", resumed {} times", standing.resumed));
    }
    text.push_str("\n\n");
    let row = |record: &EventRecord| {
        let took = record.took.map_or_else(String::new, |micros| format!("{:.1} ms", micros as f64 / 1e3));
        let (attempt, what) = match &record.event {
            Event::Finished { attempt, action, .. } => {
                (attempt.to_string(), format!("-> {}", action.as_deref().unwrap_or("default")))
            }
            Event::Failed { attempt, failure, .. } => {
                (attempt.to_string(), format!("{}: {}", failure.kind, failure.message))
            }
            Event::Interrupted { message, .. } => (String::new(), message.clone()),
            Event::Begin { .. } | Event::BeginAt { .. } => (String::new(), "began".to_owned()),
        };
        [place(record), attempt, took, what]
    };
    let rows: Vec<_> = history.events.iter().map(row).collect();
    text.push_str(&table(["NODE", "ATTEMPT", "TIME", "RESULT"], &rows));
    text
}
