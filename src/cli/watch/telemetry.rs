//! A trace of a run for OpenTelemetry: a span for the run, one for each attempt of a node, sent by OTLP over HTTP.
//!
//! `OTEL_EXPORTER_OTLP_ENDPOINT` (or `…_TRACES_ENDPOINT`) says where it goes; without it nothing is collected. The other
//! variables of the specification hold too. Values of a run are in no span.

mod client;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use opentelemetry::trace::{Status, TraceContextExt as _, Tracer as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

use crate::ops::OpsError;
use crate::workflow::{Observer, RunEvent};
use client::Client;

const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// Collects spans, and sends what is left when the run has ended.
pub struct Telemetry {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    open: Mutex<Open>,
}

/// Spans that have not ended.
#[derive(Default)]
struct Open {
    run: Option<Context>,
    /// By the path of their node.
    nodes: HashMap<String, Context>,
}

impl Telemetry {
    /// Where the environment says that traces go; nothing if it does not.
    ///
    /// # Errors
    /// What it says cannot be used.
    pub fn from_environment() -> Result<Option<Self>, OpsError> {
        if ENDPOINTS.iter().all(|name| std::env::var_os(name).is_none_or(|value| value.is_empty())) {
            return Ok(None);
        }
        Self::new(SpanExporter::builder().with_http()).map(Some)
    }

    fn new(
        builder: opentelemetry_otlp::SpanExporterBuilder<opentelemetry_otlp::HttpExporterBuilderSet>,
    ) -> Result<Self, OpsError> {
        let client = Client::new().map_err(|source| OpsError::Runtime { source })?;
        let exporter = builder.with_http_client(client).build();
        let exporter = exporter.map_err(|error| OpsError::Runtime { source: std::io::Error::other(error) })?;
        let resource = Resource::builder().with_service_name("pocket").build();
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        let tracer = provider.tracer("pocket");
        Ok(Self { provider, tracer, open: Mutex::default() })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a span inside of another, or as the first of its trace.
    fn begin(&self, name: String, attributes: Vec<KeyValue>, around: Option<&Context>) -> Context {
        let nothing = Context::new();
        let around = around.unwrap_or(&nothing);
        let span = self.tracer.span_builder(name).with_attributes(attributes);
        around.with_span(self.tracer.build_with_context(span, around))
    }

    fn end(&self, node: &str, attributes: Vec<KeyValue>, status: Status) {
        if let Some(context) = self.open().nodes.remove(node) {
            end(&context, attributes, status);
        }
    }
}

fn end(context: &Context, attributes: Vec<KeyValue>, status: Status) {
    let span = context.span();
    span.set_attributes(attributes);
    span.set_status(status);
    span.end();
}

impl Open {
    /// The span around a node: of the nearest node around it, or of the run.
    fn around(&self, node: &str) -> Option<&Context> {
        let mut path = node;
        while let Some(at) = path.rfind(['/', '[']) {
            path = &path[..at];
            if let Some(context) = self.nodes.get(path) {
                return Some(context);
            }
        }
        self.run.as_ref()
    }
}

impl Observer for Telemetry {
    fn see(&self, event: &RunEvent<'_>) {
        match event {
            RunEvent::Began { run, workflow, .. } => {
                let attributes = [("pocket.run", *run), ("pocket.workflow", *workflow)];
                let attributes = attributes.map(|(key, value)| KeyValue::new(key, value.to_owned()));
                let context = self.begin(format!("run {workflow}"), attributes.into(), None);
                self.open().run = Some(context);
            }
            RunEvent::Started { node, node_type, attempt, .. } => {
                let attributes = vec![
                    KeyValue::new("pocket.node", (*node).to_owned()),
                    KeyValue::new("pocket.node_type", (*node_type).to_owned()),
                    KeyValue::new("pocket.attempt", i64::from(*attempt)),
                ];
                let mut open = self.open();
                let context = self.begin(format!("node {node}"), attributes, open.around(node));
                open.nodes.insert((*node).to_owned(), context);
            }
            RunEvent::Finished { node, action, .. } => {
                self.end(node, vec![KeyValue::new("pocket.action", (*action).to_owned())], Status::Ok);
            }
            RunEvent::Failed { node, error, .. } => {
                let kind = KeyValue::new("error.type", error.kind.word());
                self.end(node, vec![kind], Status::error(error.message.clone()));
            }
            RunEvent::Retrying { .. } | RunEvent::Recovered { .. } => {}
            RunEvent::Ended { result } => self.finish(match result {
                Ok(_) => Status::Ok,
                Err(error) => Status::error(error.to_string()),
            }),
        }
    }
}

impl Telemetry {
    fn finish(&self, status: Status) {
        let Open { run, nodes } = std::mem::take(&mut *self.open());
        // Nobody waited for these any more.
        nodes.values().for_each(|context| end(context, Vec::new(), Status::Unset));
        if let Some(context) = run {
            end(&context, Vec::new(), status);
        }
        if let Err(error) = self.provider.shutdown() {
            tracing::warn!("the trace of this run was not sent: {error}");
        }
    }
}
