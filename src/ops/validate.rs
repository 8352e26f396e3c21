//! `workflow validate` and `workflow schema`: workflows are checked as a run checks them, and nothing runs.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::catalog::{Catalog, WorkflowSettings};
use super::look::LookError;
use super::run::{Notice, document_error, plan_document};
use super::{OpsError, Workspace, offered};
use crate::workflow::{self, Document, Problems, SourceText};

/// How many files of a folder are looked at: 10,000.
const MAX_FILES: usize = 10_000;
/// The folders that hold what others made.
const SKIPPED: [&str; 2] = ["node_modules", "target"];
/// The files of Pocket that are YAML and no workflow.
const OTHERS: [&str; 3] = ["pocket.yaml", "manifest.yaml", "trust.yaml"];

/// What was found of one file.
#[derive(Debug)]
pub struct Checked {
    /// The file as the user named it.
    pub file: String,
    /// The workflow's name, if it can run.
    pub workflow: Option<String>,
    /// How many nodes it has, if it can run.
    pub nodes: usize,
    /// What is wrong with it.
    pub problems: Problems,
    /// What keeps it from running besides: it cannot be read, or one of its plugins cannot be used.
    pub error: Option<OpsError>,
}

impl Checked {
    /// Whether it can run.
    pub fn is_valid(&self) -> bool {
        self.error.is_none() && !self.problems.has_errors()
    }
}

/// Checks files, folders, and `-`, the standard input.
///
/// # Errors
/// A folder cannot be read, or has no workflow in it.
pub fn validate(workspace: &Workspace, paths: &[PathBuf], notify: &dyn Fn(Notice)) -> Result<Vec<Checked>, OpsError> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let found = workflows_in(path)?;
            if found.is_empty() {
                return Err(LookError::NoWorkflow { path: path.clone() }.into());
            }
            files.extend(found);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files.iter().map(|path| check(workspace, path, notify)).collect())
}

fn check(workspace: &Workspace, path: &Path, notify: &dyn Fn(Notice)) -> Checked {
    let file = path.display().to_string();
    let planned = document(path).and_then(|document| plan_document(workspace, document, &[], None, notify));
    match planned {
        Ok(planned) => {
            let plan = planned.plan();
            let (workflow, nodes) = (Some(plan.name.clone()), plan.nodes.len());
            Checked { file, workflow, nodes, problems: plan.warnings.clone(), error: None }
        }
        Err(OpsError::Workflow(problems)) => Checked { file, workflow: None, nodes: 0, problems, error: None },
        Err(error) => Checked { file, workflow: None, nodes: 0, problems: Problems::default(), error: Some(error) },
    }
}

fn document(path: &Path) -> Result<Document, OpsError> {
    if path != Path::new("-") {
        return Document::read(path).map_err(document_error);
    }
    let mut text = String::new();
    let unreadable = OpsError::io("read", Path::new("standard input"));
    // One byte more than may be shows that there is too much.
    let limit = workflow::MAX_BYTES as u64 + 1;
    std::io::stdin().lock().take(limit).read_to_string(&mut text).map_err(unreadable)?;
    Ok(Document::parse(SourceText::new("<stdin>", text), "")?)
}

/// The workflows in a folder and those below it, by path. A file is one if it has `nodes`.
fn workflows_in(folder: &Path) -> Result<Vec<PathBuf>, OpsError> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    let mut seen = 0;
    while let Some(folder) = open.pop() {
        let entries = std::fs::read_dir(&folder).map_err(OpsError::io("read", &folder))?;
        for entry in entries {
            let entry = entry.map_err(OpsError::io("read", &folder))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type().map_err(OpsError::io("read", &entry.path()))?;
            seen += 1;
            if name.starts_with('.') || seen > MAX_FILES {
                continue;
            }
            if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
                open.push(entry.path());
            } else if kind.is_file() && is_workflow(&entry.path(), &name) {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn is_workflow(path: &Path, name: &str) -> bool {
    let has_ending = [".yaml", ".yml", ".json"].iter().any(|ending| name.ends_with(ending));
    let is_small = std::fs::metadata(path).is_ok_and(|file| file.len() <= workflow::MAX_BYTES as u64);
    if !has_ending || OTHERS.contains(&name) || !is_small {
        return false;
    }
    let text = std::fs::read_to_string(path).unwrap_or_default();
    // A file that is broken is a workflow too, so that it is not passed over.
    match name.ends_with(".json") {
        true => serde_json::from_str::<Value>(&text).is_ok_and(|value| value.get("nodes").is_some_and(Value::is_array)),
        false => text.lines().any(|line| line.starts_with("nodes:")),
    }
}

/// The JSON Schema of workflows, with the node types of the plugins here.
///
/// # Errors
/// The plugins here cannot be read.
pub fn schema(workspace: &Workspace, notify: &dyn Fn(Notice)) -> Result<Value, OpsError> {
    let offered = offered::collect(workspace)?;
    let settings = WorkflowSettings::new();
    let catalog = Catalog::new(workspace, &offered, &[], &settings, None, notify)?;
    Ok(workflow::language(&catalog.known_types()))
}
