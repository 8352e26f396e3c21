//! What is typed, set in the environment, or written in a configuration file to say where a registry is and how it is served.
//!
//! What is typed goes before the environment, the environment before the file.

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use ipnet::IpNet;
use pocket_index::log::NoteKey;
use reqwest::Url;
use serde::Deserialize;

use crate::config::{
    DEFAULT_RECOVERY_DELAY, Exposure, Limits, Options, PATIENCE, Seed, Source, Tokens, WitnessAt, WitnessAtError,
    Witnesses, parse_recovery_delay,
};
use crate::error::io_error;
use crate::{BucketOptions, RegistryError, Secret, TlsFiles, Upstream};

/// Where a server listens if nobody says.
const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7878);

/// The variable with the token for the registry that is fetched from.
const UPSTREAM_TOKEN: &str = "POCKET_REGISTRY_UPSTREAM_TOKEN";
/// 1 TiB: more than any publish can say that it has.
const MOST_MIB: u64 = 1 << 20;

/// Where a registry is.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct PlaceArguments {
    /// The registry's folder
    #[arg(long, value_name = "FOLDER", env = "POCKET_REGISTRY_DIR", conflicts_with = "bucket")]
    pub dir: Option<PathBuf>,
    /// The registry's bucket on an S3-compatible service; its credentials come from AWS_ACCESS_KEY_ID and so on
    #[arg(long, value_name = "NAME", env = "POCKET_REGISTRY_BUCKET", requires = "key")]
    pub bucket: Option<String>,
    /// What the names of the bucket's objects start with
    #[arg(long, value_name = "PREFIX", env = "POCKET_REGISTRY_PREFIX")]
    pub prefix: Option<String>,
    /// The service's URL, if it is not Amazon's
    #[arg(long, value_name = "URL", env = "POCKET_REGISTRY_ENDPOINT")]
    pub endpoint: Option<String>,
    /// The file with the key that signs the log of a bucket; a folder has its own
    #[arg(long, value_name = "FILE", env = "POCKET_REGISTRY_KEY")]
    pub key: Option<PathBuf>,
}

/// How a registry is served.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct ServeArguments {
    /// A file in YAML with any of these options, named as here without the dashes
    #[arg(long, value_name = "FILE", env = "POCKET_REGISTRY_CONFIG")]
    #[serde(skip)]
    config: Option<PathBuf>,
    #[command(flatten)]
    #[serde(flatten)]
    place: PlaceArguments,
    /// Start a new registry with the plugins of the bundled one
    #[arg(long)]
    with_bundled: bool,
    /// Serve another registry: fetch from this URL what is asked for, check it, and keep it in --dir;
    /// POCKET_REGISTRY_UPSTREAM_TOKEN holds the token for a private one
    #[arg(long, value_name = "URL", value_parser = checked_url, env = "POCKET_REGISTRY_UPSTREAM", conflicts_with = "bucket")]
    upstream: Option<String>,
    /// The key that the log of --upstream must have
    #[arg(long, value_name = "KEY", value_parser = checked_key, requires = "upstream", env = "POCKET_REGISTRY_LOG_KEY")]
    log_key: Option<String>,
    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:7878]
    #[arg(long, alias = "address", value_name = "ADDRESS:PORT", env = "POCKET_REGISTRY_ADDR")]
    addr: Option<SocketAddr>,
    /// Listen on an address that other machines reach: a proxy in front does TLS
    #[arg(long, env = "POCKET_REGISTRY_BEHIND_PROXY")]
    behind_proxy: bool,
    /// Whether whoever writes needs a token [default: `required` where other machines reach the server, else `optional`]
    #[arg(long, value_enum, value_name = "RULE", env = "POCKET_REGISTRY_TOKENS")]
    tokens: Option<TokenRule>,
    /// A network in which such proxies are; may be given several times [default: this machine and private networks]
    #[arg(long, value_name = "ADDRESS[/BITS]", value_parser = parse_network)]
    trusted_proxy: Vec<Network>,
    /// The certificate that the server proves itself with, and those above it, in PEM
    #[arg(long, value_name = "FILE", env = "POCKET_REGISTRY_TLS_CERT", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key, in PEM
    #[arg(long, value_name = "FILE", env = "POCKET_REGISTRY_TLS_KEY", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// How long a recovery that is sent to it must wait at least before its owners count [default: 7d]
    #[arg(long, value_name = "DELAY", value_parser = checked_delay, env = "POCKET_RECOVERY_DELAY")]
    recovery_delay: Option<String>,
    /// A witness that cosigns each checkpoint, and its key; may be given several times
    #[arg(long, value_name = "URL=KEY", value_parser = checked_witness)]
    witness: Vec<String>,
    /// How many witnesses must have cosigned a checkpoint before anybody sees it [default: 0]
    #[arg(long, value_name = "NUMBER")]
    witness_quorum: Option<usize>,
    /// How long witnesses are waited for [default: 5]
    #[arg(long, value_name = "SECONDS")]
    witness_timeout: Option<u64>,
    #[command(flatten)]
    #[serde(flatten)]
    limits: LimitArguments,
}

