//! How often plugins are downloaded. An answer is counted under its archive's digest; who got it is written down nowhere.
//!
//! Counts wait in memory and are added to `stats/downloads.json` once a minute: what a server that is killed counted since then is
//! lost. Several servers add to the same file, each what it counted itself.

mod archive;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use axum::http::header::CONTENT_RANGE;
use axum::http::{HeaderMap, Method, StatusCode};
use bytes::Bytes;
use pocket_index::digest::Digest;
use pocket_index::layout;
use pocket_index::name::PluginName;
use pocket_index::stats::{Day, Downloads};

use crate::error::chain;
use crate::storage::{Condition, Put, in_tree};
use crate::{Registry, RegistryError, checkpoint};

/// A minute: what a crash may lose, and how long a download is not shown.
const FLUSH: Duration = Duration::from_secs(60);
/// Other servers write the same file; each of these tries meets a newer one.
const TRIES: u32 = 8;

/// The counts of this server, and those of the file when it was last read.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    waiting: Mutex<HashMap<Digest, u64>>,
    /// Whose archive a digest is; none if that cannot be told.
    owners: Mutex<HashMap<Digest, Option<PluginName>>>,
    known: RwLock<Arc<Downloads>>,
}

impl Counter {
    /// Counts an answer if it is the beginning of an archive.
    pub fn note(&self, method: &Method, path: &str, status: StatusCode, headers: &HeaderMap) {
        let begins = |headers: &HeaderMap| {
            let range = headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
            range.is_some_and(|range| range.starts_with("bytes 0-"))
        };
        let is_download = *method == Method::GET
            && (status == StatusCode::OK || (status == StatusCode::PARTIAL_CONTENT && begins(headers)));
        if let (true, Some(digest)) = (is_download, digest_of(path)) {
            *lock(&self.waiting).entry(digest).or_default() += 1;
        }
    }

    /// What was known when counts were last written or read.
    pub fn known(&self) -> Arc<Downloads> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads what was counted before this server started.
    pub async fn load(&self, registry: &Registry) -> Result<(), RegistryError> {
        let content = registry.file(layout::DOWNLOADS).await?;
        self.show(content.as_deref().map(read).unwrap_or_default());
        Ok(())
    }

    /// Adds what waits to the file. What cannot be written waits on.
    pub async fn flush(&self, registry: &Registry) -> Result<(), RegistryError> {
        let waiting = std::mem::take(&mut *lock(&self.waiting));
        if waiting.is_empty() {
            return Ok(());
        }
        let named = self.named(registry, &waiting).await;
        let written = write(registry, &named).await;
        match written {
            Ok(downloads) => self.show(downloads),
            Err(error) => {
                let mut later = lock(&self.waiting);
                waiting.into_iter().for_each(|(digest, count)| *later.entry(digest).or_default() += count);
                return Err(error);
            }
        }
        Ok(())
    }

    fn show(&self, downloads: Downloads) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(downloads);
    }

    /// The counts by plugin. An archive says whose it is: its manifest was compared with the signed event when it was published.
    async fn named(&self, registry: &Registry, counts: &HashMap<Digest, u64>) -> HashMap<PluginName, u64> {
        let mut named = HashMap::new();
        for (digest, count) in counts {
            let known = lock(&self.owners).get(digest).cloned();
            let owner = match known {
                Some(owner) => owner,
                None => {
                    let owner = archive::owner(registry, digest).await;
                    lock(&self.owners).insert(*digest, owner.clone());
                    owner
                }
            };
            if let Some(name) = owner {
                *named.entry(name).or_default() += count;
            }
        }
        named
    }
}

/// Flushes until it is dropped.
pub(crate) struct Counting(tokio::task::JoinHandle<()>);

/// Flushes once a minute as long as the answer lives.
pub(crate) fn keep_counting(counter: &Arc<Counter>, registry: &Arc<Registry>) -> Counting {
    let (counter, registry) = (Arc::clone(counter), Arc::downgrade(registry));
    Counting(tokio::spawn(async move {
        loop {
            tokio::time::sleep(FLUSH).await;
            let Some(registry) = registry.upgrade() else { return };
            if let Err(error) = counter.flush(&registry).await {
                tracing::warn!("downloads were counted and not written: {}", chain(&error));
            }
        }
    }))
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn write(registry: &Registry, counts: &HashMap<PluginName, u64>) -> Result<Downloads, RegistryError> {
    let path = in_tree(layout::DOWNLOADS);
    let today = Day::of(checkpoint::now()?);
    for attempt in 0..TRIES {
        let stored = registry.storage().read(&path).await?;
        let mut downloads = stored.as_ref().map(|stored| read(&stored.bytes)).unwrap_or_default();
        counts.iter().for_each(|(name, count)| downloads.add(name, today, *count));
        let text = Bytes::from(downloads.to_text());
        match registry.storage().put(&path, text, Condition::as_read(stored.as_ref())).await? {
            Put::Done(_) => return Ok(downloads),
            Put::Refused => tokio::time::sleep(Duration::from_millis(20 << attempt)).await,
        }
    }
    Err(registry.damaged_file(layout::DOWNLOADS, format!("other servers wrote it {TRIES} times meanwhile")))
}

/// A damaged file is begun anew: nothing but an order of plugins depends on it.
fn read(bytes: &[u8]) -> Downloads {
    let parsed = str::from_utf8(bytes).ok().and_then(|text| Downloads::parse(text).ok());
    parsed.unwrap_or_else(|| {
        tracing::error!("`{}` cannot be read, and is begun anew", layout::DOWNLOADS);
        Downloads::default()
    })
}

fn digest_of(path: &str) -> Option<Digest> {
    let file = path.trim_start_matches('/').strip_prefix("a/")?.split('/').next_back()?;
    let hex = file.strip_suffix(".tar.gz")?;
    format!("sha256:{hex}").parse().ok()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
