//! A picture as a Mermaid flowchart.

use std::fmt::Write as _;

use super::picture::{ArrowKind, Picture, Shape, ShapeKind, State};
use super::svg::state_class;
use super::text::plain;

/// The flowchart.
pub(super) fn draw(picture: &Picture) -> String {
    let mut chart = String::from("flowchart TD\n");
    for (index, shape) in picture.shapes.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = match shape.kind {
            ShapeKind::Start => writeln!(chart, "    n{index}(( ))"),
            ShapeKind::End => writeln!(chart, "    n{index}((( )))"),
            ShapeKind::Node(_) => writeln!(chart, "    n{index}[\"{}\"]", content(shape)),
        };
    }
    let mut errors = Vec::new();
    for (index, arrow) in picture.arrows.iter().enumerate() {
        let line = match arrow.kind {
            ArrowKind::Flow => "-->",
            ArrowKind::Error => {
                errors.push(index.to_string());
                "-.->"
            }
        };
        let label = if arrow.label.is_empty() { String::new() } else { format!("|\"{}\"|", quoted(&arrow.label)) };
        let _ = writeln!(chart, "    n{} {line}{label} n{}", arrow.from, arrow.to);
    }
    if !errors.is_empty() {
        let _ = writeln!(chart, "    linkStyle {} stroke:#cf222e,color:#cf222e", errors.join(","));
    }
    draw_states(&mut chart, picture);
    chart
}

fn content(shape: &Shape) -> String {
    let outcome = shape.outcome.as_ref().map(|outcome| format!("<br/>{}", quoted(&outcome.text)));
    format!("<b>{}</b><br/>{}{}", quoted(&shape.name), quoted(&shape.node_type), outcome.unwrap_or_default())
}

fn draw_states(chart: &mut String, picture: &Picture) {
    let styles = [
        (State::Done, "fill:#e6f6ea,stroke:#4ac26b,color:#116329"),
        (State::Retried, "fill:#fff5d1,stroke:#d4a72c,color:#7d4e00"),
        (State::Failed, "fill:#ffe9e7,stroke:#e5534b,color:#a40e26"),
        (State::Unfinished, "fill:#e2f1ff,stroke:#54aeff,color:#0550ae"),
        (State::Skipped, "fill:#f6f8fa,stroke:#cbd2d9,color:#6e7781,stroke-dasharray:4 3"),
    ];
    for (state, style) in styles {
        let is_so = |(_, shape): &(usize, &Shape)| shape.outcome.as_ref().is_some_and(|outcome| outcome.state == state);
        let nodes: Vec<String> =
            picture.shapes.iter().enumerate().filter(is_so).map(|(index, _)| format!("n{index}")).collect();
        if !nodes.is_empty() {
            let class = state_class(state);
            let _ = writeln!(chart, "    classDef {class} {style}\n    class {} {class}", nodes.join(","));
        }
    }
}

/// Text between quotation marks. Everything that could mean something, to Mermaid, to Markdown or to HTML, is an entity.
fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    for character in plain(text).chars() {
        if character.is_alphanumeric() || matches!(character, ' ' | '-' | '_' | '.' | '/' | ',' | ':' | '…' | '✓' | '✕')
        {
            quoted.push(character);
        } else {
            let _ = write!(quoted, "#{};", u32::from(character));
        }
    }
    quoted
}
