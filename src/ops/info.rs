//! `plugin info`: what is known of one plugin, installed or in a registry.

use pocket_index::manifest::Manifest;
use pocket_index::name::PluginName;
use pocket_index::record::{History, Release, Status};
use semver::Version;
use serde_json::Value;

use super::recovery::{Notice, notices};
use super::settings::{Layer, Settings};
use super::workspace::SettingsFile;
use super::{OpsError, Reach, Workspace, plugins};
use crate::registry::now;

/// What is known of a plugin.
#[derive(Debug, Clone)]
pub enum Info {
    /// It is installed: everything its manifest says.
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
    },
}

/// An installed plugin.
#[derive(Debug, Clone)]
pub struct Installed {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Where it comes from.
    pub source: String,
    /// Its settings.
    pub settings: Vec<ShownSetting>,
}

/// A setting as it may be shown.
#[derive(Debug, Clone)]
pub struct ShownSetting {
    /// Its name.
    pub name: String,
    /// Its value, stars for a secret one, and where that comes from; none if nobody sets it.
    pub now: Option<(Value, String)>,
}

/// Looks in the workspace first, then in the registry.
pub async fn info(workspace: &Workspace, name: &PluginName, reach: &Reach) -> Result<Info, OpsError> {
    match plugins::named(workspace, name) {
        Ok(plugin) => {
            plugin.installed()?.verify()?;
            let manifest = plugin.manifest()?;
            let settings = settings(workspace, &manifest)?;
            let source = plugin.locked.source.to_string();
            Ok(Info::Installed(Box::new(Installed { manifest, source, settings })))
        }
        Err(OpsError::NoPlugin { .. }) => published(workspace, name, reach).await,
        Err(error) => Err(error),
    }
}

pub(super) async fn published(workspace: &Workspace, name: &PluginName, reach: &Reach) -> Result<Info, OpsError> {
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
    Ok(Info::Published { registry: place, newest, versions, recoveries })
}

fn newest(history: &History) -> Option<&Release> {
    let available = |entry: &&pocket_index::record::ReleaseEntry| *entry.status() == Status::Available;
    history.releases().rev().find(available).map(pocket_index::record::ReleaseEntry::release)
}

/// The plugin's settings as they are now, outside of any workflow. Secrets are not shown.
fn settings(workspace: &Workspace, manifest: &Manifest) -> Result<Vec<ShownSetting>, OpsError> {
    let files = workspace.plugin_settings(&manifest.name)?;
    let layers: Vec<Layer<'_>> = files.iter().map(SettingsFile::layer).collect();
    let optional = without_required(manifest);
    let joined = Settings::join(&optional, &layers, &|name| std::env::var(name).ok())?;
    let shown = |(name, setting): (&String, &pocket_index::manifest::Setting)| {
        let value = joined.get(name).map(|(value, origin)| {
            let value = if setting.secret { Value::String("********".to_owned()) } else { value.clone() };
            (value, origin.to_string())
        });
        ShownSetting { name: name.clone(), now: value }
    };
    Ok(manifest.config.iter().map(shown).collect())
}

/// A setting that is still missing must not keep a plugin from being shown.
fn without_required(manifest: &Manifest) -> Manifest {
    let mut optional = manifest.clone();
    optional.config.values_mut().for_each(|setting| setting.required = false);
    optional
}
