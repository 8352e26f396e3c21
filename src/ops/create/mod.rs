//! `plugin create`: a folder with a plugin that builds, loads and passes its test as it is.
//!
//! The kits for authors come with the program. They are written to the home, where the new plugin's build finds them without a
//! network.

mod kit;
mod template;

use std::path::{Path, PathBuf};

use pocket_index::manifest::Runtime;
use pocket_index::name::PluginName;

use super::{OpsError, Workspace};
use crate::home::atomic;

pub use template::Language;
use template::Template;

/// What is to be made.
#[derive(Debug, Clone)]
pub struct Create {
    /// The plugin's name, and its folder's.
    pub name: PluginName,
    /// What runs it.
    pub runtime: Runtime,
    /// What it is written in; none takes the usual one.
    pub language: Option<Language>,
    /// The folder that the plugin's folder is made in.
    pub folder: PathBuf,
}

/// What was made.
#[derive(Debug, Clone)]
pub struct Created {
    /// The plugin's folder.
    pub folder: PathBuf,
    /// What it is written in.
    pub language: Language,
    /// Its files, sorted.
    pub files: Vec<String>,
    /// What to type next, in that folder.
    pub next: Vec<String>,
}

/// Writes the plugin's files into a new folder.
///
/// # Errors
/// The folder is there and not empty, nothing makes such a plugin in that language, or a file cannot be written.
pub fn create(workspace: &Workspace, create: &Create) -> Result<Created, OpsError> {
    let usual = match create.runtime {
        Runtime::Native => Language::Go,
        Runtime::Wasm => Language::Rust,
        Runtime::Lua => Language::Lua,
    };
    let language = create.language.unwrap_or(usual);
    let template = Template::of(create.runtime, language)
        .ok_or(OpsError::NoTemplate { runtime: create.runtime, language: language.word() })?;
    let folder = create.folder.join(create.name.as_str());
    if std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(OpsError::FolderInUse { path: folder });
    }
    let kits = workspace.home().root().join("sdk").join(env!("CARGO_PKG_VERSION"));
    let kit = template.kit.map(|kit| kit::write(&kits, kit)).transpose()?;
    let values = template.values(&create.name, kit.as_deref());
    let mut files = Vec::new();
    for (path, text) in template.files() {
        write(&folder.join(&path), values.iter().fold(text, |text, (key, value)| text.replace(key, value)).as_bytes())?;
        files.push(path);
    }
    files.sort();
    Ok(Created { folder, language, files, next: template.next(&create.name) })
}

fn write(path: &Path, content: &[u8]) -> Result<(), OpsError> {
    atomic::replace_file(path, content).map(drop).map_err(OpsError::io("write", path))
}
