//! Items of a `foreach` that are handed to a plugin together: nothing but the time may tell.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use pocket_index::digest::Digest;
use serde_json::{Value, json};

use crate::engine::{CallError, CallErrorKind};
use crate::nodes::{Node, NodeCall, Outcome, failed};
use crate::workflow::journal::{Header, Ledger, Veil};
use crate::workflow::{
    Document, Found, NodeCatalog, Observer, Plan, PluginNode, Problems, RunError, RunEvent, RunOptions, SourceText,
};

/// Whether the plugin takes several calls at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Several,
    One,
}

/// What became of the calls of a plugin's node.
#[derive(Default)]
struct Seen {
    groups: Vec<usize>,
    /// How often it was called for each item.
    calls: BTreeMap<String, usize>,
    /// Items that fail; those in [`Square::poison`] end a crossing.
    bad: BTreeSet<i64>,
}

/// Gives the square of `config.n`.
#[derive(Clone)]
struct Square {
    takes: Takes,
    poison: Option<i64>,
    input_schema: Option<Value>,
    seen: Arc<Mutex<Seen>>,
}

impl Square {
    fn new(takes: Takes) -> Self {
        Self { takes, poison: None, input_schema: None, seen: Arc::default() }
    }

    fn bad(self, items: impl IntoIterator<Item = i64>) -> Self {
        self.seen.lock().unwrap().bad.extend(items);
        self
    }

    fn call(&self, call: &NodeCall<'_>) -> Result<Outcome, CallError> {
        let n = call.config["n"].as_i64().ok_or_else(|| failed("no number"))?;
        let mut seen = self.seen.lock().unwrap();
        *seen.calls.entry(n.to_string()).or_default() += 1;
        if self.poison == Some(n) {
            return Err(CallError::new(CallErrorKind::Crashed, "it is gone"));
        }
        if seen.bad.contains(&n) { Err(failed(format!("bad {n}"))) } else { Ok(Outcome::of(json!(n * n))) }
    }
}

impl Node for Square {
    fn run(&self, call: &NodeCall<'_>) -> Result<Outcome, CallError> {
        self.call(call)
    }

    fn is_groupable(&self) -> bool {
        self.takes == Takes::Several
    }

    fn run_group(&self, calls: &[&NodeCall<'_>]) -> Option<Vec<Result<Outcome, CallError>>> {
        self.seen.lock().unwrap().groups.push(calls.len());
        let poisoned = calls.iter().any(|call| call.config["n"].as_i64() == self.poison && self.poison.is_some());
        (!poisoned).then(|| calls.iter().map(|call| self.call(call)).collect())
    }
}

impl NodeCatalog for Square {
    fn find(&self, node_type: &str) -> Found {
        Found::Plugin(PluginNode {
            plugin: "numbers".to_owned(),
            node_type: node_type.to_owned(),
            description: String::new(),
            schema: None,
            input_schema: self.input_schema.clone(),
            output_schema: None,
            permissions: Vec::new(),
            node: Arc::new(self.clone()),
        })
    }

    fn names(&self) -> Vec<String> {
        vec!["square".to_owned()]
    }

    fn provider_hint(&self, _node_type: &str) -> Option<String> {
        None
    }

    fn inside<'b>(&'b self, _document: &Document) -> Result<Box<dyn NodeCatalog + 'b>, Problems> {
        Ok(Box::new(self.clone()))
    }
}

/// What each node did, by its path.
#[derive(Default)]
struct Events(Mutex<BTreeMap<String, Vec<String>>>);

impl Observer for Events {
    fn see(&self, event: &RunEvent<'_>) {
        let (node, what) = match event {
            RunEvent::Started { node, input, .. } => (*node, format!("started with {input}")),
            RunEvent::Finished { node, output, .. } => (*node, format!("finished with {output}")),
            RunEvent::Failed { node, error, .. } => (*node, format!("failed: {error}")),
            RunEvent::Recovered { node, output } => (*node, format!("recovered with {output}")),
            _ => return,
        };
        self.0.lock().unwrap().entry(node.to_owned()).or_default().push(what);
    }
}

fn plan(catalog: &Square, on_failure: &str, body: &str) -> Arc<Plan> {
    let text = format!(
        "nodes: [{{name: each, type: foreach, config: {{max_concurrency: 2, on_failure: {on_failure}, body: {body}}}}}]"
    );
    let document = Document::parse(SourceText::new("w.yaml", text), "").unwrap();
    Arc::new(Plan::new(&document, catalog).unwrap_or_else(|problems| panic!("{problems}")))
}

/// The result of a run over these items, and what each node did.
fn run(
    catalog: &Square,
    on_failure: &str,
    body: &str,
    items: Value,
) -> (Result<Value, RunError>, BTreeMap<String, Vec<String>>) {
    let events = Arc::new(Events::default());
    let options = RunOptions { observer: Arc::clone(&events) as _, ..RunOptions::default() };
    let result = crate::workflow::run(&plan(catalog, on_failure, body), items, &options);
    let events = std::mem::take(&mut *events.0.lock().unwrap());
    (result.map(|report| Value::clone(&report.output)), events)
}

fn numbers(count: i64) -> Value {
    (0..count).collect()
}

