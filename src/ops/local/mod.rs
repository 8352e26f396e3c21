//! Plugins that are used where they stand: loaded by their path, or lying in one of `plugins.directories`.
//!
//! Nothing is copied and no lock is changed: a development edits the file, and the next run takes the newer one. What is
//! remembered, above all the yes to permissions, stands in the home (`home/loaded.rs`).

mod error;
mod found;
mod load;

use std::path::{Path, PathBuf};

use pocket_index::digest::Digest;
use pocket_index::manifest::Manifest;
use pocket_index::name::PluginName;
use pocket_index::permissions::{Permissions, Word};

use super::install::{entries, refuse_unasked_in};
use super::permissions::Grant;
use super::policy::Subject;
use super::workspace::SettingsFile;
use super::{OpsError, Workspace};
use crate::home::loaded::{LoadedBy, LoadedPlugin};
use crate::project::{Source, expand, read_settings};

pub use error::LocalError;
pub use found::{Found, looks_like_a_plugin, plugins_in, read};
pub use load::{Load, LoadReport, Unload, load, unload};

/// A plugin that is used where it stands.
#[derive(Debug, Clone)]
pub struct LocalPlugin {
    /// What it is called here; its manifest has the same name.
    pub name: PluginName,
    /// The file, or the folder with `manifest.yaml`.
    pub path: PathBuf,
    /// The folder that the manifest's paths start from.
    pub root: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
    /// What manifest and code are now.
    pub digest: Digest,
    /// How it came here.
    pub by: LoadedBy,
    /// A file with its settings.
    pub config: Option<PathBuf>,
    /// What somebody said yes to.
    pub approved: Permissions,
}

impl LocalPlugin {
    /// What was found, as it is remembered.
    pub fn new(found: Found, known: &LoadedPlugin) -> Self {
        let Found { path, root, mut manifest, digest, .. } = found;
        if known.renamed {
            manifest.name = known.name.clone();
        }
        Self {
            name: manifest.name.clone(),
            path,
            root,
            manifest,
            digest,
            by: known.by,
            config: known.config.clone(),
            approved: known.permissions.clone(),
        }
    }

    /// Where it comes from, for policies and people.
    pub fn source(&self) -> Source {
        Source::Path(self.path.to_string_lossy().into_owned())
    }

    /// What policies judge.
    pub fn subject<'a>(&'a self, source: &'a Source) -> Subject<'a> {
        let Manifest { name, version, runtime, permissions, .. } = &self.manifest;
        Subject { name, version, source, runtime: *runtime, permissions, signers: &[] }
    }

    /// The settings that came with `--config`.
    ///
    /// # Errors
    /// The file cannot be read, or names a variable that is not set.
    pub fn settings_file(&self) -> Result<Option<SettingsFile>, OpsError> {
        self.config.as_deref().map(settings_of).transpose()
    }

    /// The first thing that it asks for and nobody said yes to: not when it was loaded, and not in `pocket.yaml`.
    pub fn unapproved(&self, workspace: &Workspace) -> Option<String> {
        let approved = entries(&self.approved_now(workspace));
        let asked = entries(&self.manifest.permissions);
        asked.into_iter().find(|entry| !approved.contains(entry)).map(|entry| entry.sentence)
    }

    /// What somebody said yes to: when it was loaded, or in `pocket.yaml`.
    pub fn approved_now(&self, workspace: &Workspace) -> Permissions {
        let (grant, said) = (Grant::of(workspace, &self.name), &self.approved);
        let asked = &self.manifest.permissions;
        let together = |word, said: &Vec<String>, asked: &Vec<String>| {
            let granted = asked.iter().filter(|one| grant.says(word) && !said.contains(one));
            said.iter().chain(granted).cloned().collect()
        };
        let word_of = |entry: &&String| if entry.starts_with("write:") { Word::WriteFiles } else { Word::ReadFiles };
        let folders = asked.filesystem.iter().filter(|one| grant.says(word_of(one)) && !said.filesystem.contains(one));
        Permissions {
            env: together(Word::ReadEnv, &said.env, &asked.env),
            http: together(Word::HttpClient, &said.http, &asked.http),
            network: together(Word::NetworkAccess, &said.network, &asked.network),
            filesystem: said.filesystem.iter().chain(folders).cloned().collect(),
            memory: asked.memory.clone(),
            timeout: asked.timeout.clone(),
        }
    }

    /// Refuses a module that imports what its manifest does not ask for.
    ///
    /// # Errors
    /// Names the first such import, or the file cannot be read.
    pub fn refuse_unasked(&self) -> Result<(), OpsError> {
        refuse_unasked_in(&self.manifest, &self.root)
    }

    /// Refuses what asks for more than somebody said yes to.
    ///
    /// # Errors
    /// Names the first such thing.
    pub fn refuse_unapproved(&self, workspace: &Workspace) -> Result<(), OpsError> {
        match self.unapproved(workspace) {
            None => Ok(()),
            Some(asked) => {
                Err(LocalError::Unapproved { name: self.name.clone(), path: self.path.clone(), asked }.into())
            }
        }
    }
}

/// The settings in a file that `--config` names: a mapping from setting to value.
fn settings_of(path: &Path) -> Result<SettingsFile, OpsError> {
    let text = std::fs::read_to_string(path).map_err(OpsError::io("read", path))?;
    let settings = read_settings(&text).map_err(|source| OpsError::Project { path: path.to_owned(), source })?;
    let environment = |name: &str| std::env::var(name).ok();
    let expanded = settings.iter().map(|(name, value)| Ok((name.clone(), expand(value, name, &environment)?)));
    let expanded = expanded.collect::<Result<_, _>>();
    let settings = expanded.map_err(|source| OpsError::expand(path, source))?;
    Ok(SettingsFile { file: path.display().to_string(), settings })
}
