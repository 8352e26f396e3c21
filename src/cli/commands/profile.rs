//! `pocket plugin profile`.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::cli::arguments::ProfileArguments;
use crate::cli::output::Output;
use crate::home::atomic;
use crate::ops::profile::{self, Frame, Profile, Profiled};
use crate::ops::{OpsError, Scope, Workspace};

use super::run::{read_input, show};

pub fn run(arguments: &ProfileArguments, output: &Output) -> Result<(), OpsError> {
    let workspace = Workspace::open(Scope::Nearest)?;
    let profile = Profile {
        plugin: arguments.name.clone(),
        workflow: &arguments.workflow,
        input: read_input(arguments.input.as_deref(), arguments.input_file.as_deref())?,
        runs: arguments.runs,
    };
    let profiled = profile::profile(&workspace, &profile, &|notice| show(notice, output))?;
    let path = arguments.out.clone().unwrap_or_else(|| PathBuf::from(format!("profile-{}.html", arguments.name)));
    atomic::replace_file(&path, profiled.html().as_bytes()).map_err(OpsError::io("write", &path))?;
    let document = json!({
        "file": path,
        "plugin": profiled.plugin,
        "workflow": profiled.workflow,
        "runs": profiled.runs,
        "samples": profiled.samples,
        "root": document(&profiled.root),
    });
    output.result(&document, || text(&profiled, &path));
    Ok(())
}

fn text(profiled: &Profiled, path: &std::path::Path) -> String {
    format!("{}\n{}", lines(&profiled.root, 0), format_args!("the flame graph is in {}\n", path.display()))
}

/// The tree as far as it tells something: parts of a hundredth and more, five levels deep.
fn lines(frame: &Frame, depth: usize) -> String {
    let mut text = format!("{:>10} {}{}\n", format!("{:.1?}", frame.time), "  ".repeat(depth), frame.label);
    let is_shown = |child: &&Frame| child.time.as_secs_f64() >= frame.time.as_secs_f64() / 100.0;
    if depth < 5 {
        frame.children.iter().filter(is_shown).for_each(|child| text.push_str(&lines(child, depth + 1)));
    }
    text
}

fn document(frame: &Frame) -> Value {
    json!({
        "label": frame.label,
        "part": frame.part.word(),
        "time_us": u64::try_from(frame.time.as_micros()).unwrap_or(u64::MAX),
        "count": frame.count,
        "children": frame.children.iter().map(document).collect::<Vec<_>>(),
    })
}
