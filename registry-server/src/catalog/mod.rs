//! What the search list holds, in memory, and as new as the list.

mod links;

use std::sync::{Arc, PoisonError, RwLock};

use pocket_index::layout;
use pocket_index::search::Finder;
use tokio::sync::Mutex;

use crate::Registry;
use crate::error::{ApiError, chain};
use crate::storage::{Tag, in_tree};
pub(crate) use links::Links;

/// The search list, ready to be asked.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    listed: Arc<RwLock<Listed>>,
    /// Which list that is. Held while a newer one is read, so that one request does it.
    tag: Mutex<Option<Tag>>,
}

/// What the list says.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub finder: Finder,
    pub links: Links,
}

impl Catalog {
    /// Asks what the list says now. It costs a look at the file unless the file changed.
    pub async fn ask<T>(&self, registry: &Registry, question: impl FnOnce(&Listed) -> T) -> Result<T, ApiError> {
        self.refresh(registry).await?;
        Ok(question(&self.listed.read().unwrap_or_else(PoisonError::into_inner)))
    }

    async fn refresh(&self, registry: &Registry) -> Result<(), ApiError> {
        let path = in_tree(layout::SEARCH);
        let newest = registry.storage().entry(&path).await?.map(|entry| entry.tag);
        let mut tag = self.tag.lock().await;
        if *tag == newest {
            return Ok(());
        }
        let Some(stored) = registry.storage().read(&path).await? else { return Ok(()) };
        let (read, listed) = (stored.tag.clone(), Arc::clone(&self.listed));
        // A hundred thousand entries take a second at a server's start, and one entry next to nothing.
        let update = move || {
            let text = String::from_utf8_lossy(&stored.bytes);
            let mut listed = listed.write().unwrap_or_else(PoisonError::into_inner);
            match listed.finder.update(&text) {
                Ok(changes) => listed.links.update(&changes),
                // The next publish writes it anew; until then what was read before is better than nothing.
                Err(error) => tracing::error!("the search list cannot be read: {}", chain(&error)),
            }
        };
        tokio::task::spawn_blocking(update).await.map_err(|error| ApiError::storage(&error))?;
        *tag = Some(read);
        Ok(())
    }
}
