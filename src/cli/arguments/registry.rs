//! What can be typed after `pocket registry`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use pocket_registry::arguments::ServeArguments;
use pocket_registry::{Operation, PATIENCE, WitnessAt, Witnesses};

use super::owner::RecoverArguments;

#[derive(Debug, Subcommand)]
pub enum RegistryCommand {
    /// Serve a registry over HTTP
    Serve(Box<ServeArguments>),
    #[command(flatten)]
    Operate(Box<Operation>),
    /// Sign a registry's checkpoint anew, so that clients see that it is alive: for one that no server runs on, from cron
    Refresh {
        /// The registry's folder, with `tree/` and `registry.key`
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
        #[command(flatten)]
        witnesses: WitnessArguments,
    },
    /// Name other owners for a plugin whose owners lost their keys; they count after a delay that everybody sees. No server may
    /// use the folder meanwhile
    Recover {
        #[command(flatten)]
        recovery: RecoverArguments,
        #[command(flatten)]
        witnesses: WitnessArguments,
    },
    /// Read a whole registry and see that everything in it fits together: exit code 6 if something does not
    Verify {
        /// Its URL, its name from pocket.yaml, `bundled`, or the folder of its files
        #[arg(value_name = "URL|FOLDER")]
        registry: String,
        /// Do not read the archives
        #[arg(long)]
        no_archives: bool,
    },
}

/// Who cosigns a registry's checkpoints.
#[derive(Debug, Args)]
pub struct WitnessArguments {
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

impl From<WitnessArguments> for Witnesses {
    fn from(arguments: WitnessArguments) -> Self {
        let WitnessArguments { witness, witness_quorum, witness_timeout } = arguments;
        Self { asked: witness, quorum: witness_quorum, patience: Duration::from_secs(witness_timeout) }
    }
}

#[derive(Debug, Args)]
pub struct DemoArguments {
    /// Where the demo works, and leaves everything to look at [default: a temporary folder that is removed]
    #[arg(long, value_name = "FOLDER")]
    pub dir: Option<PathBuf>,
    /// Where Redis answers
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:6379")]
    pub redis: String,
}
