//! The `pocket` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    pocket::cli::main(std::env::args_os())
}
