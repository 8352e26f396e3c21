//! A picture as SVG.

use std::fmt::Write as _;

use super::layout::{self, Edge, Layout, Line, Rect, Size, number};
use super::picture::{Arrow, ArrowKind, Outcome, Picture, Shape, ShapeKind, Shelf, State, Taken, View};
use super::text::{Font, escaped, fitted, width};

/// What every picture looks like, on light and dark surroundings.
const STYLE: &str = include_str!("style.css");
/// The widest text in a box; longer ones are cut and stand whole in the box's title.
const MAX_TEXT: f64 = 230.0;
/// The narrowest box.
const MIN_BOX: f64 = 112.0;
/// Left and right of a box's text.
const PADDING: f64 = 14.0;
/// The height of the picture's heading.
const HEADING: f64 = 34.0;
/// How much a second line adds to it.
const SUBTITLE: f64 = 18.0;
/// The height of the line that says what colours mean.
const LEGEND: f64 = 34.0;

/// The picture. None if it is too large.
pub(super) fn draw(picture: &Picture) -> Option<String> {
    let layout = lay_out(picture)?;
    let legend = Legend::of(picture);
    let heading = heading_width(picture);
    let width = layout.size.width.max(heading + 56.0).max(legend.width() + 56.0);
    let top = HEADING + picture.subtitle.as_ref().map_or(0.0, |_| SUBTITLE);
    let height = layout.size.height + top + LEGEND;
    let mut svg = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"pocket\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" \
         role=\"img\">",
        number(width),
        number(height)
    );
    let _ = writeln!(svg, "<title>{}</title>", escaped(&picture.title));
    let _ = writeln!(svg, "<style>\n{}</style>", STYLE);
    let _ = writeln!(svg, "<rect class=\"page\" width=\"100%\" height=\"100%\"/>");
    draw_heading(&mut svg, picture, width);
    let left = ((width - layout.size.width) / 2.0).round();
    let _ = writeln!(svg, "<g transform=\"translate({} {})\">", number(left), number(top));
    draw_arrows(&mut svg, picture, &layout);
    for (shape, place) in picture.shapes.iter().zip(&layout.boxes) {
        draw_shape(&mut svg, shape, place);
    }
    svg.push_str("</g>\n");
    legend.draw(&mut svg, width, height);
    svg.push_str("</svg>\n");
    Some(svg)
}

fn lay_out(picture: &Picture) -> Option<Layout> {
    let boxes: Vec<Size> = picture.shapes.iter().map(size).collect();
    let edges: Vec<Edge> = picture.arrows.iter().map(edge).collect();
    let start = picture.shapes.iter().position(|shape| shape.kind == ShapeKind::Start)?;
    layout::layout(&boxes, &edges, start)
}

fn size(shape: &Shape) -> Size {
    if let ShapeKind::Start | ShapeKind::End = shape.kind {
        return Size { width: 16.0, height: 16.0 };
    }
    let outcome = shape.outcome.as_ref();
    let texts = [(shape.name.as_str(), Font::Name), (shape.node_type.as_str(), Font::Small)];
    let texts = texts.into_iter().chain(outcome.map(|outcome| (outcome.text.as_str(), Font::Small)));
    let text = texts.map(|(text, font)| width(text, font).min(MAX_TEXT)).fold(0.0, f64::max);
    let height = if outcome.is_some() { 64.0 } else { 46.0 };
    // Even, so that the middle is a whole number.
    Size { width: ((text + 2.0 * PADDING).max(MIN_BOX) / 2.0).ceil() * 2.0, height }
}

fn edge(arrow: &Arrow) -> Edge {
    let label = (!arrow.label.is_empty()).then(|| {
        let text = fitted(&arrow.label, Font::Small, 180.0);
        Size { width: (width(&text, Font::Small) / 2.0).ceil() * 2.0 + 14.0, height: 18.0 }
    });
    let kind = match arrow.kind {
        ArrowKind::Flow => 0,
        ArrowKind::Error => 1,
    };
    Edge { from: arrow.from, to: arrow.to, label, kind, weight: u8::from(arrow.taken == Some(Taken::Yes)) }
}

