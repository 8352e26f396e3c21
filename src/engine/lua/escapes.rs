//! Hostile scripts, one a file in `fixtures/lua/escapes`, each with what must become of it in its first line:
//!
//! ```lua
//! -- expect: timeout
//! -- attack: catches the end of its time
//! ```
//!
//! An expectation is `returns JSON`, or an error's kind and perhaps a part of its message: `failed nested deeper`. After each
//! attack the same script object must serve a harmless call in which everything is as it was.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use pocket_index::permissions::Permissions;
use serde_json::{Value, json};

use super::capabilities::Capabilities;
use super::*;
use crate::engine::log::PluginLog;
use crate::engine::testing;

/// What the harmless call returns: built-in functions do what they did, and nothing was left behind.
const PROBE: &str = "if input == 'probe' then return {('a'):upper(), string.upper('b'), #('x'):rep(3), math.max(1, 2), \
    leaked == nil and string.leaked == nil and http.leaked == nil and ({}).leaked == nil and (json_object()).leaked == nil, \
    json_encode({json_array(), json_object()}), type(http.get), tostring(json_decode('9007199254740993'))} end ";

fn probed() -> Value {
    json!(["A", "B", 3, 2, true, "[[],{}]", "function", "9007199254740993"])
}

struct Attack {
    name: String,
    source: String,
    expected: String,
}

impl Attack {
    fn read(path: &Path) -> Self {
        let name = path.file_stem().expect("it is a file").to_string_lossy().into_owned();
        let source = std::fs::read_to_string(path).expect("it can be read");
        let expected = source.strip_prefix("-- expect: ").and_then(|rest| rest.lines().next());
        let expected = expected.unwrap_or_else(|| panic!("`{name}` does not say what it expects")).to_owned();
        Self { name, source, expected }
    }

    /// What went wrong, if anything did.
    fn run(&self) -> Option<String> {
        let limits = testing::small_limits();
        let source = format!("{PROBE}{}", self.source);
        let script = match Script::compile(&self.name, &source, limits) {
            Ok(script) => script.with_log(PluginLog::new(|_| {}).limited("hostile", limits)),
            Err(error) => return Some(format!("`{}` does not compile: {error}", self.name)),
        };
        let script = script.with_capabilities(Capabilities::new(&testing::border(limits, &Permissions::default())));
        // Other limits than time must be reached however busy the machine is.
        let time = if self.expected == "timeout" { limits.timeout } else { Duration::from_secs(60) };
        let found = script.run(&Value::Null, &[], Instant::now() + time);
        if !fits(&self.expected, &found) {
            return Some(format!("`{}`: expected {}, found {found:?}", self.name, self.expected));
        }
        match script.run(&json!("probe"), &[], Instant::now() + Duration::from_secs(60)) {
            Ok(reply) if reply.output == probed() => None,
            other => Some(format!("`{}` left something behind: {other:?}", self.name)),
        }
    }
}

fn fits(expected: &str, found: &Result<Reply, CallError>) -> bool {
    let (word, rest) = expected.split_once(' ').unwrap_or((expected, ""));
    match found {
        Ok(reply) => word == "returns" && serde_json::from_str::<Value>(rest).is_ok_and(|value| value == reply.output),
        Err(error) => word == error.kind.word() && error.message.contains(rest) && error.message.len() < 20_000,
    }
}

#[test]
fn no_script_escapes_its_limits_its_state_or_its_permissions() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/lua/escapes");
    let paths =
        std::fs::read_dir(&folder).expect("the folder is there").map(|entry| entry.expect("it can be read").path());
    let paths: Vec<PathBuf> = paths.collect();
    assert!(paths.len() >= 150, "only {} attacks are there", paths.len());
    let waiting = Mutex::new(paths.into_iter());
    let wrong = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let Some(path) = waiting.lock().expect("no thread panics here").next() else { break };
                    wrong.lock().expect("no thread panics here").extend(Attack::read(&path).run());
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no thread panics here");
    assert!(wrong.is_empty(), "{} attacks ended otherwise:\n{}", wrong.len(), wrong.join("\n"));
}
