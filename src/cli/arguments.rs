//! Everything that can be typed, with the help that explains it.

mod find;
mod key;
mod owner;
mod publish;
#[cfg(feature = "registry")]
mod registry;
mod run;
mod shelf;
#[cfg(feature = "registry")]
mod witness;
mod workflow;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use pocket_index::name::{PluginName, Target};
use pocket_index::permissions::parse_memory;
use semver::Version;

use crate::ops::Scope;

pub use find::{PopularArguments, SearchArguments};
pub use key::KeyCommand;
#[cfg(feature = "registry")]
pub use owner::RecoverArguments;
pub use owner::{AcceptArguments, OwnerCommand};
pub use publish::{ApproveArguments, DEFAULT_KEY, LoginArguments, PublishArguments, RejectArguments, SignArguments};
#[cfg(feature = "registry")]
pub use registry::{DemoArguments, RegistryCommand};
pub use run::{
    BenchArguments, CreateArguments, Language, LoadArguments, MetricsArguments, MetricsFormat, ProfileArguments,
    RunArguments, RunsCommand, TestArguments, TrialArguments, UnloadArguments,
};
pub use shelf::{NodesCommand, ScriptArguments, ScriptsCommand};
#[cfg(feature = "registry")]
pub use witness::{LogCommand, WitnessCommand};
pub use workflow::{GraphArguments, WorkflowCommand};

/// A package manager for plugins, and the engine that runs them.
#[derive(Debug, Parser)]
#[command(name = "pocket", version, max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: GlobalArguments,
    #[command(subcommand)]
    pub command: Command,
}

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON document with stable field names.
    Json,
    /// The same document as YAML.
    Yaml,
}

#[derive(Debug, Args)]
pub struct GlobalArguments {
    /// How results are printed
    #[arg(long, short = 'o', global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
    /// Print results only, no progress
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a workflow
    Run(RunArguments),
    /// Check workflow files, and tell editors what may stand in them
    #[command(subcommand)]
    Workflow(WorkflowCommand),
    /// Draw a workflow
    Graph(GraphArguments),
    /// List runs that have journals, and show what they did
    #[command(subcommand)]
    Runs(RunsCommand),
    /// Install, search, publish and verify plugins
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Show the node types that workflows can use, with their configs and examples
    #[command(subcommand)]
    Nodes(NodesCommand),
    /// List, check and run Lua files
    #[command(subcommand)]
    Scripts(ScriptsCommand),
    /// Make and list the keys that sign what you publish
    #[command(subcommand)]
    Key(KeyCommand),
    /// Host a registry
    #[cfg(feature = "registry")]
    #[command(subcommand)]
    Registry(RegistryCommand),
    /// Watch registries for others: cosign what only grew
    #[cfg(feature = "registry")]
    #[command(subcommand)]
    Witness(WitnessCommand),
    /// See all of it work: a registry, a key, a publish, installs, a workflow, a refusal
    #[cfg(feature = "registry")]
    Demo(DemoArguments),
    /// The child process in which nodes do what may explode; the engine starts it
    #[command(name = "__worker", hide = true)]
    Worker,
    /// The child process that native plugins run in; the engine starts it
    #[command(name = "__plugin-host", hide = true)]
    PluginHost,
}

