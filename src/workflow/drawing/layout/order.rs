//! The order of items on each level: the fewest crossings that sweeps by barycenter and swaps of neighbours find.

use super::levels::Levels;

/// How often all levels are gone through.
const SWEEPS: usize = 24;
/// Above so many items, neighbours are not swapped one by one: that takes long, and nobody sees it.
const MAX_SWAPPED: usize = 4_000;

/// From where a level is ordered.
#[derive(Clone, Copy)]
enum Side {
    Above,
    Below,
}

/// Orders every level.
pub(super) fn arrange(levels: &mut Levels) {
    let mut best = levels.rows.clone();
    let mut fewest = crossings(levels);
    for sweep in 0..SWEEPS {
        if fewest == 0 {
            break;
        }
        let side = if sweep % 2 == 0 { Side::Above } else { Side::Below };
        sort_all(levels, side);
        if levels.items.len() <= MAX_SWAPPED {
            swap_neighbours(levels);
        }
        let now = crossings(levels);
        if now < fewest {
            fewest = now;
            best.clone_from(&levels.rows);
        }
    }
    levels.rows = best;
}

fn positions(levels: &Levels) -> Vec<usize> {
    let mut positions = vec![0; levels.items.len()];
    for row in &levels.rows {
        for (position, &item) in row.iter().enumerate() {
            positions[item] = position;
        }
    }
    positions
}

fn sort_all(levels: &mut Levels, side: Side) {
    let mut positions = positions(levels);
    let count = levels.rows.len();
    for step in 0..count {
        let level = match side {
            Side::Above => step,
            Side::Below => count - 1 - step,
        };
        let mut row = std::mem::take(&mut levels.rows[level]);
        let mut keyed: Vec<(f64, usize)> =
            row.iter().map(|&item| (barycenter(levels, &positions, item, side), item)).collect();
        // The sort is stable: equal ones stay as they are.
        keyed.sort_by(|one, other| one.0.total_cmp(&other.0));
        row = keyed.into_iter().map(|(_, item)| item).collect();
        for (position, &item) in row.iter().enumerate() {
            positions[item] = position;
        }
        levels.rows[level] = row;
    }
}

/// Where an item wants to stand: amid what it is tied to on one side, beside its box, or where it is.
fn barycenter(levels: &Levels, positions: &[usize], item: usize, side: Side) -> f64 {
    let ties = match side {
        Side::Above => &levels.above[item],
        Side::Below => &levels.below[item],
    };
    let mut sum: f64 = ties.iter().map(|&tie| positions[tie] as f64).sum();
    let mut count = ties.len() as f64;
    if let Some(shape) = levels.beside[item] {
        sum += positions[shape] as f64 + 0.5;
        count += 1.0;
    }
    if count == 0.0 { positions[item] as f64 } else { sum / count }
}

fn swap_neighbours(levels: &mut Levels) {
    let mut positions = positions(levels);
    for level in 0..levels.rows.len() {
        for index in 1..levels.rows[level].len() {
            let (left, right) = (levels.rows[level][index - 1], levels.rows[level][index]);
            let cost = |one: usize, other: usize| {
                crossed(&levels.above[one], &levels.above[other], &positions)
                    + crossed(&levels.below[one], &levels.below[other], &positions)
            };
            if cost(right, left) < cost(left, right) {
                levels.rows[level].swap(index - 1, index);
                positions.swap(left, right);
            }
        }
    }
}

/// The crossings of the ties of two neighbours, `left` before `right`.
fn crossed(left: &[usize], right: &[usize], positions: &[usize]) -> usize {
    left.iter().map(|&one| right.iter().filter(|&&other| positions[other] < positions[one]).count()).sum()
}

/// How many ties cross.
pub(super) fn crossings(levels: &Levels) -> usize {
    let positions = positions(levels);
    levels.rows.iter().map(|row| crossings_below(levels, row, &positions)).sum()
}

/// The crossings between a level and the next: inversions, counted with a binary indexed tree.
fn crossings_below(levels: &Levels, row: &[usize], positions: &[usize]) -> usize {
    let mut targets = Vec::new();
    for &item in row {
        let first = targets.len();
        targets.extend(levels.below[item].iter().map(|&to| positions[to]));
        targets[first..].sort_unstable();
    }
    let size = targets.iter().max().map_or(0, |last| last + 1);
    let mut tree = vec![0_usize; size + 1];
    let mut count = 0;
    for (seen, &target) in targets.iter().enumerate() {
        let mut not_right = 0;
        let mut at = target + 1;
        while at > 0 {
            not_right += tree[at];
            at &= at - 1;
        }
        count += seen - not_right;
        let mut at = target + 1;
        while at <= size {
            tree[at] += 1;
            at += at & at.wrapping_neg();
        }
    }
    count
}
