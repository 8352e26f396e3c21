//! What a server is told when it starts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use pocket_index::age::parse_age;
use pocket_index::log::CosignerKey;
use pocket_index::record::MIN_RECOVERY_DELAY;
use reqwest::Url;

use crate::RegistryError;
use crate::pull::Upstream;
use crate::serve::TlsFiles;
use crate::storage::BucketOptions;

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
    /// A bucket, which other servers may write to at the same time. An empty one becomes a new registry.
    Bucket {
        /// Where it is.
        bucket: BucketOptions,
        /// The file with the key that signs the log. Every server on the bucket has the same; a new registry makes it.
        key: PathBuf,
        /// What a new registry starts with.
        seed: Seed,
    },
}

impl Source {
    pub(crate) fn seed(&self) -> Seed {
        match self {
            Self::Bundled => Seed::Bundled,
            Self::Folder { seed, .. } | Self::Bucket { seed, .. } => *seed,
        }
    }
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

/// Whether whoever writes must have a token. Who may sign say a plugin's owners in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tokens {
    /// Signatures are enough.
    #[default]
    Optional,
    /// A token, too.
    Required,
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
    /// Whether whoever writes must have a token.
    pub tokens: Tokens,
    /// Where the proxies in front of it are, whose word about who asks is taken; none for those of this machine and of private networks.
    pub proxies: Vec<IpNet>,
    /// How long a recovery must wait at least before its owners count, in seconds.
    pub recovery_delay: u64,
    /// Who cosigns its checkpoints.
    pub witnesses: Witnesses,
    /// What it proves itself with; none for plain HTTP.
    pub tls: Option<TlsFiles>,
    /// How much of it anybody gets.
    pub limits: Limits,
    /// The registry that is fetched as it is asked for and kept, instead of one's own.
    pub upstream: Option<Upstream>,
}

/// How much of a server anybody gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The bytes of a publish.
    pub body_bytes: u64,
    /// The bytes a second that a sender must manage.
    pub least_rate: u64,
    /// How long a sender may be slower than that, a connection may be idle, and a reader may take nothing.
    pub patience: Duration,
    /// Publishes that are unpacked at once; each may hold one archive in memory.
    pub publishes: usize,
    /// Publishes that are received at once; each may have as many bytes in the temporary folder as a publish has.
    pub senders: usize,
    /// Publishes that are received at once from one address; not of this machine itself.
    pub senders_per_address: usize,
    /// Connections at once.
    pub connections: usize,
    /// Connections at once from one address; not of this machine itself.
    pub connections_per_address: usize,
    /// Requests a second from one address; not of this machine itself. 0 for any number.
    pub requests_per_second: u32,
    /// Requests a second with one token, from wherever they come, this machine too. 0 for any number.
    pub requests_per_second_per_token: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // 300 MiB, as the format says: archives for several targets; each is held to the archive limits besides.
            body_bytes: 300 << 20,
            // 16 KiB/s: a slow telephone. A full body then takes 5 hours.
            least_rate: 16 << 10,
            patience: Duration::from_secs(30),
            publishes: 8,
            // Whoever wants them all needs 16 addresses.
            senders: 64,
            senders_per_address: 4,
            connections: 4_096,
            connections_per_address: 256,
            requests_per_second: 200,
            // A token is used on several machines at once: those of continuous integration.
            requests_per_second_per_token: 500,
        }
    }
}

impl Options {
    /// A server that only this machine reaches, with the defaults of everything.
    pub fn local(source: Source, address: SocketAddr) -> Self {
        Self {
            source,
            address,
            exposure: Exposure::Loopback,
            tokens: Tokens::Optional,
            proxies: Vec::new(),
            recovery_delay: DEFAULT_RECOVERY_DELAY,
            witnesses: Witnesses::default(),
            tls: None,
            limits: Limits::default(),
            upstream: None,
        }
    }
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

/// Who cosigns a registry's checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnesses {
    /// The witnesses that are asked.
    pub asked: Vec<WitnessAt>,
    /// How many of them must have cosigned a checkpoint before it is shown to anybody.
    pub quorum: usize,
    /// How long they are waited for, all at once.
    pub patience: Duration,
}

/// A witness and where it is asked; written `URL=KEY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessAt {
    /// Ends with a slash: `add-checkpoint` is below it.
    pub url: Url,
    /// The key of its cosignatures.
    pub key: CosignerKey,
}

/// Why a text names no witness.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no witness: {reason}", value.escape_debug())]
pub struct WitnessAtError {
    value: String,
    reason: String,
}

/// 5 s: witnesses do one flush, and a publish waits for them.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// 64 witnesses, fewer than a note has room for.
pub const MAX_WITNESSES: usize = 64;

impl Default for Witnesses {
    fn default() -> Self {
        Self { asked: Vec::new(), quorum: 0, patience: PATIENCE }
    }
}

impl Witnesses {
    /// No more must cosign than there are, by their keys.
    pub(crate) fn check(&self) -> Result<(), RegistryError> {
        let mut keys: Vec<_> = self.asked.iter().map(|witness| witness.key.public()).collect();
        keys.sort();
        keys.dedup();
        if self.quorum > keys.len() || self.asked.len() > MAX_WITNESSES {
            return Err(RegistryError::Witnesses { quorum: self.quorum, witnesses: keys.len() });
        }
        Ok(())
    }
}

impl FromStr for WitnessAt {
    type Err = WitnessAtError;

    fn from_str(text: &str) -> Result<Self, WitnessAtError> {
        let error = |reason: String| WitnessAtError { value: text.to_owned(), reason };
        // A URL without a query has no `=`, and base64 may end with one.
        let (url, key) = text.split_once('=').ok_or_else(|| error("expected `URL=KEY`".to_owned()))?;
        let mut url: Url = url.parse().map_err(|cause| error(format!("`{url}`: {cause}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(error(format!("`{url}`: expected `https://` or `http://`")));
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        let key = key.parse().map_err(|cause| error(format!("{cause}")))?;
        Ok(Self { url, key })
    }
}

impl Tokens {
    /// What holds if nobody says: strangers need a token, and whoever is on this machine does not.
    pub(crate) fn usual(address: SocketAddr, exposure: Exposure) -> Self {
        match exposure {
            Exposure::Loopback if address.ip().is_loopback() => Self::Optional,
            _ => Self::Required,
        }
    }
}

impl Options {
    // Publishing over plain HTTP from another machine can be changed on the way.
    pub(crate) fn check_address(&self) -> Result<(), RegistryError> {
        if self.tls.is_some() { Ok(()) } else { check_address(self.address, self.exposure) }
    }
}

pub(crate) fn check_address(address: SocketAddr, exposure: Exposure) -> Result<(), RegistryError> {
    if exposure == Exposure::Loopback && !address.ip().is_loopback() {
        return Err(RegistryError::Exposed { address });
    }
    Ok(())
}
