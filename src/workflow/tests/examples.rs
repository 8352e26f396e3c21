//! Every example of a built-in node gives what it says.

use std::sync::{Arc, Mutex};

use serde_json::json;

use super::FakePlugins;
use crate::nodes::built_ins;
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

#[test]
fn every_example_of_a_built_in_gives_what_it_says() {
    for built_in in built_ins() {
        for example in (built_in.examples)() {
            let what = format!("{}: {}", built_in.node_type, example.name);
            let document =
                json!({"nodes": [{"name": "n", "type": built_in.node_type, "config": example.config}]}).to_string();
            let document = Document::parse(SourceText::new("example.json", document), "").unwrap();
            let plan =
                Arc::new(Plan::new(&document, &FakePlugins).unwrap_or_else(|problems| panic!("{what}\n{problems}")));
            let observer = Arc::new(LastAction::default());
            let options = RunOptions { observer: Arc::clone(&observer) as _, ..RunOptions::default() };
            let report = run(&plan, example.input, &options).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(*report.output, example.output, "{what}");
            assert_eq!(*observer.0.lock().unwrap(), example.action.unwrap_or("default"), "{what}");
        }
    }
}

#[test]
fn every_built_in_has_a_description_and_a_schema_of_its_config() {
    for built_in in built_ins() {
        assert!(!built_in.description.is_empty(), "{}", built_in.node_type);
        let schema = (built_in.schema)();
        assert_eq!(schema["type"], "object", "{}", built_in.node_type);
        assert!(jsonschema::meta::is_valid(&schema), "{}", built_in.node_type);
    }
}