fn heading_width(picture: &Picture) -> f64 {
    let subtitle = picture.subtitle.as_deref().unwrap_or_default();
    (width(&picture.title, Font::Name) * 1.3).max(width(subtitle, Font::Small) * 1.1).min(420.0)
}

fn draw_heading(svg: &mut String, picture: &Picture, room: f64) {
    let room = room - 56.0;
    let title = fitted(&picture.title, Font::Name, room / 1.3);
    let _ = writeln!(svg, "<text class=\"title\" x=\"28\" y=\"32\">{}</text>", escaped(&title));
    if let Some(subtitle) = &picture.subtitle {
        let subtitle = fitted(subtitle, Font::Small, room / 1.1);
        let _ = writeln!(svg, "<text class=\"subtitle\" x=\"28\" y=\"50\">{}</text>", escaped(&subtitle));
    }
}

/// Those that a run did not take first, so that the others lie above them.
fn draw_arrows(svg: &mut String, picture: &Picture, layout: &Layout) {
    let mut arrows: Vec<(&Arrow, &Line)> = picture.arrows.iter().zip(&layout.lines).collect();
    arrows.sort_by_key(|(arrow, _)| arrow.taken == Some(Taken::Yes));
    for (arrow, line) in &arrows {
        let class = arrow_class(arrow);
        let _ = writeln!(svg, "<path class=\"{class}\" d=\"{}\"/>", line.path);
        if let Some((x, y)) = line.tip {
            let [left, x, right, back, tip] = [x - 4.5, x, x + 4.5, y - 8.0, y].map(number);
            let _ = writeln!(svg, "<path class=\"{class} head\" d=\"M{left} {back}L{x} {tip}L{right} {back}Z\"/>");
        }
    }
    for (arrow, line) in arrows {
        let Some(place) = &line.label else { continue };
        draw_label(svg, arrow, place);
    }
}

fn draw_label(svg: &mut String, arrow: &Arrow, place: &Rect) {
    let class = arrow_class(arrow);
    let text = fitted(&arrow.label, Font::Small, 180.0);
    let _ = writeln!(
        svg,
        "<g class=\"{class} label\"><title>{}</title><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"9\"/>\
         <text x=\"{}\" y=\"{}\">{}</text></g>",
        escaped(&arrow.label),
        number(place.left),
        number(place.top),
        number(place.width),
        number(place.height),
        number(place.left + place.width / 2.0),
        number(place.top + 13.0),
        escaped(&text)
    );
}

fn arrow_class(arrow: &Arrow) -> String {
    let kind = match arrow.kind {
        ArrowKind::Flow => "flow",
        ArrowKind::Error => "error",
    };
    match arrow.taken {
        None => format!("arrow {kind}"),
        Some(Taken::Yes) => format!("arrow {kind} taken"),
        Some(Taken::No) => format!("arrow {kind} passed-by"),
    }
}

fn draw_shape(svg: &mut String, shape: &Shape, place: &Rect) {
    match shape.kind {
        ShapeKind::Start => draw_mark(svg, "start", place),
        ShapeKind::End => draw_mark(svg, "end", place),
        ShapeKind::Node(shelf) => draw_node(svg, shape, shelf, place),
    }
}

fn draw_mark(svg: &mut String, class: &str, place: &Rect) {
    let (x, y) = (place.left + place.width / 2.0, place.top + place.height / 2.0);
    let _ = writeln!(svg, "<circle class=\"{class}\" cx=\"{}\" cy=\"{}\" r=\"7\"/>", number(x), number(y));
}

