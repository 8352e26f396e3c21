//! What a picture shows, whatever it is drawn with: boxes, arrows, and what a run did with them.

use std::time::Duration;

use super::trace::{Last, NodeTrace, Trace};
use crate::nodes::built_in;
use crate::workflow::graph::{DEFAULT_ACTION, ERROR_ACTION, Recovery, Wiring};
use crate::workflow::plan::{Plan, PlannedNode};

/// What a picture shows.
pub(super) struct Picture {
    /// The workflow's name.
    pub title: String,
    /// One line about it.
    pub subtitle: Option<String>,
    /// Nodes in the order of the file, then the start and the ends.
    pub shapes: Vec<Shape>,
    /// What leads where.
    pub arrows: Vec<Arrow>,
    /// Whether it shows a run.
    pub view: View,
}

/// What a picture is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// A workflow.
    Workflow,
    /// A run of it.
    Run,
}

/// A node, the start, or an end.
pub(super) struct Shape {
    /// What it is.
    pub kind: ShapeKind,
    /// Its name; empty but for nodes.
    pub name: String,
    /// Its type with its plugin's name.
    pub node_type: String,
    /// One line about it.
    pub description: String,
    /// What a run did with it.
    pub outcome: Option<Outcome>,
}

/// What a shape is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ShapeKind {
    /// A node, and the shelf it stands on.
    Node(Shelf),
    /// Where a run starts.
    Start,
    /// Where a branch ends that names no node.
    End,
}

/// What kind of work a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shelf {
    /// It chooses or waits.
    Flow,
    /// It changes values.
    Data,
    /// It reaches outside: network and files.
    Outside,
    /// It runs a script or a program.
    Script,
    /// A plugin's.
    Plugin,
}

/// How it went with a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    /// In a word.
    pub state: State,
    /// In a few words, with times.
    pub text: String,
    /// The last error.
    pub error: Option<String>,
}

/// How it went with a node, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It did what it should.
    Done,
    /// It did at last.
    Retried,
    /// It failed for good.
    Failed,
    /// It had begun when the run ended.
    Unfinished,
    /// The run did not come to it.
    Skipped,
}

/// One connection, or several between the same nodes.
pub(super) struct Arrow {
    /// The shape it leaves.
    pub from: usize,
    /// The shape it enters.
    pub to: usize,
    /// The actions it carries; empty for the default alone.
    pub label: String,
    /// What it is for.
    pub kind: ArrowKind,
    /// Whether a run went along it; none without a run.
    pub taken: Option<Taken>,
}

/// What an arrow is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum ArrowKind {
    /// An output's way.
    Flow,
    /// An error's way.
    Error,
}

/// Whether a run went along an arrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It did.
    Yes,
    /// It did not.
    No,
}

impl Picture {
    /// The picture of a plan, and of a run of it if there is one.
    pub fn new(plan: &Plan, trace: Option<&Trace>) -> Self {
        let shapes = plan.nodes.iter().map(|node| shape(node, trace)).collect();
        let view = if trace.is_some() { View::Run } else { View::Workflow };
        let mut picture =
            Self { title: plan.name.clone(), subtitle: plan.description.clone(), shapes, arrows: Vec::new(), view };
        for (from, wiring) in plan.graph.nodes.iter().enumerate() {
            let trace = trace.map(|trace| trace.node(&wiring.name).unwrap_or_default());
            picture.add_arrows(from, wiring, trace.as_ref());
        }
        picture.add_start(plan.graph.start);
        picture.add_finals(&plan.graph.finals);
        picture
    }

    /// What runs at the end stands aside, in its order.
    fn add_finals(&mut self, finals: &[usize]) {
        let Some(&first) = finals.first() else { return };
        let end = self.add_mark(ShapeKind::End);
        let ways = std::iter::once((end, first, "finally")).chain(finals.windows(2).map(|pair| (pair[0], pair[1], "")));
        for (from, to, label) in ways {
            let went = self.shapes[to].outcome.as_ref().map(|outcome| taken(outcome.state != State::Skipped));
            self.arrows.push(Arrow { from, to, label: label.to_owned(), kind: ArrowKind::Flow, taken: went });
        }
    }

    fn add_start(&mut self, node: usize) {
        if self.shapes.is_empty() {
            return;
        }
        let began = self.shapes[node].outcome.as_ref().map(|outcome| taken(outcome.state != State::Skipped));
        let start = self.add_mark(ShapeKind::Start);
        self.arrows.push(Arrow { from: start, to: node, label: String::new(), kind: ArrowKind::Flow, taken: began });
    }

