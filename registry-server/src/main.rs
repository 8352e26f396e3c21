//! The registry server as a program of its own; `pocket registry serve` is the same.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use pocket_registry::{
    Exposure, Options, PATIENCE, RegistryError, Seed, Source, WitnessAt, Witnesses, parse_recovery_delay,
};

/// Serves a Pocket registry over HTTP.
#[derive(Debug, Parser)]
#[command(name = "pocket-registry", version)]
struct Arguments {
    /// The registry's folder; an empty or missing one becomes a new registry [default: a copy of the bundled one that is gone
    /// when the server stops]
    #[arg(long, value_name = "FOLDER", env = "POCKET_REGISTRY_DIR")]
    dir: Option<PathBuf>,
    /// Start a new registry with the plugins of the bundled one
    #[arg(long, requires = "dir")]
    with_bundled: bool,
    /// Where to listen; port 0 takes a free one
    #[arg(
        long,
        alias = "address",
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:7878",
        env = "POCKET_REGISTRY_ADDR"
    )]
    addr: SocketAddr,
    /// Listen on an address that other machines reach: a proxy in front does TLS
    #[arg(long)]
    behind_proxy: bool,
    /// How long a recovery that is sent here must wait at least before its owners count
    #[arg(long, value_name = "DELAY", default_value = "7d", value_parser = parse_recovery_delay, env = "POCKET_RECOVERY_DELAY")]
    recovery_delay: u64,
    /// A witness that cosigns each checkpoint, and its key; may be given several times
    #[arg(long, value_name = "URL=KEY")]
    witness: Vec<WitnessAt>,
    /// How many witnesses must have cosigned a checkpoint before anybody sees it
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    witness_quorum: usize,
    /// How long witnesses are waited for
    #[arg(long, value_name = "SECONDS", default_value_t = PATIENCE.as_secs(), value_parser = clap::value_parser!(u64).range(1..=600))]
    witness_timeout: u64,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
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

fn run(arguments: &Arguments) -> Result<(), RegistryError> {
    let seed = if arguments.with_bundled { Seed::Bundled } else { Seed::Empty };
    let source = arguments.dir.clone().map_or(Source::Bundled, |path| Source::Folder { path, seed });
    let exposure = if arguments.behind_proxy { Exposure::BehindProxy } else { Exposure::Loopback };
    let witnesses = Witnesses {
        asked: arguments.witness.clone(),
        quorum: arguments.witness_quorum,
        patience: Duration::from_secs(arguments.witness_timeout),
    };
    let recovery_delay = arguments.recovery_delay;
    let local = Options::local(source, arguments.addr);
    let options = Options { exposure, recovery_delay, witnesses, ..local };
    pocket_registry::serve_until_stopped(&options, |server| println!("serving {}", server.url()))
}
