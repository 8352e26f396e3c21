//! Where items stand: each level in turn moves as near as it can to what it is tied to, its order and distances kept.

use super::Size;
use super::levels::{ItemKind, Levels};

/// The empty border.
const MARGIN: f64 = 28.0;
/// Between two levels.
const GAP: f64 = 38.0;
/// Between a level and one of labels.
const LABEL_GAP: f64 = 20.0;
/// The most that is added where lines go far to the side.
const MORE_GAP: f64 = 60.0;
/// How often all levels move.
const ROUNDS: usize = 24;

/// Where everything is.
pub(super) struct Places {
    /// The middle of each item.
    pub x: Vec<f64>,
    /// The top of each level.
    pub tops: Vec<f64>,
    /// The height of each level.
    pub heights: Vec<f64>,
    /// The whole.
    pub size: Size,
}

impl Places {
    /// The middle of an item, from the top.
    pub fn middle(&self, levels: &Levels, item: usize) -> f64 {
        let level = levels.items[item].level;
        self.tops[level] + self.heights[level] / 2.0
    }

    /// The bottom of a level.
    pub fn bottom(&self, level: usize) -> f64 {
        self.tops[level] + self.heights[level]
    }
}

/// What a level moves towards.
#[derive(Clone, Copy, PartialEq)]
enum Towards {
    Above,
    Below,
    Both,
}

/// Places every item.
pub(super) fn place(levels: &Levels) -> Places {
    let mut x = vec![0.0; levels.items.len()];
    for row in &levels.rows {
        move_row(levels, row, &mut x, |_, _| (0.0, 1.0));
    }
    let count = levels.rows.len();
    for round in 0..ROUNDS {
        let is_last = round + 4 >= ROUNDS;
        for level in 0..count {
            let towards = if is_last { Towards::Both } else { Towards::Above };
            move_row(levels, &levels.rows[level], &mut x, |item, x| wanted(levels, x, item, towards));
        }
        for level in (0..count).rev() {
            let towards = if is_last { Towards::Both } else { Towards::Below };
            move_row(levels, &levels.rows[level], &mut x, |item, x| wanted(levels, x, item, towards));
        }
    }
    // The second time, what the first moved has made room.
    straighten(levels, &mut x);
    straighten(levels, &mut x);
    let left = (0..x.len()).map(|item| x[item] - levels.items[item].size.width / 2.0).fold(f64::INFINITY, f64::min);
    let shift = MARGIN - if left.is_finite() { left } else { 0.0 };
    x.iter_mut().for_each(|x| *x = (*x + shift).round());
    let right = (0..x.len()).map(|item| x[item] + levels.items[item].size.width / 2.0).fold(0.0, f64::max);
    let (tops, heights) = rows(levels, &x);
    let bottom = tops.last().zip(heights.last()).map_or(0.0, |(top, height)| top + height);
    // A line that goes back may turn beside the last box.
    let size = Size { width: (right + MARGIN).ceil(), height: (bottom + MARGIN).ceil() };
    Places { x, tops, heights, size }
}

/// Where an item wants to stand, and how much.
fn wanted(levels: &Levels, x: &[f64], item: usize, towards: Towards) -> (f64, f64) {
    let (mut sum, mut weights) = (0.0, 0.0);
    let above = levels.above[item].iter().filter(|_| towards != Towards::Below);
    let below = levels.below[item].iter().filter(|_| towards != Towards::Above);
    for &tie in above.chain(below) {
        let weight = weight(levels.items[item].kind, levels.items[tie].kind);
        sum += x[tie] * weight;
        weights += weight;
    }
    if let Some(shape) = levels.beside[item] {
        let side = if x[item] < x[shape] { -1.0 } else { 1.0 };
        let near = x[shape] + side * distance(levels, shape, item);
        sum += near * 2.0;
        weights += 2.0;
    }
    if weights == 0.0 { (x[item], 0.1) } else { (sum / weights, weights) }
}

/// How much two items want to stand below each other: long lines want to be straight.
fn weight(one: ItemKind, other: ItemKind) -> f64 {
    match (one, other) {
        (ItemKind::Box, ItemKind::Box) => 1.0,
        (ItemKind::Bend, ItemKind::Bend) => 6.0,
        _ => 2.0,
    }
}

/// How far the middles of two neighbours are apart at least.
fn distance(levels: &Levels, one: usize, other: usize) -> f64 {
    let (one, other) = (&levels.items[one], &levels.items[other]);
    let gap = match (one.kind, other.kind) {
        (ItemKind::Box, ItemKind::Box) => 32.0,
        (ItemKind::Bend, ItemKind::Bend) => 14.0,
        _ => 18.0,
    };
    (one.size.width + other.size.width) / 2.0 + gap
}

