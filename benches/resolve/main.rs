//! The solver against `resolvo`: `cargo bench --bench resolve`.
//!
//! Both solve the same records in memory. Each run starts from nothing, so that what either remembers between two calls does not
//! count. `GRAPH` in the environment adds a graph that `benches/crates/graph.py` wrote.

mod cases;
mod sat;

use cases::Case;
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

#[divan::bench(args = cases::all(), max_time = 3)]
fn pocket(bencher: Bencher<'_, '_>, case: &Case) {
    bencher.bench_local(|| pocket::resolve::resolve(black_box(&case.request), black_box(&case.records)));
}

#[divan::bench(args = cases::all(), max_time = 3)]
fn resolvo(bencher: Bencher<'_, '_>, case: &Case) {
    let world = sat::World::new(case);
    bencher.bench_local(|| sat::solve(black_box(&world), black_box(&case.request.roots)));
}