#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Install plugins, or what pocket.yaml and pocket.lock name
    Install(InstallArguments),
    /// Take plugins out of the project
    Uninstall(UninstallArguments),
    /// Move plugins to the newest versions that fit, and show what changes
    Update(UpdateArguments),
    /// Show which plugins have newer versions
    Outdated(OutdatedArguments),
    /// Look for what speaks against the plugins in pocket.lock; exit with 1 if that is serious
    Audit(AuditArguments),
    /// Show what needs what
    Tree(TreeArguments),
    /// Show why a plugin is there: every way from the project to it
    Why {
        /// The plugin
        name: PluginName,
        #[command(flatten)]
        scope: ScopeArguments,
    },
    /// Write pocket.lock without unpacking anything
    Lock(LockArguments),
    /// Copy everything that is locked into a folder, to install from without a network
    Vendor {
        /// The folder; name it as `plugins.vendor` in pocket.yaml to install from it
        folder: PathBuf,
        #[command(flatten)]
        registry: RegistryArguments,
    },
    /// Show, check or empty the cache of downloads
    #[command(subcommand)]
    Cache(CacheCommand),
    /// List the plugins
    List {
        #[command(flatten)]
        scope: ScopeArguments,
    },
    /// Use a plugin where it stands, without installing it
    Load(LoadArguments),
    /// Use a plugin no more, without uninstalling it
    Unload(UnloadArguments),
    /// Tell what a file is, what keeps it from being a plugin here, and what to do; exit code 5 if it cannot be used
    Check {
        /// Any file or folder
        path: PathBuf,
    },
    /// Make a folder with a new plugin that builds, loads and works as it is
    Create(CreateArguments),
    /// Call a plugin's nodes with the examples of its manifest, or with an input; exit code 5 if something else comes out
    Test(TestArguments),
    /// Measure how fast a plugin's nodes are
    Bench(BenchArguments),
    /// Show a plugin: its nodes and settings
    Info(InfoArguments),
    /// Run a workflow and draw where its time went, in a plugin and around it
    Profile(ProfileArguments),
    /// Show how often plugins were called, how long that took and how it ended
    Metrics(MetricsArguments),
    /// Show what a plugin asks for, what was approved and granted, and what it may do
    Permissions {
        /// The plugin, installed or in a registry
        name: PluginName,
        #[command(flatten)]
        registry: RegistryArguments,
    },
    /// Find plugins by name, keyword, node type, category or description
    Search(SearchArguments),
    /// List the categories that plugins stand in
    Categories {
        #[command(flatten)]
        registry: RegistryArguments,
    },
    /// List the plugins that are downloaded most
    Popular(PopularArguments),
    /// Pack a folder into an archive, the same bytes on every machine
    Pack(PackArguments),
    /// Pack, sign and upload a plugin
    Publish(PublishArguments),
    /// List the releases that wait for signatures
    Staged {
        #[command(flatten)]
        registry: RegistryArguments,
    },
    /// Look at a release that waits, and sign it: the last signature that is needed publishes it
    Approve(ApproveArguments),
    /// Take back a release that waits, with whatever signatures it has: whoever brought it may, and its owners
    Reject(RejectArguments),
    /// Keep a token for a registry, if the registry takes it; it is asked for, or read with --token-stdin
    Login(LoginArguments),
    /// Forget the token for a registry
    Logout {
        #[command(flatten)]
        registry: RegistryArguments,
    },
    /// Say that a version should not be picked anew; locks that hold it keep it
    Yank(WithdrawArguments),
    /// Take a yank back
    Unyank(WithdrawArguments),
    /// Withdraw a version for good: it is refused even where it is locked
    Revoke(WithdrawArguments),
    /// Say that a plugin, or one version of it, is not recommended any more
    Deprecate(DeprecateArguments),
    /// List and change the keys that sign for a plugin
    #[command(subcommand)]
    Owner(OwnerCommand),
    /// Verify an archive or installed plugins: exit code 6 when something is refused
    Verify {
        /// An archive's file or URL, or an installed plugin's name [default: everything in pocket.lock]
        subject: Option<String>,
        #[command(flatten)]
        registry: RegistryArguments,
    },
}

#[derive(Debug, Clone, Default, Args)]
pub struct RegistryArguments {
    /// The registry: a URL (`https://…`, `file://…`), or a name from pocket.yaml [default: the bundled one]
    #[arg(long, value_name = "URL|NAME", env = "POCKET_REGISTRY")]
    pub registry: Option<String>,
    /// Use nothing but what is on this machine
    #[arg(long, env = "POCKET_OFFLINE", value_parser = clap::builder::FalseyValueParser::new())]
    pub offline: bool,
}

#[derive(Debug, Args)]
pub struct InfoArguments {
    /// The plugin
    pub name: PluginName,
    #[command(flatten)]
    pub registry: RegistryArguments,
    /// Also show where each setting's value comes from, permissions, limits, licence and source
    #[arg(long, short)]
    pub verbose: bool,
}

#[derive(Debug, Args)]
pub struct InstallArguments {
    /// `NAME[@REQUIREMENT]`, `github.com/OWNER/REPO[@REQUIREMENT]`, a release page's URL, `URL#sha256=…`, or the path of an
    /// archive, a folder, a `.lua`, `.wasm` or `.so`. Without one, everything that pocket.yaml names
    pub plugins: Vec<String>,
    #[command(flatten)]
    pub registry: RegistryArguments,
    /// Fail if pocket.lock would have to change
    #[arg(long)]
    pub locked: bool,
    /// Both --locked and --offline
    #[arg(long)]
    pub frozen: bool,
    #[command(flatten)]
    pub scope: ScopeArguments,
    /// Unpack to this folder instead of ~/.pocket/plugins
    #[arg(long, value_name = "FOLDER")]
    pub dir: Option<PathBuf>,
    /// Unpack what runs on another machine, such as aarch64-unknown-linux-gnu
    #[arg(long, value_name = "TRIPLE")]
    pub target: Option<Target>,
    /// Take plugins whose files have more bytes together than usual (256MiB), or fewer
    #[arg(long, value_name = "SIZE", value_parser = parse_memory)]
    pub max_unpacked: Option<u64>,
    /// Show what would change, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub accept: AcceptArguments,
    /// Grant what the plugins ask for without a question
    #[arg(long, short, visible_alias = "allow-permissions")]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct UpdateArguments {
    /// The plugins; without one, all
    pub plugins: Vec<PluginName>,
    #[command(flatten)]
    pub registry: RegistryArguments,
    /// Move one plugin to exactly this version, older ones too
    #[arg(long, value_name = "VERSION")]
    pub precise: Option<Version>,
    /// Take plugins whose files have more bytes together than usual (256MiB), or fewer
    #[arg(long, value_name = "SIZE", value_parser = parse_memory)]
    pub max_unpacked: Option<u64>,
    /// Show what would change, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub scope: ScopeArguments,
    #[command(flatten)]
    pub accept: AcceptArguments,
    /// Grant what the plugins ask for without a question
    #[arg(long, short, visible_alias = "allow-permissions")]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct LockArguments {
    #[command(flatten)]
    pub registry: RegistryArguments,
    /// Write nothing; fail if pocket.lock would change
    #[arg(long)]
    pub check: bool,
    #[command(flatten)]
    pub scope: ScopeArguments,
    #[command(flatten)]
    pub accept: AcceptArguments,
    /// Grant what the plugins ask for without a question
    #[arg(long, short, visible_alias = "allow-permissions")]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct OutdatedArguments {
    #[command(flatten)]
    pub registry: RegistryArguments,
    #[command(flatten)]
    pub scope: ScopeArguments,
    /// Exit with 1 if a newer version fits
    #[arg(long)]
    pub check: bool,
}

