//! Work that may explode: a jq program, a JSONPath or a schema can ask for more time and memory than there is, and nothing in
//! their libraries counts along. What is plainly harmless runs where it stands; everything else runs in a process of its own, with
//! limits that the system keeps, and is killed when its time is up.

mod process;
mod worker;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};

use super::{Node, NodeCall, Outcome, Placement, Prepared, Setup, failed};
use crate::engine::{CallError, CallErrorKind, Limits};
use process::{Broken, Process};

pub use worker::run_worker;

/// How deep a program, path or schema may nest. Their parsers are recursive.
pub(super) const MAX_NESTING: usize = 64;
/// How deep the stack is on which they are read: 64 MiB. Memory is taken only where it is touched.
const STACK: usize = 64 << 20;
/// Processes that are kept between calls of one node.
const MAX_IDLE: usize = 4;

/// What a node does with its input and nothing else: no clock, no run, no network.
pub(super) trait Work: Send + Sync + 'static {
    /// Does it once.
    fn work(&self, ask: &Ask<'_>) -> Result<Outcome, CallError>;
}

/// What work is done with.
pub(super) struct Ask<'a> {
    /// The node's config, rendered.
    pub(super) config: &'a Value,
    /// Its input.
    pub(super) input: &'a Arc<Value>,
    /// Which actions lead somewhere.
    pub(super) is_connected: &'a dyn Fn(&str) -> bool,
    /// Fails when nobody waits any more.
    pub(super) check_time: &'a dyn Fn() -> Result<(), CallError>,
}

impl Ask<'_> {
    /// A config field.
    pub(super) fn field(&self, key: &str) -> Option<&Value> {
        self.config.get(key).filter(|value| !value.is_null())
    }

    /// A config field that is text.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.field(key).and_then(Value::as_str)
    }
}

/// How much work may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ease {
    /// A small multiple of its input, whatever that is.
    Calm,
    /// Nobody knows.
    Wild,
}

/// A node of some work. `actions` are those that it may take when they lead somewhere.
pub(super) fn prepared(
    node_type: &'static str,
    actions: &'static [&'static str],
    setup: &Setup<'_>,
    work: impl Work,
    ease: Ease,
) -> Prepared {
    match (ease, setup.host.worker()) {
        (Ease::Wild, Some(program)) => {
            let job = json!({"node_type": node_type, "config": setup.config}).to_string().into_bytes();
            Prepared::new(Confined { node_type, actions, program, job, idle: Mutex::default() })
        }
        (Ease::Wild, None) => Prepared::new(InPlace { work, placement: Placement::Blocking }),
        (Ease::Calm, _) => Prepared::new(InPlace { work, placement: Placement::Inline }),
    }
}

/// Runs `read` where recursion is no danger.
pub(super) fn on_a_deep_stack<T: Send>(read: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, read);
        match thread.expect("a thread can be started").join() {
            Ok(value) => value,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// How deep brackets nest in a text, those in quotes counted too: too deep is an error either way.
pub(super) fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

struct InPlace<W> {
    work: W,
    placement: Placement,
}

impl<W: Work> Node for InPlace<W> {
    fn run(&self, call: &NodeCall<'_>) -> Result<Outcome, CallError> {
        self.work.work(&Ask {
            config: call.config,
            input: call.input,
            is_connected: &|action| call.run.is_connected(action),
            check_time: &|| call.check_time(),
        })
    }

    fn placement(&self) -> Placement {
        self.placement
    }
}

/// Work in processes of its own.
struct Confined {
    node_type: &'static str,
    actions: &'static [&'static str],
    program: PathBuf,
    /// What a fresh process is told first.
    job: Vec<u8>,
    idle: Mutex<Vec<Process>>,
}

impl Node for Confined {
    fn run(&self, call: &NodeCall<'_>) -> Result<Outcome, CallError> {
        let connected: Vec<&str> =
            self.actions.iter().copied().filter(|action| call.run.is_connected(action)).collect();
        let request = json!({"config": call.config, "input": **call.input, "connected": connected}).to_string();
        let limit = Limits::default().timeout;
        let deadline = call.context.deadline.min(Instant::now() + limit);
        let mut process =
            self.take().map_err(|error| failed(format!("cannot start a process for `{}`: {error}", self.node_type)))?;
        match process.ask(request.as_bytes(), deadline, call.run.stop()) {
            Ok(reply) => {
                self.keep(process);
                worker::understood(&reply)
            }
            Err(Broken::TooLate) => {
                call.check_time()?;
                Err(CallError::timeout(self.node_type, limit))
            }
            Err(Broken::Died) => Err(self.death(process)),
        }
    }
}

impl Confined {
    fn take(&self) -> std::io::Result<Process> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| Process::start(&self.program, &self.job), Ok)
    }

    fn keep(&self, process: Process) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push(process);
        }
    }

    fn death(&self, process: Process) -> CallError {
        let (status, last_words) = process.end();
        if ["memory allocation of", "capacity overflow"].iter().any(|words| last_words.contains(words)) {
            return CallError::out_of_memory(self.node_type, worker::MEMORY);
        }
        if last_words.contains("overflowed its stack") {
            return failed(format!(
                "`{}` goes too deep: its calls nest without an end, or its values do",
                self.node_type
            ));
        }
        let last = last_words.lines().next_back().map(|line| format!(": {line}")).unwrap_or_default();
        CallError::new(CallErrorKind::Crashed, format!("the process of `{}` ended with {status}{last}", self.node_type))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_counted_over_all_brackets() {
        assert_eq!([nesting("a"), nesting("([{}])()"), nesting("))(")], [0, 3, 1]);
    }

    #[test]
    fn what_is_read_on_a_deep_stack_comes_back() {
        fn down(levels: usize) -> usize {
            let room = std::hint::black_box([levels; 64]);
            if levels == 0 { 0 } else { down(levels - 1) + room.len() / 64 }
        }
        assert_eq!(on_a_deep_stack(|| down(30_000)), 30_000);
    }
}
