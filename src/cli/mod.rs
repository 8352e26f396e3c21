//! The command line: what can be typed, and what each verb prints.

mod approval;
mod arguments;
mod commands;
mod error;
mod log;
mod output;
mod passphrase;
mod progress;
mod recovery;
mod table;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

use arguments::Cli;
use output::Output;

/// Parses the arguments, runs the verb, prints its result or its error, and says how it went.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(usage) => return report_usage(&usage),
    };
    let output = Output::new(cli.global.output, cli.global.quiet);
    log::start(&cli.command, &output);
    match commands::run(cli, &output) {
        Ok(code) => code,
        Err(error) => {
            let failure = error::describe(&error, output.drawing());
            output.failure(&failure);
            ExitCode::from(failure.exit)
        }
    }
}

/// `--help` and `--version` are no mistakes: they go to the standard output with exit code 0.
fn report_usage(usage: &clap::Error) -> ExitCode {
    // Nothing is left to tell it to when the terminal is gone.
    let _ = usage.print();
    if usage.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
}