    fn add_mark(&mut self, kind: ShapeKind) -> usize {
        let (name, node_type, description) = (String::new(), String::new(), String::new());
        self.shapes.push(Shape { kind, name, node_type, description, outcome: None });
        self.shapes.len() - 1
    }

    fn add_arrows(&mut self, from: usize, wiring: &Wiring, trace: Option<&NodeTrace>) {
        let first = self.arrows.len();
        for route in &wiring.routes {
            let kind = if route.action == ERROR_ACTION { ArrowKind::Error } else { ArrowKind::Flow };
            let went = trace.map(|trace| match kind {
                ArrowKind::Error => trace.last == Last::Failed && wiring.recovery.is_none(),
                ArrowKind::Flow => trace.actions.contains(&route.action),
            });
            if route.targets.is_empty() {
                let end = self.add_mark(ShapeKind::End);
                self.connect(first, Arrow { from, to: end, label: route.action.clone(), kind, taken: went.map(taken) });
            }
            for &to in &route.targets {
                self.connect(first, Arrow { from, to, label: route.action.clone(), kind, taken: went.map(taken) });
            }
        }
        if let Some(to) = wiring.otherwise {
            let other = |action: &String| !wiring.is_connected(action);
            let went = trace.map(|trace| taken(trace.actions.iter().any(other)));
            self.connect(first, Arrow { from, to, label: DEFAULT_ACTION.into(), kind: ArrowKind::Flow, taken: went });
        }
        if let Some(Recovery::Node(to)) = wiring.recovery {
            let went = trace.map(|trace| taken(trace.last == Last::Failed));
            self.connect(first, Arrow { from, to, label: "fallback".into(), kind: ArrowKind::Error, taken: went });
        }
        for arrow in &mut self.arrows[first..] {
            if arrow.label == DEFAULT_ACTION {
                arrow.label.clear();
            }
        }
    }

    /// Adds an arrow, or its label to one that joins the same shapes for the same reason.
    fn connect(&mut self, first: usize, arrow: Arrow) {
        let same = |known: &&mut Arrow| known.to == arrow.to && known.kind == arrow.kind;
        match self.arrows[first..].iter_mut().find(same) {
            Some(known) => {
                known.label = format!("{}, {}", known.label, arrow.label);
                if arrow.taken == Some(Taken::Yes) {
                    known.taken = arrow.taken;
                }
            }
            None => self.arrows.push(arrow),
        }
    }
}

fn taken(is_taken: bool) -> Taken {
    if is_taken { Taken::Yes } else { Taken::No }
}

fn shape(node: &PlannedNode, trace: Option<&Trace>) -> Shape {
    Shape {
        kind: ShapeKind::Node(shelf(node)),
        name: node.name.to_string(),
        node_type: node.full_type(),
        description: node.description.to_string(),
        outcome: trace.map(|trace| outcome(trace.node(&node.name).as_ref())),
    }
}

fn shelf(node: &PlannedNode) -> Shelf {
    if node.plugin.is_some() {
        return Shelf::Plugin;
    }
    match built_in(&node.node_type).map(|built_in| built_in.category) {
        Some("flow") => Shelf::Flow,
        Some("data") => Shelf::Data,
        Some("script") => Shelf::Script,
        _ => Shelf::Outside,
    }
}

fn outcome(trace: Option<&NodeTrace>) -> Outcome {
    let Some(trace) = trace else {
        return Outcome { state: State::Skipped, text: "skipped".to_owned(), error: None };
    };
    let state = match trace.last {
        Last::Started => State::Unfinished,
        Last::Failed => State::Failed,
        Last::Done if trace.failed > 0 => State::Retried,
        Last::Done => State::Done,
    };
    let time = time(trace.elapsed);
    let attempts = trace.done + trace.failed;
    let text = match state {
        State::Done if trace.done > 1 => format!("✓ {time}, {} runs", trace.done),
        State::Done => format!("✓ {time}"),
        State::Retried => format!("✓ {time}, {attempts} attempts"),
        State::Failed if attempts > 1 => format!("✕ {time}, {attempts} attempts"),
        State::Failed => format!("✕ {time}"),
        State::Unfinished => "not finished".to_owned(),
        State::Skipped => "skipped".to_owned(),
    };
    Outcome { state, text, error: trace.error.clone().filter(|_| state == State::Failed) }
}

/// A time in the unit that suits it.
pub(super) fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        _ if seconds < 0.001 => format!("{} µs", time.as_micros()),
        _ if seconds < 1.0 => format!("{:.1} ms", seconds * 1e3),
        _ if seconds < 60.0 => format!("{seconds:.1} s"),
        _ => format!("{} min {} s", time.as_secs() / 60, time.as_secs() % 60),
    }
}
