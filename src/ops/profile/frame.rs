//! From measurements to a tree whose parts add up.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::engine::sampler::Seen;
use crate::ops::metrics::NodeCalls;

/// A part of a run's time, and what it consists of.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// What it is.
    pub label: String,
    /// Whose time it is.
    pub part: Part,
    /// How long it took, its children included.
    pub time: Duration,
    /// How often it happened; of sampled code, how often it was seen.
    pub count: u64,
    /// What it consists of, the longest first. Where they do not add up to all of it, the rest is its own.
    pub children: Vec<Self>,
}

impl Frame {
    /// Whether functions in it have numbers instead of names.
    pub(super) fn has_nameless(&self) -> bool {
        let number = self.label.strip_prefix("function ").filter(|_| self.part == Part::Guest);
        let is_nameless = number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
        is_nameless || self.children.iter().any(Self::has_nameless)
    }
}

/// Whose time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Pocket: planning steps, rendering templates, built-in nodes.
    Engine,
    /// Other plugins.
    Others,
    /// The way to the plugin and back: values as texts, waiting for its process.
    Transport,
    /// The plugin's own code.
    Guest,
}

impl Part {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Others => "others",
            Self::Transport => "transport",
            Self::Guest => "guest",
        }
    }
}

/// Everything that was measured.
pub struct Measured {
    /// The workflow's name.
    pub workflow: String,
    /// The plugin that is looked at.
    pub plugin: String,
    /// All runs together.
    pub elapsed: Duration,
    /// By node of the workflow: how often and how long.
    pub steps: BTreeMap<String, (u64, Duration)>,
    /// By node of the workflow: the calls of plugins.
    pub calls: BTreeMap<String, NodeCalls>,
    /// Where the plugin's code was: stacks from the outermost function inwards, and how often they were seen.
    pub samples: BTreeMap<Vec<String>, Seen>,
}

impl Measured {
    /// The tree.
    pub fn frame(&self) -> Frame {
        let mut children: Vec<Frame> = self.steps.iter().map(|(name, step)| self.step(name, *step)).collect();
        sort(&mut children);
        // Steps side by side take more time together than the clock shows.
        let together: Duration = children.iter().map(|child| child.time).sum();
        let time = self.elapsed.max(together);
        Frame { label: format!("workflow `{}`", self.workflow), part: Part::Engine, time, count: 1, children }
    }

    fn step(&self, name: &str, (count, time): (u64, Duration)) -> Frame {
        let call = self.calls.get(name).map(|calls| self.call(calls, time));
        Frame { label: format!("node `{name}`"), part: Part::Engine, time, count, children: call.into_iter().collect() }
    }

    /// The calls of one node, which are within its steps.
    fn call(&self, calls: &NodeCalls, step: Duration) -> Frame {
        let time = calls.time.min(step);
        let label = format!("{}/{}", calls.plugin, calls.node_type);
        if calls.plugin != self.plugin {
            return Frame { label, part: Part::Others, time, count: calls.calls, children: Vec::new() };
        }
        let children = match calls.processor {
            // A process has a clock of its own.
            Some(inside) => vec![Frame {
                label: "in its process, on the processor".to_owned(),
                part: Part::Guest,
                time: inside.min(time),
                count: calls.calls,
                children: Vec::new(),
            }],
            None => self.guest(time),
        };
        Frame { label, part: Part::Transport, time, count: calls.calls, children }
    }

    /// Sampled code. All nodes of a plugin share the samples, by their share of its time.
    fn guest(&self, time: Duration) -> Vec<Frame> {
        let of_plugin = self.calls.values().filter(|calls| calls.plugin == self.plugin);
        let all: Duration = of_plugin.map(|calls| calls.time).sum();
        let seen: Duration = self.samples.values().map(|seen| seen.time).sum();
        if seen.is_zero() || all.is_zero() {
            return Vec::new();
        }
        // What was seen is never more than what the calls took.
        let share = (time.as_secs_f64() / all.as_secs_f64()) * (all.as_secs_f64() / seen.as_secs_f64()).min(1.0);
        let mut roots = Vec::new();
        for (stack, seen) in &self.samples {
            grow(&mut roots, stack, seen.count, seen.time.mul_f64(share));
        }
        roots.iter_mut().for_each(sort_all);
        sort(&mut roots);
        roots
    }
}

/// Adds a stack to a tree of functions.
fn grow(frames: &mut Vec<Frame>, stack: &[String], count: u64, time: Duration) {
    let Some((first, rest)) = stack.split_first() else { return };
    let at = frames.iter().position(|frame| frame.label == *first).unwrap_or_else(|| {
        let (label, children) = (first.clone(), Vec::new());
        frames.push(Frame { label, part: Part::Guest, time: Duration::ZERO, count: 0, children });
        frames.len() - 1
    });
    let frame = &mut frames[at];
    frame.time += time;
    frame.count += count;
    grow(&mut frame.children, rest, count, time);
}

fn sort_all(frame: &mut Frame) {
    frame.children.iter_mut().for_each(sort_all);
    sort(&mut frame.children);
}

fn sort(frames: &mut [Frame]) {
    frames.sort_by(|one, other| other.time.cmp(&one.time).then_with(|| one.label.cmp(&other.label)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured() -> Measured {
        let ms = Duration::from_millis;
        let calls = |plugin: &str, time| NodeCalls {
            plugin: plugin.to_owned(),
            node_type: "step".to_owned(),
            calls: 2,
            time,
            processor: None,
        };
        let stack = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        Measured {
            workflow: "w".to_owned(),
            plugin: "ours".to_owned(),
            elapsed: ms(100),
            steps: [("a".to_owned(), (2, ms(60))), ("b".to_owned(), (1, ms(20)))].into(),
            calls: [("a".to_owned(), calls("ours", ms(50))), ("b".to_owned(), calls("other", ms(19)))].into(),
            samples: [
                (stack(&["run", "parse"]), Seen { count: 30, time: ms(30) }),
                (stack(&["run"]), Seen { count: 10, time: ms(10) }),
            ]
            .into(),
        }
    }

    #[test]
    fn every_part_is_within_the_one_that_holds_it() {
        fn check(frame: &Frame) {
            let inside: Duration = frame.children.iter().map(|child| child.time).sum();
            assert!(inside <= frame.time, "{} holds {inside:?} in {:?}", frame.label, frame.time);
            frame.children.iter().for_each(check);
        }
        let mut measured = measured();
        check(&measured.frame());
        measured.elapsed = Duration::from_millis(1);
        check(&measured.frame());
    }

    #[test]
    fn samples_become_functions_in_each_other() {
        let root = measured().frame();
        let call = &root.children[0].children[0];
        assert_eq!((call.label.as_str(), call.part), ("ours/step", Part::Transport));
        let run = &call.children[0];
        assert_eq!((run.label.as_str(), run.count, run.time), ("run", 40, Duration::from_millis(40)));
        assert_eq!((run.children[0].label.as_str(), run.children[0].count), ("parse", 30));
        assert_eq!(root.children[1].children[0].part, Part::Others);
    }
}
