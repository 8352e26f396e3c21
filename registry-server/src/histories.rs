//! Plugins' histories as they were read a moment ago. To read one, every signature in its file is checked: that is done once for each
//! file that everybody looks at, and for a few files at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pocket_index::layout;
use pocket_index::name::PluginName;
use pocket_index::record::History;
use tokio::sync::Semaphore;

use crate::Registry;
use crate::error::ApiError;
use crate::storage::{Tag, in_tree};

/// Files of 32 MiB together; what was read of them takes some times that.
const KEPT: usize = 32 << 20;
/// So many files are read at once: as many are in memory besides.
const AT_ONCE: usize = 4;

/// What was read.
#[derive(Debug)]
pub(crate) struct Histories {
    known: Mutex<Known>,
    reading: Semaphore,
}

#[derive(Debug, Default)]
struct Known {
    histories: HashMap<PluginName, (Tag, Arc<History>)>,
    bytes: usize,
}

impl Default for Histories {
    fn default() -> Self {
        Self { known: Mutex::default(), reading: Semaphore::new(AT_ONCE) }
    }
}

impl Histories {
    /// The history of a plugin, as much of it as a log of `size` events has; none if the registry does not have the plugin.
    pub async fn of(
        &self,
        registry: &Registry,
        name: &PluginName,
        size: u64,
    ) -> Result<Option<Arc<History>>, ApiError> {
        let path = in_tree(&layout::index_file(name));
        let Some(entry) = registry.storage().entry(&path).await? else { return Ok(None) };
        if let Some(known) = self.known(name, &entry.tag, size) {
            return Ok(Some(known));
        }
        let _turn = self.reading.acquire().await;
        // Whoever was before may have read it.
        if let Some(known) = self.known(name, &entry.tag, size) {
            return Ok(Some(known));
        }
        let Some(stored) = registry.storage().read(&path).await? else { return Ok(None) };
        let (plugin, policy) = (name.clone(), registry.policy().clone().published_up_to(size));
        let bytes = stored.bytes.len();
        let replay = move || History::replay(&plugin, &String::from_utf8_lossy(&stored.bytes), &policy);
        let replayed = tokio::task::spawn_blocking(replay).await.map_err(|error| ApiError::storage(&error))?;
        let history = Arc::new(replayed.map_err(|error| ApiError::storage(&error))?);
        if history.unpublished() == 0 {
            self.keep(name, stored.tag, &history, bytes);
        }
        Ok(Some(history))
    }

    fn known(&self, name: &PluginName, tag: &Tag, size: u64) -> Option<Arc<History>> {
        let known = self.lock();
        let (_, history) = known.histories.get(name).filter(|(of, _)| of == tag)?;
        // Somebody may have read it with a newer checkpoint.
        let is_published = history.outline().last_log().is_none_or(|log| log < size);
        is_published.then(|| Arc::clone(history))
    }

    fn keep(&self, name: &PluginName, tag: Tag, history: &Arc<History>, bytes: usize) {
        let mut known = self.lock();
        // What was replaced is counted until then; better forgetful than large.
        if known.bytes + bytes > KEPT {
            *known = Known::default();
        }
        known.bytes += bytes;
        known.histories.insert(name.clone(), (tag, Arc::clone(history)));
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;
    use crate::Seed;
    use crate::storage::{Bucket, Condition};

    #[tokio::test]
    async fn a_file_is_read_once_until_it_changes() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let storage = Arc::new(Bucket::of(Arc::new(InMemory::new())));
        let registry = Registry::at(storage, &folder.path().join("registry.key"), Seed::Bundled).await;
        let registry = registry.expect("a new registry");
        let (histories, name) = (Histories::default(), "redis-cache".parse().expect("a name"));
        let read = async |size| histories.of(&registry, &name, size).await.expect("it is read").expect("it is there");
        let first = read(1_000).await;
        assert!(Arc::ptr_eq(&first, &read(2_000).await));
        // A reader whose checkpoint is older sees less.
        let last = first.outline().last_log().expect("it has lines");
        assert_eq!(read(last).await.len(), first.len() - 1);
        assert!(Arc::ptr_eq(&first, &read(last + 1).await));
        // The same bytes again are another file, which could be anything.
        let path = in_tree(&layout::index_file(&name));
        let stored = registry.storage().read(&path).await.expect("it is read").expect("it is there");
        registry.storage().put(&path, stored.bytes, Condition::Always).await.expect("it is written");
        assert!(!Arc::ptr_eq(&first, &read(1_000).await));
        let none = "no-such".parse().expect("a name");
        assert!(histories.of(&registry, &none, 1_000).await.expect("it is looked for").is_none());
    }

    #[tokio::test]
    async fn what_is_kept_does_not_grow() {
        let histories = Histories::default();
        let name = |number: usize| format!("plugin{number}").parse::<PluginName>().expect("a name");
        let policy = pocket_index::record::Policy::new([]);
        for number in 0..100 {
            let history = Arc::new(History::empty(name(number), &policy));
            histories.keep(&name(number), Tag(String::new()), &history, KEPT / 10);
        }
        assert!(histories.lock().histories.len() <= 10 && histories.lock().bytes <= KEPT);
        assert!(histories.known(&name(99), &Tag(String::new()), 1).is_some());
    }
}
