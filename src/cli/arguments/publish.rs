//! What can be typed about publishing, and about who may.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use pocket_index::age::parse_age;
use pocket_index::name::PluginName;
use semver::Version;

use super::{RegistryArguments, release};
use crate::ops::OpsError;

/// The key that signs if nobody says.
pub const DEFAULT_KEY: &str = "default";

#[derive(Debug, Args)]
pub struct PublishArguments {
    /// A folder, a single file (`.lua`, `.wasm`, `.so`), or archives of one version, one for each target
    #[arg(required = true, value_name = "FOLDER|FILE")]
    pub sources: Vec<PathBuf>,
    /// The version that it must have; a single file without a manifest gets it
    #[arg(long)]
    pub version: Option<Version>,
    #[command(flatten)]
    pub sign: SignArguments,
    /// Check and sign, upload nothing
    #[arg(long, conflicts_with = "stage")]
    pub dry_run: bool,
    /// Let it wait at the registry until enough owners approved it; needs a token, or a signature of an owner
    #[arg(long)]
    pub stage: bool,
    #[command(flatten)]
    pub wait: WaitArguments,
}

#[derive(Debug, Args)]
pub struct ApproveArguments {
    /// The plugin and its version
    #[arg(value_name = "NAME@VERSION|NAME")]
    plugin: String,
    /// The version, where it does not stand behind the name
    version: Option<Version>,
    /// What the plugin is made of here: it is packed and must be, byte for byte, what waits
    #[arg(long, value_name = "FOLDER|FILE")]
    pub source: Option<PathBuf>,
    #[command(flatten)]
    pub sign: SignArguments,
    /// Sign without a question
    #[arg(long, short)]
    pub yes: bool,
    #[command(flatten)]
    pub wait: WaitArguments,
}

#[derive(Debug, Args)]
pub struct RejectArguments {
    /// The plugin and its version
    #[arg(value_name = "NAME@VERSION|NAME")]
    plugin: String,
    /// The version, where it does not stand behind the name
    version: Option<Version>,
    #[command(flatten)]
    pub registry: RegistryArguments,
    /// The key that signs where there is no token for it
    #[arg(long, value_name = "NAME", default_value = DEFAULT_KEY)]
    pub key: String,
}

#[derive(Debug, Args)]
pub struct LoginArguments {
    #[command(flatten)]
    pub registry: RegistryArguments,
    /// Read the token from the standard input
    #[arg(long)]
    pub token_stdin: bool,
}

#[derive(Debug, Args)]
pub struct SignArguments {
    #[command(flatten)]
    pub registry: RegistryArguments,
    /// The key that signs; several where more than one owner must
    #[arg(long, value_name = "NAME", default_value = DEFAULT_KEY)]
    pub key: Vec<String>,
}

#[derive(Debug, Args)]
pub struct WaitArguments {
    /// How long to wait until it can be installed
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = Patience::parse)]
    pub wait: Patience,
}

/// How long somebody waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience(pub Duration);

impl Patience {
    fn parse(text: &str) -> Result<Self, String> {
        let seconds = parse_age(text).ok_or_else(|| "expected a time such as `60s` or `5m`, or `0`".to_owned())?;
        Ok(Self(Duration::from_secs(seconds)))
    }
}

impl ApproveArguments {
    /// The plugin and its version, however they were typed.
    pub fn plugin(&self) -> Result<(PluginName, Version), OpsError> {
        plugin(&self.plugin, self.version.as_ref())
    }
}

impl RejectArguments {
    /// The plugin and its version, however they were typed.
    pub fn plugin(&self) -> Result<(PluginName, Version), OpsError> {
        plugin(&self.plugin, self.version.as_ref())
    }
}

fn plugin(typed: &str, version: Option<&Version>) -> Result<(PluginName, Version), OpsError> {
    let wrong = |reason: String| OpsError::Source { given: typed.to_owned(), reason };
    match version {
        Some(version) => {
            let name = typed.parse();
            Ok((name.map_err(|error: pocket_index::name::NameError| wrong(error.to_string()))?, version.clone()))
        }
        None => release(typed).map_err(wrong),
    }
}
