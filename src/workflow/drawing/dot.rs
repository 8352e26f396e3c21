//! A picture for Graphviz.

use std::fmt::Write as _;

use super::picture::{Arrow, ArrowKind, Picture, Shape, ShapeKind, Shelf, State, Taken};
use super::text::plain;

/// The graph.
pub(super) fn draw(picture: &Picture) -> String {
    let mut graph = format!(
        "digraph {} {{\n    rankdir=TB\n    fontname=\"sans-serif\"\n    \
         node [shape=box, style=\"rounded,filled\", fillcolor=\"#ffffff\", color=\"#8b949e\", fontname=\"sans-serif\", fontsize=11]\n    \
         edge [color=\"#8b949e\", fontname=\"sans-serif\", fontsize=10]\n",
        quoted(&picture.title)
    );
    for (index, shape) in picture.shapes.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = match shape.kind {
            ShapeKind::Start => {
                writeln!(graph, "    n{index} [shape=circle, label=\"\", width=0.18, fillcolor=\"#59636e\"]")
            }
            ShapeKind::End => writeln!(graph, "    n{index} [shape=doublecircle, label=\"\", width=0.14]"),
            ShapeKind::Node(shelf) => {
                writeln!(graph, "    n{index} [label={}, {}]", label(shape), colours(shape, shelf))
            }
        };
    }
    for arrow in &picture.arrows {
        let _ = writeln!(graph, "    n{} -> n{}{}", arrow.from, arrow.to, attributes(arrow));
    }
    graph.push_str("}\n");
    graph
}

fn label(shape: &Shape) -> String {
    let lines = [Some(&shape.name), Some(&shape.node_type), shape.outcome.as_ref().map(|outcome| &outcome.text)];
    let lines: Vec<String> = lines.into_iter().flatten().map(|line| inner(line)).collect();
    format!("\"{}\"", lines.join("\\n"))
}

fn colours(shape: &Shape, shelf: Shelf) -> String {
    let (fill, line) = match shape.outcome.as_ref().map(|outcome| outcome.state) {
        Some(State::Done) => ("#e6f6ea", "#4ac26b"),
        Some(State::Retried) => ("#fff5d1", "#d4a72c"),
        Some(State::Failed) => ("#ffe9e7", "#e5534b"),
        Some(State::Unfinished) => ("#e2f1ff", "#54aeff"),
        Some(State::Skipped) => ("#f6f8fa", "#cbd2d9"),
        None => match shelf {
            Shelf::Flow => ("#ffffff", "#8250df"),
            Shelf::Data => ("#ffffff", "#0969da"),
            Shelf::Outside => ("#ffffff", "#bf8700"),
            Shelf::Script => ("#ffffff", "#1a7f37"),
            Shelf::Plugin => ("#ffffff", "#bf3989"),
        },
    };
    format!("fillcolor=\"{fill}\", color=\"{line}\"")
}

fn attributes(arrow: &Arrow) -> String {
    let mut attributes = Vec::new();
    if !arrow.label.is_empty() {
        attributes.push(format!("label={}", quoted(&arrow.label)));
    }
    if arrow.kind == ArrowKind::Error {
        attributes.push("color=\"#cf222e\", fontcolor=\"#cf222e\", style=dashed".to_owned());
    } else if arrow.taken == Some(Taken::Yes) {
        attributes.push("color=\"#1a7f37\", penwidth=2".to_owned());
    }
    if attributes.is_empty() { String::new() } else { format!(" [{}]", attributes.join(", ")) }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", inner(text))
}

/// Text between quotation marks. A backslash begins an escape sequence of its own.
fn inner(text: &str) -> String {
    plain(text).replace('\\', "\\\\").replace('"', "\\\"")
}
