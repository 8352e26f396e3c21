//! The registry server as a program of its own; `pocket registry` is the same.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use mimalloc::MiMalloc;
use pocket_registry::arguments::ServeArguments;
use pocket_registry::{Operation, Outcome, RegistryError, Server};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Why not the system's: `docs/decisions/0016-allocator.md`.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Serves a Pocket registry over HTTP, and looks after it. Without a command it serves.
#[derive(Debug, Parser)]
#[command(name = "pocket-registry", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArguments,
    /// What is told of how things happen: `info` has a line for each request
    #[arg(long, global = true, value_name = "LEVEL", default_value = "warn", env = "POCKET_LOG_LEVEL")]
    log_level: LevelFilter,
    /// How it is told, on the standard error
    #[arg(long, global = true, value_enum, default_value_t, env = "POCKET_LOG_FORMAT")]
    log_format: LogFormat,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a registry over HTTP
    Serve(Box<ServeArguments>),
    #[command(flatten)]
    Operate(Box<Operation>),
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log(arguments.log_level, arguments.log_format);
    let done = match arguments.command {
        None => serve(arguments.serve),
        Some(Command::Serve(serve_arguments)) => serve(*serve_arguments),
        Some(Command::Operate(operation)) => operate(*operation),
    };
    match done {
        Ok(Outcome::Whole) => ExitCode::SUCCESS,
        // What it is, stands in what was told.
        Ok(Outcome::Partial) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                eprintln!("  cause: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn log(level: LevelFilter, format: LogFormat) {
    let filter = Targets::new().with_target("pocket_registry", level);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Text => registry.with(lines).init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).init(),
    }
}

fn serve(arguments: ServeArguments) -> Result<Outcome, RegistryError> {
    let ready = |server: &Server| println!("serving {}", server.url());
    pocket_registry::serve_until_stopped(&arguments.options()?, ready).map(|()| Outcome::Whole)
}

fn operate(operation: Operation) -> Result<Outcome, RegistryError> {
    let runtime = tokio::runtime::Runtime::new().map_err(|source| RegistryError::Runtime { source })?;
    let done = runtime.block_on(operation.run())?;
    // Whoever does not read it does not undo it.
    let _ = std::io::stdout().write_all(done.told.as_bytes());
    Ok(done.outcome)
}
