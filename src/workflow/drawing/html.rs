//! A picture as a page: the drawing, and a table of the nodes.

use std::fmt::Write as _;

use super::picture::{Picture, Shape, ShapeKind, View};
use super::svg;
use super::text::escaped;

const STYLE: &str = include_str!("page.css");

/// The page. None if the picture is too large.
pub(super) fn draw(picture: &Picture) -> Option<String> {
    let svg = svg::draw(picture)?;
    let title = escaped(&picture.title);
    // Nothing is loaded and nothing runs, whatever a name manages to be.
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<figure>\n{svg}</figure>\n"
    );
    page.push_str(&table(picture));
    page.push_str("</body>\n</html>\n");
    Some(page)
}

fn table(picture: &Picture) -> String {
    let last = match picture.view {
        View::Run => "What happened",
        View::Workflow => "What it does",
    };
    let mut table = format!(
        "<table>\n<thead><tr><th>Node</th><th>Type</th><th>Leads to</th><th>{last}</th></tr></thead>\n<tbody>\n"
    );
    for (index, shape) in picture.shapes.iter().enumerate() {
        if let ShapeKind::Node(_) = shape.kind {
            let cells =
                [&shape.name, &shape.node_type, &targets(picture, index), &what(shape)].map(|text| escaped(text));
            // Writing to a string cannot fail.
            let _ = writeln!(table, "<tr><td>{}</td></tr>", cells.join("</td><td>"));
        }
    }
    table.push_str("</tbody>\n</table>\n");
    table
}

fn targets(picture: &Picture, from: usize) -> String {
    let leaving = picture.arrows.iter().filter(|arrow| arrow.from == from);
    let target = |arrow: &super::picture::Arrow| {
        let name = match picture.shapes[arrow.to].name.as_str() {
            "" => "the end",
            name => name,
        };
        if arrow.label.is_empty() { name.to_owned() } else { format!("{name} ({})", arrow.label) }
    };
    leaving.map(target).collect::<Vec<_>>().join(", ")
}

fn what(shape: &Shape) -> String {
    match &shape.outcome {
        None => shape.description.clone(),
        Some(outcome) => match &outcome.error {
            Some(error) => format!("{}: {error}", outcome.text),
            None => outcome.text.clone(),
        },
    }
}
