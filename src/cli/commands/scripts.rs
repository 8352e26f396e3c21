//! `pocket scripts`.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::run::{read_input, text};
use crate::cli::arguments::{ScriptArguments, ScriptsCommand};
use crate::cli::output::Output;
use crate::cli::table::table;
use crate::ops::scripts::{self, ScriptInfo};
use crate::ops::{OpsError, Scope, Workspace};

/// The exit code of `validate` when a script has a mistake.
const INVALID: u8 = 3;

pub fn run(command: &ScriptsCommand, output: &Output) -> Result<ExitCode, OpsError> {
    let workspace = Workspace::open(Scope::Nearest)?;
    let done = match command {
        ScriptsCommand::List => list(&workspace, output),
        ScriptsCommand::Info { script } => {
            let found = scripts::find(&workspace, script)?;
            output.result(&document(&found), || info(&found));
            Ok(())
        }
        ScriptsCommand::Validate { scripts } => return validate(&workspace, scripts, output),
        ScriptsCommand::Run(arguments) => execute(&workspace, arguments, output),
    };
    done.map(|()| ExitCode::SUCCESS)
}

fn list(workspace: &Workspace, output: &Output) -> Result<(), OpsError> {
    let listed = scripts::list(workspace)?;
    let documents: Vec<Value> = listed.iter().map(document).collect();
    output.result(&documents, || match listed.as_slice() {
        [] => "there are no scripts in `scripts` or in `plugins.directories`\n".to_owned(),
        listed => table(["NAME", "VERSION", "NODES", "STATUS", "PATH"], &listed.iter().map(row).collect::<Vec<_>>()),
    });
    Ok(())
}

fn row(script: &ScriptInfo) -> [String; 5] {
    let document = document(script);
    let word = |key: &str| document[key].as_str().unwrap_or("-").to_owned();
    let nodes =
        document["nodes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
    let status = if script.problem.is_none() && script.description.is_ok() { "ok" } else { "invalid" };
    [word("name"), word("version"), nodes, status.to_owned(), word("path")]
}

fn document(script: &ScriptInfo) -> Value {
    let description = script.description.as_ref().ok();
    json!({
        "path": script.path,
        "name": description.map(|found| found.name.to_string()),
        "version": description.map(|found| found.version.to_string()),
        "description": description.map(|found| &found.description),
        "nodes": description.map(|found| found.nodes.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap_or_default(),
        "lines": script.lines,
        "problems": problems(script),
    })
}

/// What is wrong with a script, each with its line; 0 stands for the whole of it.
fn problems(script: &ScriptInfo) -> Vec<Value> {
    let code = script.problem.iter().map(|problem| json!({"line": problem.line, "message": problem.message}));
    let comments = script.description.as_ref().err().map(|message| json!({"line": 0, "message": message}));
    code.chain(comments).collect()
}

fn info(script: &ScriptInfo) -> String {
    let mut lines = vec![format!("Script: {}", script.path.display())];
    match &script.description {
        Ok(found) => {
            lines.push(format!("Name: {}\nVersion: {}", found.name, found.version));
            if !found.description.is_empty() {
                lines.push(format!("Description: {}", found.description));
            }
            lines.push(format!("Lines: {}", script.lines));
            lines.push("\nNodes as a plugin:".to_owned());
            lines.extend(found.nodes.iter().map(|node| format!("  - {node}")));
        }
        Err(message) => lines.push(format!("It cannot be a plugin: {message}")),
    }
    lines.extend(script.problem.iter().map(|problem| format!("\nLine {}: {}", problem.line, problem.message)));
    lines.join("\n")
}

fn validate(workspace: &Workspace, names: &[String], output: &Output) -> Result<ExitCode, OpsError> {
    let found: Vec<ScriptInfo> = match names {
        [] => scripts::list(workspace)?,
        names => names.iter().map(|name| scripts::find(workspace, name)).collect::<Result<_, _>>()?,
    };
    let documents: Vec<Value> = found
        .iter()
        .map(|script| json!({"path": script.path, "valid": problems(script).is_empty(), "problems": problems(script)}))
        .collect();
    output.result(&documents, || found.iter().map(verdict).collect());
    let is_good = found.iter().all(|script| problems(script).is_empty());
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::from(INVALID) })
}

fn verdict(script: &ScriptInfo) -> String {
    let path = script.path.display();
    let problems = problems(script);
    if problems.is_empty() {
        return format!("{path}: ok\n");
    }
    let line =
        |problem: &Value| format!("{path}:{}: {}\n", problem["line"], problem["message"].as_str().unwrap_or_default());
    problems.iter().map(line).collect()
}

fn execute(workspace: &Workspace, arguments: &ScriptArguments, output: &Output) -> Result<(), OpsError> {
    let script = scripts::find(workspace, &arguments.script)?;
    let input = read_input(arguments.input.as_deref(), arguments.input_file.as_deref())?;
    let reply = scripts::run(&script, &input, arguments.timeout)?;
    output.result(&json!({"output": reply.output, "action": reply.action}), || text(&reply.output));
    Ok(())
}
