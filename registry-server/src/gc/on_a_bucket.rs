//! Clearing up on a real S3-compatible server: what it lists in pages, the tags that it gives in lists and answers, and what it removes.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use futures_util::stream::{self, StreamExt as _};
use object_store::RetryConfig;

use super::*;
use crate::config::Limits;
use crate::routes::{Answers, Service};
use crate::storage::{Bucket, Condition};
use crate::testing::{Files, Seaweed, author, check, release};
use crate::{Registry, Seed};

/// A list of S3 has 1,000 objects a page.
const ORPHANS: usize = 1_100;

async fn send(registry: &Arc<Registry>, route: &str, body: Vec<u8>) {
    let service = Arc::new(Service::new(Arc::clone(registry), Limits::default()));
    let request = Request::put(route).body(Body::from(body)).expect("a request");
    let response = Answers::of_registry(service).to(request).await;
    assert!(response.status().is_success(), "{}", response.status());
}

async fn tree(bucket: &Bucket) -> Files {
    let mut files = Files::new();
    for entry in bucket.list(TREE).await.expect("it is listed") {
        let stored = bucket.read(&entry.path).await.expect("it is read").expect("it is there");
        files.insert(entry.path[TREE.len()..].to_owned(), stored.bytes.to_vec());
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_names_is_removed_from_a_bucket_and_what_is_published_stays() {
    // It waits for the server on a runtime of its own.
    let seaweed = tokio::task::spawn_blocking(Seaweed::start).await.expect("it starts");
    let bucket = Bucket::of(Arc::new(seaweed.store(RetryConfig::default())));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let key = folder.path().join("registry.key");
    let registry = Registry::at(Arc::new(bucket.clone()), &key, Seed::Empty).await.expect("it is made");
    let registry = Arc::new(registry);
    for version in ["1.0.0", "1.1.0"] {
        send(&registry, "/api/v1/publish", release("geo", version, "return 1", &author(1))).await;
    }
    send(&registry, "/api/v1/staged", release("geo", "2.0.0", "return 2", &author(1))).await;
    let published = tree(&bucket).await;
    let orphans = (0..ORPHANS).map(|number| format!("tree/a/{:02x}/{number:064x}.tar.gz", number % 256));
    let orphans: Vec<_> = orphans.collect();
    let put = |path: String| {
        let bucket = bucket.clone();
        async move { bucket.put(&path, "x".into(), Condition::Always).await.expect("it is written") }
    };
    let written = stream::iter(orphans.iter().cloned().map(put)).buffer_unordered(16).count().await;
    assert_eq!((written, tree(&bucket).await.len()), (ORPHANS, published.len() + ORPHANS));

    let now = SystemTime::now();
    assert_eq!(collect_in(&bucket, Mode::Remove, now).await.expect("it is looked at"), Removed::default());
    // Two days: what is named stays however old it is, and what waits for signatures waits on.
    let told = collect_in(&bucket, Mode::Tell, now + 2 * GRACE).await.expect("it is looked at");
    assert_eq!((told.archives, told.staged, told.bytes), (ORPHANS, 0, ORPHANS as u64));
    assert_eq!(collect_in(&bucket, Mode::Remove, now + 2 * GRACE).await.expect("it is removed"), told);
    assert_eq!(tree(&bucket).await, published);
    assert_eq!(check(&published, registry.key()).len(), 2);
    // 20 days: nobody signs that any more.
    let removed = collect_in(&bucket, Mode::Remove, now + 20 * GRACE).await.expect("it is removed");
    assert_eq!((removed.archives, removed.staged), (0, 2));
    assert_eq!(bucket.list(STAGED).await.expect("it is listed"), []);
    // And it goes on.
    send(&registry, "/api/v1/publish", release("geo", "1.2.0", "return 3", &author(1))).await;
    assert_eq!(check(&tree(&bucket).await, registry.key()).len(), 3);
}
