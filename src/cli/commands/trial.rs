//! `pocket plugin test` and `bench`.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::arguments::{BenchArguments, TestArguments, TrialArguments};
use crate::cli::error::{PLUGIN_ERROR, count};
use crate::cli::output::Output;
use crate::cli::table::table;
use crate::ops::trial::{self, Given, Measured, Outcome, Tested, Trial};
use crate::ops::{OpsError, Scope, Workspace};

use super::approval;

/// Exits with 5 if a call did not give what it should.
pub fn test(arguments: &TestArguments, output: &Output) -> Result<ExitCode, OpsError> {
    let trial = load(&arguments.trial, output)?;
    let tested = trial::test(&trial, &given(&arguments.trial)?)?;
    let failed = tested.iter().filter(|one| matches!(one.outcome, Outcome::Failed { .. })).count();
    output.result(&test_document(&trial, &tested), || test_text(&trial, &tested, failed));
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(PLUGIN_ERROR) })
}

pub fn bench(arguments: &BenchArguments, output: &Output) -> Result<(), OpsError> {
    let trial = load(&arguments.trial, output)?;
    let measured = trial::bench(&trial, &given(&arguments.trial)?, arguments.time, arguments.batch)?;
    output.result(&bench_document(&trial, &measured), || bench_text(&trial, &measured));
    Ok(())
}

fn load(arguments: &TrialArguments, output: &Output) -> Result<Trial, OpsError> {
    let workspace = Workspace::open(Scope::Nearest)?;
    Trial::load(&workspace, &arguments.path, &approval(arguments.yes, output))
}

fn given(arguments: &TrialArguments) -> Result<Given, OpsError> {
    let config = arguments.config.as_ref().map(|text| {
        serde_json::from_str(text).map_err(|source| OpsError::Input { place: "in --config".to_owned(), source })
    });
    Ok(Given {
        node: arguments.node.clone(),
        input: arguments.input.as_deref().map(read).transpose()?,
        config: config.transpose()?,
    })
}

fn read(path: &Path) -> Result<Value, OpsError> {
    let text = std::fs::read_to_string(path).map_err(OpsError::io("read", path))?;
    let place = format!("in `{}`", path.display());
    serde_json::from_str(&text).map_err(|source| OpsError::Input { place, source })
}

fn heading(trial: &Trial) -> String {
    format!("{} {} ({}), loaded in {:.1?}\n", trial.name(), trial.version(), trial.runtime(), trial.loading)
}

fn test_text(trial: &Trial, tested: &[Tested], failed: usize) -> String {
    let mut text = heading(trial);
    for one in tested {
        let (word, what) = match &one.outcome {
            Outcome::Passed { output, action } => ("ok", format!("{output} -> {action}")),
            Outcome::Failed { reason } => ("failed", reason.clone()),
        };
        text.push_str(&format!("  {word:<6} {}, {} ({:.1?}): {what}\n", one.node, one.label, one.elapsed));
    }
    text.push_str(&match (tested.len(), failed) {
        (0, _) => "\nno example to try: give --input FILE, or `examples` in manifest.yaml\n".to_owned(),
        (all, 0) => format!("\n{} passed\n", count(all, "call")),
        (all, failed) => format!("\n{failed} of {} failed\n", count(all, "call")),
    });
    text
}

fn test_document(trial: &Trial, tested: &[Tested]) -> Value {
    let calls: Vec<Value> = tested
        .iter()
        .map(|one| {
            let (passed, output, action, reason) = match &one.outcome {
                Outcome::Passed { output, action } => (true, Some(output), Some(action), None),
                Outcome::Failed { reason } => (false, None, None, Some(reason)),
            };
            json!({
                "node": one.node,
                "example": one.label,
                "passed": passed,
                "output": output,
                "action": action,
                "reason": reason,
                "elapsed_us": micros(one.elapsed),
            })
        })
        .collect();
    json!({ "name": trial.name(), "version": trial.version(), "loading_us": micros(trial.loading), "calls": calls })
}

fn bench_text(trial: &Trial, measured: &[Measured]) -> String {
    let rows: Vec<_> = measured
        .iter()
        .map(|one| {
            let part = |part| format!("{:.1?}", Duration::from_micros(one.times.quantile(part)).min(one.longest));
            [
                one.node.to_string(),
                one.label.clone(),
                one.calls.to_string(),
                format!("{:.0}", per_second(one)),
                format!("{:.1?}", one.first),
                part(0.5),
                part(0.95),
                part(0.99),
                format!("{:.1?}", one.longest),
            ]
        })
        .collect();
    let columns = ["NODE", "EXAMPLE", "CALLS", "PER SECOND", "FIRST", "P50", "P95", "P99", "MAX"];
    format!("{}\n{}", heading(trial), table(columns, &rows))
}

fn bench_document(trial: &Trial, measured: &[Measured]) -> Value {
    let nodes: Vec<Value> = measured
        .iter()
        .map(|one| {
            let part = |part| one.times.quantile(part).min(micros(one.longest));
            json!({
                "node": one.node,
                "example": one.label,
                "calls": one.calls,
                "batch": one.batch,
                "per_second": per_second(one),
                "first_us": micros(one.first),
                "p50_us": part(0.5),
                "p95_us": part(0.95),
                "p99_us": part(0.99),
                "max_us": micros(one.longest),
            })
        })
        .collect();
    json!({ "name": trial.name(), "version": trial.version(), "loading_us": micros(trial.loading), "nodes": nodes })
}

fn per_second(measured: &Measured) -> f64 {
    measured.calls as f64 / measured.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
