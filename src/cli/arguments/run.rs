//! What can be typed to run workflows and to look at how plugins do in them.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use pocket_index::manifest::Runtime;
use pocket_index::name::{NodeType, PluginName};
use pocket_index::permissions::parse_duration;

use super::ScopeArguments;

#[derive(Debug, Args)]
pub struct RunArguments {
    /// The workflow: a YAML or JSON file
    #[arg(required_unless_present = "resume")]
    pub workflow: Option<PathBuf>,
    /// The run's input as JSON
    #[arg(long, value_name = "JSON", conflicts_with_all = ["input_file", "resume"], allow_hyphen_values = true)]
    pub input: Option<String>,
    /// The run's input from a JSON file; `-` reads the standard input
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    pub input_file: Option<PathBuf>,
    /// Write down what happens, so that the run can be resumed: into this folder, where --resume looks too
    /// [default with --resume: ~/.pocket/runs]
    #[arg(long, value_name = "FOLDER")]
    pub journal: Option<PathBuf>,
    /// Go on with a run that was cut off, stopped, or failed: its name, the beginning of it, `latest`, or its journal's file
    #[arg(long, value_name = "RUN", conflicts_with = "dry_run")]
    pub resume: Option<String>,
    /// Instead of going on with the run, begin a new one at this node, with what the node received in that run
    #[arg(long, value_name = "NODE", requires = "resume")]
    pub from: Option<String>,
    /// Write what happens to this file, a JSON object a line
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Print the plan and run nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print each node as it starts and ends
    #[arg(long, short)]
    pub verbose: bool,
    /// Draw what happened, with times: to an .svg, .html, .mmd or .dot
    #[arg(long, value_name = "FILE")]
    pub graph: Option<PathBuf>,
    /// Print each call of a plugin: what goes in, what comes out, how long it took, which permissions were checked
    #[arg(long)]
    pub debug_plugins: bool,
    /// Leave a plugin out; may be given several times
    #[arg(long, value_name = "NAME")]
    pub disable_plugin: Vec<PluginName>,
}

/// What can be done with runs that have journals.
#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// List runs, the newest first
    List(RunsArguments),
    /// Show what a run did, node by node
    Show {
        /// The run: its name, the beginning of it, `latest`, or its journal's file
        run: String,
        #[command(flatten)]
        folder: RunsArguments,
    },
}

#[derive(Debug, Args)]
pub struct RunsArguments {
    /// The folder of the journals [default: ~/.pocket/runs]
    #[arg(long, value_name = "FOLDER")]
    pub journal: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct LoadArguments {
    /// A `.lua`, `.wasm` or `.so`, a folder with `manifest.yaml`, or a folder of such: all of them. Or the name of a plugin that was
    /// unloaded
    #[arg(value_name = "FILE|FOLDER|NAME")]
    pub plugin: String,
    /// Give the plugin this name instead of its own
    #[arg(long, value_name = "NAME")]
    pub alias: Option<PluginName>,
    /// A YAML file with the plugin's settings, read by each run
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub scope: ScopeArguments,
    /// Grant what the plugins ask for without a question
    #[arg(long, short, visible_alias = "allow-permissions")]
    pub yes: bool,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).args(["name", "all"])))]
pub struct UnloadArguments {
    /// The plugin
    pub name: Option<PluginName>,
    /// All plugins
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub scope: ScopeArguments,
}

#[derive(Debug, Args)]
pub struct MetricsArguments {
    /// Only this plugin
    pub name: Option<PluginName>,
    /// How it is printed [default: as --output says]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<MetricsFormat>,
    /// Forget what was counted, and count anew
    #[arg(long)]
    pub reset: bool,
}

/// How metrics are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MetricsFormat {
    /// For people.
    Text,
    /// One JSON document.
    Json,
    /// For Prometheus.
    Prometheus,
}

/// What `test` and `bench` have in common.
#[derive(Debug, Args)]
pub struct TrialArguments {
    /// A `.lua`, `.wasm` or `.so`, or a folder with `manifest.yaml`
    #[arg(value_name = "FILE|FOLDER")]
    pub path: PathBuf,
    /// Only this node type
    #[arg(long, value_name = "TYPE")]
    pub node: Option<NodeType>,
    /// A JSON file with the input, instead of the examples in the manifest
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// The node's config as JSON, for --input
    #[arg(long, value_name = "JSON", requires = "input")]
    pub config: Option<String>,
    /// Grant what the plugin asks for without a question
    #[arg(long, short, visible_alias = "allow-permissions")]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct TestArguments {
    #[command(flatten)]
    pub trial: TrialArguments,
}

#[derive(Debug, Args)]
pub struct BenchArguments {
    #[command(flatten)]
    pub trial: TrialArguments,
    /// How long each node is called
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_duration)]
    pub time: Duration,
    /// Make so many calls at once, in one crossing if the plugin can; times are then those of so many together
    #[arg(long, value_name = "CALLS", default_value = "1")]
    pub batch: NonZeroU16,
}

#[derive(Debug, Args)]
pub struct ProfileArguments {
    /// The plugin
    pub name: PluginName,
    /// A workflow that uses it
    #[arg(long, value_name = "FILE")]
    pub workflow: PathBuf,
    /// The run's input as JSON
    #[arg(long, value_name = "JSON", conflicts_with = "input_file", allow_hyphen_values = true)]
    pub input: Option<String>,
    /// The run's input from a JSON file; `-` reads the standard input
    #[arg(long, value_name = "FILE")]
    pub input_file: Option<PathBuf>,
    /// Run the workflow so many times
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// Where the page goes [default: profile-NAME.html]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct CreateArguments {
    /// The plugin's name, and its folder's
    pub name: PluginName,
    /// What runs it: native, wasm or lua
    #[arg(long = "type", value_name = "TYPE")]
    pub runtime: Runtime,
    /// What it is written in [default: go for native, rust for wasm]
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    pub lang: Option<Language>,
}

/// What a plugin is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Native and WebAssembly plugins.
    Go,
    /// Native and WebAssembly plugins.
    Rust,
    /// Native and WebAssembly plugins.
    C,
    /// WebAssembly plugins.
    Zig,
    /// WebAssembly plugins.
    #[value(name = "assemblyscript")]
    AssemblyScript,
    /// Scripts.
    Lua,
}
