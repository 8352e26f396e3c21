//! `plugin search`, `categories` and `popular`: which plugins a registry has. The list and the counts are static files, so that any
//! web server will do.

use pocket_index::search::{Hit, Page, Query, SearchEntry};
use pocket_index::stats::Day;
use serde::Serialize;

use super::{OpsError, Reach, Workspace};
use crate::registry::now;

/// A plugin that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// What the registry lists of it.
    #[serde(flatten)]
    pub entry: SearchEntry,
    /// Downloads of the last 30 days; none where the registry does not count.
    pub downloads: Option<u64>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Results {
    /// How many plugins in all.
    pub total: usize,
    /// Those that were asked for, best first.
    pub found: Vec<Found>,
}

/// A shelf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Category {
    /// Its name.
    pub name: String,
    /// How many plugins stand on it.
    pub plugins: usize,
}

/// Looks for plugins.
pub async fn search(workspace: &Workspace, query: &Query, reach: &Reach) -> Result<Results, OpsError> {
    let registry = workspace.open_registry(reach).await?;
    let listed = registry.listed().await?;
    let counts = listed.downloads().await?;
    let today = Day::of(now());
    let recent = |name: &str| Some(counts.as_ref()?.of(name).map_or(0, |counts| counts.recent(today)));
    let Page { total, entries } = listed.find(query, recent).await?;
    registry.remember()?;
    let is_counted = counts.is_some() || listed.has_file();
    let found = |Hit { entry, downloads }: Hit| Found { downloads: is_counted.then_some(downloads), entry };
    Ok(Results { total, found: entries.into_iter().map(found).collect() })
}

/// All categories, by name.
pub async fn categories(workspace: &Workspace, reach: &Reach) -> Result<Vec<Category>, OpsError> {
    let registry = workspace.open_registry(reach).await?;
    let categories = registry.listed().await?.categories().await?;
    registry.remember()?;
    Ok(categories.into_iter().map(|(name, plugins)| Category { name, plugins }).collect())
}
