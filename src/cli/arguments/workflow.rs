//! What can be typed to look at workflows without running them.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::workflow::drawing::PictureFormat;

#[derive(Debug, Subcommand)]
pub enum WorkflowCommand {
    /// Check workflows as a run would, and run nothing; exit code 3 if one cannot run
    Validate {
        /// Workflow files, folders of them, or `-` for the standard input
        #[arg(required = true, value_name = "FILE|FOLDER")]
        paths: Vec<PathBuf>,
    },
    /// Print the JSON Schema of workflow files, for editors
    Schema {
        /// Leave out the node types of the plugins here
        #[arg(long)]
        built_in: bool,
    },
}

#[derive(Debug, Args)]
pub struct GraphArguments {
    /// The workflow: a YAML or JSON file
    pub workflow: PathBuf,
    /// What the picture is written in [default: as the ending of --out says, else svg]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<GraphFormat>,
    /// Where the picture goes, instead of the standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// What a picture is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// Scalable vector graphics
    Svg,
    /// A Mermaid flowchart
    Mermaid,
    /// Graphviz
    Dot,
    /// A page with the picture and a table of the nodes
    Html,
}

impl From<GraphFormat> for PictureFormat {
    fn from(format: GraphFormat) -> Self {
        match format {
            GraphFormat::Svg => Self::Svg,
            GraphFormat::Mermaid => Self::Mermaid,
            GraphFormat::Dot => Self::Dot,
            GraphFormat::Html => Self::Html,
        }
    }
}