#[derive(Debug, Clone, Copy, Args)]
pub struct ScopeArguments {
    /// Work on the user's own plugins, whatever project this folder is in
    #[arg(long)]
    pub global: bool,
}

#[derive(Debug, Args)]
pub struct AuditArguments {
    /// Exit with 1 for findings of this severity and worse
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t)]
    pub deny: Level,
    /// Report releases that are younger
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    pub min_age: u64,
    /// Use nothing but what is on this machine; what that does not tell is a finding
    #[arg(long, env = "POCKET_OFFLINE", value_parser = clap::builder::FalseyValueParser::new())]
    pub offline: bool,
    #[command(flatten)]
    pub scope: ScopeArguments,
}

/// How serious a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Level {
    /// Deprecated, outdated, younger than --min-age, the project's own
    Low,
    /// Yanked, unsigned, about to have other owners
    Medium,
    /// Revoked, denied, changed, or not known to its registry
    #[default]
    High,
}

impl ScopeArguments {
    /// Whose plugins are meant.
    pub fn scope(self) -> Scope {
        if self.global { Scope::User } else { Scope::Nearest }
    }
}

#[derive(Debug, Args)]
pub struct TreeArguments {
    /// Begin at this plugin instead of the project
    pub name: Option<PluginName>,
    /// Show what needs a plugin instead of what it needs
    #[arg(long, short)]
    pub invert: bool,
    /// Show this many levels
    #[arg(long, value_name = "LEVELS")]
    pub depth: Option<usize>,
    #[command(flatten)]
    pub scope: ScopeArguments,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub enum CacheCommand {
    /// Print where the cache is
    Dir,
    /// Remove everything that can be fetched or made again
    Clean,
    /// Digest every cached archive again, and remove those that are damaged
    Verify,
}

#[derive(Debug, Args)]
pub struct UninstallArguments {
    /// The plugins
    #[arg(required = true)]
    pub plugins: Vec<PluginName>,
    #[command(flatten)]
    pub scope: ScopeArguments,
}

#[derive(Debug, Args)]
pub struct PackArguments {
    /// The folder with `manifest.yaml` in it
    pub folder: PathBuf,
    /// Where the archive goes
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub out: PathBuf,
    /// Also write `<name>-<version>.release.json`, which signs all archives for a release on a forge
    #[arg(long)]
    pub sign: bool,
    /// The key that signs; several may
    #[arg(long, value_name = "NAME", default_value = "default", requires = "sign")]
    pub key: Vec<String>,
}

#[derive(Debug, Args)]
pub struct WithdrawArguments {
    /// The plugin and its version
    #[arg(value_name = "NAME@VERSION", value_parser = release)]
    pub plugin: (PluginName, Version),
    /// Why, in one line
    #[arg(long, default_value = "")]
    pub reason: String,
    #[command(flatten)]
    pub sign: SignArguments,
}

#[derive(Debug, Args)]
pub struct DeprecateArguments {
    /// The plugin, or one version of it
    #[arg(value_name = "NAME[@VERSION]")]
    pub plugin: String,
    /// Why, and what to use instead
    #[arg(long, default_value = "")]
    pub reason: String,
    #[command(flatten)]
    pub sign: SignArguments,
}

/// `NAME@VERSION`.
fn release(text: &str) -> Result<(PluginName, Version), String> {
    let (name, version) = text.split_once('@').ok_or("expected NAME@VERSION")?;
    let name = name.parse().map_err(|error: pocket_index::name::NameError| error.to_string())?;
    let version = version.parse().map_err(|error: semver::Error| format!("`{version}`: {error}"))?;
    Ok((name, version))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn no_two_arguments_of_a_command_have_one_name() {
        Cli::command().debug_assert();
    }
}
