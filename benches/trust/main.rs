//! The time of each check: `cargo bench --bench trust`.

mod history;

use std::fs;

use divan::{Bencher, black_box};
use history::{Log, lines, publisher};
use pocket_index::log::{check_consistency, check_inclusion};
use pocket_index::record::{History, Outline, Policy};
use pocket_index::signature::verify;

fn main() {
    divan::main();
}

/// One ed25519 signature over a release of usual length.
#[divan::bench]
fn signature(bencher: Bencher<'_, '_>) {
    let event = history::event("1.0.0");
    let signature = publisher().sign_event("release", &event);
    bencher.bench_local(|| verify("release", black_box(&event), black_box(&signature)));
}

/// A plugin's file, every line in full.
#[divan::bench(args = [100, 1_000])]
fn replay(bencher: Bencher<'_, '_>, count: u64) {
    let (text, policy) = (lines(count), Policy::new([]));
    bencher.bench_local(|| History::replay(&history::name(), black_box(&text), &policy));
}

/// The same as an install reads it: only the releases that it looks at are read in full, here none.
#[divan::bench(args = [100, 1_000])]
fn outline(bencher: Bencher<'_, '_>, count: u64) {
    let (text, policy) = (lines(count), std::sync::Arc::new(Policy::new([])));
    bencher
        .with_inputs(|| text.clone())
        .bench_local_values(|text| Outline::read(&history::name(), text, std::sync::Arc::clone(&policy)));
}

/// A leaf in a log of so many, with the tiles at hand that a client fetches for it.
#[divan::bench(args = [1_000, 100_000])]
fn inclusion(bencher: Bencher<'_, '_>, size: u64) {
    let log = Log::of(size);
    let (leaf, checkpoint) = (history::leaf(size / 3), log.checkpoint(size));
    let tiles = log.tiles_for_inclusion(size / 3);
    bencher
        .with_inputs(|| tiles.clone())
        .bench_local_values(|tiles| check_inclusion(&checkpoint, black_box(&leaf), size / 3, &tiles));
}

/// That a log of so many leaves grew out of one with two thirds of them.
#[divan::bench(args = [1_000, 100_000])]
fn consistency(bencher: Bencher<'_, '_>, size: u64) {
    let log = Log::of(size);
    let (old, new) = (log.checkpoint(size * 2 / 3), log.checkpoint(size));
    let tiles = log.tiles_for_consistency(size * 2 / 3);
    bencher
        .with_inputs(|| tiles.clone())
        .bench_local_values(|tiles| check_consistency(black_box(old.head()), &new, &tiles));
}

/// The installed files of a plugin of 100 MiB, in ten files.
#[divan::bench(max_time = 5)]
fn tree_100_mib(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for number in 0..10_u8 {
        fs::write(folder.path().join(number.to_string()), vec![number; 10 << 20]).expect("it can be written");
    }
    bencher.bench_local(|| pocket_index::tree::of_directory(black_box(folder.path())));
}
