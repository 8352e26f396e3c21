//! Pocket.

use std::process::ExitCode;

use pocket::engine::native;

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == native::HOST_ARGUMENT) {
        return native::run_host();
    }
    ExitCode::SUCCESS
}
