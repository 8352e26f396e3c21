//! What stands in `pocket.yaml`.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use pocket_index::digest::Digest;
use pocket_index::log::WitnessDemand;
use pocket_index::manifest::Runtime;
use pocket_index::name::{PluginName, RegistryName, Target};
use pocket_index::pattern::NamePattern;
use pocket_index::permissions::Word;
use pocket_index::repository::Repository;
use pocket_index::signature::PublicKey;
use semver::VersionReq;
use serde_json::{Map, Value};

use super::allowance::Allowance;
use super::expand::{ExpandError, expand};
use super::limits::LimitSettings;

/// A `pocket.yaml`: a project's, or the user's own.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProjectManifest {
    /// `plugins`.
    pub plugins: PluginSettings,
    /// `registries`, by the name that dependencies use.
    pub registries: BTreeMap<RegistryName, RegistrySettings>,
    /// `forges`, by the host that repositories name.
    pub forges: BTreeMap<String, ForgeSettings>,
    /// `trust_key`: who must have signed the organisation's `trust.yaml`; counts in the user's own file only.
    pub trust_key: Option<PublicKey>,
    /// `log_level`.
    pub log_level: Option<LogLevel>,
}

/// `plugins`. What is not set is none: another file or a default decides.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PluginSettings {
    /// Folders with plugins, as written: relative to the file, `~/` for the user's home.
    pub directories: Option<Vec<String>>,
    /// Whether plugins in those folders are loaded without being named.
    pub autoload: Option<Autoload>,
    /// What every chosen version must run on, so that the lock is the same on every machine; empty for the machine that resolves.
    pub targets: Vec<Target>,
    /// A folder with copies of what is installed, read instead of the network; relative to the file.
    pub vendor: Option<String>,
    /// The plugins that the project needs.
    pub dependencies: BTreeMap<PluginName, Dependency>,
    /// Plugins' settings as written, `${NAME}` not yet replaced.
    pub config: BTreeMap<PluginName, Map<String, Value>>,
    /// What plugins may use.
    pub limits: LimitSettings,
    /// What plugins may do.
    pub security: Security,
}

/// Whether plugins in the project's folders are loaded without being named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Autoload {
    /// They are.
    On,
    /// They are not.
    Off,
}

/// A plugin that the project needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// The versions that will do.
    pub requirement: VersionReq,
    /// Where it comes from.
    pub source: DependencySource,
}

impl Dependency {
    /// A plugin of the default registry.
    pub fn new(requirement: VersionReq) -> Self {
        Self { requirement, source: DependencySource::Registry(None) }
    }
}

/// Where a plugin comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DependencySource {
    /// A registry; none is the default one.
    Registry(Option<RegistryName>),
    /// An archive on the web, with its digest where one is given.
    Url {
        /// Its address.
        url: String,
        /// The digest it must have.
        sha256: Option<Digest>,
    },
    /// A folder, an archive or a single file, as written: relative to the project.
    Path(String),
    /// The releases of a repository on a forge.
    Release(Repository),
}

/// One of `forges`: a host whose repositories have releases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgeSettings {
    /// The base of its API, such as `https://api.github.com`.
    pub api: String,
}

/// One of `registries`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrySettings {
    /// Where it is.
    pub url: String,
    /// Whether what it says must be signed.
    pub signing: Signing,
    /// How old a version must be before it is picked, in seconds.
    pub min_release_age: Option<u64>,
    /// How old its checkpoint may be, in seconds; none is the usual limit.
    pub max_age: Option<u64>,
    /// Bytes that a plugin's files may have together; none is the usual limit.
    pub max_unpacked: Option<u64>,
}

/// Whether a registry's words must be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signing {
    /// By the key that the registry shows first.
    OnFirstUse,
    /// By this key of its log.
    Key(String),
    /// Not at all: the user said `unsigned: true`.
    Unsigned,
}

/// `plugins.security`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Security {
    /// What a plugin is granted that no other line names.
    pub default_permissions: Option<BTreeSet<Word>>,
    /// What single plugins are granted. An empty set (`none`) takes everything away.
    pub permissions: BTreeMap<PluginName, BTreeSet<Word>>,
    /// The programs that workflows may start, as `exec` nodes name them.
    pub allow_exec: Option<Allowance>,
    /// The environment variables that templates may read.
    pub allow_env: Option<Allowance>,
    /// The native plugins that may run where the kernel cannot confine them. Only the user's own file can say so.
    pub unconfined: BTreeSet<PluginName>,
    /// Runtimes that must not be used.
    pub denied_runtimes: BTreeSet<Runtime>,
    /// Permissions that no plugin may ask for.
    pub denied_permissions: BTreeSet<Word>,
    /// Networks of private addresses that names may lead plugins to; none if the file does not say.
    pub private_networks: Option<Vec<IpNet>>,
    /// Whose signature a plugin of such a name must have: one of these keys.
    pub required_signers: BTreeMap<NamePattern, Vec<PublicKey>>,
    /// Who must have seen a registry's checkpoint before it counts.
    pub witnesses: Option<WitnessDemand>,
}

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What went wrong.
    Error,
    /// What may be wrong.
    Warn,
    /// What happens.
    Info,
    /// How it happens.
    Debug,
    /// Every step.
    Trace,
}

impl ProjectManifest {
    /// A plugin's settings with `${NAME}` replaced from `env`. Only then must the variables be there: installing a plugin does
    /// not need the secrets it runs with.
    ///
    /// # Errors
    /// A variable is not set and has no default.
    pub fn plugin_config(
        &self,
        plugin: &PluginName,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Map<String, Value>, ExpandError> {
        let Some(settings) = self.plugins.config.get(plugin) else { return Ok(Map::new()) };
        let replaced = |(setting, value): (&String, &Value)| {
            let key = format!("plugins.config.{plugin}.{setting}");
            Ok((setting.clone(), expand(value, &key, env)?))
        };
        settings.iter().map(replaced).collect()
    }
}
