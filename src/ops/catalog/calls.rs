//! Calls of a plugin's nodes by workflows, each of which is told and counted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::lazy::{LazyPlugin, Looking};
use crate::engine::{Asked, Call, CallContext, CallError, Reply};
use crate::nodes::{Node, NodeCall, Outcome};
use crate::ops::metrics::Ended;
use crate::ops::settings::Settings;
use crate::ops::trace;

/// A node type of a plugin that is loaded when it is needed.
pub(super) struct LazyNode {
    pub(super) plugin: Arc<LazyPlugin>,
    pub(super) effect: Effect,
}

/// Whether a call may do something that can be seen elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It computes: the manifest says `pure`.
    None,
    Possible,
}

impl Node for LazyNode {
    fn run(&self, call: &NodeCall<'_>) -> Result<Outcome, CallError> {
        self.plugin.call(call).map(Outcome::from)
    }

    // What ends a crossing says nothing of each call in it, so that they are made once more, one by one. Calls after one that
    // failed would have to be taken back. Both need calls that leave no trace.
    fn is_groupable(&self) -> bool {
        self.effect == Effect::None && self.plugin.takes_several()
    }

    fn run_group(&self, calls: &[&NodeCall<'_>]) -> Option<Vec<Result<Outcome, CallError>>> {
        let replies = self.plugin.call_at_once(calls)?;
        Some(replies.into_iter().map(|reply| reply.map(Outcome::from)).collect())
    }
}

impl LazyPlugin {
    fn call(&self, call: &NodeCall<'_>) -> Result<Reply, CallError> {
        let plugin = self.load()?;
        let name = self.manifest.name.as_str();
        let node = call.context.node.as_str();
        let span = tracing::debug_span!(target: trace::TARGET, "call", plugin = name, node);
        let _entered = span.enter();
        let secrets = self.traced_secrets();
        trace::called(call, &secrets);
        // A process that is started by this call had no time before it.
        let before = match self.looking {
            Looking::AtEachCall => Some(plugin.usage().processor.unwrap_or_default()),
            Looking::NotAtAll => None,
        };
        let began = Instant::now();
        let result = plugin.call(Call {
            node_type: call.node_type,
            config: call.config,
            input: call.input,
            context: call.context.clone(),
        });
        let elapsed = began.elapsed();
        let processor = before.and_then(|before| plugin.usage().processor?.checked_sub(before));
        self.returned(call, &result, (elapsed, processor), &secrets);
        result
    }

    /// Tells and counts what came of a call that took so long, and so much processor time if that is known.
    fn returned(
        &self,
        call: &NodeCall<'_>,
        result: &Result<Reply, CallError>,
        (elapsed, processor): (Duration, Option<Duration>),
        secrets: &trace::Secrets,
    ) {
        trace::returned(result, elapsed, secrets);
        self.recorder.saw(Ended {
            plugin: self.manifest.name.as_str(),
            node_type: call.node_type,
            node: call.context.node.as_str(),
            elapsed,
            processor,
            error: result.as_ref().err().map(|error| error.kind),
        });
    }

    /// What traces of calls do not show.
    fn traced_secrets(&self) -> trace::Secrets {
        trace::Secrets::of(&self.manifest, self.settings.get().map(Settings::values).as_ref())
    }

    /// Whether several calls may cross at once. Where the time of each is looked at, they cross one by one.
    fn takes_several(&self) -> bool {
        self.looking == Looking::NotAtAll && matches!(self.loaded.get(), Some(Ok(plugin)) if plugin.takes_several())
    }

    /// Makes calls of one node in one crossing, each of which is told and counted with its share of the time. None if the crossing gave
    /// no result for each.
    fn call_at_once(&self, calls: &[&NodeCall<'_>]) -> Option<Vec<Result<Reply, CallError>>> {
        let [first, ..] = calls else { return Some(Vec::new()) };
        let plugin = self.load().ok()?;
        let deadline = calls.iter().map(|call| call.context.deadline).min()?;
        let asked: Vec<Asked<'_>> =
            calls.iter().map(|call| Asked { config: call.config, input: call.input.as_ref() }).collect();
        let name = self.manifest.name.as_str();
        let node = first.context.node.as_str();
        let span = tracing::debug_span!(target: trace::TARGET, "call", plugin = name, node);
        let _entered = span.enter();
        let began = Instant::now();
        let context = CallContext { deadline, ..first.context.clone() };
        let results = plugin.call_at_once(first.node_type, &asked, context)?;
        let elapsed = began.elapsed() / u32::try_from(calls.len()).unwrap_or(u32::MAX);
        let secrets = self.traced_secrets();
        for (call, result) in calls.iter().zip(&results) {
            trace::called(call, &secrets);
            self.returned(call, result, (elapsed, None), &secrets);
        }
        Some(results)
    }
}