/// Whether whoever writes needs a token.
#[derive(Debug, Clone, Copy, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum TokenRule {
    /// The signatures of a plugin's owners are enough.
    Optional,
    /// A token, too.
    Required,
}

/// How much of a server anybody gets.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct LimitArguments {
    /// The largest publish, in MiB [default: 300]
    #[arg(long, value_name = "MIB", env = "POCKET_REGISTRY_MAX_BODY")]
    max_body: Option<u64>,
    /// How long a sender may be slow, a reader may take nothing and a connection may be idle [default: 30]
    #[arg(long, value_name = "SECONDS", env = "POCKET_REGISTRY_PATIENCE")]
    patience: Option<u64>,
    /// Connections at once [default: 4096]
    #[arg(long, value_name = "NUMBER", env = "POCKET_REGISTRY_MAX_CONNECTIONS")]
    max_connections: Option<usize>,
    /// Connections at once from one address [default: 256]
    #[arg(long, value_name = "NUMBER", env = "POCKET_REGISTRY_MAX_CONNECTIONS_PER_ADDRESS")]
    max_connections_per_address: Option<usize>,
    /// Requests a second from one address; 0 for any number [default: 200]
    #[arg(long, value_name = "NUMBER", env = "POCKET_REGISTRY_RATE")]
    rate: Option<u32>,
    /// Requests a second with one token, from all addresses together; 0 for any number [default: 500]
    #[arg(long, value_name = "NUMBER", env = "POCKET_REGISTRY_RATE_PER_TOKEN")]
    rate_per_token: Option<u32>,
    /// Publishes that are unpacked and added at once [default: 8]
    #[arg(long, value_name = "NUMBER", env = "POCKET_REGISTRY_MAX_PUBLISHES")]
    max_publishes: Option<usize>,
}

/// A network, or an address alone.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Network(IpNet);

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        parse_network(&text)
    }
}

fn parse_network(text: &str) -> Result<Network, String> {
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network
        .map(Network)
        .map_err(|_| format!("`{}` is no network: expected `10.0.0.0/8` or `10.0.0.5`", text.escape_debug()))
}

/// A number within its range.
fn within<N: PartialOrd + Display>(
    name: &str,
    typed: Option<N>,
    written: Option<N>,
    range: RangeInclusive<N>,
) -> Result<Option<N>, RegistryError> {
    match typed.or(written) {
        Some(number) if !range.contains(&number) => {
            let message = format!("`{name}` is {number}, expected {} to {}", range.start(), range.end());
            Err(RegistryError::Setting { message })
        }
        number => Ok(number),
    }
}

fn parse_url(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|error| format!("`{}`: {error}", text.escape_debug()))?;
    if matches!(url.scheme(), "http" | "https") {
        Ok(url)
    } else {
        Err(format!("`{url}`: expected `https://` or `http://`"))
    }
}

fn checked_url(text: &str) -> Result<String, String> {
    parse_url(text).map(|_| text.to_owned())
}