/// Moves the items of a level to the least sum of weighted squares of distances from where they want to stand, in their order
/// and apart: isotonic regression by pooling adjacent violators.
fn move_row(levels: &Levels, row: &[usize], x: &mut [f64], wanted: impl Fn(usize, &[f64]) -> (f64, f64)) {
    struct Pool {
        sum: f64,
        weight: f64,
        count: usize,
    }
    let mut offset = 0.0;
    let mut offsets = Vec::with_capacity(row.len());
    let mut pools: Vec<Pool> = Vec::new();
    for (index, &item) in row.iter().enumerate() {
        if index > 0 {
            offset += distance(levels, row[index - 1], item);
        }
        offsets.push(offset);
        let (want, weight) = wanted(item, x);
        let mut pool = Pool { sum: (want - offset) * weight, weight, count: 1 };
        while let Some(before) = pools.pop_if(|before| before.sum / before.weight > pool.sum / pool.weight) {
            pool.sum += before.sum;
            pool.weight += before.weight;
            pool.count += before.count;
        }
        pools.push(pool);
    }
    let mut index = 0;
    for pool in pools {
        for _ in 0..pool.count {
            x[row[index]] = pool.sum / pool.weight + offsets[index];
            index += 1;
        }
    }
}

/// Makes lines upright over as many levels as their neighbours leave room for.
fn straighten(levels: &Levels, x: &mut [f64]) {
    let mut places = vec![0; levels.items.len()];
    for row in &levels.rows {
        row.iter().enumerate().for_each(|(place, &item)| places[item] = place);
    }
    let is_line = |item: usize| levels.items[item].kind != ItemKind::Box;
    let mut seen = vec![false; levels.items.len()];
    for &first in levels.rows.iter().flatten().filter(|&&item| is_line(item)) {
        let mut run = Vec::new();
        let mut next = Some(first).filter(|&item| !seen[item]);
        while let Some(item) = next {
            seen[item] = true;
            run.push(item);
            next = levels.below[item].iter().copied().find(|&below| is_line(below) && !seen[below]);
        }
        straighten_run(levels, &places, &run, x);
    }
}

fn straighten_run(levels: &Levels, places: &[usize], run: &[usize], x: &mut [f64]) {
    let mut upright = Vec::new();
    let (mut least, mut most) = (f64::NEG_INFINITY, f64::INFINITY);
    for &item in run {
        let row = &levels.rows[levels.items[item].level];
        let place = places[item];
        let left = place.checked_sub(1).map_or(f64::NEG_INFINITY, |at| x[row[at]] + distance(levels, row[at], item));
        let right = row.get(place + 1).map_or(f64::INFINITY, |&next| x[next] - distance(levels, item, next));
        if least.max(left) > most.min(right) {
            stand(&upright, (least, most), x);
            upright.clear();
            (least, most) = (left, right);
        }
        (least, most) = (least.max(left), most.min(right));
        upright.push(item);
    }
    stand(&upright, (least, most), x);
}

/// Puts items upon each other, where they are in the middle.
fn stand(items: &[usize], (least, most): (f64, f64), x: &mut [f64]) {
    let middle = items.iter().map(|&item| x[item]).sum::<f64>() / items.len().max(1) as f64;
    let place = middle.min(most).max(least);
    items.iter().for_each(|&item| x[item] = place);
}

/// The top and the height of each level.
fn rows(levels: &Levels, x: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let is_label_row = |row: &Vec<usize>| row.iter().all(|&item| levels.items[item].kind != ItemKind::Box);
    let (mut tops, mut heights) = (Vec::new(), Vec::new());
    let mut top = MARGIN;
    for (level, row) in levels.rows.iter().enumerate() {
        let height = row.iter().map(|&item| levels.items[item].size.height).fold(0.0, f64::max);
        tops.push(top);
        heights.push(height);
        let next = levels.rows.get(level + 1);
        let gap = if is_label_row(row) || next.is_some_and(is_label_row) { LABEL_GAP } else { GAP };
        // Flat curves are hard to follow.
        let far = row.iter().flat_map(|&item| levels.below[item].iter().map(move |&to| (x[to] - x[item]).abs()));
        let more = (far.fold(0.0, f64::max) / 14.0).min(MORE_GAP);
        top += height + (gap + more).round();
    }
    (tops, heights)
}
