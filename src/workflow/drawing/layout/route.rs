//! The lines between boxes: straight across levels, curved between them.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::levels::{Chain, Direction, ItemKind, Levels};
use super::place::Places;
use super::{Edge, Line, Rect};

/// Between two lines at a box.
const PORT_GAP: f64 = 20.0;
/// What the corners of a box keep free.
const PORT_MARGIN: f64 = 14.0;
/// How far a line that goes back swings out; the curve itself gets three quarters of that.
const TURN: f64 = 22.0;
/// The height of an arrow's head, which the line itself leaves free.
const HEAD: f64 = 6.0;

/// Draws every edge.
pub(super) fn route(levels: &Levels, places: &Places, edges: &[Edge]) -> Vec<Line> {
    let router = Router { levels, places, ports: ports(levels, places) };
    let mut order: Vec<usize> = (0..edges.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(edges[index].weight));
    let mut lines = vec![Line::default(); edges.len()];
    let mut drawn = HashSet::new();
    for index in order {
        lines[index] = router.line(index, &mut drawn);
    }
    lines
}

struct Router<'a> {
    levels: &'a Levels,
    places: &'a Places,
    /// Where each edge leaves its box, and where it enters the other.
    ports: Vec<(f64, f64)>,
}

impl Router<'_> {
    fn line(&self, edge: usize, drawn: &mut HashSet<usize>) -> Line {
        let chain = &self.levels.chains[edge];
        let (leaves, enters) = self.ports[edge];
        let mut pen = Pen::at(leaves, self.edge_of(chain.items[0], Side::Bottom));
        pen.down_to(self.places.bottom(self.levels.items[chain.items[0]].level));
        let mut line = Line::default();
        for (index, &item) in chain.items.iter().enumerate().skip(1) {
            let is_last = index + 1 == chain.items.len();
            let x = if is_last { enters } else { self.places.x[item] };
            let tip = self.edge_of(item, Side::Top);
            self.step(&mut pen, chain, index, x, if is_last { tip - HEAD } else { tip });
            if is_last {
                pen.down_to(tip - HEAD);
                line.tip = Some((x, tip));
                break;
            }
            if self.levels.items[item].kind == ItemKind::Bend && !drawn.insert(item) {
                break;
            }
            if self.levels.items[item].kind == ItemKind::Label {
                line.label = Some(self.label(item));
            }
            self.cross(&mut pen, chain.direction, item);
        }
        line.path = pen.path;
        line
    }

    /// From the level of one item to that of the next, no further than to `end`.
    fn step(&self, pen: &mut Pen, chain: &Chain, index: usize, x: f64, end: f64) {
        let (before, item) = (chain.items[index - 1], chain.items[index]);
        let level = self.levels.items[item].level;
        let (top, bottom) = (self.places.tops[level].min(end), self.places.bottom(level));
        match (chain.direction, self.levels.items[before].level == level) {
            (Direction::Down, _) => pen.curve_to(x, top),
            (Direction::Up, false) => pen.curve_to(x, bottom),
            (Direction::Up, true) if index == 1 => pen.turn(x, bottom, TURN),
            (Direction::Up, true) => pen.turn(x, top, -TURN),
        }
    }

    /// Straight across an item's level.
    fn cross(&self, pen: &mut Pen, direction: Direction, item: usize) {
        let level = self.levels.items[item].level;
        pen.down_to(match direction {
            Direction::Down => self.places.bottom(level),
            Direction::Up => self.places.tops[level],
        });
    }

    fn label(&self, item: usize) -> Rect {
        let size = self.levels.items[item].size;
        let (left, top) =
            (self.places.x[item] - size.width / 2.0, self.places.middle(self.levels, item) - size.height / 2.0);
        Rect { left, top, width: size.width, height: size.height }
    }

    fn edge_of(&self, item: usize, edge: Side) -> f64 {
        let half = self.levels.items[item].size.height / 2.0;
        let middle = self.places.middle(self.levels, item);
        match edge {
            Side::Top => middle - half,
            Side::Bottom => middle + half,
        }
    }
}

/// The side of a box at which lines enter or leave.
#[derive(Clone, Copy)]
enum Side {
    Top,
    Bottom,
}

/// Spreads lines along the sides of boxes, in the order of where they come from and go to.
fn ports(levels: &Levels, places: &Places) -> Vec<(f64, f64)> {
    let count = levels.items.iter().filter(|item| item.kind == ItemKind::Box).count();
    let (mut leaving, mut entering) = (vec![Vec::new(); count], vec![Vec::new(); count]);
    // Places are whole numbers by now.
    let key = |item: usize| (places.x[item] as i64, item);
    let ends = |chain: &Chain| {
        let last = chain.items.len() - 1;
        (chain.items[0], chain.items[1], chain.items[last - 1], chain.items[last])
    };
    for chain in &levels.chains {
        let (from, first, last, to) = ends(chain);
        leaving[from].push(key(first));
        entering[to].push(key(last));
    }
    for ports in leaving.iter_mut().chain(&mut entering) {
        ports.sort_unstable();
        ports.dedup();
    }
    let port = |all: &[(i64, usize)], item: usize, towards: usize| {
        let index = all.binary_search(&key(towards)).unwrap_or_default() as f64;
        let room = (levels.items[item].size.width - 2.0 * PORT_MARGIN).max(0.0);
        let others = (all.len() - 1) as f64;
        let gap = if others == 0.0 { 0.0 } else { PORT_GAP.min(room / others) };
        (places.x[item] + (index - others / 2.0) * gap).round()
    };
    let both = |chain: &Chain| {
        let (from, first, last, to) = ends(chain);
        (port(&leaving[from], from, first), port(&entering[to], to, last))
    };
    levels.chains.iter().map(both).collect()
}

/// Writes an SVG path.
struct Pen {
    path: String,
    x: f64,
    y: f64,
}

impl Pen {
    fn at(x: f64, y: f64) -> Self {
        Self { path: format!("M{} {}", number(x), number(y)), x, y }
    }

    /// Straight down or up.
    fn down_to(&mut self, y: f64) {
        if y != self.y {
            // Writing to a string cannot fail.
            let _ = write!(self.path, "V{}", number(y));
            self.y = y;
        }
    }

    /// A curve that is upright at both ends.
    fn curve_to(&mut self, x: f64, y: f64) {
        if x == self.x {
            return self.down_to(y);
        }
        let middle = f64::midpoint(self.y, y);
        self.bend(middle, middle, x, y);
    }

    /// A turn to a neighbour: out by `depth` and back.
    fn turn(&mut self, x: f64, y: f64, depth: f64) {
        let out = self.y + depth;
        self.bend(out, out, x, y);
    }

    fn bend(&mut self, first: f64, second: f64, x: f64, y: f64) {
        let [x0, first, second, x1, y1] = [self.x, first, second, x, y].map(number);
        let _ = write!(self.path, "C{x0} {first} {x1} {second} {x1} {y1}");
        (self.x, self.y) = (x, y);
    }
}

/// A number of pixels, to a tenth.
pub(in super::super) fn number(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    if rounded == 0.0 { "0".to_owned() } else { rounded.to_string() }
}