fn checked_key(text: &str) -> Result<String, String> {
    text.parse::<NoteKey>().map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn checked_delay(text: &str) -> Result<String, String> {
    parse_recovery_delay(text).map(|_| text.to_owned())
}

fn checked_witness(text: &str) -> Result<String, WitnessAtError> {
    text.parse::<WitnessAt>().map(|_| text.to_owned())
}

impl PlaceArguments {
    /// What they name; none if they name nothing.
    ///
    /// # Errors
    /// A bucket without a key.
    pub fn source(&self, seed: Seed) -> Result<Option<Source>, RegistryError> {
        if let Some(path) = &self.dir {
            return Ok(Some(Source::Folder { path: path.clone(), seed }));
        }
        let Some(bucket) = &self.bucket else { return Ok(None) };
        let key = self.key.clone().ok_or_else(|| RegistryError::NoKey { bucket: bucket.clone() })?;
        let prefix = self.prefix.clone().unwrap_or_default();
        let bucket = BucketOptions { bucket: bucket.clone(), prefix, endpoint: self.endpoint.clone() };
        Ok(Some(Source::Bucket { bucket, key, seed }))
    }

    fn or(self, file: Self) -> Self {
        // A place is one thing: what is typed does not mix with what the file says.
        if self.dir.is_some() || self.bucket.is_some() { self } else { file }
    }
}

impl ServeArguments {
    /// What a server is told: by these, else by the file that they name, else by default.
    ///
    /// # Errors
    /// The file cannot be read, or something in it or here makes no sense.
    pub fn options(self) -> Result<Options, RegistryError> {
        let file = self.config.as_deref().map(read).transpose()?.unwrap_or_default();
        let seed = if self.with_bundled || file.with_bundled { Seed::Bundled } else { Seed::Empty };
        let place = self.place.or(file.place);
        let witness = if self.witness.is_empty() { file.witness } else { self.witness };
        let certificate = self.tls_cert.or(file.tls_cert);
        let tls = certificate.zip(self.tls_key.or(file.tls_key));
        let delay = self.recovery_delay.or(file.recovery_delay);
        let wrong = |message| RegistryError::Setting { message };
        let proxies = if self.trusted_proxy.is_empty() { file.trusted_proxy } else { self.trusted_proxy };
        let witnesses = Witnesses {
            asked: witness
                .iter()
                .map(|text| text.parse::<WitnessAt>().map_err(|error| wrong(error.to_string())))
                .collect::<Result<_, _>>()?,
            quorum: self.witness_quorum.or(file.witness_quorum).unwrap_or_default(),
            patience: within("witness-timeout", self.witness_timeout, file.witness_timeout, 1..=600)?
                .map_or(PATIENCE, Duration::from_secs),
        };
        let key = self.log_key.or(file.log_key);
        let key = key.map(|key| key.parse::<NoteKey>().map_err(|error| wrong(error.to_string()))).transpose()?;
        let url = self.upstream.or(file.upstream).map(|url| parse_url(&url).map_err(wrong)).transpose()?;
        let upstream = match (url, &place.dir) {
            (Some(url), Some(folder)) => {
                Some(Upstream { url, folder: folder.clone(), key, token: Secret::of_variable(UPSTREAM_TOKEN)? })
            }
            (Some(url), None) => return Err(wrong(format!("say where `{url}` is kept: --dir FOLDER"))),
            (None, _) => None,
        };
        let address = self.addr.or(file.addr).unwrap_or(ADDRESS);
        let exposure = if self.behind_proxy || file.behind_proxy { Exposure::BehindProxy } else { Exposure::Loopback };
        Ok(Options {
            upstream,
            source: place.source(seed)?.unwrap_or(Source::Bundled),
            address,
            exposure,
            proxies: proxies.into_iter().map(|Network(network)| network).collect(),
            tokens: self.tokens.or(file.tokens).map_or_else(|| Tokens::usual(address, exposure), Tokens::from),
            recovery_delay: delay
                .map_or(Ok(DEFAULT_RECOVERY_DELAY), |delay| parse_recovery_delay(&delay).map_err(wrong))?,
            witnesses,
            tls: tls.map(|(certificate, key)| TlsFiles { certificate, key }),
            limits: self.limits.or(file.limits)?,
        })
    }
}

impl From<TokenRule> for Tokens {
    fn from(rule: TokenRule) -> Self {
        match rule {
            TokenRule::Optional => Self::Optional,
            TokenRule::Required => Self::Required,
        }
    }
}

impl LimitArguments {
    fn or(self, file: Self) -> Result<Limits, RegistryError> {
        let default = Limits::default();
        let number = |name, typed, written| within(name, typed, written, 1..=1_000_000);
        let patience = within("patience", self.patience, file.patience, 1..=3_600)?;
        let body = within("max-body", self.max_body, file.max_body, 1..=MOST_MIB)?;
        let connections = number("max-connections", self.max_connections, file.max_connections)?;
        let per_address = (self.max_connections_per_address, file.max_connections_per_address);
        let per_address = number("max-connections-per-address", per_address.0, per_address.1)?;
        let publishes = number("max-publishes", self.max_publishes, file.max_publishes)?;
        Ok(Limits {
            body_bytes: body.map_or(default.body_bytes, |mib| mib << 20),
            patience: patience.map_or(default.patience, Duration::from_secs),
            publishes: publishes.unwrap_or(default.publishes),
            connections: connections.unwrap_or(default.connections),
            connections_per_address: per_address.unwrap_or(default.connections_per_address),
            requests_per_second: self.rate.or(file.rate).unwrap_or(default.requests_per_second),
            requests_per_second_per_token: self
                .rate_per_token
                .or(file.rate_per_token)
                .unwrap_or(default.requests_per_second_per_token),
            ..default
        })
    }
}

fn read(path: &Path) -> Result<ServeArguments, RegistryError> {
    let text = std::fs::read_to_string(path).map_err(io_error("read", path))?;
    let wrong = |message: String| RegistryError::Setting { message: format!("`{}`: {message}", path.display()) };
    let arguments: ServeArguments = serde_saphyr::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    match (&arguments.tls_cert, &arguments.tls_key) {
        (Some(_), None) | (None, Some(_)) => Err(wrong("`tls-cert` and `tls-key` go together".to_owned())),
        _ => Ok(arguments),
    }
}