const SQUARE: &str = "{type: square, config: {n: '{{.item}}'}}";

#[test]
fn items_that_are_handed_over_together_end_as_they_would_alone() {
    let bodies = [
        SQUARE.to_owned(),
        "{type: square, config: {n: '{{.item}}'}, fallback: {value: saved}}".to_owned(),
        format!(
            "[{SQUARE}, {{name: say, type: echo, config: {{message: '{{{{.index}}}}: {{{{.}}}} of {{{{.item}}}}'}}}}]"
        ),
        // An item whose config cannot be rendered is not called at all.
        "{type: square, config: {n: '{{index (fromJson \"[0,1,2,3,4,5,6,7,8,9]\") (mod .item 11)}}'}}".to_owned(),
    ];
    for body in &bodies {
        for on_failure in ["collect", "skip"] {
            let square = |takes| Square { input_schema: Some(schema()), ..Square::new(takes).bad([3, 4, 77, 500]) };
            let (together, alone) = (square(Takes::Several), square(Takes::One));
            let items = numbers(600);
            let (results, events) = run(&together, on_failure, body, items.clone());
            assert_eq!((results.unwrap(), events), unwrapped(run(&alone, on_failure, body, items)), "{body}");
            let groups = &together.seen.lock().unwrap().groups;
            assert!(groups.iter().any(|size| *size > 1), "{groups:?}");
            assert!(groups.iter().all(|size| *size <= 64), "{groups:?}");
            assert!(alone.seen.lock().unwrap().groups.is_empty());
        }
    }
}

/// Refuses the item 9.
fn schema() -> Value {
    json!({"properties": {"item": {"not": {"const": 9}}}})
}

fn unwrapped<T>((result, events): (Result<Value, RunError>, T)) -> (Value, T) {
    (result.unwrap(), events)
}

#[test]
fn what_ends_a_crossing_ends_one_item() {
    let square = Square { poison: Some(50), ..Square::new(Takes::Several) };
    let (results, _) = run(&square, "collect", SQUARE, numbers(200));
    let results = results.unwrap();
    let errors: Vec<usize> = (0..200).filter(|index| results[*index].get("error").is_some()).collect();
    assert_eq!(errors, [50]);
    assert_eq!(results[50]["error"], json!({"kind": "crashed", "message": "it is gone"}));
    assert_eq!(results[199], json!(199 * 199));
}

#[test]
fn the_first_item_of_a_group_that_fails_fails_the_node() {
    let square = Square::new(Takes::Several).bad(100..200);
    let (result, _) = run(&square, "fail_fast", SQUARE, numbers(200));
    let message = result.unwrap_err().to_string();
    let item = message.strip_prefix("node `each`: item ").and_then(|rest| rest.split_once(": bad "));
    let (index, bad) = item.unwrap_or_else(|| panic!("{message}"));
    assert_eq!(index, bad);
}

#[test]
fn what_needs_calls_of_its_own_is_not_handed_over_together() {
    let alone = [
        "{type: square, timeout: 5s, config: {n: '{{.item}}'}}",
        "{type: square, retry: {max_attempts: 2, delay: 1ms}, config: {n: '{{.item}}'}}",
        "[{type: square, config: {n: '{{.item}}'}}, {type: square, config: {n: '{{.}}'}}]",
        "[{type: square, config: {n: '{{.item}}'}}, {type: delay, config: {duration: 1us}}]",
        "[{type: echo, config: {message: '{{.item}}'}}, {type: square, config: {n: '{{.}}'}}]",
    ];
    for body in alone {
        let square = Square::new(Takes::Several);
        run(&square, "fail_fast", body, numbers(100)).0.unwrap();
        assert_eq!(square.seen.lock().unwrap().groups, Vec::<usize>::new(), "{body}");
    }
}

#[test]
fn no_item_whose_end_was_recorded_is_called_again_when_a_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let square = Square::new(Takes::Several).bad([150]);
    let header = Header {
        run: "r".to_owned(),
        workflow: "w".to_owned(),
        path: "/w.yaml".into(),
        document: Digest::of(b"w"),
        plugins: BTreeMap::new(),
        began: 1,
        input: numbers(300),
        repeats: None,
        mark: "0123abcd".to_owned(),
    };
    let ledger = Ledger::create(folder.path(), header, &Veil::default()).unwrap();
    let path = ledger.path().to_owned();
    let plan = plan(&square, "fail_fast", SQUARE);
    let go = |ledger: Ledger| {
        let options = RunOptions { journal: Some(ledger), ..RunOptions::default() };
        crate::workflow::run(&plan, numbers(300), &options)
    };
    go(ledger).unwrap_err();
    square.seen.lock().unwrap().bad.clear();
    let report = go(Ledger::resume(&path, &Veil::default()).unwrap()).unwrap();
    assert_eq!(report.output[299], json!(299 * 299));
    let seen = square.seen.lock().unwrap();
    assert!(seen.groups.iter().any(|size| *size > 1), "{:?}", seen.groups);
    let repeated: Vec<&String> = seen.calls.iter().filter(|(_, calls)| **calls > 1).map(|(item, _)| item).collect();
    assert_eq!(repeated, ["150"]);
}
