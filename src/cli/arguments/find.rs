//! Finding plugins in a registry.

use clap::Args;
use pocket_index::manifest::Runtime;
use pocket_index::search::Sort;

use super::RegistryArguments;

#[derive(Debug, Args)]
pub struct SearchArguments {
    /// What to look for; all words must occur. Without one, everything is listed
    pub words: Vec<String>,
    /// Only plugins of this category; `pocket plugin categories` lists them
    #[arg(long, value_name = "CATEGORY")]
    pub category: Option<String>,
    /// Only plugins of this runtime: native, lua or wasm
    #[arg(long, value_name = "RUNTIME")]
    pub runtime: Option<Runtime>,
    /// What comes first: relevance, downloads, updated or name
    #[arg(long, value_name = "ORDER", default_value_t)]
    pub sort: Sort,
    /// Show this many at most
    #[arg(long, value_name = "NUMBER")]
    pub limit: Option<usize>,
    #[command(flatten)]
    pub registry: RegistryArguments,
}

#[derive(Debug, Args)]
pub struct PopularArguments {
    /// Show this many at most
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    pub limit: usize,
    #[command(flatten)]
    pub registry: RegistryArguments,
}
