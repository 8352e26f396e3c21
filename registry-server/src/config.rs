//! What a server is told when it starts.

use std::net::SocketAddr;
use std::path::PathBuf;

use pocket_index::age::parse_age;
use pocket_index::record::MIN_RECOVERY_DELAY;

use crate::RegistryError;

/// Where the registry's files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A copy of the bundled index in a temporary folder: what is published is gone when the server stops.
    Bundled,
    /// A folder. An empty or missing one becomes a new registry.
    Folder {
        /// The folder.
        path: PathBuf,
        /// What a new registry starts with.
        seed: Seed,
    },
}

/// What a new registry starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Seed {
    /// Nothing.
    #[default]
    Empty,
    /// The plugins of the bundled index.
    Bundled,
}

/// Whether a server without TLS may be reached from other machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Exposure {
    /// Only from this machine.
    #[default]
    Loopback,
    /// From anywhere: a proxy in front of it does TLS.
    BehindProxy,
}

/// What a server is told when it starts.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where its files are.
    pub source: Source,
    /// Where it listens; port 0 takes a free one.
    pub address: SocketAddr,
    /// Who may reach it.
    pub exposure: Exposure,
    /// How long a recovery must wait at least before its owners count, in seconds.
    pub recovery_delay: u64,
}

/// 7 days: whoever looks at a plugin's warnings once a week sees a recovery before it counts.
pub const DEFAULT_RECOVERY_DELAY: u64 = 7 * 86_400;

/// The delay of recoveries as it is typed: `7d`, `36h`. At least what the format demands.
///
/// # Errors
/// It is no delay, or too short.
pub fn parse_recovery_delay(text: &str) -> Result<u64, String> {
    let delay = parse_age(text).ok_or("expected a delay such as `7d` or `96h`")?;
    if delay < MIN_RECOVERY_DELAY {
        let least = MIN_RECOVERY_DELAY / 86_400;
        return Err(format!("{delay} seconds are too few: every client demands {least} days at least"));
    }
    Ok(delay)
}

impl Options {
    // Publishing over plain HTTP from another machine can be changed on the way.
    pub(crate) fn check_address(&self) -> Result<(), RegistryError> {
        if self.exposure == Exposure::Loopback && !self.address.ip().is_loopback() {
            return Err(RegistryError::Exposed { address: self.address });
        }
        Ok(())
    }
}
