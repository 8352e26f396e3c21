//! `plugin load` and `plugin unload`: what later commands use, without touching `pocket.yaml` or `pocket.lock`.

use std::path::{Path, PathBuf};

use pocket_index::name::PluginName;
use pocket_index::permissions::Permissions;

use super::{Found, LocalError, LocalPlugin, plugins_in, read, settings_of};
use crate::home::loaded::{self, Loaded, LoadedBy, LoadedPlugin};
use crate::ops::install::{Approver, Ask, sentences};
use crate::ops::offered::{self, Kind, Offer, Offered, Standing};
use crate::ops::policy::Policy;
use crate::ops::{OpsError, Workspace, plugins, probe};

/// What is to be loaded.
#[derive(Debug, Clone)]
pub struct Load {
    /// A path, or the name of a plugin that was unloaded or lies in a folder.
    pub given: String,
    /// Another name for it.
    pub alias: Option<PluginName>,
    /// A file with its settings.
    pub config: Option<PathBuf>,
}

/// What is used from now on.
#[derive(Debug, Clone)]
pub struct LoadReport {
    /// The plugins.
    pub plugins: Vec<LocalPlugin>,
    /// Installed plugins that were unloaded and are used again.
    pub taken_back: Vec<PluginName>,
}

/// What is to be unloaded.
#[derive(Debug, Clone)]
pub enum Unload {
    /// The plugin of this name.
    One(PluginName),
    /// All of them.
    All,
}

/// Reads and tries the plugins at a path, asks for what they want, and remembers them; all or none.
///
/// # Errors
/// Nothing is there, one of them does not load, is not allowed, has a taken name, or was not approved.
pub fn load(workspace: &Workspace, load: &Load, approver: &dyn Approver) -> Result<LoadReport, OpsError> {
    let offered = offered::collect(workspace)?;
    let offer = load.given.parse::<PluginName>().ok().and_then(|name| offered.named(&name).cloned());
    let paths = match offer.map(|offer| (offer.name, offer.kind, offer.standing)) {
        Some((name, Kind::Locked { .. }, standing)) => return take_back(workspace, &offered, &name, &standing, load),
        Some((_, Kind::Local(plugin), _)) => vec![plugin.path.clone()],
        None => paths_of(&load.given, &offered)?,
    };
    if let (true, Some(option)) = (paths.len() > 1, one_plugin_option(load)) {
        let folder = PathBuf::from(&load.given);
        return Err(LocalError::Several { option, folder, count: paths.len() }.into());
    }
    let known = loaded::read(workspace.home(), workspace.root())?;
    let mut entries = Vec::new();
    let mut all = Vec::new();
    for path in paths {
        let (plugin, entry) = read_one(load, &path, &known)?;
        refuse_clash(&plugin, &offered, &all)?;
        Policy::of(workspace)?.check(plugin.subject(&plugin.source()))?;
        plugin.refuse_unasked()?;
        probe::probe(workspace, &plugin.manifest, &plugin.root)?;
        all.push(plugin);
        entries.push(entry);
    }
    approve(&all, &entries, approver)?;
    let (mut plugins, mut remembered) = (Vec::new(), Vec::new());
    for (plugin, entry) in all.into_iter().zip(entries) {
        let approved = plugin.manifest.permissions.clone();
        remembered.push(LoadedPlugin { permissions: approved.clone(), ..entry });
        plugins.push(LocalPlugin { approved, ..plugin });
    }
    loaded::change(workspace.home(), workspace.root(), |loaded| {
        remembered.into_iter().for_each(|plugin| loaded.put(plugin));
    })?;
    Ok(LoadReport { plugins, taken_back: Vec::new() })
}

fn one_plugin_option(load: &Load) -> Option<&'static str> {
    let alias = load.alias.as_ref().map(|_| "--alias");
    alias.or(load.config.as_ref().map(|_| "--config"))
}

/// The paths that were meant. A word that is no path and no name here is told as such.
fn paths_of(given: &str, offered: &Offered) -> Result<Vec<PathBuf>, OpsError> {
    let path = Path::new(given);
    if !path.exists() && given.parse::<PluginName>().is_ok() {
        let names = offered.offers.iter().map(|offer| offer.name.as_str());
        return Err(LocalError::Unknown { given: given.to_owned(), near: plugins::near(given, names) }.into());
    }
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let paths = plugins_in(path)?;
    if paths.is_empty() { Err(LocalError::Empty { folder: path.to_owned() }.into()) } else { Ok(paths) }
}

/// A plugin with what will be remembered of it; what was approved before stays approved.
fn read_one(load: &Load, path: &Path, known: &Loaded) -> Result<(LocalPlugin, LoadedPlugin), OpsError> {
    let absolute = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let before = known.at(&absolute);
    let found: Found = read(path, before)?;
    let config = load.config.as_deref().map(|config| std::path::absolute(config).map_err(OpsError::io("find", config)));
    let config = config.transpose()?;
    // Read now, so that a wrong file is told now.
    config.as_deref().map(settings_of).transpose()?;
    let entry = LoadedPlugin {
        name: load.alias.clone().unwrap_or_else(|| found.manifest.name.clone()),
        path: found.path.clone(),
        by: LoadedBy::Command,
        renamed: load.alias.is_some(),
        config,
        digest: found.digest,
        described: found.described.clone(),
        permissions: before.map_or_else(Permissions::default, |before| before.permissions.clone()),
    };
    Ok((LocalPlugin::new(found, &entry), entry))
}

