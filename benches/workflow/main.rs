//! Steps of workflows inside of the engine: `cargo bench --bench workflow`.
//!
//! Time is the processor's, of the thread that drives the run; memory is what the process has resident. Every figure is the
//! median of several runs; where there is a floor, both are measured in turns.

mod floor;
mod measure;

use std::sync::Arc;
use std::time::Duration;

use measure::{Usage, median, resident};
use pocket::nodes::Stop;
use pocket::workflow::journal::{Header, Ledger, Veil, now};
use pocket::workflow::{Document, NoPlugins, Plan, RunOptions, SourceText, run};
use serde_json::{Value, json};

const TURNS: usize = 5;

fn main() {
    steps();
    long_loop();
    plan_and_run();
    items();
    journaled();
    printed();
    concurrent();
}

fn plan(text: &str) -> Arc<Plan> {
    let document = Document::parse(SourceText::new("bench.yaml", text), "").expect("the workflow is YAML");
    Arc::new(Plan::new(&document, &NoPlugins).unwrap_or_else(|problems| panic!("{problems}")))
}

/// A node that goes on for so many steps.
fn looping(node: Value, steps: u64) -> Arc<Plan> {
    let mut node = node;
    node["name"] = json!("again");
    let text = json!({"nodes": [node], "connections": [{"from": "again", "to": "again"}], "max_steps": steps});
    plan(&text.to_string())
}

/// Runs until `max_steps` ends it.
fn spin(plan: &Arc<Plan>, input: &Value) -> Duration {
    let usage = Usage::now();
    let ended = run(plan, input.clone(), &RunOptions::default());
    assert!(ended.is_err(), "a loop has no end of its own");
    usage.spent()
}

fn steps() {
    let nodes = [
        ("echo that passes on", json!({"type": "echo"})),
        ("echo with a template", json!({"type": "echo", "config": {"value": {"n": "{{add .n 1}}"}}})),
        ("conditional", json!({"type": "router", "config": {"route": "default"}})),
        ("transform", json!({"type": "transform", "config": {"jq": "{n: (.n + 1)}"}})),
    ];
    for (name, node) in nodes {
        let steps = 200_000;
        let plan = looping(node, steps);
        let time = median(TURNS, || spin(&plan, &json!({"n": 1})));
        println!(
            "steps, {name}: {:.0} a second, {} ns each",
            per_second(steps, time),
            time.as_nanos() / u128::from(steps)
        );
    }
}

fn long_loop() {
    let mut grown = Vec::new();
    for steps in [10_000, 1_000_000] {
        let plan = looping(json!({"type": "echo", "config": {"value": {"n": "{{add .n 1}}"}}}), steps);
        let before = resident();
        let time = spin(&plan, &json!({"n": 1}));
        grown.push(resident().saturating_sub(before));
        println!(
            "a loop of {steps} steps: {:.2} s, {} KiB more resident",
            time.as_secs_f64(),
            grown[grown.len() - 1] >> 10
        );
    }
}

fn plan_and_run() {
    let nodes: Vec<Value> = (0..10_000)
        .map(|index| json!({"name": format!("n{index}"), "type": "echo", "config": {"message": format!("node {index}")}}))
        .collect();
    let text = json!({ "nodes": nodes }).to_string();
    let before = resident();
    let planned = median(TURNS, || {
        let usage = Usage::now();
        drop(plan(&text));
        usage.spent()
    });
    let plan = plan(&text);
    let memory = resident().saturating_sub(before);
    let ran = median(TURNS, || {
        let usage = Usage::now();
        run(&plan, json!({}), &RunOptions::default()).expect("echo does not fail");
        usage.spent()
    });
    println!("10,000 echo nodes: planned in {:.1} ms, run in {:.1} ms, {} MiB", ms(planned), ms(ran), memory >> 20);
}

