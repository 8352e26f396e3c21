//! The calls, and what becomes of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use pocket::engine::{Call, CallContext, CallError, CallErrorKind, Plugin, Reply};
use serde_json::{Value, json};

use crate::chance::Chance;
use crate::plugins::{Kind, Plugins};

/// More than a machine of this kind has processors, so that calls wait for each other.
const CALLERS: u64 = 4;

/// One call in a hundred traps, loops or takes all memory.
const FAULT_ONCE_IN: u64 = 100;

/// One call in a thousand loads its plugin anew first, while others may be calling it.
const RELOAD_ONCE_IN: u64 = 1000;

/// What no call that should end by itself needs, however busy the machine is.
const ENOUGH_TIME: Duration = Duration::from_secs(10);

/// The plugins, each of which is replaced now and then.
pub struct Load {
    plugins: Plugins,
    loaded: [RwLock<Arc<Plugin>>; Kind::ALL.len()],
}

/// How often each thing happened to each kind of plugin.
#[derive(Default)]
pub struct Count(BTreeMap<(usize, &'static str), u64>);

impl Load {
    pub fn new() -> Self {
        let plugins = Plugins::new();
        let loaded = Kind::ALL.map(|kind| RwLock::new(plugins.load(kind)));
        Self { plugins, loaded }
    }

    /// Makes so many calls, from several threads. Each ends as it must, or this panics.
    pub fn run(&self, calls: u64, seed: u64) -> Count {
        let counts = thread::scope(|scope| {
            let start =
                |caller| scope.spawn(move || self.call_often(calls / CALLERS, Chance::new(seed * CALLERS + caller)));
            let callers: Vec<_> = (0..CALLERS).map(start).collect();
            callers.into_iter().map(|caller| caller.join().expect("every call ends as it must")).collect::<Vec<_>>()
        });
        // What the next run finds is fresh.
        (0..Kind::ALL.len()).for_each(|at| self.reload(at));
        counts.into_iter().fold(Count::default(), Count::with)
    }

    fn call_often(&self, calls: u64, mut chance: Chance) -> Count {
        let mut count = Count::default();
        for number in 0..calls {
            let at = usize::try_from(chance.below(Kind::ALL.len() as u64)).expect("it is small");
            if chance.once_in(RELOAD_ONCE_IN) {
                self.reload(at);
                count.add(at, "reloads");
            }
            let node = match (chance.once_in(FAULT_ONCE_IN), chance.below(5)) {
                (true, 0) => "loop",
                (true, 1) => "memory",
                (true, _) => "trap",
                (false, 0) => "fail",
                (false, _) => "echo",
            };
            let time = if node == "loop" { Duration::from_millis(5 + chance.below(25)) } else { ENOUGH_TIME };
            count.add(at, self.call(at, node, number, time));
        }
        count
    }

    /// Loads a plugin in place of another, which lets its calls end and is dropped with the last of them.
    fn reload(&self, at: usize) {
        let fresh = self.plugins.load(Kind::ALL[at]);
        let old = std::mem::replace(&mut *self.loaded[at].write().unwrap_or_else(PoisonError::into_inner), fresh);
        old.unload(Instant::now() + ENOUGH_TIME);
    }

    /// Says how the call ended.
    fn call(&self, at: usize, node: &'static str, number: u64, time: Duration) -> &'static str {
        let plugin = Arc::clone(&self.loaded[at].read().unwrap_or_else(PoisonError::into_inner));
        let input = json!({"number": number, "text": "0123456789abcdef".repeat(32)});
        let context =
            CallContext { run_id: "run".into(), node: "node".into(), attempt: 1, deadline: Instant::now() + time };
        let result = plugin.call(Call { node_type: node, config: &Value::Null, input: &input, context });
        let ending = ending(Kind::ALL[at], node, &input, &result);
        ending.unwrap_or_else(|| {
            let found = result.map(|reply| reply.output).map_err(|error| format!("{}: {error}", error.kind));
            panic!("{:?}: `{node}` ended as {found:?}", Kind::ALL[at])
        })
    }
}

/// How a call ended, if it may end so.
fn ending(kind: Kind, node: &str, input: &Value, result: &Result<Reply, CallError>) -> Option<&'static str> {
    use CallErrorKind::{Crashed, Failed, InvalidInput, OutOfMemory, Timeout};
    let error = match result {
        Ok(reply) => return (node == "echo" && reply.output == *input).then_some("echoes"),
        Err(error) => error,
    };
    match (node, error.kind) {
        // Another thread took the plugin's place after this one had got hold of it.
        (_, CallErrorKind::Load) if error.message.contains("was unloaded") => Some("met while unloading"),
        ("fail", Failed | InvalidInput) => Some("failures"),
        ("trap", Failed) if kind == Kind::Lua => Some("traps"),
        ("trap", Crashed) if kind != Kind::Lua => Some("traps"),
        ("memory", OutOfMemory) => Some("out of memory"),
        ("loop", Timeout) => Some("timeouts"),
        // There is no time to wait until a plugin that died twice in a row may start again.
        ("loop", Crashed) if error.message.contains("is left alone") => Some("left alone"),
        _ => None,
    }
}

impl Count {
    fn add(&mut self, at: usize, what: &'static str) {
        *self.0.entry((at, what)).or_default() += 1;
    }

    fn with(mut self, other: Self) -> Self {
        other.0.into_iter().for_each(|(key, number)| *self.0.entry(key).or_default() += number);
        self
    }

    /// Every kind of plugin met every ending.
    pub fn assert_all_happened(&self) {
        for (at, kind) in Kind::ALL.iter().enumerate() {
            for what in ["echoes", "failures", "traps", "timeouts", "out of memory", "reloads"] {
                assert!(self.0.contains_key(&(at, what)), "{kind:?}: no {what}");
            }
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, kind) in Kind::ALL.iter().enumerate() {
            let own = self.0.iter().filter(|((of, _), _)| *of == at);
            let parts: Vec<String> = own.map(|((_, what), number)| format!("{number} {what}")).collect();
            writeln!(f, "{kind:?}: {}", parts.join(", "))?;
        }
        Ok(())
    }
}