fn refuse_clash(plugin: &LocalPlugin, offered: &Offered, earlier: &[LocalPlugin]) -> Result<(), OpsError> {
    let is_another = |offer: &&Offer| {
        offer.name == plugin.name && offer.standing != Standing::Unloaded && offer.path() != Some(&plugin.path)
    };
    let there = offered.offers.iter().find(is_another).map(Offer::place);
    let there =
        there.or_else(|| earlier.iter().find(|one| one.name == plugin.name).map(|one| offered::shown(&one.path)));
    match there {
        None => Ok(()),
        Some(one) => {
            Err(LocalError::Clash { name: plugin.name.clone(), one, other: offered::shown(&plugin.path) }.into())
        }
    }
}

/// Puts to the user what was not approved for these paths before.
fn approve(plugins: &[LocalPlugin], entries: &[LoadedPlugin], approver: &dyn Approver) -> Result<(), OpsError> {
    let ask = |(plugin, entry): (&LocalPlugin, &LoadedPlugin)| {
        let approved = sentences(&entry.permissions);
        let asked = sentences(&plugin.manifest.permissions);
        let new: Vec<String> = asked.into_iter().filter(|sentence| !approved.contains(sentence)).collect();
        let (name, version) = (plugin.name.clone(), plugin.manifest.version.clone());
        (!new.is_empty()).then_some(Ask { name, version, sentences: new })
    };
    let asks: Vec<Ask> = plugins.iter().zip(entries).filter_map(ask).collect();
    if asks.is_empty() { Ok(()) } else { approver.approve(&asks) }
}

/// Uses an installed plugin again that was unloaded.
fn take_back(
    workspace: &Workspace,
    offered: &Offered,
    name: &PluginName,
    standing: &Standing,
    load: &Load,
) -> Result<LoadReport, OpsError> {
    if let Some(option) = one_plugin_option(load) {
        return Err(LocalError::NotAPath { option, name: name.clone() }.into());
    }
    if *standing != Standing::Unloaded {
        return Ok(LoadReport { plugins: Vec::new(), taken_back: Vec::new() });
    }
    let local = offered.offers.iter().find(|offer| offer.name == *name && offer.path().is_some());
    if let Some(local) = local.filter(|offer| offer.standing == Standing::Loaded) {
        let one = offered.named(name).map(Offer::place).unwrap_or_default();
        return Err(LocalError::Clash { name: name.clone(), one, other: local.place() }.into());
    }
    loaded::change(workspace.home(), workspace.root(), |loaded| loaded.unloaded.retain(|one| one != name))?;
    Ok(LoadReport { plugins: Vec::new(), taken_back: vec![name.clone()] })
}

/// Later commands do not use the plugins any more. What was loaded by its path is forgotten; what is installed, or lies in a
/// folder, is marked.
///
/// # Errors
/// There is no plugin of that name.
pub fn unload(workspace: &Workspace, what: &Unload) -> Result<Vec<PluginName>, OpsError> {
    let offered = offered::collect(workspace)?;
    let names = match what {
        Unload::All => offered.used(),
        Unload::One(name) => vec![known(workspace, &offered, name)?],
    };
    loaded::change(workspace.home(), workspace.root(), |loaded| forget(loaded, &names, what))?;
    // A file that was loaded by its path may lie in a folder as well, or have stood in for an installed plugin.
    let left = offered::collect(workspace)?.used();
    let mark: Vec<PluginName> = left.into_iter().filter(|name| names.contains(name)).collect();
    loaded::change(workspace.home(), workspace.root(), |loaded| loaded.unloaded.extend(mark))?;
    Ok(names)
}

fn forget(loaded: &mut Loaded, names: &[PluginName], what: &Unload) {
    let is_all = matches!(what, Unload::All);
    loaded.plugins.retain(|plugin| plugin.by != LoadedBy::Command || !(is_all || names.contains(&plugin.name)));
}

/// The name, if there is such a plugin: one that is broken can be unloaded too.
fn known(workspace: &Workspace, offered: &Offered, name: &PluginName) -> Result<PluginName, OpsError> {
    let is_there = offered.named(name).is_some() || offered.broken.iter().any(|broken| broken.label == name.as_str());
    if is_there {
        return Ok(name.clone());
    }
    let names = offered.offers.iter().map(|offer| offer.name.as_str());
    let near = plugins::near(name.as_str(), names);
    let place = format!("`{}`", workspace.root().display());
    Err(OpsError::NoPlugin { name: name.to_string(), place, near })
}
