//! Every example of a built-in node gives what it says.

use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::FakePlugins;
use crate::engine::access::testing::Server;
use crate::nodes::{BuiltIn, Example, built_ins};
use crate::workflow::{Document, Observer, Plan, RunEvent, RunOptions, SourceText, run};

#[derive(Default)]
struct LastAction(Mutex<String>);

impl Observer for LastAction {
    fn see(&self, event: &RunEvent<'_>) {
        if let RunEvent::Finished { node: "n", action, .. } = event {
            (*action).clone_into(&mut self.0.lock().unwrap());
        }
    }
}

/// The example's output and action, in a folder of its own kind. Requests go to `server`.
fn outcome(built_in: &BuiltIn, example: &Example, folder: &Path, server: &str) -> (Value, String) {
    let what = format!("{}: {}", built_in.node_type, example.name);
    // Some actions are taken only when a connection carries them.
    let connected: Vec<Value> =
        example.action.iter().map(|action| json!({"from": "n", "to": "end", "when": action})).collect();
    let nodes =
        json!([{"name": "n", "type": built_in.node_type, "config": example.config}, {"name": "end", "type": "echo"}]);
    let document = json!({"start": "n", "nodes": nodes, "connections": connected}).to_string();
    let document = document.replace("https://api.example.com", server);
    let document = Document::parse(SourceText::new("example.json", document), folder).unwrap();
    let plan = Arc::new(Plan::new(&document, &FakePlugins).unwrap_or_else(|problems| panic!("{what}\n{problems}")));
    let observer = Arc::new(LastAction::default());
    let options = RunOptions { observer: Arc::clone(&observer) as _, ..RunOptions::default() };
    let report = run(&plan, example.input.clone(), &options).unwrap_or_else(|error| panic!("{what}: {error}"));
    let action = observer.0.lock().unwrap().clone();
    (Value::clone(&report.output), action)
}

#[test]
fn every_example_of_a_built_in_gives_what_it_says() {
    let body = r#"{"id":7,"name":"Ada"}"#;
    let head = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let server = Server::start("127.0.0.1:0", move |_| format!("{head}{body}"));
    let address = format!("http://{}", server.address);
    for built_in in built_ins() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("greet.yaml"),
            "nodes: [{name: hi, type: echo, config: {message: \"hello {{.name}}\"}}]",
        )
        .unwrap();
        let examples = (built_in.examples)();
        assert!(!examples.is_empty(), "{} has no example", built_in.node_type);
        for example in examples {
            let (mut output, action) = outcome(built_in, &example, folder.path(), &address);
            if built_in.node_type == "http" {
                // A server sends more headers than an example shows.
                output["headers"] = example.output["headers"].clone();
            }
            assert_eq!(output, example.output, "{}: {}", built_in.node_type, example.name);
            assert_eq!(action, example.action.unwrap_or("default"), "{}: {}", built_in.node_type, example.name);
        }
    }
}

#[test]
fn every_built_in_says_what_it_does_what_it_gives_and_what_each_field_means() {
    for built_in in built_ins() {
        let name = built_in.node_type;
        assert!(!built_in.description.is_empty() && !built_in.outputs.is_empty(), "{name}");
        let schema = (built_in.schema)();
        assert!(jsonschema::meta::is_valid(&schema), "{name}");
        assert_eq!((&schema["type"], &schema["additionalProperties"]), (&json!("object"), &json!(false)), "{name}");
        let fields = schema["properties"].as_object().unwrap();
        let undescribed: Vec<&String> =
            fields.iter().filter(|(_, field)| !field["description"].is_string()).map(|(key, _)| key).collect();
        assert!(undescribed.is_empty(), "{name} does not describe {undescribed:?}");
    }
}
