//! What nothing names any more is removed: archives that no line has, begun tiles whose full one is there, files that were searched in
//! before, releases that waited too long for signatures, and what a crash left half-written.
//!
//! Writers go on meanwhile. What is younger than a day is left alone, and a publish writes an archive anew that is older than an
//! hour; so nothing is removed that a line is about to name. And nothing is removed unless every event of the log was read: of lines
//! that are not there, nobody knows what they name.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, SystemTime};

use pocket_index::layout;
use pocket_index::log::Checkpoint;
use pocket_index::record::{Event, Line, LineError};
use pocket_index::search::Listing;

use crate::RegistryError;
use crate::config::Source;
use crate::error::chain;
use crate::publish::staged::{self, STAGED};
use crate::registry::log_key;
use crate::storage::{Entry, Storage, TREE, in_tree};
use crate::writer::{HEAD, decided_line};

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
    /// Of releases that waited too long for signatures.
    pub staged: usize,
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
        // It may have been written anew for a publish that is under way; a bucket's tag is the same then, for so are the bytes.
        let again = storage.entry(&entry.path).await?;
        if again.is_some_and(|again| again.tag == entry.tag && is_old(&again)) {
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
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let abandoned = staged::abandoned(storage, seconds).await?;
    for entry in storage.list(STAGED).await?.iter().filter(|entry| is_old(entry) && abandoned.contains(&entry.path)) {
        removed.staged += 1;
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
    // Before the files: each line of a checkpoint that is there is in its file.
    let events = events(storage).await?;
    let mut named = Named { archives: BTreeSet::new(), seen: vec![false; events] };
    named.take_decided(storage).await?;
    for entry in storage.list(&format!("{TREE}index/")).await? {
        let damaged = |message: String| damaged(storage, &entry.path, message);
        let stored = storage.read(&entry.path).await?;
        let stored = stored.ok_or_else(|| damaged("it was there a moment ago".to_owned()))?;
        let text = str::from_utf8(&stored.bytes).map_err(|error| damaged(error.to_string()))?;
        for line in text.lines() {
            named.take_published(line).map_err(|error| damaged(chain(&error)))?;
        }
    }
    // A line that was decided meanwhile may have come too late for its file.
    named.take_decided(storage).await?;
    let seen = named.seen.iter().filter(|seen| **seen).count();
    if seen < events {
        let message = format!("the log has {events} events, the files here have {seen} of them; nothing is removed");
        return Err(damaged(storage, &in_tree("index"), message));
    }
    Ok(named.archives)
}

/// How many events the log has.
async fn events(storage: &dyn Storage) -> Result<usize, RegistryError> {
    let key = log_key(storage).await?;
    let path = in_tree(layout::CHECKPOINT);
    let damaged = |message: String| damaged(storage, &path, message);
    let stored = storage.read(&path).await?.ok_or_else(|| damaged("it is missing".to_owned()))?;
    let checkpoint = Checkpoint::open(&stored.bytes, &key).map_err(|error| damaged(chain(&error)))?;
    usize::try_from(checkpoint.size()).map_err(|error| damaged(error.to_string()))
}

fn damaged(storage: &dyn Storage, path: &str, message: String) -> RegistryError {
    RegistryError::Damaged { path: Path::new(&storage.place()).join(path), message }
}

/// What lines say.
struct Named {
    archives: BTreeSet<String>,
    /// The events of the log that were read.
    seen: Vec<bool>,
}

impl Named {
    async fn take_decided(&mut self, storage: &dyn Storage) -> Result<(), RegistryError> {
        if let Some(line) = decided_line(storage).await? {
            let line = Line::parse(&line).map_err(|error| damaged(storage, HEAD, chain(&error)))?;
            self.take(&line);
        }
        Ok(())
    }

    /// What cannot be read is not judged: the whole run ends, and nothing is removed.
    fn take_published(&mut self, line: &str) -> Result<(), LineError> {
        let line = Line::parse(line)?;
        if let Some(seen) = usize::try_from(line.log).ok().and_then(|log| self.seen.get_mut(log)) {
            *seen = true;
        }
        self.take(&line);
        Ok(())
    }

    fn take(&mut self, line: &Line) {
        if let Some(Event::Release(release)) = &line.event {
            self.archives.extend(release.archives.iter().map(|record| in_tree(&layout::archive(&record.sha256))));
        }
    }
}

#[cfg(test)]
mod meanwhile;
#[cfg(test)]
mod on_a_bucket;

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
        // One waits, one waited too long, and of one the record is gone.
        let waits = |since: u64| format!(r#"{{"event":"","signatures":[],"by":null,"staged":{since}}}"#);
        for (path, content) in [
            ("staged/geo/1.0.0.json", waits(u64::MAX)),
            ("staged/geo/1.0.0/00.tar.gz", "x".to_owned()),
            ("staged/geo/1.1.0.json", waits(1)),
            ("staged/geo/1.1.0/00.tar.gz", "x".to_owned()),
            ("staged/geo/1.0.0-a/00.tar.gz", "x".to_owned()),
        ] {
            storage.put(path, content.into(), Condition::Always).await.expect("it is written");
        }
        let now = SystemTime::now();
        let young = collect_in(&storage, Mode::Remove, now).await.expect("it is looked at");
        assert_eq!(young, Removed::default());
        let later = now + 2 * GRACE;
        let told = collect_in(&storage, Mode::Tell, later).await.expect("it is looked at");
        assert_eq!(collect_in(&storage, Mode::Remove, later).await.expect("it is removed"), told);
        // Of the bundled registry, every tile of hashes as it grew.
        assert_eq!((told.archives, told.tiles, told.lists, told.staged), (1, 8, 1, 3));
        assert!(storage.read("staged/geo/1.0.0/00.tar.gz").await.expect("it is read").is_some());
        assert_eq!(storage.list("").await.expect("it is listed").len(), all + 9 - 13);
    }
}