fn items() {
    let items: Vec<Value> =
        (0..100_000).map(|n| json!({"id": n, "name": format!("item {n}"), "on": n % 2 == 0})).collect();
    let input = json!({ "items": items });
    let nodes = [
        ("template", json!({"type": "template", "config": {"template": "{{range .items}}{{.id}}:{{.name}};{{end}}"}})),
        ("jsonpath", json!({"type": "jsonpath", "config": {"path": "$.items[?@.on].id"}})),
        (
            "validate",
            json!({"type": "validate", "config": {"schema": {"properties": {"items": {"items": {"required": ["id"]}}}}}}),
        ),
        (
            "foreach of one echo",
            json!({"type": "foreach", "config": {"items": "{{.items}}", "body": {"type": "echo"}, "max_concurrency": 1}}),
        ),
    ];
    for (name, node) in nodes {
        let mut node = node;
        node["name"] = json!("n");
        let plan = plan(&json!({ "nodes": [node] }).to_string());
        let time = median(TURNS, || {
            let usage = Usage::of_process();
            run(&plan, input.clone(), &RunOptions::default()).expect("it runs");
            usage.spent()
        });
        println!("100,000 items, {name}: {:.0} ms", ms(time));
    }
}

fn journaled() {
    let folder =
        tempfile::tempdir_in(std::env::var("BENCH_FOLDER").unwrap_or_else(|_| ".".to_owned())).expect("a folder");
    let steps = 100_000;
    let plan = looping(json!({"type": "echo", "config": {"value": {"n": "{{add .n 1}}"}}}), steps);
    let mut round = 0;
    let mut ratios = Vec::new();
    for _ in 0..TURNS {
        let began = std::time::Instant::now();
        run(&plan, json!({"n": 1}), &RunOptions::default()).expect_err("a loop has no end of its own");
        let without = began.elapsed();
        round += 1;
        let header = header(format!("bench{round}"), &plan);
        let began = std::time::Instant::now();
        let ledger = Ledger::create(folder.path(), header, &Veil::default()).expect("a journal");
        let options = RunOptions { journal: Some(ledger), ..RunOptions::default() };
        run(&plan, json!({"n": 1}), &options).expect_err("a loop has no end of its own");
        drop(options);
        ratios.push((began.elapsed(), without));
    }
    ratios.sort();
    let (with, without) = ratios[TURNS / 2];
    println!(
        "journaled steps: {:.0} a second, {:.0} without, on the clock",
        per_second(steps, with),
        per_second(steps, without)
    );
    let syncs = floor::syncs(folder.path());
    println!("floor: {syncs:.0} times a second 100 bytes are brought to this disk alone");
}

fn header(run: String, plan: &Plan) -> Header {
    Header {
        run,
        workflow: plan.name.clone(),
        path: "bench.yaml".into(),
        document: plan.digest,
        plugins: Default::default(),
        began: now(),
        input: json!({"n": 1}),
        repeats: None,
        mark: "bench".to_owned(),
    }
}

/// Printing a result takes as long as it is large, however it nests.
fn printed() {
    for depth in [25, 50, 100] {
        let mut value = json!(1);
        for _ in 0..depth {
            value = json!({ "inner": value, "beside": vec!["text"; 1_000] });
        }
        let mut bytes = 0;
        let time = median(TURNS, || {
            let usage = Usage::now();
            bytes = serde_json::to_string_pretty(&value).expect("it has text keys").len();
            usage.spent()
        });
        println!(
            "a result {depth} deep: {} KiB in {:.2} ms, {:.1} ns a byte",
            bytes >> 10,
            ms(time),
            time.as_nanos() as f64 / bytes as f64
        );
    }
}

fn concurrent() {
    let runs = 1_000;
    let plan = plan(
        r#"{"nodes": [{"name": "a", "type": "echo"}, {"name": "b", "type": "delay", "config": {"duration": "1h"}}]}"#,
    );
    let stop = Stop::default();
    let before = resident();
    let threads: Vec<_> = (0..runs)
        .map(|_| {
            let (plan, stop) = (Arc::clone(&plan), stop.clone());
            std::thread::spawn(move || {
                run(&plan, json!({"n": 1}), &RunOptions { stop, ..RunOptions::default() }).is_err()
            })
        })
        .collect();
    std::thread::sleep(Duration::from_secs(2));
    let each = resident().saturating_sub(before) / runs;
    stop.stop();
    assert!(threads.into_iter().all(|thread| thread.join().expect("a run does not panic")));
    println!("1,000 runs at once, each waiting in a node: {} KiB a run", each >> 10);
}

fn per_second(steps: u64, time: Duration) -> f64 {
    steps as f64 / time.as_secs_f64()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
