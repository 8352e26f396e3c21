//! What readers get of files that are odd, gone, or replaced that moment.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use axum::body::to_bytes;
use axum::extract::Request;
use bytes::Bytes;
use object_store::memory::InMemory;

use super::*;
use crate::storage::{Around, Bucket, Condition, Folder, Pieces, Storage, StorageError};
use crate::{Registry, Seed};

#[test]
fn only_the_static_tree_can_be_read() {
    for good in
        ["config.json", "index/re/di/redis-cache", "log/checkpoint", "log/tile/0/x001/000.p/7", "a/ab/abc.tar.gz"]
    {
        assert!(is_public(good), "{good}");
    }
    for bad in [
        "",
        "head.json",
        "registry.key",
        "../registry.key",
        "index/../../registry.key",
        "index//x",
        "index/.hidden",
        "index/%2e%2e/x",
        "index/a\\..\\b",
        "a/",
        "a/\0",
        &format!("index/{}", "a".repeat(256)),
        &format!("index{}", "/aaaa".repeat(110)),
    ] {
        assert!(!is_public(bad), "{bad}");
    }
}

/// A place where somebody replaces a large file between a look at it and its first byte.
#[derive(Debug)]
struct Busy {
    inner: Arc<dyn Storage>,
    /// How often that still happens.
    left: AtomicUsize,
}

fn large(round: usize) -> Bytes {
    vec![u8::try_from(round % 251).expect("it is small"); 2 << 20].into()
}

#[async_trait]
impl Around for Busy {
    fn inner(&self) -> &dyn Storage {
        &*self.inner
    }

    async fn pieces_around(&self, entry: &Entry, part: Range<u64>) -> Result<Pieces, StorageError> {
        if let Ok(left) = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
            self.inner.put(&entry.path, large(left), Condition::Always).await?;
        }
        self.inner.pieces(entry, part).await
    }
}

#[tokio::test]
async fn a_file_that_is_replaced_that_moment_is_answered_as_it_is_now() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let places: [Arc<dyn Storage>; 2] =
        [Arc::new(Folder::plain(folder.path().join("registry"))), Arc::new(Bucket::of(Arc::new(InMemory::new())))];
    for inner in places {
        let busy = Arc::new(Busy { inner, left: AtomicUsize::new(0) });
        let key = folder.path().join("registry.key");
        Registry::at(Arc::clone(&busy) as _, &key, Seed::Empty).await.expect("a new registry");
        let served = Arc::new(Served::new(Arc::clone(&busy) as _));
        let ask = async || {
            let request = Request::get("/search.json").body(Body::empty()).expect("a request");
            answer(&served, &request.into_parts().0).await
        };
        busy.put(&in_tree("search.json"), large(9), Condition::Always).await.expect("it is written");
        busy.left.store(TRIES - 1, Ordering::SeqCst);
        let response = ask().await;
        assert_eq!(response.status(), StatusCode::OK, "it is read in the end");
        let body = to_bytes(response.into_body(), 4 << 20).await.expect("all of it");
        assert!(body == large(1), "it is the newest, whole");
        // Where it never ends, nothing is broken: it is to be asked for again.
        busy.left.store(usize::MAX, Ordering::SeqCst);
        assert_eq!(ask().await.status(), StatusCode::SERVICE_UNAVAILABLE, "it is replaced each time");
    }
}

#[tokio::test]
async fn what_cannot_be_answered_is_not_kept_by_anybody() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let storage: Arc<dyn Storage> = Arc::new(Bucket::of(Arc::new(InMemory::new())));
    let registry = Registry::at(Arc::clone(&storage), &folder.path().join("registry.key"), Seed::Bundled).await;
    registry.expect("a new registry");
    let served = Arc::new(Served::new(storage));
    let archives = served.storage().list(&in_tree("a/")).await.expect("they are listed");
    let path = archives[0].path.strip_prefix("tree").expect("it is in the tree").to_owned();
    for (range, status, kept) in
        [("bytes=0-", 206, IMMUTABLE), ("bytes=999999999-", 416, NOT_KEPT), ("bytes=x", 200, IMMUTABLE)]
    {
        let request = Request::get(&path).header("range", range).body(Body::empty()).expect("a request");
        let response = answer(&served, &request.into_parts().0).await;
        assert_eq!((response.status().as_u16(), &response.headers()[CACHE_CONTROL]), (status, &kept), "{range}");
    }
}
