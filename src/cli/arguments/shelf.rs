//! What can be typed to look at node types and scripts.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use pocket_index::permissions::parse_duration;

#[derive(Debug, Subcommand)]
pub enum NodesCommand {
    /// List the node types that workflows can use here: Pocket's own and those of plugins
    List {
        #[command(flatten)]
        shelf: ShelfArguments,
    },
    /// Show a node type: its config, what it gives, examples
    Info {
        /// Its name, such as `http` or `redis-cache/redis-get`
        #[arg(value_name = "TYPE")]
        name: String,
    },
    /// Print a page in Markdown on the node types
    Docs {
        #[command(flatten)]
        shelf: ShelfArguments,
        /// Write it to this file
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub struct ShelfArguments {
    /// Only those of a category, such as `data` or `network`
    #[arg(long, value_name = "NAME")]
    pub category: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum ScriptsCommand {
    /// List the Lua files in `scripts` and in `plugins.directories`
    List,
    /// Show what a script says of itself
    Info {
        /// A file, or the name of one that is listed
        script: String,
    },
    /// Compile scripts without running them; exit code 3 if one has a mistake
    Validate {
        /// Files, or names of those that are listed [default: all that are listed]
        scripts: Vec<String>,
    },
    /// Run a script as a `lua` node does: it sees `input`, and neither files nor network
    Run(ScriptArguments),
}

#[derive(Debug, Args)]
pub struct ScriptArguments {
    /// A file, or the name of one that is listed
    pub script: String,
    /// Its input as JSON
    #[arg(long, value_name = "JSON", conflicts_with = "input_file", allow_hyphen_values = true)]
    pub input: Option<String>,
    /// Its input from a JSON file; `-` reads the standard input
    #[arg(long, value_name = "FILE")]
    pub input_file: Option<PathBuf>,
    /// The longest it may take, at most 30s
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_duration)]
    pub timeout: Duration,
}
