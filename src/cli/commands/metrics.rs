//! `pocket plugin metrics`.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::arguments::{MetricsArguments, MetricsFormat};
use crate::cli::output::Output;
use crate::cli::table::table;
use crate::home::metrics::{Metrics, NodeMetrics, PluginMetrics};
use crate::ops::{OpsError, Scope, Workspace, metrics};

/// The parts of all calls whose times are shown.
const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)];

pub fn run(arguments: &MetricsArguments, output: &Output) -> Result<(), OpsError> {
    let workspace = Workspace::open(Scope::Nearest)?;
    let name = arguments.name.as_ref();
    if arguments.reset {
        metrics::reset(&workspace, name)?;
        let what = name.map_or_else(
            || "what was counted of all plugins".to_owned(),
            |name| format!("what was counted of `{name}`"),
        );
        output.step("Forgotten", what);
        output.result(&json!({ "reset": name }), String::new);
        return Ok(());
    }
    let metrics = metrics::metrics(&workspace, name)?;
    let document = || document(&metrics);
    match arguments.format {
        Some(MetricsFormat::Prometheus) => output.text(&prometheus(&metrics)),
        Some(MetricsFormat::Json) => output.json(&document()),
        Some(MetricsFormat::Text) => output.text(&text(&metrics)),
        None => output.result(&document(), || text(&metrics)),
    }
    Ok(())
}

/// Every plugin's nodes.
fn rows(metrics: &Metrics) -> impl Iterator<Item = (&str, &PluginMetrics, &str, &NodeMetrics)> {
    let nodes = |(name, plugin)| {
        let plugin: &PluginMetrics = plugin;
        plugin.nodes.iter().map(move |(node, counted)| (name, plugin, node.as_str(), counted))
    };
    metrics.plugins.iter().map(|(name, plugin)| (name.as_str(), plugin)).flat_map(nodes)
}

fn text(metrics: &Metrics) -> String {
    if metrics.is_empty() {
        return "no call of a plugin was counted yet\n".to_owned();
    }
    let rows: Vec<_> = rows(metrics).map(|(name, plugin, node, counted)| row(name, plugin, node, counted)).collect();
    let heading = ["PLUGIN", "NODE", "CALLS", "ERRORS", "P50", "P95", "P99", "MAX", "MEMORY", "RESTARTS"];
    table(heading, &rows)
}

fn row(name: &str, plugin: &PluginMetrics, node: &str, counted: &NodeMetrics) -> [String; 10] {
    let [p50, p95, p99] = QUANTILES.map(|(_, part)| time(counted.times.quantile(part).min(counted.max_micros)));
    let kinds: Vec<String> = counted.errors.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    [
        name.to_owned(),
        node.to_owned(),
        counted.calls.to_string(),
        if kinds.is_empty() { "0".to_owned() } else { kinds.join(", ") },
        p50,
        p95,
        p99,
        time(counted.max_micros),
        plugin.memory_peak.map_or_else(|| "-".to_owned(), memory),
        plugin.restarts.to_string(),
    ]
}

fn memory(bytes: u64) -> String {
    format!("{:.1}MiB", bytes as f64 / f64::from(1 << 20))
}

fn time(micros: u64) -> String {
    format!("{:.1?}", Duration::from_micros(micros))
}

fn document(metrics: &Metrics) -> Value {
    let rows: Vec<Value> = rows(metrics)
        .map(|(name, plugin, node, counted)| {
            let [p50, p95, p99] = QUANTILES.map(|(_, part)| counted.times.quantile(part).min(counted.max_micros));
            json!({
                "plugin": name,
                "node": node,
                "calls": counted.calls,
                "errors": counted.errors,
                "p50_us": p50,
                "p95_us": p95,
                "p99_us": p99,
                "max_us": counted.max_micros,
                "total_us": counted.total_micros,
                "memory_peak": plugin.memory_peak,
                "restarts": plugin.restarts,
            })
        })
        .collect();
    json!({ "since": metrics.since, "nodes": rows })
}

/// https://prometheus.io/docs/instrumenting/exposition_formats/ — names of plugins and nodes need no escapes.
fn prometheus(metrics: &Metrics) -> String {
    let mut calls = family("calls_total", "counter", "Calls of a plugin's node, failed ones too.");
    let mut errors = family("errors_total", "counter", "Failed calls by kind.");
    let mut times = family("call_duration_seconds", "summary", "How long calls took.");
    for (plugin, _, node, counted) in rows(metrics) {
        let labels = format!("plugin=\"{plugin}\",node=\"{node}\"");
        line(&mut calls, "calls_total", &labels, counted.calls);
        for (kind, count) in &counted.errors {
            line(&mut errors, "errors_total", &format!("{labels},kind=\"{kind}\""), count);
        }
        for (_, part) in QUANTILES {
            let micros = counted.times.quantile(part).min(counted.max_micros);
            let labels = format!("{labels},quantile=\"{part}\"");
            line(&mut times, "call_duration_seconds", &labels, micros as f64 / 1e6);
        }
        line(&mut times, "call_duration_seconds_sum", &labels, counted.total_micros as f64 / 1e6);
        line(&mut times, "call_duration_seconds_count", &labels, counted.calls);
    }
    let mut memory = family("memory_peak_bytes", "gauge", "The most memory that was seen in use.");
    let mut restarts = family("restarts_total", "counter", "Starts of a plugin's process after it died.");
    for (name, plugin) in &metrics.plugins {
        let labels = format!("plugin=\"{name}\"");
        if let Some(bytes) = plugin.memory_peak {
            line(&mut memory, "memory_peak_bytes", &labels, bytes);
        }
        line(&mut restarts, "restarts_total", &labels, plugin.restarts);
    }
    [calls, errors, times, memory, restarts].concat()
}

fn family(name: &str, kind: &str, help: &str) -> String {
    format!("# HELP pocket_plugin_{name} {help}\n# TYPE pocket_plugin_{name} {kind}\n")
}

fn line(text: &mut String, name: &str, labels: &str, value: impl std::fmt::Display) {
    writeln!(text, "pocket_plugin_{name}{{{labels}}} {value}").expect("a text takes every line");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted() -> Metrics {
        let mut metrics = Metrics::default();
        metrics.count("redis-cache", "redis-get", Duration::from_millis(4), None);
        metrics.count("redis-cache", "redis-get", Duration::from_millis(20), Some("timeout"));
        metrics.plugins.get_mut("redis-cache").expect("it was counted").memory_peak = Some(3 << 20);
        metrics
    }

    #[test]
    fn people_see_a_row_for_each_node() {
        insta::assert_snapshot!(text(&counted()), @r"
        PLUGIN       NODE       CALLS  ERRORS     P50    P95     P99     MAX     MEMORY  RESTARTS
        redis-cache  redis-get  2      1 timeout  4.0ms  20.0ms  20.0ms  20.0ms  3.0MiB  0
        ");
        assert_eq!(text(&Metrics::default()), "no call of a plugin was counted yet\n");
    }

    #[test]
    fn prometheus_reads_what_is_printed() {
        insta::assert_snapshot!(prometheus(&counted()), @"");
    }
}
