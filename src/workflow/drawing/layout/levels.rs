//! Which level each box stands on, and what crosses the levels between.

use std::collections::{HashMap, VecDeque};

use super::{Edge, MAX_ITEMS, Size};

/// The room that a line takes on a level.
const BEND: Size = Size { width: 4.0, height: 0.0 };

/// Boxes, labels and bends on their levels.
pub(super) struct Levels {
    /// Boxes first, by their own index.
    pub items: Vec<Item>,
    /// The items of each level, from left to right.
    pub rows: Vec<Vec<usize>>,
    /// What each item is tied to on the level above.
    pub above: Vec<Vec<usize>>,
    /// What each item is tied to on the level below.
    pub below: Vec<Vec<usize>>,
    /// The box beside which a line turns.
    pub beside: Vec<Option<usize>>,
    /// The way of each edge.
    pub chains: Vec<Chain>,
}

/// Something that takes room on a level.
pub(super) struct Item {
    pub kind: ItemKind,
    pub level: usize,
    pub size: Size,
}

/// What takes room on a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ItemKind {
    Box,
    Bend,
    Label,
}

/// An edge's way, from the box it leaves to the box it enters.
pub(super) struct Chain {
    pub items: Vec<usize>,
    pub direction: Direction,
}

/// Whether an edge follows the flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Direction {
    Down,
    Up,
}

impl Levels {
    /// Puts boxes on levels. None if that makes too many items.
    pub fn new(boxes: &[Size], edges: &[Edge], start: usize) -> Option<Self> {
        if boxes.len() > MAX_ITEMS {
            return None;
        }
        let directions = directions(boxes.len(), edges, start);
        let ranks = ranks(boxes.len(), edges, &directions, start);
        let level_of = Spread::new(&ranks, edges, &directions);
        let item =
            |(index, &size): (usize, &Size)| Item { kind: ItemKind::Box, level: level_of.rank(ranks[index]), size };
        let mut levels = Self {
            items: boxes.iter().enumerate().map(item).collect(),
            rows: vec![Vec::new(); level_of.count],
            above: vec![Vec::new(); boxes.len()],
            below: vec![Vec::new(); boxes.len()],
            beside: vec![None; boxes.len()],
            chains: Vec::new(),
        };
        let mut shared = HashMap::new();
        for (edge, &direction) in edges.iter().zip(&directions) {
            levels.add_edge(edge, direction, &mut shared)?;
        }
        levels.fill_rows(start);
        Some(levels)
    }

    fn add(&mut self, kind: ItemKind, level: usize, size: Size) -> Option<usize> {
        self.items.push(Item { kind, level, size });
        self.above.push(Vec::new());
        self.below.push(Vec::new());
        self.beside.push(None);
        (self.items.len() <= MAX_ITEMS).then(|| self.items.len() - 1)
    }

    fn add_edge(&mut self, edge: &Edge, direction: Direction, shared: &mut Shared) -> Option<()> {
        let (first, last) = (self.items[edge.from].level, self.items[edge.to].level);
        let between: Vec<usize> = match direction {
            Direction::Down => (first + 1..last).collect(),
            // A line that goes back has an item beside each of its boxes too.
            Direction::Up => (last..=first).rev().collect(),
        };
        let mut items = vec![edge.from];
        for (index, level) in between.into_iter().enumerate() {
            let item = match edge.label.filter(|_| index == 0) {
                Some(size) => self.add(ItemKind::Label, level, size)?,
                None => match shared.get(&(edge.to, edge.kind, direction, level)) {
                    Some(&bend) => bend,
                    None => {
                        let bend = self.add(ItemKind::Bend, level, BEND)?;
                        shared.insert((edge.to, edge.kind, direction, level), bend);
                        bend
                    }
                },
            };
            items.push(item);
        }
        items.push(edge.to);
        if direction == Direction::Up {
            let (turn, end) = (items[1], items[items.len() - 2]);
            self.beside[turn] = Some(edge.from);
            self.beside[end].get_or_insert(edge.to);
        }
        for pair in items.windows(2) {
            self.tie(pair[0], pair[1]);
        }
        self.chains.push(Chain { items, direction });
        Some(())
    }

    /// Ties items of neighbouring levels; those of one level stand beside each other.
    fn tie(&mut self, one: usize, other: usize) {
        let (upper, lower) = if self.items[one].level < self.items[other].level { (one, other) } else { (other, one) };
        if self.items[upper].level < self.items[lower].level && !self.below[upper].contains(&lower) {
            self.below[upper].push(lower);
            self.above[lower].push(upper);
        }
    }

