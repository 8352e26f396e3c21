//! What can be wrong with a plugin that is used where it stands.

use std::path::PathBuf;

use pocket_index::name::PluginName;

/// Why a plugin is not used where it stands.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// Nothing in the folder is a plugin.
    #[error("there is no plugin in `{}`", folder.display())]
    Empty {
        /// The folder.
        folder: PathBuf,
    },
    /// What was typed is neither a path nor a plugin that is known here.
    #[error("`{given}` is no file, no folder and no plugin of this project")]
    Unknown {
        /// What was typed.
        given: String,
        /// Names that are close.
        near: Vec<String>,
    },
    /// Another plugin has the name.
    #[error("two plugins are called `{name}`: {one} and {other}")]
    Clash {
        /// The name.
        name: PluginName,
        /// Where the one is.
        one: String,
        /// Where the other is.
        other: String,
    },
    /// One name for several plugins.
    #[error("{option} is for one plugin, and `{}` has {count}", folder.display())]
    Several {
        /// The option.
        option: &'static str,
        /// The folder.
        folder: PathBuf,
        /// How many are in it.
        count: usize,
    },
    /// An option that only goes with a path.
    #[error("{option} goes with a path, and `{name}` is installed")]
    NotAPath {
        /// The option.
        option: &'static str,
        /// The plugin.
        name: PluginName,
    },
    /// It asks for something that nobody said yes to.
    #[error("`{name}` from `{}` {asked}, and nobody said yes to that", path.display())]
    Unapproved {
        /// The plugin.
        name: PluginName,
        /// The file or folder.
        path: PathBuf,
        /// What it asks for, in plain words.
        asked: String,
    },
    /// A folder has no code for this machine.
    #[error("`{}` has no code to run here: {reason}", folder.display())]
    NoCode {
        /// The folder.
        folder: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// The manifest of a folder is broken.
    #[error("`{}` is no manifest", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong.
        source: pocket_index::manifest::ManifestError,
    },
    /// A name that cannot be written down.
    #[error("`{}` cannot be remembered: its path is not UTF-8", path.display())]
    Path {
        /// The path.
        path: PathBuf,
    },
}
