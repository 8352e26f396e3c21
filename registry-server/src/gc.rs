//! What nothing names any more is removed: archives that no line has, begun tiles whose full one is there, files that were searched in
//! before, and what a crash left half-written.
//!
//! Writers go on meanwhile. What is younger than a day is left alone, and a publish writes an archive anew that is older than an
//! hour; so nothing is removed that a line is about to name.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use pocket_index::layout;
use pocket_index::record::{Event, Line};
use pocket_index::search::Listing;

use crate::RegistryError;
use crate::config::Source;
use crate::storage::{Entry, Storage, TREE, in_tree};
use crate::writer::decided_line;

/// A day.
const GRACE: Duration = Duration::from_secs(86_400);

/// What is done with what is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It is counted.
    Tell,
    /// It is removed.
    Remove,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Removed {
    pub archives: usize,
    pub tiles: usize,
    pub lists: usize,
    pub temporary: usize,
    pub bytes: u64,
}

pub(crate) async fn collect(source: &Source, mode: Mode) -> Result<Removed, RegistryError> {
    let storage = crate::registry::storage_to_read(source)?;
    collect_in(&*storage, mode, SystemTime::now()).await
}

async fn collect_in(storage: &dyn Storage, mode: Mode, now: SystemTime) -> Result<Removed, RegistryError> {
    let is_old = |entry: &Entry| now.duration_since(entry.modified).is_ok_and(|age| age > GRACE);
    let mut removed = Removed::default();
    // The archives first: a line that comes after is found by what is read after.
    let archives = storage.list("tree/a/").await?;
    let named = named(storage).await?;
    for entry in archives.iter().filter(|entry| is_old(entry) && !named.contains(&entry.path)) {
        // It may have been written anew for a publish that is under way.
        let again = storage.entry(&entry.path).await?;
        if again.is_some_and(|again| again.tag == entry.tag) {
            removed.archives += 1;
            removed.take(storage, entry, mode).await?;
        }
    }
    let tiles = storage.list("tree/log/tile/").await?;
    let paths: BTreeSet<_> = tiles.iter().map(|entry| entry.path.as_str()).collect();
    for entry in tiles.iter().filter(|entry| is_old(entry) && is_superseded(&entry.path, &paths)) {
        removed.tiles += 1;
        removed.take(storage, entry, mode).await?;
    }
    let lists = storage.list("tree/search/").await?;
    let named = named_index(storage).await?;
    for entry in lists.iter().filter(|entry| is_old(entry) && Some(&entry.path) != named.as_ref()) {
        removed.lists += 1;
        removed.take(storage, entry, mode).await?;
    }
    for entry in storage.temporary().await?.iter().filter(|entry| is_old(entry)) {
        removed.temporary += 1;
        removed.take(storage, entry, mode).await?;
    }
    Ok(removed)
}

impl Removed {
    async fn take(&mut self, storage: &dyn Storage, entry: &Entry, mode: Mode) -> Result<(), RegistryError> {
        self.bytes += entry.length;
        if mode == Mode::Remove {
            storage.remove(&entry.path).await?;
        }
        Ok(())
    }
}

/// Whether a path is that of a begun tile or bundle, `….p/<width>`, and the full one is there.
fn is_superseded(path: &str, paths: &BTreeSet<&str>) -> bool {
    path.rsplit_once(".p/").is_some_and(|(full, _)| paths.contains(full))
}

/// The file that the search list names.
async fn named_index(storage: &dyn Storage) -> Result<Option<String>, RegistryError> {
    let stored = storage.read(&in_tree(layout::SEARCH)).await?;
    let text = stored.map(|stored| stored.bytes).unwrap_or_default();
    // A list that cannot be read names none, and is begun anew.
    let listing = Listing::parse(&String::from_utf8_lossy(&text)).unwrap_or_default();
    Ok(listing.index.map(|file| in_tree(&layout::search_index(&file.sha256))))
}

/// The archives that lines name, published or about to be.
async fn named(storage: &dyn Storage) -> Result<BTreeSet<String>, RegistryError> {
    let mut named = BTreeSet::new();
    let mut name = |line: &str| {
        // What cannot be read is not judged: the whole run ends, and nothing is removed.
        let line = Line::parse(line)?;
        if let Some(Event::Release(release)) = &line.event {
            named.extend(release.archives.iter().map(|record| in_tree(&layout::archive(&record.sha256))));
        }
        Ok::<_, pocket_index::record::LineError>(())
    };
    let decided = decided_line(storage).await?;
    let damaged = |path: &str, message: String| RegistryError::Damaged {
        path: std::path::Path::new(&storage.place()).join(path),
        message,
    };
    if let Some(line) = decided {
        name(&line).map_err(|error| damaged("head.json", error.to_string()))?;
    }
    for entry in storage.list(&format!("{TREE}index/")).await? {
        let stored = storage.read(&entry.path).await?;
        let bytes = stored.map(|stored| stored.bytes).unwrap_or_default();
        let text = str::from_utf8(&bytes).map_err(|error| damaged(&entry.path, error.to_string()))?;
        text.lines().try_for_each(&mut name).map_err(|error| damaged(&entry.path, error.to_string()))?;
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;

    use super::*;
    use crate::storage::{Bucket, Condition};
    use crate::{Registry, Seed};

    #[tokio::test]
    async fn only_what_is_old_and_named_by_nothing_is_removed() {
        let storage = Bucket::of(Arc::new(InMemory::new()));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let key = folder.path().join("registry.key");
        Registry::at(Arc::new(storage.clone()), &key, Seed::Bundled).await.expect("it is made");
        let all = storage.list("").await.expect("it is listed").len();
        for path in ["tree/a/00/00.tar.gz", "tree/log/tile/0/000", "tree/log/tile/entries/000.p/9", "tree/search/0123"]
        {
            storage.put(path, "x".into(), Condition::Always).await.expect("it is written");
        }
        let now = SystemTime::now();
        let young = collect_in(&storage, Mode::Remove, now).await.expect("it is looked at");
        assert_eq!(young, Removed::default());
        let later = now + 2 * GRACE;
        let told = collect_in(&storage, Mode::Tell, later).await.expect("it is looked at");
        assert_eq!(collect_in(&storage, Mode::Remove, later).await.expect("it is removed"), told);
        // Of the bundled registry, every tile of hashes as it grew.
        assert_eq!((told.archives, told.tiles, told.lists), (1, 8, 1));
        assert_eq!(storage.list("").await.expect("it is listed").len(), all + 4 - 10);
    }
}
