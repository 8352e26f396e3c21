//! `plugin info`: what is known of one plugin: installed, loaded, or in a registry.

use std::path::PathBuf;

use pocket_index::manifest::{Manifest, Runtime};
use pocket_index::name::PluginName;
use pocket_index::record::{History, Release, Status};
use semver::Version;

use super::list::{self, Status as Standing};
use super::offered::{self, Kind, Offer, Offered};
use super::recovery::{Notice, notices};
use super::settings::{Layer, Settings, ShownSetting};
use super::workspace::SettingsFile;
use super::{OpsError, Reach, Workspace, described, limits, plugins};
use crate::engine::Limits;
use crate::engine::native::{Confinement, Kernel};
use crate::project::MANIFEST_FILE;
use crate::registry::now;

/// What is known of a plugin.
#[derive(Debug, Clone)]
pub enum Info {
    /// It is here: everything its manifest says.
    Installed(Box<Installed>),
    /// It is in a registry.
    Published {
        /// The registry.
        registry: String,
        /// Its newest release that may be installed.
        newest: Box<Release>,
        /// All versions, newest first, and whether each may be installed.
        versions: Vec<(Version, Status)>,
        /// Owners that the registry replaced or will replace.
        recoveries: Vec<Notice>,
        /// What the release says of itself, if that could be had.
        manifest: Option<Box<Manifest>>,
    },
}

/// A plugin that is installed or loaded.
#[derive(Debug, Clone)]
pub struct Installed {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Where it comes from.
    pub source: String,
    /// How it stands.
    pub status: Standing,
    /// Its settings, in the order of its manifest.
    pub settings: Vec<ShownSetting>,
    /// What its calls may use.
    pub limits: Limits,
    /// What holds a native plugin.
    pub confined: Option<Confined>,
}

/// How much of a published plugin is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Its record in the registry.
    Record,
    /// The manifest in its archive too.
    Manifest,
}

/// What holds a native plugin on this machine.
#[derive(Debug, Clone)]
pub struct Confined {
    /// What this kernel can do.
    pub kernel: Kernel,
    /// Whether the user allowed it to run where that is not all.
    pub confinement: Confinement,
    /// The file that says so, or could.
    pub file: PathBuf,
}

/// Looks in the workspace first, then in the registry.
pub async fn info(workspace: &Workspace, name: &PluginName, reach: &Reach) -> Result<Info, OpsError> {
    let offered = offered::collect(workspace)?;
    match offered.named(name) {
        Some(offer) => Ok(Info::Installed(Box::new(of_offer(workspace, &offered, offer)?))),
        None => match offered.broken.into_iter().find(|broken| broken.label == name.as_str()) {
            Some(broken) => Err(broken.error),
            None => published(workspace, name, reach, Depth::Manifest).await,
        },
    }
}

fn of_offer(workspace: &Workspace, offered: &Offered, offer: &Offer) -> Result<Installed, OpsError> {
    let (manifest, source, own) = match &offer.kind {
        Kind::Locked { plugin, .. } => {
            plugin.installed()?.verify()?;
            (plugin.manifest()?, plugin.locked.source.to_string(), None)
        }
        Kind::Local(plugin) => (plugin.manifest.clone(), plugin.path.display().to_string(), plugin.settings_file()?),
    };
    let settings = settings(workspace, &manifest, own)?;
    let status = list::status(workspace, offered, offer)?;
    let limits = limits::of(workspace, &manifest.name)?;
    // A manifest that asks for less gets less; what it writes was checked when it was read.
    let limits = limits.narrowed_by(&manifest.permissions).unwrap_or(limits);
    let confined = (manifest.runtime == Runtime::Native).then(|| confined(workspace, &manifest.name));
    Ok(Installed { manifest, source, status, settings, limits, confined })
}

fn confined(workspace: &Workspace, plugin: &PluginName) -> Confined {
    let file = workspace.home().root().join(MANIFEST_FILE);
    Confined { kernel: Kernel::of_this_machine(), confinement: workspace.confinement(plugin), file }
}

pub(super) async fn published(
    workspace: &Workspace,
    name: &PluginName,
    reach: &Reach,
    depth: Depth,
) -> Result<Info, OpsError> {
    let registry = workspace.open_registry(reach).await?;
    let place = registry.location().to_string();
    let history = plugins::history(&registry, name).await?;
    registry.remember()?;
    let newest = newest(&history).ok_or_else(|| OpsError::NoPlugin {
        name: name.to_string(),
        place: format!("the registry `{place}`: all its versions were withdrawn"),
        near: Vec::new(),
    })?;
    let versions = history.releases().rev().map(|entry| (entry.release().version.clone(), entry.status().clone()));
    let (newest, versions) = (Box::new(newest.clone()), versions.collect());
    let recoveries = notices(name, &place, history.recoveries(), now());
    let manifest = match depth {
        Depth::Record => None,
        Depth::Manifest => described::manifest(&registry, &history, &newest).await?.map(Box::new),
    };
    Ok(Info::Published { registry: place, newest, versions, recoveries, manifest })
}

fn newest(history: &History) -> Option<&Release> {
    let available = |entry: &&pocket_index::record::ReleaseEntry| *entry.status() == Status::Available;
    history.releases().rev().find(available).map(pocket_index::record::ReleaseEntry::release)
}

/// The plugin's settings as they are now, outside of any workflow. Secrets are not shown.
fn settings(
    workspace: &Workspace,
    manifest: &Manifest,
    own: Option<SettingsFile>,
) -> Result<Vec<ShownSetting>, OpsError> {
    let mut files = workspace.plugin_settings(&manifest.name)?;
    files.extend(own);
    let layers: Vec<Layer<'_>> = files.iter().map(SettingsFile::layer).collect();
    let optional = without_required(manifest);
    let joined = Settings::join(&optional, &layers, &|name| std::env::var(name).ok())?;
    Ok(joined.shown(manifest))
}

/// A setting that is still missing must not keep a plugin from being shown.
fn without_required(manifest: &Manifest) -> Manifest {
    let mut optional = manifest.clone();
    optional.config.values_mut().for_each(|setting| setting.required = false);
    optional
}
