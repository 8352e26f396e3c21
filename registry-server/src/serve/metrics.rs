//! How much was asked and answered, for Prometheus.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use axum::http::StatusCode;

/// Upper bounds in seconds: a cached file, a file, a publish to a folder, a publish to a bucket, and worse.
const BOUNDS: [f64; 8] = [0.000_5, 0.002, 0.01, 0.05, 0.25, 1.0, 5.0, 30.0];

/// What a request was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A file of the index or the log.
    Index,
    /// An archive.
    Archive,
    /// Below `api/`.
    Api,
    /// Anything else.
    Other,
}

const KINDS: [(Kind, &str); 4] =
    [(Kind::Index, "index"), (Kind::Archive, "archive"), (Kind::Api, "api"), (Kind::Other, "other")];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Counts since the start.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: [[AtomicU64; 5]; 4],
    durations: [Histogram; 4],
    connections: AtomicI64,
    refused_connections: AtomicU64,
    limited: AtomicU64,
    token_limited: AtomicU64,
}

#[derive(Debug, Default)]
struct Histogram {
    buckets: [AtomicU64; BOUNDS.len()],
    count: AtomicU64,
    microseconds: AtomicU64,
}

impl Kind {
    pub fn of(path: &str) -> Self {
        match path.split('/').nth(1) {
            Some("a") => Self::Archive,
            Some("api") => Self::Api,
            Some("index" | "log" | "config.json" | "search.json") => Self::Index,
            _ => Self::Other,
        }
    }
}

impl Metrics {
    pub fn answered(&self, kind: Kind, status: StatusCode, took: Duration) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.requests[kind as usize][class].fetch_add(1, Ordering::Relaxed);
        let histogram = &self.durations[kind as usize];
        if let Some(bucket) = BOUNDS.iter().position(|bound| took.as_secs_f64() <= *bound) {
            histogram.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        }
        histogram.count.fetch_add(1, Ordering::Relaxed);
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        histogram.microseconds.fetch_add(microseconds, Ordering::Relaxed);
    }

    pub fn connected(&self, change: i64) {
        self.connections.fetch_add(change, Ordering::Relaxed);
    }

    pub fn refused(&self) {
        self.refused_connections.fetch_add(1, Ordering::Relaxed);
    }

    pub fn limited(&self) {
        self.limited.fetch_add(1, Ordering::Relaxed);
    }

    pub fn token_limited(&self) {
        self.token_limited.fetch_add(1, Ordering::Relaxed);
    }

    pub fn to_text(&self) -> String {
        let mut text = String::new();
        self.requests_to(&mut text);
        self.durations_to(&mut text);
        let single = [
            ("connections", "gauge", "Open connections", self.connections.load(Ordering::Relaxed)),
            ("connections_refused_total", "counter", "Connections beyond the limits", count(&self.refused_connections)),
            ("requests_limited_total", "counter", "Requests beyond an address's rate", count(&self.limited)),
            (
                "requests_limited_by_token_total",
                "counter",
                "Requests beyond a token's rate",
                count(&self.token_limited),
            ),
        ];
        for (name, kind, help, value) in single {
            describe(&mut text, name, kind, help);
            line(&mut text, format_args!("pocket_registry_{name} {value}"));
        }
        text
    }

    fn requests_to(&self, text: &mut String) {
        describe(text, "requests_total", "counter", "Requests that were answered");
        for (kind, name) in KINDS {
            for (class, counted) in CLASSES.iter().zip(&self.requests[kind as usize]) {
                let value = counted.load(Ordering::Relaxed);
                if value > 0 {
                    line(
                        text,
                        format_args!("pocket_registry_requests_total{{kind=\"{name}\",status=\"{class}\"}} {value}"),
                    );
                }
            }
        }
    }

    fn durations_to(&self, text: &mut String) {
        let name = "request_duration_seconds";
        describe(text, name, "histogram", "Time until an answer began");
        for (kind, label) in KINDS {
            let histogram = &self.durations[kind as usize];
            let mut sum = 0;
            for (bound, bucket) in BOUNDS.iter().zip(&histogram.buckets) {
                sum += bucket.load(Ordering::Relaxed);
                line(text, format_args!("pocket_registry_{name}_bucket{{kind=\"{label}\",le=\"{bound}\"}} {sum}"));
            }
            let count = histogram.count.load(Ordering::Relaxed);
            let seconds = histogram.microseconds.load(Ordering::Relaxed) as f64 / 1e6;
            line(text, format_args!("pocket_registry_{name}_bucket{{kind=\"{label}\",le=\"+Inf\"}} {count}"));
            line(text, format_args!("pocket_registry_{name}_sum{{kind=\"{label}\"}} {seconds}"));
            line(text, format_args!("pocket_registry_{name}_count{{kind=\"{label}\"}} {count}"));
        }
    }
}

fn count(counter: &AtomicU64) -> i64 {
    i64::try_from(counter.load(Ordering::Relaxed)).unwrap_or(i64::MAX)
}

fn describe(text: &mut String, name: &str, kind: &str, help: &str) {
    line(text, format_args!("# HELP pocket_registry_{name} {help}.\n# TYPE pocket_registry_{name} {kind}"));
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes what is written");
}
