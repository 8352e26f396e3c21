//! A layered layout from top to bottom (Sugiyama, Tagawa and Toda 1981): levels, order within them, places, lines.
//!
//! A line that crosses a level has an item of its own there, so that it never runs through a box; so has each label, so that
//! it never lies on another. Lines that go back up leave and enter like all others, at the bottom and at the top, and turn
//! beside their boxes. Lines of one kind to one box share their way. Everything is deterministic.

mod levels;
mod order;
mod place;
mod route;

use levels::Levels;

pub(super) use route::number;

/// The most boxes and bends that are laid out: 60,000, which takes a few seconds. Nobody reads such a picture.
pub(super) const MAX_ITEMS: usize = 60_000;

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Size {
    pub width: f64,
    pub height: f64,
}

/// A place in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rect {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
}

/// What is to be drawn between two boxes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    /// The box it leaves.
    pub from: usize,
    /// The box it enters.
    pub to: usize,
    /// Its label's size.
    pub label: Option<Size>,
    /// Edges to one box share their way if they are of one kind.
    pub kind: u8,
    /// Where edges share their way, those with a higher one are drawn whole.
    pub weight: u8,
}

/// Where everything is.
pub(super) struct Layout {
    /// The whole.
    pub size: Size,
    /// Each box.
    pub boxes: Vec<Rect>,
    /// Each edge.
    pub lines: Vec<Line>,
}

/// An edge as it is drawn.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    /// An SVG path.
    pub path: String,
    /// The tip of its arrow, which points down; none where it joins another line.
    pub tip: Option<(f64, f64)>,
    /// Its label.
    pub label: Option<Rect>,
}

/// Lays boxes out below the one at `start`. None if there is too much of it.
pub(super) fn layout(boxes: &[Size], edges: &[Edge], start: usize) -> Option<Layout> {
    let mut levels = Levels::new(boxes, edges, start)?;
    order::arrange(&mut levels);
    let places = place::place(&levels);
    let lines = route::route(&levels, &places, edges);
    let corner = |item: usize| {
        let Size { width, height } = levels.items[item].size;
        let (left, top) = (places.x[item] - width / 2.0, places.middle(&levels, item) - height / 2.0);
        Rect { left, top, width, height }
    };
    Some(Layout { size: places.size, boxes: (0..boxes.len()).map(corner).collect(), lines })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOX: Size = Size { width: 100.0, height: 40.0 };

    fn edge(from: usize, to: usize) -> Edge {
        Edge { from, to, label: None, kind: 0, weight: 0 }
    }

    /// A generator of numbers that are the same in each run.
    fn numbers() -> impl FnMut(usize) -> usize {
        let mut state = 7_u64;
        move |below| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        }
    }

    fn overlap(one: &Rect, other: &Rect) -> bool {
        one.left < other.left + other.width
            && other.left < one.left + one.width
            && one.top < other.top + other.height
            && other.top < one.top + one.height
    }

    #[test]
    fn what_follows_stands_below() {
        let layout = layout(&[BOX; 4], &[edge(0, 1), edge(0, 2), edge(1, 3), edge(2, 3)], 0).unwrap();
        let top = |index: usize| layout.boxes[index].top;
        assert!(top(0) < top(1) && top(1) == top(2) && top(2) < top(3));
        assert_eq!(layout.boxes[0].left, layout.boxes[3].left, "both stand in the middle");
    }

    #[test]
    fn boxes_and_labels_never_overlap_and_stay_inside() {
        let mut number = numbers();
        for size in [3, 12, 60] {
            let label = Some(Size { width: 70.0, height: 18.0 });
            let edges: Vec<Edge> = (0..size * 2)
                .map(|index| Edge { label: label.filter(|_| index % 3 == 0), ..edge(number(size), number(size)) })
                .collect();
            let layout = layout(&vec![BOX; size], &edges, 0).unwrap();
            let all: Vec<Rect> =
                layout.boxes.iter().copied().chain(layout.lines.iter().filter_map(|line| line.label)).collect();
            for (index, one) in all.iter().enumerate() {
                assert!(one.left >= 0.0 && one.left + one.width <= layout.size.width, "{one:?}");
                assert!(one.top >= 0.0 && one.top + one.height <= layout.size.height, "{one:?}");
                assert!(all[index + 1..].iter().all(|other| !overlap(one, other)), "{size}: {one:?}");
            }
        }
    }

    #[test]
    fn crossings_that_can_be_avoided_are() {
        // Two pairs, given crosswise.
        let edges = [edge(0, 1), edge(0, 2), edge(1, 4), edge(2, 3), edge(1, 5), edge(2, 6)];
        let mut levels = Levels::new(&[BOX; 7], &edges, 0).unwrap();
        order::arrange(&mut levels);
        assert_eq!(order::crossings(&levels), 0);
    }

    #[test]
    fn a_picture_that_nobody_could_read_is_not_laid_out() {
        let edges: Vec<Edge> = (1..2_000).flat_map(|index| [edge(index - 1, index), edge(index, index / 2)]).collect();
        assert!(layout(&vec![BOX; 100_000], &edges, 0).is_none());
    }
}
