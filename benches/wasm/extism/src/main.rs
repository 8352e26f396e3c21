//! A call of 1 KiB of JSON in Extism: `extism-echo echo.wasm`.

use std::hint::black_box;
use std::time::Instant;

use extism::{Manifest, Plugin, Wasm};
use serde_json::{Value, json};

const ROUNDS: usize = 51;
const CALLS: u32 = 1000;

fn main() {
    let path = std::env::args().nth(1).expect("the plugin's file is given");
    let bytes = std::fs::read(path).expect("the file can be read");
    let mut plugin = Plugin::new(Manifest::new([Wasm::data(bytes)]), [], false).expect("it can be loaded");
    let input = json!({"text": "x".repeat(1000)});
    let text = input.to_string();
    let reply = call(&mut plugin, &text);
    assert_eq!(serde_json::from_str::<Value>(&reply).expect("it is JSON")["output"], input);
    let texts = median(|| drop(black_box(call(&mut plugin, &text))));
    let values = median(|| {
        let reply = call(&mut plugin, &input.to_string());
        black_box(serde_json::from_str::<Value>(&reply).expect("it is JSON"));
    });
    println!("Extism, kept instance: {texts:.2} us, with JSON in and out {values:.2} us");
}

fn call(plugin: &mut Plugin, input: &str) -> String {
    plugin.call("echo", input).expect("it echoes")
}

/// Microseconds of one call.
fn median(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            (0..CALLS).for_each(|_| work());
            began.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}
