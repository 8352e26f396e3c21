//! What can be typed to host a registry, and to see all of it work.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::RecoverArguments;

#[derive(Debug, Subcommand)]
pub enum RegistryCommand {
    /// Serve a registry over HTTP
    Serve {
        /// The registry's folder; an empty or missing one becomes a new registry [default: a copy of the bundled one that is
        /// gone when the server stops]
        #[arg(long, value_name = "FOLDER")]
        dir: Option<PathBuf>,
        /// Start a new registry with the plugins of the bundled one
        #[arg(long, requires = "dir")]
        with_bundled: bool,
        /// Where to listen; port 0 takes a free one
        #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7878")]
        addr: SocketAddr,
        /// Listen on an address that other machines reach: a proxy in front does TLS
        #[arg(long)]
        behind_proxy: bool,
        /// How long a recovery that is sent to it must wait at least before its owners count
        #[arg(long, value_name = "DELAY", default_value = "7d", value_parser = pocket_registry::parse_recovery_delay, env = "POCKET_RECOVERY_DELAY")]
        recovery_delay: u64,
    },
    /// Name other owners for a plugin whose owners lost their keys; they count after a delay that everybody sees. No server may
    /// use the folder meanwhile
    Recover(RecoverArguments),
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

#[derive(Debug, Args)]
pub struct DemoArguments {
    /// Where the demo works, and leaves everything to look at [default: a temporary folder that is removed]
    #[arg(long, value_name = "FOLDER")]
    pub dir: Option<PathBuf>,
    /// Where Redis answers
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:6379")]
    pub redis: String,
}
