//! `plugin bench`: how fast a plugin's nodes are, one call after the other.

use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use pocket_index::name::NodeType;
use serde_json::json;

use super::{Case, Given, Trial, TrialError};
use crate::home::metrics::Histogram;
use crate::ops::OpsError;

/// 10 calls before the clock starts: the first ones start processes and fill caches.
const WARM_UP_CALLS: u32 = 10;

/// How fast a node is.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The node type.
    pub node: NodeType,
    /// What it was called with.
    pub label: String,
    /// How many calls were made.
    pub calls: u64,
    /// How many of them were made at once; their times below are those of so many together.
    pub batch: NonZeroU16,
    /// The time they took together.
    pub elapsed: Duration,
    /// The very first call.
    pub first: Duration,
    /// How long calls took.
    pub times: Histogram,
    /// The longest one.
    pub longest: Duration,
}

/// Calls each node for `time` with each example, or with what was given; without either, with an empty object. `batch` calls are made
/// at once.
///
/// # Errors
/// There is no such node, nothing to call it with, or a call fails.
pub fn bench(trial: &Trial, given: &Given, time: Duration, batch: NonZeroU16) -> Result<Vec<Measured>, OpsError> {
    let mut cases = trial.cases(given)?;
    if cases.is_empty() {
        cases = trial.cases(&Given { input: Some(json!({})), ..given.clone() })?;
        for case in &mut cases {
            case.label = "an empty input".to_owned();
            let no_examples = |source| TrialError::NoExamples { plugin: trial.name().clone(), source };
            trial.call(case).map_err(no_examples)?;
        }
    }
    cases.iter().map(|case| one(trial, case, time, batch)).collect()
}

fn one(trial: &Trial, case: &Case<'_>, time: Duration, batch: NonZeroU16) -> Result<Measured, OpsError> {
    let call = || {
        let began = Instant::now();
        let failed = |source| TrialError::Call { node: case.node.node_type.clone(), label: case.label.clone(), source };
        match batch.get() {
            1 => drop(trial.call(case).map_err(failed)?),
            calls => trial.call_batch(case, calls).into_iter().try_for_each(|reply| reply.map(drop)).map_err(failed)?,
        }
        Ok::<_, OpsError>(began.elapsed())
    };
    let first = call()?;
    let began = Instant::now();
    for _ in 1..WARM_UP_CALLS {
        // A slow node is not called for longer than was asked for.
        if began.elapsed() < time {
            call()?;
        }
    }
    let (mut times, mut calls, mut longest) = (Histogram::default(), 0, Duration::ZERO);
    let began = Instant::now();
    while calls == 0 || began.elapsed() < time {
        let elapsed = call()?;
        times.count(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX));
        longest = longest.max(elapsed);
        calls += u64::from(batch.get());
    }
    let (node, label) = (case.node.node_type.clone(), case.label.clone());
    Ok(Measured { node, label, calls, batch, elapsed: began.elapsed(), first, times, longest })
}
