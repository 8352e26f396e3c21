//! `plugin profile`: where the time of a workflow's runs went, drawn as a flame graph.
//!
//! Three things are measured and none is guessed: how long each step of the workflow took (the run tells), how long each call of a
//! plugin took (the catalog tells), and where the plugin's code was, once in a millisecond (the engine samples).

mod frame;
mod html;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pocket_index::name::PluginName;
use serde_json::Value;

use super::run::{self, Notice};
use super::{OpsError, Workspace};
use crate::engine::Sampler;
use crate::workflow::{Observer, RunEvent, RunOptions};

pub use frame::{Frame, Part};

/// What is to be measured.
#[derive(Debug, Clone)]
pub struct Profile<'a> {
    /// The plugin that is looked at.
    pub plugin: PluginName,
    /// The workflow that uses it.
    pub workflow: &'a Path,
    /// The runs' input.
    pub input: Value,
    /// How often the workflow runs.
    pub runs: u32,
}

/// What was measured.
#[derive(Debug, Clone)]
pub struct Profiled {
    /// The plugin that is looked at.
    pub plugin: PluginName,
    /// The workflow's name.
    pub workflow: String,
    /// How often it ran.
    pub runs: u32,
    /// All of the runs' time.
    pub root: Frame,
    /// How often the plugin's code was looked at.
    pub samples: u64,
}

impl Profiled {
    /// The flame graph as a page that needs nothing else.
    pub fn html(&self) -> String {
        html::page(self)
    }
}

/// Runs the workflow and measures.
///
/// # Errors
/// The workflow cannot be planned or run, or does not use the plugin.
pub fn profile(workspace: &Workspace, profile: &Profile<'_>, notify: &dyn Fn(Notice)) -> Result<Profiled, OpsError> {
    let sampler = Sampler::default();
    let planned = run::plan_sampled(workspace, profile.workflow, Some((&profile.plugin, &sampler)), notify)?;
    let plan = planned.plan();
    if !plan.nodes.iter().any(|node| node.plugin.as_deref() == Some(profile.plugin.as_str())) {
        let workflow = profile.workflow.to_owned();
        return Err(OpsError::NotUsed { plugin: profile.plugin.clone(), workflow });
    }
    let steps = Arc::new(Steps::default());
    let mut elapsed = Duration::ZERO;
    for _ in 0..profile.runs {
        let began = Instant::now();
        let options = RunOptions { observer: Arc::clone(&steps) as _, ..RunOptions::default() };
        planned.run(Arc::new(profile.input.clone()), options)?;
        elapsed += began.elapsed();
    }
    let measured = frame::Measured {
        workflow: plan.name.clone(),
        plugin: profile.plugin.to_string(),
        elapsed,
        // The time of nodes inside of others is a part of theirs.
        steps: steps.taken().into_iter().filter(|(node, _)| plan.find(node).is_some()).collect(),
        calls: planned.calls(),
        samples: sampler.stacks(),
    };
    Ok(Profiled {
        plugin: profile.plugin.clone(),
        workflow: plan.name.clone(),
        runs: profile.runs,
        samples: measured.samples.values().map(|seen| seen.count).sum(),
        root: measured.frame(),
    })
}

/// How long the steps of a run took, by node.
#[derive(Debug, Default)]
struct Steps(Mutex<BTreeMap<String, (u64, Duration)>>);

impl Steps {
    fn taken(&self) -> BTreeMap<String, (u64, Duration)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Observer for Steps {
    fn see(&self, event: &RunEvent<'_>) {
        if let RunEvent::Finished { node, elapsed, .. } | RunEvent::Failed { node, elapsed, .. } = event {
            let mut steps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let (count, sum) = steps.entry((*node).to_owned()).or_default();
            *count += 1;
            *sum += *elapsed;
        }
    }
}
