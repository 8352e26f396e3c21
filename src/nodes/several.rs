//! What `parallel` and `foreach` have in common: parts of one call that run beside each other, so many at a time.

mod group_size;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};

use super::lineage::{Lineage, Part};
use super::{Node, NodeCall, Outcome, RunView, Stop, failed, is_template};
use crate::engine::{CallContext, CallError, CallErrorKind};
use group_size::GroupSize;

/// How many parts run at once when the node does not say: 8.
pub(super) const DEFAULT_CONCURRENCY: usize = 8;
/// How many parts may run at once: 256. Each takes a thread.
pub(super) const MAX_CONCURRENCY: usize = 256;

/// What the failure of one part does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnFailure {
    /// It fails the node and stops the others.
    FailFast,
    /// Its error stands where its output would.
    Collect,
    /// It is left out.
    Skip,
}

impl OnFailure {
    /// The one of that name.
    pub fn of(word: &str) -> Option<Self> {
        match word {
            "fail_fast" => Some(Self::FailFast),
            "collect" => Some(Self::Collect),
            "skip" => Some(Self::Skip),
            _ => None,
        }
    }
}

/// What the parts of one call share, whatever their threads.
pub(super) struct Several {
    context: CallContext,
    lineage: Lineage,
    /// Given by the first failure that counts, and by whoever stops the run.
    stop: Stop,
    concurrency: usize,
    on_failure: OnFailure,
}

/// Something of the part of that number.
pub(super) type Numbered<T> = (usize, T);

/// What became of a part.
pub(super) type Ended = Result<Outcome, CallError>;

impl Several {
    /// For a call whose config may have `max_concurrency` and `on_failure`.
    pub fn of(call: &NodeCall<'_>, default: OnFailure) -> Self {
        let wanted = call.field("max_concurrency").and_then(Value::as_u64);
        let wanted = wanted.and_then(|wanted| usize::try_from(wanted).ok()).unwrap_or(DEFAULT_CONCURRENCY);
        Self {
            context: call.context.clone(),
            lineage: call.run.lineage(),
            stop: call.run.stop().child(),
            concurrency: wanted.clamp(1, MAX_CONCURRENCY),
            on_failure: call.text("on_failure").and_then(OnFailure::of).unwrap_or(default),
        }
    }

    /// Runs parts 0 to `count`, and gives the outputs of those that have one, in their order, with their numbers.
    ///
    /// # Errors
    /// The first failure and its part, if failures count.
    pub fn run(&self, count: usize, parts: &dyn Parts) -> Result<Vec<Numbered<Arc<Value>>>, Numbered<CallError>> {
        let crew = Crew { next: AtomicUsize::new(0), first_failure: Mutex::default(), ended: Mutex::default() };
        let workers = self.concurrency.min(count);
        if workers <= 1 {
            self.work(count, parts, &crew);
        } else {
            std::thread::scope(|scope| {
                for _ in 0..workers {
                    scope.spawn(|| self.work(count, parts, &crew));
                }
            });
        }
        if let Some(failure) = crew.first_failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(failure);
        }
        let ended = crew.ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        if self.stop.is_stopped() {
            return Err((ended.len().min(count), CallError::new(CallErrorKind::Failed, "the run was stopped")));
        }
        Ok(ended.into_iter().collect())
    }

    /// Takes parts until there are none, or nobody wants them any more.
    fn work(&self, count: usize, parts: &dyn Parts, crew: &Crew) {
        let mut ended = Vec::new();
        let mut size = GroupSize::new(parts.largest_group());
        while !self.stop.is_stopped() {
            let wanted = size.among(count.saturating_sub(crew.next.load(Ordering::Relaxed)), self.concurrency);
            let first = crew.next.fetch_add(wanted, Ordering::Relaxed);
            if first >= count {
                break;
            }
            let began = Instant::now();
            if began >= self.context.deadline {
                self.fail(crew, first, CallError::new(CallErrorKind::Timeout, "the node's time was up"));
                break;
            }
            if wanted == 1 {
                self.take(first, parts.one(first), crew, &mut ended);
            } else {
                let numbers = first..count.min(first + wanted);
                let results = parts.group(numbers.clone());
                numbers.zip(results).for_each(|(number, result)| self.take(number, result, crew, &mut ended));
            }
            size.adapt(began.elapsed());
        }
        crew.ended.lock().unwrap_or_else(PoisonError::into_inner).extend(ended);
    }

    /// Takes in what became of a part.
    fn take(&self, number: usize, result: Ended, crew: &Crew, ended: &mut Vec<Numbered<Arc<Value>>>) {
        match (result, self.on_failure) {
            (Ok(outcome), _) => ended.push((number, outcome.output)),
            (Err(error), OnFailure::Collect) => ended.push((number, Arc::new(described(&error)))),
            (Err(_), OnFailure::Skip) => {}
            (Err(error), OnFailure::FailFast) => self.fail(crew, number, error),
        }
    }

    /// Ends all of it. Those that are stopped by the first failure fail too, and count no more.
    fn fail(&self, crew: &Crew, number: usize, error: CallError) {
        crew.first_failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert((number, error));
        self.stop.stop();
    }

    /// Runs a node as a part of the call.
    pub fn run_part(&self, node: &dyn Node, node_type: &str, part: Part<'_>, input: &Arc<Value>) -> Ended {
        node.run(&self.call(node_type, &PartView { several: self, part }, input))
    }

    /// Runs a node as the parts of these numbers and inputs, at once if it can be.
    pub fn run_parts(&self, node: &dyn Node, node_type: &str, inputs: &[Numbered<Arc<Value>>]) -> Vec<Ended> {
        let views: Vec<PartView<'_>> =
            inputs.iter().map(|(number, _)| PartView { several: self, part: Part::Numbered(*number) }).collect();
        let calls: Vec<NodeCall<'_>> =
            views.iter().zip(inputs).map(|(view, (_, input))| self.call(node_type, view, input)).collect();
        let together = node.run_group(&calls.iter().collect::<Vec<_>>());
        together.unwrap_or_else(|| calls.iter().map(|call| node.run(call)).collect())
    }

    fn call<'a>(&self, node_type: &'a str, run: &'a PartView<'_>, input: &'a Arc<Value>) -> NodeCall<'a> {
        let mut context = self.context.clone();
        if let Part::Named(name) = run.part {
            context.node = format!("{}/{name}", context.node);
        }
        NodeCall { node_type, config: &Value::Null, input, branches: &[], context, run }
    }
}

