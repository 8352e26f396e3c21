//! Templates, parsed and rendered over a little data within a budget.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pocket_fuzz::template::{Budgets, NoSurroundings, Scope, Template};
use serde_json::{Map, Value, json};

/// Small, so that an input that uses them up takes milliseconds.
const BUDGETS: Budgets = Budgets { output_bytes: 1 << 16, steps: 10_000, scratch_bytes: 1 << 20, call_depth: 20 };

fuzz_target!(|data: &[u8]| {
    let Some(text) = pocket_fuzz::text(data) else { return };
    let Ok(template) = Template::parse(text) else { return };
    let dot = json!({"a": [1, 2.5, "x"], "b": {"c": null, "d": true}});
    let scope = Scope {
        dot: &dot,
        variables: &Map::new(),
        input: &Value::Null,
        surroundings: &NoSurroundings,
        budgets: BUDGETS,
    };
    let _ = template.output_references();
    if let Ok(text) = template.render_text(&scope) {
        assert!(text.len() <= 4 * BUDGETS.output_bytes);
    }
    let _ = template.render_value(&scope);
});
