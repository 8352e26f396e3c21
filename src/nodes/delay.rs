//! `delay`: waits, then passes its input on.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{BuiltIn, ConfigProblem, Example, Node, NodeCall, Outcome, Prepared, Setup, invalid, is_template};
use crate::engine::CallError;
use pocket_index::permissions::parse_duration;

pub(super) static BUILT_IN: BuiltIn = BuiltIn {
    node_type: "delay",
    category: "flow",
    description: "Waits for `duration`, then passes its input on.",
    outputs: "Its input.",
    actions: &[],
    schema,
    examples,
    prepare,
};

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "duration": { "type": ["string", "number"], "description": "Such as `500ms` or `1m30s`; a number is seconds." }
        },
        "required": ["duration"],
        "additionalProperties": false
    })
}

fn examples() -> Vec<Example> {
    vec![Example::new("a short pause", json!({"duration": "1ms"}), json!({"a": 1}), json!({"a": 1}))]
}

fn prepare(setup: &Setup<'_>) -> Result<Prepared, Vec<ConfigProblem>> {
    match setup.config.get("duration") {
        Some(Value::String(text)) if is_template(text) => {}
        Some(value) => {
            length(value).map_err(|message| vec![ConfigProblem::new("/duration", message)])?;
        }
        None => {}
    }
    Ok(Prepared::new(Delay))
}

/// How long to wait; nothing at all is a length too.
fn length(value: &Value) -> Result<Duration, String> {
    match value {
        Value::String(text) => parse_duration(text).map_err(|error| error.to_string()),
        other => Duration::try_from_secs_f64(other.as_f64().unwrap_or(-1.0))
            .map_err(|_| format!("`{other}` is no duration: expected seconds or something like `500ms`")),
    }
}

struct Delay;

impl Node for Delay {
    fn run(&self, call: &NodeCall<'_>) -> Result<Outcome, CallError> {
        let wanted = length(&call.config["duration"]).map_err(invalid)?;
        let left = call.context.deadline.saturating_duration_since(Instant::now());
        call.run.stop().sleep(wanted.min(left));
        if wanted > left {
            call.check_time()?;
        }
        Ok(Outcome::of(call.input.clone()))
    }
}
