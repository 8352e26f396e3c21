//! What a verb can fail with.

mod boxed;
mod place;

use std::path::{Path, PathBuf};

use pocket_index::archive::ArchiveError;
use pocket_index::manifest::Runtime;
use pocket_index::name::{PluginName, RegistryName, Target};
use pocket_index::package::PackageError;
use pocket_index::search::QueryError;
use pocket_index::verify::VerifyError;
use semver::Version;

use super::accounts::AccountError;
use super::install::{DirectError, OriginError};
use super::local::LocalError;
use super::look::LookError;
use super::nodes::NodesError;
use super::organisation::OrganisationError;
use super::policy::PolicyError;
use super::publish::PublishError;
use super::scripts::ScriptError;
use super::trial::TrialError;
use crate::engine::CallError;
use crate::engine::budget::LimitError;
use crate::engine::inspect::UnaskedImport;
use crate::home::HomeError;
use crate::ops::runs::RunsError;
use crate::project::{EditError, ExpandError, LockError, ManifestError};
use crate::registry::{LocationError, RegistryError, TransportError};
use crate::resolve::ResolveError;
use crate::store::StoreError;
use crate::workflow::{DocumentError, Position, Problems, RunError};

/// Why a verb did not do what was asked. The rooms' own errors, and what only joining them can find.
#[derive(Debug, thiserror::Error)]
pub enum OpsError {
    /// The user's folder.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// What is looked for.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// `pocket.yaml`.
    #[error("`{}` cannot be used", path.display())]
    Project {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: ManifestError,
    },
    /// A `${NAME}` in `pocket.yaml`.
    #[error("`{}{}` cannot be used", path.display(), place::shown(*place))]
    Expand {
        /// The file.
        path: PathBuf,
        /// Where in it, if that can be found.
        place: Option<Position>,
        /// Why not.
        source: ExpandError,
    },
    /// A limit in `pocket.yaml` that is none.
    #[error("`{key}` in `{}` is no limit", path.display())]
    Limit {
        /// The file.
        path: PathBuf,
        /// The key in it.
        key: String,
        /// What is wrong.
        source: LimitError,
    },
    /// A change of a plugin's owner keys.
    #[error("cannot change who signs for `{name}`: {reason}")]
    Owners {
        /// The plugin.
        name: PluginName,
        /// Why not.
        reason: String,
    },
    /// A WebAssembly plugin that imports what its manifest does not ask for.
    #[error("`{name}` {version} is not used")]
    UnaskedImport {
        /// The plugin.
        name: PluginName,
        /// Its version.
        version: Version,
        /// The import.
        source: UnaskedImport,
    },
    /// A registry's name that nothing explains.
    #[error("there is no registry `{name}` in `{}`", file.display())]
    NoRegistry {
        /// The name.
        name: RegistryName,
        /// The project's file.
        file: PathBuf,
    },
    /// A registry that is configured to be used without keys.
    #[error("the registry `{name}` is configured as `unsigned: true`, which this version cannot use")]
    UnsignedRegistry {
        /// The registry.
        name: RegistryName,
    },
    /// An edit of `pocket.yaml`.
    #[error("cannot change `{}`", path.display())]
    Edit {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: EditError,
    },
    /// `pocket.lock`.
    #[error("`{}` cannot be used", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: LockError,
    },
    /// A registry.
    #[error(transparent)]
    Registry(Box<RegistryError>),
    /// A registry's place.
    #[error(transparent)]
    Location(#[from] LocationError),
    /// No choice of versions.
    #[error("cannot choose versions")]
    Resolve(#[source] ResolveError),
    /// The unpacked plugins.
    #[error(transparent)]
    Store(Box<StoreError>),
    /// A file of the user's.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A folder or archive that is no package.
    #[error("cannot make a package of `{}`", path.display())]
    Package {
        /// The folder or archive.
        path: PathBuf,
        /// Why not.
        source: Box<PackageError>,
    },
    /// A package of another version than was said.
    #[error("`{name}` is version {found} by its manifest, and `--version` says {wanted}")]
    OtherVersion {
        /// The plugin.
        name: PluginName,
        /// Its version.
        found: Version,
        /// What was said.
        wanted: Version,
    },
    /// An archive that is refused.
    #[error("the archive {archive} is refused")]
    Archive {
        /// Its file or URL.
        archive: String,
        /// Why.
        source: Box<ArchiveError>,
    },
    /// An archive that does not verify.
    #[error("the archive {archive} is refused")]
    Unverified {
        /// Its file or URL.
        archive: String,
        /// Why.
        source: Box<VerifyError>,
    },
    /// A download from a URL.
    #[error("cannot download {url}")]
    Download {
        /// The URL.
        url: String,
        /// Why not.
        source: TransportError,
    },
    /// What was typed names no plugin.
    #[error("`{given}` names no plugin: {reason}")]
    Source {
        /// What was typed.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A name that means another plugin than before.
    #[error(transparent)]
    Origin(Box<OriginError>),
    /// A release, URL or file that the project names itself.
    #[error(transparent)]
    Direct(Box<DirectError>),
    /// A plugin that is used where it stands.
    #[error(transparent)]
    Local(Box<LocalError>),
    /// A node type that is asked for.
    #[error(transparent)]
    Nodes(#[from] NodesError),
    /// A Lua file.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// Somebody must say yes, and nobody can be asked.
    #[error("the permissions of {} need a yes", plugins.join(", "))]
    NotApproved {
        /// The plugins that ask for more than was approved.
        plugins: Vec<String>,
    },
    /// Somebody said no.
    #[error("the permissions were not granted; nothing was changed")]
    Declined,
    /// An organisation's rules that do not count.
    #[error(transparent)]
    Organisation(Box<OrganisationError>),
    /// A plugin that the user, the project or the organisation does not allow.
    #[error(transparent)]
    Policy(Box<PolicyError>),
    /// A plugin whose manifest asks for more than the lock approved.
    #[error("`{name}` {version} {asked}, which `pocket.lock` does not approve")]
    Unapproved {
        /// The plugin.
        name: PluginName,
        /// Its version.
        version: Version,
        /// What it asks for beyond the lock, in plain words.
        asked: String,
    },
    /// A plugin whose owners the registry replaced since it was locked, and nobody said yes to the new ones.
    #[error(
        "`{name}` {version} is signed by {new}, whom the registry named in place of {old}, who signed what is locked; nobody \
         accepted that"
    )]
    OtherOwners {
        /// The plugin.
        name: PluginName,
        /// The version that would be installed.
        version: Version,
        /// The owners up to the recovery, by fingerprint.
        old: String,
        /// The owners since, by fingerprint.
        new: String,
    },
    /// `--locked`, and the lock would change.
    #[error("`{}` does not fit `{}`, and --locked allows no change: {reason}", lock.display(), manifest.display())]
    LockStale {
        /// The lock.
        lock: PathBuf,
        /// The project's file.
        manifest: PathBuf,
        /// What would change.
        reason: String,
    },
    /// Plugins for another machine, with no folder of their own.
    #[error("plugins for `{target}` need a folder of their own")]
    ForeignTarget {
        /// What they run on.
        target: Target,
    },
    /// A version that was asked for precisely, and something else needs another one.
    #[error("`{name}` cannot be {version}{}", instead(chosen))]
    Imprecise {
        /// The plugin.
        name: PluginName,
        /// The version that was asked for.
        version: Version,
        /// What would be chosen.
        chosen: Vec<Version>,
    },
    /// A registry without a copy in the folder that `plugins.vendor` names.
    #[error("the registry `{registry}` has no copy in `{}`", folder.display())]
    NotVendored {
        /// The registry.
        registry: RegistryName,
        /// The folder.
        folder: PathBuf,
    },
    /// No such plugin.
    #[error("there is no plugin `{name}` in {place}")]
    NoPlugin {
        /// What was asked for.
        name: String,
        /// Where it was looked for.
        place: String,
        /// Names that are close.
        near: Vec<String>,
    },
    /// No call of a plugin was ever counted.
    #[error("no call of `{name}` was counted")]
    NothingCounted {
        /// The plugin.
        name: PluginName,
        /// Names that are close.
        near: Vec<String>,
    },
    /// A kind of plugin that nothing makes.
    #[error("there is no template for a {runtime} plugin in {language}")]
    NoTemplate {
        /// What was to run it.
        runtime: Runtime,
        /// What it was to be written in.
        language: &'static str,
    },
    /// A workflow that does not use the plugin that is looked at.
    #[error("`{}` does not use the plugin `{plugin}`", workflow.display())]
    NotUsed {
        /// The plugin.
        plugin: PluginName,
        /// The workflow.
        workflow: PathBuf,
    },
    /// A plugin that was tried.
    #[error(transparent)]
    Trial(#[from] TrialError),
    /// A plugin that is locked but not unpacked.
    #[error("`{name}` {version} is locked but not installed")]
    NotInstalled {
        /// The plugin.
        name: PluginName,
        /// Its version.
        version: Version,
    },
    /// A yanked release that was asked for.
    #[error("`{name}` {version} was yanked: {reason}")]
    Yanked {
        /// The plugin.
        name: PluginName,
        /// Its version.
        version: Version,
        /// Why.
        reason: String,
    },
    /// A revoked release.
    #[error("`{name}` {version} was revoked: {}", if reason.is_empty() { "no reason is given" } else { reason.as_str() })]
    Revoked {
        /// The plugin.
        name: PluginName,
        /// Its version.
        version: Version,
        /// Why.
        reason: String,
        /// What cannot be chosen without it, if that was tried.
        source: Option<Box<ResolveError>>,
    },
    /// A lock that gives up a registry's keys.
    #[error("`{}` says that the registry `{name}` is used without keys, which nobody configured", lock.display())]
    UnsignedLock {
        /// The registry.
        name: RegistryName,
        /// The lock.
        lock: PathBuf,
    },
    /// What is locked and what the registry says differ.
    #[error("`{name}` {version}: the lock says {locked}, the registry says {found}")]
    LockDiffers {
        /// The plugin.
        name: PluginName,
        /// Its version.
        version: Version,
        /// What the lock has.
        locked: String,
        /// What the registry has.
        found: String,
    },
    /// Nothing vouches for an archive.
    #[error("nothing vouches for {subject}: {reason}")]
    NoEvidence {
        /// The archive.
        subject: String,
        /// What was looked for.
        reason: String,
    },
    /// A link of the chain that is not on this machine.
    #[error("the chain from {subject} to the registry's log has a gap")]
    MissingLink {
        /// The plugin and its version.
        subject: String,
        /// What is missing.
        source: Box<RegistryError>,
    },
    /// A release that was not published, or not approved.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// Nobody was logged in or out.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The workflow is wrong.
    #[error(transparent)]
    Workflow(#[from] Problems),
    /// A workflow that cannot be looked at.
    #[error(transparent)]
    Look(#[from] LookError),
    /// The workflow cannot be read.
    #[error(transparent)]
    Document(DocumentError),
    /// The run failed.
    #[error(transparent)]
    Run(Box<RunError>),
    /// A run cannot be found, taken up or repeated.
    #[error(transparent)]
    Runs(Box<RunsError>),
    /// A plugin cannot be loaded.
    #[error("cannot load the plugin `{plugin}`")]
    Load {
        /// The plugin.
        plugin: PluginName,
        /// Why not.
        source: CallError,
    },
    /// A plugin's setting.
    #[error("the setting `{setting}` of `{plugin}`: {message}")]
    Setting {
        /// The plugin.
        plugin: PluginName,
        /// The setting.
        setting: String,
        /// What is wrong.
        message: String,
    },
    /// The run's input is no JSON.
    #[error("the input {place} is no JSON")]
    Input {
        /// The option or the file.
        place: String,
        /// Why not.
        source: serde_json::Error,
    },
    /// Threads or signals.
    #[error("cannot start the asynchronous runtime")]
    Runtime {
        /// Why not.
        source: std::io::Error,
    },
    /// Ctrl-C cannot be heard.
    #[error("cannot listen for Ctrl-C")]
    Interrupt {
        /// Why not.
        source: ctrlc::Error,
    },
    /// The registry server.
    #[cfg(feature = "registry")]
    #[error(transparent)]
    Server(#[from] pocket_registry::RegistryError),
    /// A witness's folder.
    #[cfg(feature = "registry")]
    #[error(transparent)]
    WitnessFolder(#[from] pocket_registry::witness::WitnessFolderError),
    /// A checkpoint that the witness does not cosign.
    #[cfg(feature = "registry")]
    #[error("the checkpoint of the registry `{registry}` is not cosigned")]
    NotCosigned {
        /// The registry.
        registry: String,
        /// Why not.
        source: Box<pocket_registry::witness::Refusal>,
    },
    /// A folder that must be empty.
    #[error("`{}` is not empty", path.display())]
    FolderInUse {
        /// The folder.
        path: PathBuf,
    },
    /// A step of the demo went another way than it should.
    #[error("the demo stopped: {message}")]
    Demo {
        /// What happened.
        message: String,
    },
}

fn instead(chosen: &[Version]) -> String {
    let chosen: Vec<_> = chosen.iter().map(ToString::to_string).collect();
    if chosen.is_empty() {
        ": nothing needs it".to_owned()
    } else {
        format!(": what needs it is met by {}", chosen.join(", "))
    }
}

impl OpsError {
    /// For `map_err`: what was done, on which path.
    pub fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}
