//! `pocket workflow` and `pocket graph`.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::run::show;
use crate::cli::arguments::{GraphArguments, WorkflowCommand};
use crate::cli::error::{WORKFLOW_INVALID, count, describe};
use crate::cli::output::Output;
use crate::ops::validate::Checked;
use crate::ops::{OpsError, Scope, Workspace, drawing, validate};
use crate::workflow::drawing::PictureFormat;
use crate::workflow::{self, Problem, Severity};

pub fn run(command: &WorkflowCommand, output: &Output) -> Result<ExitCode, OpsError> {
    match command {
        WorkflowCommand::Validate { paths } => {
            let workspace = Workspace::open(Scope::Nearest)?;
            let checked = validate::validate(&workspace, paths, &|notice| show(notice, output))?;
            print(&checked, output);
            let is_valid = checked.iter().all(Checked::is_valid);
            Ok(if is_valid { ExitCode::SUCCESS } else { ExitCode::from(WORKFLOW_INVALID) })
        }
        WorkflowCommand::Schema { built_in: true } => {
            output.json(&workflow::language(&[]));
            Ok(ExitCode::SUCCESS)
        }
        WorkflowCommand::Schema { built_in: false } => {
            let workspace = Workspace::open(Scope::Nearest)?;
            output.json(&validate::schema(&workspace, &|notice| show(notice, output))?);
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The drawings of problems go where errors go; the result is a line for each file.
fn print(checked: &[Checked], output: &Output) {
    for file in checked {
        if !file.problems.is_empty() {
            output.notice(&format!("{}\n", file.problems.draw(output.drawing())));
        }
        if let Some(error) = &file.error {
            let failure = describe(error, output.drawing());
            output.warning(format!("`{}`: {}", file.file, failure.message));
            failure.causes.iter().for_each(|cause| output.notice(&format!("  cause: {cause}")));
            failure.hint.iter().for_each(|hint| output.notice(&format!("  hint: {hint}")));
        }
    }
    let files: Vec<Value> = checked.iter().map(|file| document(file, output)).collect();
    let valid = checked.iter().filter(|file| file.is_valid()).count();
    output.result(&json!({ "files": files, "invalid": checked.len() - valid, "valid": valid }), || {
        checked.iter().map(|file| format!("{}: {}\n", file.file, verdict(file))).collect()
    });
}

fn verdict(file: &Checked) -> String {
    let warnings = match file.problems.warnings() {
        0 => String::new(),
        number => format!(", {}", count(number, "warning")),
    };
    match (file.is_valid(), &file.error) {
        (true, _) => format!("ok, {}{warnings}", count(file.nodes, "node")),
        (false, Some(_)) => "cannot run".to_owned(),
        (false, None) => format!("{}{warnings}", count(file.problems.errors(), "problem")),
    }
}

fn document(file: &Checked, output: &Output) -> Value {
    let problems: Vec<Value> = file.problems.iter().map(problem).collect();
    let error = file.error.as_ref().map(|error| describe(error, output.drawing()));
    json!({
        "file": file.file,
        "valid": file.is_valid(),
        "workflow": file.workflow,
        "nodes": file.nodes,
        "problems": problems,
        "more_problems": file.problems.more(),
        "error": error,
    })
}

fn problem(problem: &Problem) -> Value {
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    json!({
        "severity": severity,
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
        "help": problem.help,
    })
}

/// `pocket graph`.
pub fn graph(arguments: &GraphArguments, output: &Output) -> Result<(), OpsError> {
    let format = match (arguments.format, &arguments.out) {
        (Some(format), _) => PictureFormat::from(format),
        (None, Some(path)) => drawing::format_of(path)?,
        (None, None) => PictureFormat::Svg,
    };
    let workspace = Workspace::open(Scope::Nearest)?;
    let picture = drawing::draw(&workspace, &arguments.workflow, format, &|notice| show(notice, output))?;
    match &arguments.out {
        Some(path) => {
            drawing::write(path, &picture)?;
            output.step("Drawn", format!("`{}`", path.display()));
        }
        None => output.text(&picture),
    }
    Ok(())
}
