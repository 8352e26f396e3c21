//! A long run of calls over all runtimes, with traps, timeouts, crashes and reloads mixed in by chance, which must leave nothing
//! behind: no process, no descriptor, no thread, no memory. In a program of its own, since it counts what the whole process has.
//!
//! ```console
//! $ cargo test --workspace --test soak                                                     # 20,000 calls
//! $ POCKET_SOAK_CALLS=1000000 cargo test --workspace --release --test soak -- --nocapture   # all of it
//! ```
//!
//! `POCKET_SOAK_SEED` repeats a run's choices. What was held before and after is printed.
#![cfg(target_os = "linux")]

#[path = "soak/chance.rs"]
mod chance;
#[path = "soak/holdings.rs"]
mod holdings;
#[path = "soak/load.rs"]
mod load;
#[path = "soak/plugins.rs"]
mod plugins;

use std::time::Instant;

use holdings::Holdings;
use load::Load;

/// What is enough to show a leak of a descriptor, a thread or a process, and of memory by the kilobyte.
const USUAL_CALLS: u64 = 20_000;

/// 32 MiB beyond what was in use after the first calls: allocators of threads that come and go do not give all back. A million calls
/// that lose 34 bytes each are more.
const MEMORY_ALLOWANCE: u64 = 32 << 20;

fn number(variable: &str, otherwise: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is `{text}`, which is no number")),
        Err(_) => otherwise,
    }
}

#[test]
fn calls_of_all_runtimes_that_end_in_every_way_leave_nothing_behind() {
    let calls = number("POCKET_SOAK_CALLS", USUAL_CALLS);
    let seed = number("POCKET_SOAK_SEED", 1);
    let load = Load::new();
    // What the first calls start stays: compiled code, pools of threads, the memory that is used again and again.
    load.run(calls / 10, seed);
    let before = Holdings::settled();
    let began = Instant::now();
    let count = load.run(calls, seed + 1);
    let elapsed = began.elapsed();
    let after = Holdings::back_at(before);
    println!(
        "{calls} calls, seed {seed}, {:.0} s, {:.0} calls a second",
        elapsed.as_secs_f64(),
        calls as f64 / elapsed.as_secs_f64()
    );
    println!("{count}");
    println!("before: {before}");
    println!("after:  {after}");
    count.assert_all_happened();
    assert_eq!(after.without_memory(), before.without_memory(), "descriptors, threads and processes");
    let allowed = before.memory + MEMORY_ALLOWANCE;
    assert!(after.memory <= allowed, "memory grew from {} to {} bytes", before.memory, after.memory);
}
