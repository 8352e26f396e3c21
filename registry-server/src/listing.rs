//! The search list stays short: when it is long, a file to search in is written of it and of the file before.
//!
//! It is done beside the publishes and not as a part of them. Whoever publishes meanwhile finds the list as it was, or finds it short;
//! of two servers that do it at once, one finds that it was done.

use std::iter::Peekable;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::stream::TryStreamExt as _;
use pocket_index::layout;
use pocket_index::search::{Builder, IndexFile, Listing, SearchEntry};
use pocket_index::stats::{Day, Downloads};
use tokio::task::JoinHandle;

use crate::catalog::Filed;
use crate::error::chain;
use crate::stats::Counter;
use crate::storage::{Condition, Put, Storage, TREE, in_tree};
use crate::{Registry, RegistryError, checkpoint};

/// A day: how old the downloads in the file may be, and how long a file is kept that the list does not name any more.
const DAY: Duration = Duration::from_secs(86_400);
/// Other servers write the same list; each of these tries meets a newer one.
const TRIES: u32 = 20;

/// Which lists are put into a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// Long ones.
    Long,
    /// Also those that have a file already, for the downloads in it.
    Filed,
}

/// A task that ends when this is dropped.
pub(crate) struct Filing(JoinHandle<()>);

impl Drop for Filing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Keeps the list short as long as the answer lives.
pub(crate) fn keep_short(registry: &Arc<Registry>, counter: &Arc<Counter>) -> Filing {
    let (registry, counter, long) = (Arc::downgrade(registry), Arc::clone(counter), registry.list_is_long());
    Filing(tokio::spawn(async move {
        let mut when = When::Long;
        loop {
            let Some(registry) = registry.upgrade() else { return };
            // The list works as it is, and is only longer than it should be.
            if let Err(error) = file_away(&registry, &counter.known(), when).await {
                tracing::warn!("the search list stays long: {}", chain(&error));
            }
            drop(registry);
            when = match tokio::time::timeout(DAY, long.notified()).await {
                Ok(()) => When::Long,
                Err(_) => When::Filed,
            };
        }
    }))
}

/// Puts what the list has into a file. Tells whether it did.
pub(crate) async fn file_away(registry: &Registry, downloads: &Downloads, when: When) -> Result<bool, RegistryError> {
    let storage = registry.storage();
    let taken = read(registry).await?.0;
    if !taken.is_long() && (when == When::Long || taken.index.is_none()) {
        return Ok(false);
    }
    let (file, bytes) = build(registry, &taken, downloads).await?;
    if taken.index.as_ref() == Some(&file) {
        return Ok(false);
    }
    let path = in_tree(&layout::search_index(&file.sha256));
    let (Put::Done(_) | Put::Refused) = storage.put(&path, bytes.into(), Condition::Absent).await?;
    for attempt in 0..TRIES {
        let (newest, condition) = read(registry).await?;
        if newest.index != taken.index {
            return Ok(false);
        }
        let short = newest.since(&taken, file.clone()).to_text();
        match storage.put(&in_tree(layout::SEARCH), short.into(), condition).await? {
            Put::Done(_) => {
                clear(storage, TREE, Some(&file)).await?;
                return Ok(true);
            }
            Put::Refused => tokio::time::sleep(Duration::from_millis(5 << attempt.min(6))).await,
        }
    }
    Err(registry.damaged_file(layout::SEARCH, format!("other servers wrote it {TRIES} times meanwhile")))
}

async fn read(registry: &Registry) -> Result<(Listing, Condition), RegistryError> {
    let stored = registry.storage().read(&in_tree(layout::SEARCH)).await?;
    let condition = Condition::as_read(stored.as_ref());
    let Some(stored) = stored else { return Ok((Listing::default(), condition)) };
    let listing = Listing::parse(&String::from_utf8_lossy(&stored.bytes));
    let listing = listing.map_err(|error| registry.damaged_file(layout::SEARCH, chain(&error)))?;
    Ok((listing, condition))
}

/// The file of a list and of the file that it names, piece by piece: the old one may be as large as a registry is.
async fn build(
    registry: &Registry,
    listing: &Listing,
    downloads: &Downloads,
) -> Result<(IndexFile, Vec<u8>), RegistryError> {
    let damaged = |message: String| registry.damaged_file(layout::SEARCH, message);
    let today = Day::of(checkpoint::now()?);
    let recent = |entry: &SearchEntry| downloads.of(entry.name.as_str()).map_or(0, |counts| counts.recent(today));
    let mut builder = Builder::default();
    let mut push = |entry: &SearchEntry| builder.push(entry, recent(entry)).map_err(|error| damaged(chain(&error)));
    let mut changed = listing.entries.values().peekable();
    if let Some(file) = &listing.index {
        let old = Filed::read(registry, file).await?;
        let mut pieces = registry.storage().pieces(&old.entry, old.head.entries()).await?;
        let mut buffer: Vec<u8> = Vec::new();
        let mut ranges = old.head.entry_of_each();
        let mut next = ranges.next();
        while let Some(piece) = pieces.try_next().await? {
            buffer.extend_from_slice(&piece);
            let mut taken = 0_usize;
            while let Some(range) = &next {
                let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
                let Some(text) = buffer.get(taken..taken.saturating_add(length)) else { break };
                let entry: SearchEntry = serde_json::from_slice(text).map_err(|error| damaged(chain(&error)))?;
                before(&mut changed, &entry).try_for_each(&mut push)?;
                if !listing.hides(&entry.name) {
                    push(&entry)?;
                }
                taken += length;
                next = ranges.next();
            }
            buffer.drain(..taken);
            tokio::task::yield_now().await;
        }
    }
    changed.try_for_each(&mut push)?;
    let built = tokio::task::spawn_blocking(move || builder.finish().named()).await;
    built.map_err(|error| damaged(error.to_string()))
}

/// The changed entries that belong before this one, or in its place.
fn before<'a, 'b>(
    changed: &'b mut Peekable<impl Iterator<Item = &'a SearchEntry>>,
    entry: &'b SearchEntry,
) -> impl Iterator<Item = &'a SearchEntry> {
    std::iter::from_fn(move || changed.next_if(|changed| changed.name <= entry.name))
}

/// Removes the files of `below` that no list named for a day.
pub(crate) async fn clear(storage: &dyn Storage, below: &str, kept: Option<&IndexFile>) -> Result<(), RegistryError> {
    let kept = kept.map(|kept| format!("{below}{}", layout::search_index(&kept.sha256)));
    for entry in storage.list(&format!("{below}search/")).await? {
        let is_old = SystemTime::now().duration_since(entry.modified).is_ok_and(|age| age > DAY);
        if is_old && Some(&entry.path) != kept.as_ref() {
            storage.remove(&entry.path).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