/// A box whose text is cut off at its border, should a viewer's font be wider than any that is known.
fn draw_node(svg: &mut String, shape: &Shape, shelf: Shelf, place: &Rect) {
    let state = shape.outcome.as_ref().map_or(String::new(), |outcome| format!(" {}", state_class(outcome.state)));
    let [left, top, width, height] = [place.left, place.top, place.width, place.height].map(number);
    let _ = writeln!(
        svg,
        "<svg class=\"node {}{state}\" x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\">",
        shelf_class(shelf)
    );
    let _ = writeln!(svg, "<title>{}</title>", escaped(&tooltip(shape)));
    let [inner_width, inner_height] = [place.width - 1.0, place.height - 1.0].map(number);
    let _ = writeln!(
        svg,
        "<rect class=\"box\" x=\"0.5\" y=\"0.5\" width=\"{inner_width}\" height=\"{inner_height}\" rx=\"7\"/>"
    );
    let bar = number(place.height - 18.0);
    let _ = writeln!(svg, "<rect class=\"bar\" x=\"5\" y=\"9\" width=\"3\" height=\"{bar}\" rx=\"1.5\"/>");
    let mut line = |class: &str, y: u32, text: &str, font: Font| {
        let text = escaped(&fitted(text, font, MAX_TEXT));
        let _ = writeln!(svg, "<text class=\"{class}\" x=\"{PADDING}\" y=\"{y}\">{text}</text>");
    };
    line("name", 20, &shape.name, Font::Name);
    line("type", 36, &shape.node_type, Font::Small);
    if let Some(outcome) = &shape.outcome {
        line("outcome", 54, &outcome.text, Font::Small);
    }
    svg.push_str("</svg>\n");
}

/// What a viewer shows when the mouse rests on a box.
fn tooltip(shape: &Shape) -> String {
    let mut text = format!("{} ({})", shape.name, shape.node_type);
    if let Some(Outcome { error: Some(error), .. }) = &shape.outcome {
        let _ = write!(text, ": {error}");
    } else if !shape.description.is_empty() {
        let _ = write!(text, ": {}", shape.description);
    }
    text
}

pub(super) fn state_class(state: State) -> &'static str {
    match state {
        State::Done => "done",
        State::Retried => "retried",
        State::Failed => "failed",
        State::Unfinished => "unfinished",
        State::Skipped => "skipped",
    }
}

fn shelf_class(shelf: Shelf) -> &'static str {
    match shelf {
        Shelf::Flow => "shelf-flow",
        Shelf::Data => "shelf-data",
        Shelf::Outside => "shelf-outside",
        Shelf::Script => "shelf-script",
        Shelf::Plugin => "shelf-plugin",
    }
}

/// What the colours mean, as far as they occur.
struct Legend(Vec<(&'static str, &'static str)>);

impl Legend {
    fn of(picture: &Picture) -> Self {
        let all: &[(&str, &str)] = match picture.view {
            View::Run => &[
                ("done", "done"),
                ("retried", "done after retries"),
                ("failed", "failed"),
                ("unfinished", "not finished"),
                ("skipped", "skipped"),
            ],
            View::Workflow => &[
                ("shelf-flow", "flow"),
                ("shelf-data", "data"),
                ("shelf-outside", "network and files"),
                ("shelf-script", "scripts and programs"),
                ("shelf-plugin", "plugins"),
            ],
        };
        let class = |shape: &Shape| match (&shape.outcome, shape.kind) {
            (Some(outcome), _) => Some(state_class(outcome.state)),
            (None, ShapeKind::Node(shelf)) => Some(shelf_class(shelf)),
            _ => None,
        };
        let occurs = |wanted: &&(&str, &str)| picture.shapes.iter().any(|shape| class(shape) == Some(wanted.0));
        Self(all.iter().filter(occurs).copied().collect())
    }

    fn width(&self) -> f64 {
        self.0.iter().map(|(_, text)| width(text, Font::Small) + 34.0).sum()
    }

    fn draw(&self, svg: &mut String, room: f64, height: f64) {
        let mut x = 28.0_f64.min(room);
        let y = height - 20.0;
        for (class, text) in &self.0 {
            let [left, top, text_left, base] = [x, y - 5.0, x + 16.0, y + 4.0].map(number);
            let _ = writeln!(
                svg,
                "<g class=\"legend {class}\"><rect class=\"swatch\" x=\"{left}\" y=\"{top}\" width=\"10\" height=\"10\" rx=\"3\"/>\
                 <text x=\"{text_left}\" y=\"{base}\">{text}</text></g>"
            );
            x += width(text, Font::Small) + 34.0;
        }
    }
}
