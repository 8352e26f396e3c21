//! `pocket plugin check`.

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::error::{PLUGIN_ERROR, count};
use crate::cli::output::Output;
use crate::ops::check::{self, Checked, Finding, Level};
use crate::ops::{OpsError, Scope, Workspace};

/// Exits with 5 if the plugin cannot work.
pub fn run(path: &Path, output: &Output) -> Result<ExitCode, OpsError> {
    let workspace = Workspace::open(Scope::Nearest)?;
    let checked = check::check(&workspace, path)?;
    output.result(&document(&checked), || text(&checked));
    Ok(if checked.is_fine() { ExitCode::SUCCESS } else { ExitCode::from(PLUGIN_ERROR) })
}

fn text(checked: &Checked) -> String {
    let mut text = format!("{}: {}\n", checked.path.display(), checked.what);
    checked.findings.iter().for_each(|finding| text.push_str(&lines(finding)));
    if !checked.imports.is_empty() {
        text.push_str(&format!("  needs    {}\n", checked.imports.join(", ")));
    }
    let problems = checked.findings.iter().filter(|finding| finding.level == Level::Problem).count();
    text.push_str(&match problems {
        0 => "\nthe plugin can be used\n".to_owned(),
        problems => format!("\nthe plugin cannot be used: {}\n", count(problems, "problem")),
    });
    text
}

fn lines(finding: &Finding) -> String {
    let hint = finding.hint.as_ref().map(|hint| format!("           {hint}\n")).unwrap_or_default();
    format!("  {:<8} {}\n{hint}", word(finding.level), finding.message)
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Fine => "ok",
        Level::Note => "note",
        Level::Problem => "problem",
    }
}

fn document(checked: &Checked) -> Value {
    let findings: Vec<Value> = checked
        .findings
        .iter()
        .map(|finding| json!({ "level": word(finding.level), "message": finding.message, "hint": finding.hint }))
        .collect();
    let plugin = checked.manifest.as_ref().map(|manifest| {
        let nodes: Vec<_> = manifest.nodes.iter().map(|node| &node.node_type).collect();
        json!({
            "name": manifest.name,
            "version": manifest.version,
            "type": manifest.runtime,
            "nodes": nodes,
            "permissions": manifest.permissions,
        })
    });
    json!({
        "path": checked.path,
        "what": checked.what,
        "fine": checked.is_fine(),
        "plugin": plugin,
        "findings": findings,
        "imports": checked.imports,
        "exports": checked.exports,
    })
}
