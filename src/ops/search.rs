//! `plugin search`, `categories` and `popular`: which plugins a registry has. The list and the counts are static files, so that any
//! web server will do.

use std::collections::BTreeMap;

use pocket_index::search::{Page, Query, SearchEntry, scan};
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
    let entries = registry.search_entries().await?;
    let counts = registry.downloads().await?;
    registry.remember()?;
    let today = Day::of(now());
    let recent = |name: &str| Some(counts.as_ref()?.of(name).map_or(0, |counts| counts.recent(today)));
    let Page { total, entries } = scan(&entries, query, &|name| recent(name).unwrap_or_default());
    let found = |entry: SearchEntry| Found { downloads: recent(entry.name.as_str()), entry };
    Ok(Results { total, found: entries.into_iter().map(found).collect() })
}

/// All categories, by name.
pub async fn categories(workspace: &Workspace, reach: &Reach) -> Result<Vec<Category>, OpsError> {
    let registry = workspace.open_registry(reach).await?;
    let entries = registry.search_entries().await?;
    registry.remember()?;
    let mut shelves: BTreeMap<&str, usize> = BTreeMap::new();
    entries.iter().flat_map(|entry| &entry.categories).for_each(|name| *shelves.entry(name).or_default() += 1);
    Ok(shelves.into_iter().map(|(name, plugins)| Category { name: name.to_owned(), plugins }).collect())
}
