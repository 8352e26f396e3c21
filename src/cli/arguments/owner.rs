//! What can be typed about the keys that sign for a plugin.

#[cfg(feature = "registry")]
use std::path::PathBuf;

use clap::{Args, Subcommand};
use pocket_index::name::PluginName;
use pocket_index::signature::PublicKey;

use super::{RegistryArguments, SignArguments};

#[derive(Debug, Subcommand)]
pub enum OwnerCommand {
    /// List the keys that sign for a plugin
    List {
        /// The plugin
        name: PluginName,
        #[command(flatten)]
        registry: RegistryArguments,
    },
    /// Sign the present keys again, which cancels a recovery that the registry announced
    Keep {
        /// The plugin
        name: PluginName,
        #[command(flatten)]
        sign: SignArguments,
    },
    /// Let one more key sign
    Add {
        /// The plugin
        name: PluginName,
        /// The public key, as `pocket key export --public` prints it
        #[arg(value_name = "PUBLIC-KEY")]
        owner: PublicKey,
        #[command(flatten)]
        sign: SignArguments,
    },
    /// Let a key sign no more
    Remove {
        /// The plugin
        name: PluginName,
        /// The public key
        #[arg(value_name = "PUBLIC-KEY")]
        owner: PublicKey,
        #[command(flatten)]
        sign: SignArguments,
    },
    /// Set how many of the keys must sign
    Threshold {
        /// The plugin
        name: PluginName,
        /// How many
        number: u32,
        #[command(flatten)]
        sign: SignArguments,
    },
}

#[derive(Debug, Args)]
pub struct AcceptArguments {
    /// Take a locked plugin from owners whom the registry named in place of those who lost their keys; may be given several times
    #[arg(long, value_name = "NAME")]
    pub accept_recovery: Vec<PluginName>,
}

#[cfg(feature = "registry")]
#[derive(Debug, Clone, Args)]
pub struct RecoverArguments {
    /// The plugin
    pub name: PluginName,
    /// A public key that will sign for it; several may
    #[arg(long, value_name = "PUBLIC-KEY", required = true)]
    pub owner: Vec<PublicKey>,
    /// How many of them must sign
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub threshold: u32,
    /// Why, in one line that everybody reads
    #[arg(long)]
    pub reason: String,
    /// The registry's folder
    #[arg(long, value_name = "FOLDER")]
    pub dir: PathBuf,
    /// How long the present owners have to object
    #[arg(long, value_name = "DELAY", default_value = "7d", value_parser = pocket_registry::parse_recovery_delay, env = "POCKET_RECOVERY_DELAY")]
    pub delay: u64,
}
