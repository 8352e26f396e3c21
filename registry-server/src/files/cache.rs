//! Small files that were read a moment ago. Each is used only while its place says that it is still the same one.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{PoisonError, RwLock};

use axum::http::HeaderValue;
use bytes::Bytes;

use crate::storage::Tag;

/// 1 MiB: most archives of plugins and all tiles are smaller, and most index files.
pub(super) const MAX_FILE: u64 = 1 << 20;
/// 32 MiB in all.
const BUDGET: usize = 32 << 20;
/// Threads that use different files seldom wait for each other.
const SHELVES: usize = 16;

/// A file's bytes and the tag that clients know it by.
#[derive(Debug, Clone)]
pub(super) struct Cached {
    pub bytes: Bytes,
    pub etag: HeaderValue,
    tag: Tag,
}

#[derive(Debug, Default)]
struct Shelf {
    files: HashMap<String, Cached>,
    bytes: usize,
}

/// Files by path.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    shelves: [RwLock<Shelf>; SHELVES],
    hasher: RandomState,
}

impl Cached {
    pub fn new(bytes: Bytes, etag: HeaderValue, tag: Tag) -> Self {
        Self { bytes, etag, tag }
    }
}

impl Cache {
    /// The file, if it is the one with this tag.
    pub(super) fn get(&self, path: &str, tag: &Tag) -> Option<Cached> {
        let shelf = self.shelf(path).read().unwrap_or_else(PoisonError::into_inner);
        shelf.files.get(path).filter(|cached| cached.tag == *tag).cloned()
    }

    /// Keeps a file. A shelf that is full is emptied first: what is asked for often is back at once.
    pub(super) fn put(&self, path: &str, cached: Cached) {
        let mut shelf = self.shelf(path).write().unwrap_or_else(PoisonError::into_inner);
        let cost = cost(path, &cached);
        if shelf.bytes + cost > BUDGET / SHELVES {
            *shelf = Shelf::default();
        }
        shelf.bytes += cost;
        if let Some(old) = shelf.files.insert(path.to_owned(), cached) {
            shelf.bytes -= self::cost(path, &old);
        }
    }

    fn shelf(&self, path: &str) -> &RwLock<Shelf> {
        let place = self.hasher.hash_one(path) % SHELVES as u64;
        &self.shelves[usize::try_from(place).unwrap_or_default()]
    }
}

/// With what the map itself needs.
fn cost(path: &str, cached: &Cached) -> usize {
    path.len() + cached.bytes.len() + 256
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cached(length: usize, tag: &str) -> Cached {
        Cached::new(vec![0; length].into(), HeaderValue::from_static("\"x\""), Tag(tag.to_owned()))
    }

    #[test]
    fn a_file_that_was_replaced_is_not_given_out() {
        let cache = Cache::default();
        cache.put("index/a", cached(10, "old"));
        assert!(cache.get("index/a", &Tag("old".to_owned())).is_some());
        assert!(cache.get("index/a", &Tag("new".to_owned())).is_none());
    }

    #[test]
    fn it_never_holds_more_than_its_budget() {
        let cache = Cache::default();
        for number in 0..2_000 {
            cache.put(&format!("a/{number}"), cached(100 << 10, "tag"));
            cache.put("a/again", cached(100 << 10, "tag"));
        }
        let held: usize = cache.shelves.iter().map(|shelf| shelf.read().unwrap().bytes).sum();
        let counted: usize =
            cache.shelves.iter().flat_map(|shelf| shelf.read().unwrap().files.clone()).map(|(p, c)| cost(&p, &c)).sum();
        assert!(held <= BUDGET && held == counted, "{held} {counted}");
    }
}