    /// Orders each level by a walk from the start, which keeps what belongs together together.
    fn fill_rows(&mut self, start: usize) {
        let mut turns: HashMap<usize, Vec<usize>> = HashMap::new();
        for (item, place) in self.beside.iter().enumerate() {
            if let Some(place) = place {
                turns.entry(*place).or_default().push(item);
            }
        }
        let mut seen = vec![false; self.items.len()];
        for root in std::iter::once(start).chain(0..self.items.len()) {
            let mut stack = vec![root];
            while let Some(item) = stack.pop() {
                if std::mem::replace(&mut seen[item], true) {
                    continue;
                }
                self.rows[self.items[item].level].push(item);
                stack.extend(turns.get(&item).into_iter().flatten().rev());
                stack.extend(self.below[item].iter().rev());
            }
        }
    }
}

/// The bends that edges share: by the box they lead to, their kind, their direction, and the level.
type Shared = HashMap<(usize, u8, Direction, usize), usize>;

/// Which edges go back: those that lead to a box on the way from the start to them.
fn directions(count: usize, edges: &[Edge], start: usize) -> Vec<Direction> {
    #[derive(Clone, Copy, PartialEq)]
    enum Visit {
        Not,
        Open,
        Closed,
    }
    let mut leaving = vec![Vec::new(); count];
    for (index, edge) in edges.iter().enumerate() {
        leaving[edge.from].push(index);
    }
    let mut visits = vec![Visit::Not; count];
    let mut directions = vec![Direction::Down; edges.len()];
    for root in std::iter::once(start).chain(0..count).filter(|&root| root < count) {
        if visits[root] != Visit::Not {
            continue;
        }
        visits[root] = Visit::Open;
        let mut stack = vec![(root, 0)];
        while let Some((at, next)) = stack.last_mut() {
            let Some(&edge) = leaving[*at].get(*next) else {
                visits[*at] = Visit::Closed;
                stack.pop();
                continue;
            };
            *next += 1;
            let to = edges[edge].to;
            match visits[to] {
                Visit::Open => directions[edge] = Direction::Up,
                Visit::Closed => {}
                Visit::Not => {
                    visits[to] = Visit::Open;
                    stack.push((to, 0));
                }
            }
        }
    }
    directions
}

/// How far each box stands below the start: by its longest way.
fn ranks(count: usize, edges: &[Edge], directions: &[Direction], start: usize) -> Vec<usize> {
    let down = || edges.iter().zip(directions).filter(|(_, direction)| **direction == Direction::Down);
    let mut leaving = vec![Vec::new(); count];
    let mut entering = vec![0_usize; count];
    for (edge, _) in down() {
        leaving[edge.from].push(edge.to);
        entering[edge.to] += 1;
    }
    let is_source: Vec<bool> = entering.iter().map(|&count| count == 0).collect();
    let mut ranks = vec![0; count];
    let mut queue: VecDeque<usize> = (0..count).filter(|&index| is_source[index]).collect();
    while let Some(at) = queue.pop_front() {
        for &to in &leaving[at] {
            ranks[to] = ranks[to].max(ranks[at] + 1);
            entering[to] -= 1;
            if entering[to] == 0 {
                queue.push_back(to);
            }
        }
    }
    // What nothing leads to stands right above what it leads to.
    for index in (0..count).filter(|&index| is_source[index] && index != start) {
        let nearest = leaving[index].iter().map(|&to| ranks[to]).min();
        ranks[index] = nearest.map_or(0, |rank: usize| rank.saturating_sub(1));
    }
    ranks
}

/// The level of each rank: below a rank that labelled edges leave there is a level of labels.
struct Spread {
    levels: Vec<usize>,
    count: usize,
}

impl Spread {
    fn new(ranks: &[usize], edges: &[Edge], directions: &[Direction]) -> Self {
        let count = ranks.iter().max().map_or(0, |last| last + 1);
        let mut has_labels = vec![false; count];
        for (edge, direction) in edges.iter().zip(directions) {
            has_labels[ranks[edge.from]] |= edge.label.is_some() && *direction == Direction::Down;
        }
        let mut levels = Vec::with_capacity(count);
        let mut next = 0;
        for has_label in has_labels {
            levels.push(next);
            next += 1 + usize::from(has_label);
        }
        Self { levels, count: next }
    }

    fn rank(&self, rank: usize) -> usize {
        self.levels[rank]
    }
}
