//! The `pocket` program.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Why not the system's: `docs/decisions/0016-allocator.md`.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    pocket::cli::main(std::env::args_os())
}