/// The parts of a call, by their numbers.
pub(super) trait Parts: Sync {
    /// Runs one of them.
    fn one(&self, number: usize) -> Ended;

    /// How many may run at once on one thread.
    fn largest_group(&self) -> usize {
        1
    }

    /// Runs several on one thread, with what became of each.
    fn group(&self, numbers: Range<usize>) -> Vec<Ended> {
        numbers.map(|number| self.one(number)).collect()
    }
}

/// A function runs parts one by one.
impl<F: Fn(usize) -> Ended + Sync> Parts for F {
    fn one(&self, number: usize) -> Ended {
        self(number)
    }
}

/// What the threads of one call share.
struct Crew {
    next: AtomicUsize,
    first_failure: Mutex<Option<(usize, CallError)>>,
    ended: Mutex<BTreeMap<usize, Arc<Value>>>,
}

/// What a part sees of the run.
struct PartView<'a> {
    several: &'a Several,
    part: Part<'a>,
}

impl RunView for PartView<'_> {
    fn render(&self, pointer: &str) -> Result<Value, CallError> {
        Err(failed(format!("`{pointer}` is lazy, which only inline nodes can have")))
    }

    fn is_connected(&self, _action: &str) -> bool {
        false
    }

    fn stop(&self) -> &Stop {
        &self.several.stop
    }

    fn lineage(&self) -> Lineage {
        self.several.lineage.part(self.part)
    }
}

/// A failure where an output would stand.
fn described(error: &CallError) -> Value {
    let mut described = json!({"kind": error.kind.word(), "message": error.message});
    if let Some(details) = &error.details {
        described["details"] = details.clone();
    }
    json!({ "error": described })
}

/// The schema of `on_failure`.
pub(super) fn on_failure_schema() -> Value {
    json!({
        "enum": ["fail_fast", "collect", "skip"],
        "description": "What a failure does: fail the node and stop the others, stand where its output would, or be left out.",
        "x-pocket-template": false
    })
}

/// The schema of `max_concurrency`.
pub(super) fn concurrency_schema() -> Value {
    json!({
        "type": "integer", "minimum": 1, "maximum": MAX_CONCURRENCY, "default": DEFAULT_CONCURRENCY,
        "description": "How many run at once."
    })
}

/// Whether a config field is known only when the workflow runs.
pub(super) fn is_open(field: Option<&Value>) -> bool {
    field.and_then(Value::as_str).is_some_and(is_template)
}
