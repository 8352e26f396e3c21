//! What a collector receives.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;

use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use serde_json::json;

use super::Telemetry;
use crate::workflow::{Document, NoPlugins, Plan, RunOptions, SourceText, run};

/// A collector that takes one request: its path, and its body as it came.
fn collector() -> (String, std::thread::JoinHandle<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let taken = std::thread::spawn(move || {
        let (connection, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(connection);
        let (mut first, mut length) = (String::new(), 0);
        reader.read_line(&mut first).unwrap();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
        (first, body)
    });
    (address, taken)
}

#[test]
fn a_collector_receives_a_span_for_the_run_and_for_each_attempt() {
    let (address, taken) = collector();
    let builder = SpanExporter::builder().with_http().with_endpoint(format!("{address}/v1/traces"));
    let telemetry = Telemetry::new(builder).unwrap_or_else(|error| panic!("{error}"));
    let text = r#"
name: nightly
nodes:
  - {name: outer, type: parallel, config: {tasks: [{name: inner, node: echo, config: {message: "a-value-of-the-run"}}]}}
  - {name: broken, type: transform, config: {jq: "error(\"out of paper\")"}}
"#;
    let document = Document::parse(SourceText::new("w.yaml", text), "").unwrap();
    let plan = Arc::new(Plan::new(&document, &NoPlugins).unwrap_or_else(|problems| panic!("{problems}")));
    let options = RunOptions { observer: Arc::new(telemetry), ..RunOptions::default() };
    run(&plan, json!({}), &options).unwrap_err();
    let (request, body) = taken.join().unwrap();
    assert!(request.starts_with("POST /v1/traces "), "{request}");
    // Texts stand in protocol buffers as they are.
    let body = String::from_utf8_lossy(&body);
    let told =
        ["pocket", "run nightly", "node outer/inner", "node broken", "pocket.attempt", "error.type", "out of paper"];
    for text in told {
        assert!(body.contains(text), "`{text}` is not in {body:?}");
    }
    assert!(!body.contains("a-value-of-the-run"), "values stay here");
}
