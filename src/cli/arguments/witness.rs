//! What can be typed after `pocket witness`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use pocket_index::log::NoteKey;

#[derive(Debug, Subcommand)]
pub enum WitnessCommand {
    /// Make a witness with a new key, and print the key that others demand it by
    Init {
        #[command(flatten)]
        folder: WitnessFolder,
        /// Its name, such as witness.example.com/one
        #[arg(long, value_name = "NAME")]
        name: String,
    },
    /// Say which logs it cosigns; a witness that runs takes it up at once
    #[command(subcommand)]
    Log(LogCommand),
    /// Cosign what registries send: HTTP, as C2SP tlog-witness says
    Start {
        #[command(flatten)]
        folder: WitnessFolder,
        /// Where to listen; port 0 takes a free one
        #[arg(long = "addr", alias = "address", value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7879")]
        address: SocketAddr,
        /// Listen on an address that other machines reach: a proxy in front does TLS
        #[arg(long)]
        behind_proxy: bool,
    },
    /// Read a registry's checkpoint and cosign it, without a server. A private registry is shown the token of `pocket plugin login`,
    /// or the one in POCKET_TOKEN
    Check {
        /// The registry's URL, or its name from one's own pocket.yaml
        #[arg(value_name = "URL")]
        registry: String,
        #[command(flatten)]
        folder: WitnessFolder,
        /// Write the cosignature to a file instead of printing it
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub enum LogCommand {
    /// Cosign a log's checkpoints from now on
    Add {
        /// The key that signs it: `log` in the registry's `config.json`
        #[arg(value_name = "KEY")]
        key: NoteKey,
        #[command(flatten)]
        folder: WitnessFolder,
    },
    /// List the logs, and how far each was seen
    List {
        #[command(flatten)]
        folder: WitnessFolder,
    },
    /// Cosign a log no more; what was seen of it stays known
    Remove {
        /// The key that signs it
        #[arg(value_name = "KEY")]
        key: NoteKey,
        #[command(flatten)]
        folder: WitnessFolder,
    },
}

#[derive(Debug, Args)]
pub struct WitnessFolder {
    /// The witness's folder: its key, and what it saw
    #[arg(long, value_name = "FOLDER")]
    pub dir: PathBuf,
}
